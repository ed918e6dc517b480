"""What may be done to an order: pure functions from rows to changed rows.

Each checks in the order in which the shop answers, and refuses with the shop's own words. They read
no database and write none, so a refused change has changed nothing.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from examples.order_support.shop_rules import (
    Address,
    CancelReason,
    GiftCard,
    Item,
    Order,
    Payment,
    PaymentMethod,
    Product,
    Refused,
    User,
    Variant,
    paid_per_method,
)

_CANCEL_REASONS: Mapping[str, CancelReason] = {
    "no longer needed": "no longer needed",
    "ordered by mistake": "ordered by mistake",
}
_OPEN_STATUSES = frozenset({"pending", "pending (item modified)"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """An order and its customer as they are afterwards."""

    order: Order
    customer: User


@dataclass(frozen=True, kw_only=True, slots=True)
class Swap:
    """Old items for new ones, pair by pair.

    Attributes:
        products: By product id; holds at least the products of the order's lines.
        new_item_ids: What each item becomes, by position.
        payment_method_id: Pays or receives the difference.
    """

    products: Mapping[str, Product]
    item_ids: Sequence[str]
    new_item_ids: Sequence[str]
    payment_method_id: str


def cancel(order: Order, customer: User, reason: str) -> Change:
    """Cancel a pending order and refund what is still paid on each method.

    Raises:
        Refused: The order is not pending, or the reason is none of the two allowed.
    """
    if order.status != "pending":
        raise Refused("Non-pending order cannot be cancelled")
    cancel_reason = _CANCEL_REASONS.get(reason)
    if cancel_reason is None:
        raise Refused("Invalid reason")

    refunds = tuple(
        Payment(transaction_type="refund", amount=amount, payment_method_id=method_id)
        for method_id, amount in paid_per_method(order).items()
        if amount > 0
    )
    for refund in refunds:
        customer = _credited(customer, refund.payment_method_id, refund.amount)
    cancelled = {
        "status": "cancelled",
        "cancel_reason": cancel_reason,
        "payment_history": order.payment_history + refunds,
    }
    return Change(order=order.model_copy(update=cancelled), customer=customer)


def modify_address(order: Order, address: Address) -> Order:
    """Send an order that has not left yet to another address.

    Raises:
        Refused: The order is no longer pending.
    """
    if order.status not in _OPEN_STATUSES:
        raise Refused("Non-pending order cannot be modified")
    return order.model_copy(update={"address": address})


def modify_items(order: Order, customer: User, swap: Swap) -> Change:
    """Replace items of a pending order, once; the difference is paid or refunded at once.

    Raises:
        Refused: Not pending, items that do not match, a payment method that is not the customer's,
            or a gift card that does not cover the difference.
    """
    if order.status != "pending":
        raise Refused("Non-pending order cannot be modified")
    missing = _missing_item(order, swap.item_ids)
    if missing is not None:
        raise Refused(f"{missing} not found")
    if len(swap.item_ids) != len(swap.new_item_ids):
        raise Refused("The number of items to be exchanged should match")
    replacements = _replacements(order, swap, same_item_is_refused=True)
    difference = _difference(order, replacements)
    method = _payment_method(customer, swap.payment_method_id)
    if isinstance(method, GiftCard) and method.balance < difference:
        raise Refused("Insufficient gift card balance to pay for the new item")

    entry = Payment(
        transaction_type="payment" if difference > 0 else "refund",
        amount=abs(difference),
        payment_method_id=swap.payment_method_id,
    )
    modified = {
        "status": "pending (item modified)",
        "items": tuple(
            _as_variant(line, replacements[position]) if position in replacements else line
            for position, line in enumerate(order.items)
        ),
        "payment_history": (*order.payment_history, entry),
    }
    return Change(
        order=order.model_copy(update=modified),
        customer=_credited(customer, swap.payment_method_id, -difference),
    )


def modify_payment(order: Order, customer: User, payment_method_id: str) -> Change:
    """Pay a pending order by another method; the first one gets its money back.

    Raises:
        Refused: No longer pending, not the customer's method, paid more than once already, the same
            method, or a gift card that does not cover the order.
    """
    if order.status not in _OPEN_STATUSES:
        raise Refused("Non-pending order cannot be modified")
    method = _payment_method(customer, payment_method_id)
    history = order.payment_history
    if len(history) != 1 or history[0].transaction_type != "payment":
        raise Refused("There should be exactly one payment for a pending order")
    paid = history[0]
    if paid.payment_method_id == payment_method_id:
        raise Refused("The new payment method should be different from the current one")
    if isinstance(method, GiftCard) and method.balance < paid.amount:
        raise Refused("Insufficient gift card balance to pay for the order")

    payment = paid.model_copy(update={"payment_method_id": payment_method_id})
    refund = paid.model_copy(update={"transaction_type": "refund"})
    customer = _credited(customer, payment_method_id, -paid.amount)
    customer = _credited(customer, paid.payment_method_id, paid.amount)
    return Change(
        order=order.model_copy(update={"payment_history": (paid, payment, refund)}),
        customer=customer,
    )


def return_items(
    order: Order, customer: User, item_ids: Sequence[str], payment_method_id: str
) -> Order:
    """Ask for the return of delivered items; no money moves yet.

    Raises:
        Refused: Not delivered, a payment method that is not the customer's or neither a gift card
            nor the original one, or items that are not in the order.
    """
    if order.status != "delivered":
        raise Refused("Non-delivered order cannot be returned")
    method = _payment_method(customer, payment_method_id)
    original = order.payment_history[0].payment_method_id
    if not isinstance(method, GiftCard) and payment_method_id != original:
        raise Refused("Payment method should be the original payment method")
    if _missing_item(order, item_ids) is not None:
        raise Refused("Some item not found")

    requested = {
        "status": "return requested",
        "return_items": tuple(sorted(item_ids)),
        "return_payment_method_id": payment_method_id,
    }
    return order.model_copy(update=requested)


def exchange_items(order: Order, customer: User, swap: Swap) -> Order:
    """Ask for the exchange of delivered items; items, payments and balances stay as they are.

    Raises:
        Refused: Not delivered, items that do not match, a payment method that is not the
            customer's, or a gift card that does not cover the difference.
    """
    if order.status != "delivered":
        raise Refused("Non-delivered order cannot be exchanged")
    missing = _missing_item(order, swap.item_ids)
    if missing is not None:
        raise Refused(f"Number of {missing} not found.")
    if len(swap.item_ids) != len(swap.new_item_ids):
        raise Refused("The number of items to be exchanged should match.")
    replacements = _replacements(order, swap, same_item_is_refused=False)
    difference = _difference(order, replacements)
    method = _payment_method(customer, swap.payment_method_id)
    if isinstance(method, GiftCard) and method.balance < difference:
        raise Refused("Insufficient gift card balance to pay for the price difference")

    requested = {
        "status": "exchange requested",
        "exchange_items": tuple(sorted(swap.item_ids)),
        "exchange_new_items": tuple(sorted(swap.new_item_ids)),
        "exchange_payment_method_id": swap.payment_method_id,
        "exchange_price_difference": difference,
    }
    return order.model_copy(update=requested)


def _missing_item(order: Order, item_ids: Sequence[str]) -> str | None:
    """Give the first item that the order does not hold as often as it is named."""
    held = Counter(line.item_id for line in order.items)
    wanted = Counter(item_ids)
    return next((item_id for item_id in item_ids if wanted[item_id] > held[item_id]), None)


def _replacements(order: Order, swap: Swap, *, same_item_is_refused: bool) -> Mapping[int, Variant]:
    """Find the new variant for each line that is swapped, by the line's position.

    Lines are matched as they stand before the swap, each at most once: so one item may become what
    another one was.
    """
    replacements: dict[int, Variant] = {}
    for item_id, new_item_id in zip(swap.item_ids, swap.new_item_ids, strict=True):
        position = next(
            position
            for position, line in enumerate(order.items)
            if line.item_id == item_id and position not in replacements
        )
        if same_item_is_refused and item_id == new_item_id:
            raise Refused("The new item id should be different from the old item id")
        product = swap.products[order.items[position].product_id]
        variant = product.variants.get(new_item_id)
        if variant is None:
            raise Refused("Variant not found")
        if not variant.available:
            raise Refused(f"New item {new_item_id} not found or available")
        replacements[position] = variant
    return replacements


def _difference(order: Order, replacements: Mapping[int, Variant]) -> Decimal:
    """Say what the customer has to add; below 0, what the customer gets back."""
    return sum(
        (variant.price - order.items[position].price for position, variant in replacements.items()),
        start=Decimal(0),
    )


def _as_variant(line: Item, variant: Variant) -> Item:
    bought = {"item_id": variant.item_id, "price": variant.price, "options": variant.options}
    return line.model_copy(update=bought)


def _payment_method(customer: User, payment_method_id: str) -> PaymentMethod:
    method = customer.payment_methods.get(payment_method_id)
    if method is None:
        raise Refused("Payment method not found")
    return method


def _credited(customer: User, payment_method_id: str, amount: Decimal) -> User:
    """Move money onto a gift card (off it, if `amount` is below 0).

    Other methods are settled outside the shop, in days; their rows hold no balance.
    """
    method = customer.payment_methods[payment_method_id]
    if not isinstance(method, GiftCard):
        return customer
    credited = method.model_copy(update={"balance": method.balance + amount})
    methods = {**customer.payment_methods, payment_method_id: credited}
    return customer.model_copy(update={"payment_methods": methods})
