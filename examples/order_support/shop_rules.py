"""What the shop keeps (orders, customers, products) and how it says no.

The field names are those of the shop's data. Rows are frozen: a change is a new row. A field that
is `None` is absent from the data.
"""

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

CENT = Decimal("0.01")

OrderStatus: TypeAlias = Literal[
    "pending",
    "pending (item modified)",
    "processed",
    "delivered",
    "cancelled",
    "return requested",
    "exchange requested",
]
CancelReason: TypeAlias = Literal["no longer needed", "ordered by mistake"]
PaymentKind: TypeAlias = Literal["credit_card", "paypal", "gift_card"]


class Refused(Exception):  # noqa: N818 -- the shop's answer "no", which is no fault of anybody
    """The shop refuses a call, and nothing has changed.

    Attributes:
        message: The refusal in the shop's exact words, fit for the customer.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def _to_the_cent(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, rounding=ROUND_HALF_EVEN)


Money: TypeAlias = Annotated[
    Decimal,
    AfterValidator(_to_the_cent),
    # A JSON number reads back as the same amount: two decimals survive a float up to 10**13.
    PlainSerializer(float, return_type=float, when_used="json"),
    WithJsonSchema({"type": "number"}),
]
"""An amount to the cent, in the shop's currency, which the data does not name; a number in JSON."""


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Address(_Row):
    """Where an order goes, or where a customer lives; all of them in the USA."""

    address1: str
    address2: str
    city: str
    country: str
    state: str
    zip: str


class Item(_Row):
    """One line of an order: one piece. The same item twice is two lines.

    Attributes:
        price: What the customer paid for this line.
        options: Option name to value, spelled as the catalogue spells it.
    """

    name: str
    product_id: str
    item_id: str
    price: Money
    options: dict[str, str]


class Fulfillment(_Row):
    """A parcel: its tracking ids and the items in it."""

    tracking_id: tuple[str, ...]
    item_ids: tuple[str, ...]


class Payment(_Row):
    """Money that moved for an order.

    Attributes:
        transaction_type: `payment` to the shop, `refund` to the customer.
        amount: 0 or more; the direction is the type's.
    """

    transaction_type: Literal["payment", "refund"]
    amount: Money
    payment_method_id: str


class Order(_Row):
    """One order, with what has been asked for it since.

    Attributes:
        order_id: `#W` and seven digits; the `#` is part of it.
        payment_history: Oldest first.
        exchange_items: What goes back, sorted; `exchange_new_items` is sorted on its own, so the
            pairs cannot be read back.
        exchange_price_difference: New minus old; below 0 the customer gets money back.
        return_items: What goes back, sorted. No money has moved yet.
    """

    order_id: str
    user_id: str
    address: Address
    items: tuple[Item, ...]
    status: OrderStatus
    fulfillments: tuple[Fulfillment, ...]
    payment_history: tuple[Payment, ...]
    cancel_reason: CancelReason | None = None
    exchange_items: tuple[str, ...] | None = None
    exchange_new_items: tuple[str, ...] | None = None
    exchange_payment_method_id: str | None = None
    exchange_price_difference: Money | None = None
    return_items: tuple[str, ...] | None = None
    return_payment_method_id: str | None = None


class CreditCard(_Row):
    """A credit card on file."""

    source: Literal["credit_card"]
    id: str
    brand: str
    last_four: str


class PayPal(_Row):
    """A PayPal account on file."""

    source: Literal["paypal"]
    id: str


class GiftCard(_Row):
    """A gift card: the only method whose balance the shop keeps, 0 or more."""

    source: Literal["gift_card"]
    id: str
    balance: Money


PaymentMethod: TypeAlias = Annotated[CreditCard | PayPal | GiftCard, Field(discriminator="source")]


class PersonName(_Row):
    """A customer's name; not unique."""

    first_name: str
    last_name: str


class User(_Row):
    """A customer.

    Attributes:
        payment_methods: Keyed by their id.
        orders: Ids of the customer's orders; may be empty.
    """

    user_id: str
    name: PersonName
    address: Address
    email: str
    payment_methods: dict[str, PaymentMethod]
    orders: tuple[str, ...]


class Variant(_Row):
    """What is bought: a product in one choice of options."""

    item_id: str
    options: dict[str, str]
    available: bool
    price: Money


class Product(_Row):
    """A kind of thing, with all its variants by item id; product and item ids are unrelated."""

    name: str
    product_id: str
    variants: dict[str, Variant]


class EmailIdentity(_Row):
    """A customer who says who they are by e-mail address; case does not matter."""

    email: str


class NameZipIdentity(_Row):
    """A customer who says who they are by name, whose case does not matter, and exact zip code."""

    first_name: str
    last_name: str
    zip: str


Identity: TypeAlias = EmailIdentity | NameZipIdentity


def paid_per_method(order: Order) -> Mapping[str, Decimal]:
    """Say what the shop still holds: payments minus refunds by payment method id, oldest first."""
    held: dict[str, Decimal] = {}
    for entry in order.payment_history:
        signed = entry.amount if entry.transaction_type == "payment" else -entry.amount
        held[entry.payment_method_id] = held.get(entry.payment_method_id, Decimal(0)) + signed
    return held


def unbalanced(order: Order) -> str | None:
    """What speaks against an order's amounts; None if its lines come to what was paid for them.

    After a change of the payment method or of the items that is what is still held.
    """
    lines = sum((line.price for line in order.items), start=Decimal(0))
    paid = sum(
        (one.amount for one in order.payment_history if one.transaction_type == "payment"),
        start=Decimal(0),
    )
    held = sum(paid_per_method(order).values(), start=Decimal(0))
    return None if lines in {paid, held} else f"its lines come to {lines}, and paid was {paid}"
