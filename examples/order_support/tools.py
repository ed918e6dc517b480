"""The tools of the support agents: the shop's sixteen, and three that reach further.

The shop's tools have the names, arguments, refusals and rules of the retail domain of tau2-bench
(see `data/README.md`). What is declared here and nowhere else is their effect and their scopes.

A change whose second call is refused is `verifiable`: it must not be repeated blindly, because the
refusal would pass a success off as a failure, but the order's own row tells whether it happened
(see `lookups`).
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated, Final

from pydantic import Field

from examples.order_support import shop_rules
from examples.order_support.carrier import Carrier
from examples.order_support.carrier_client import CarrierClient, UnknownParcel
from examples.order_support.delivery import Parcel
from examples.order_support.lookups import (
    find_cancellation,
    find_exchange,
    find_new_items,
    find_new_payment,
    find_refund,
    find_return,
)
from examples.order_support.models import Reply
from examples.order_support.outbox import Outbox
from examples.order_support.payment_client import PaymentClient
from examples.order_support.payment_process import PaymentProcess
from examples.order_support.payments import Amount, Receipt, RefundOrder
from examples.order_support.refund_rules import RefundMethod
from examples.order_support.shop import Shop
from examples.order_support.shop_rules import Order, Product, User, Variant
from fishplate import Breaker, Bulkhead, Cache, DeclaredError, Policy, Retry, current, tool

ORDERS_ARE_FRESH_FOR: Final = 60.0
"""Seconds. A tool of this app that writes to `orders` is seen at once, another process's later."""

CARRIER_ANSWERS_WITHIN: Final = 2.0
"""Seconds; a customer who waits longer is better served by what we know ourselves."""

PAYMENTS_ANSWER_WITHIN: Final = 5.0
"""Seconds for one request; a refund that was not answered is asked for again under its key."""

PAYMENTS_REMEMBER_KEYS_FOR: Final = 86_400.0
"""Seconds, as the payment service promises."""

TrackingId = Annotated[str, Field(pattern=r"^[0-9]{12}$")]


class Refused(DeclaredError):  # noqa: N818 -- the shop's answer "no", which is no fault of anybody
    """The shop says no, in words fit for the customer; nothing has changed."""

    message: str


@contextmanager
def _shop() -> Generator[Shop]:
    """The app's shop; its refusals become declared ones."""
    try:
        yield current().resource(Shop)
    except shop_rules.Refused as refusal:
        raise Refused(message=refusal.message) from refusal


# Reading.


@tool(version="1.0.0", effect="readonly", scopes=["users:read"], errors=[Refused])
def find_user_id_by_email(email: str) -> str:
    """Find a customer by e-mail address, whatever its case."""
    with _shop() as shop:
        return shop.find_user_id_by_email(email)


@tool(version="1.0.0", effect="readonly", scopes=["users:read"], errors=[Refused])
def find_user_id_by_name_zip(first_name: str, last_name: str, zip: str) -> str:  # noqa: A002 -- the tool's own parameter
    """Find a customer by name, whatever its case, and exact zip code."""
    with _shop() as shop:
        return shop.find_user_id_by_name_zip(first_name, last_name, zip)


@tool(version="1.0.0", effect="readonly", scopes=["users:read"], errors=[Refused])
def get_user_details(user_id: str) -> User:
    """Read a customer's row."""
    with _shop() as shop:
        return shop.get_user_details(user_id)


@tool(
    version="1.0.0",
    effect="readonly",
    scopes=["orders:read"],
    errors=[Refused],
    policy=Policy(cache=Cache(ttl=ORDERS_ARE_FRESH_FOR, scope="orders")),
)
def get_order_details(order_id: str) -> Order:
    """Read an order, whoever's it is; the id is exact, with its `#`."""
    with _shop() as shop:
        return shop.get_order_details(order_id)


@tool(version="1.0.0", effect="readonly", scopes=["products:read"], errors=[Refused])
def get_product_details(product_id: str) -> Product:
    """Read a product with all its variants."""
    with _shop() as shop:
        return shop.get_product_details(product_id)


@tool(version="1.0.0", effect="readonly", scopes=["products:read"], errors=[Refused])
def get_item_details(item_id: str) -> Variant:
    """Read one variant of a product."""
    with _shop() as shop:
        return shop.get_item_details(item_id)


@tool(version="1.0.0", effect="readonly", scopes=["products:read"])
def list_all_product_types() -> str:
    """List all products: a JSON text that maps name to product id, sorted by name."""
    with _shop() as shop:
        return shop.list_all_product_types()


@tool(version="1.0.0", effect="readonly", errors=[Refused])
def calculate(expression: str) -> str:
    """Work out a line of arithmetic: `2 + 2` gives `4.0`."""
    with _shop() as shop:
        return shop.calculate(expression)


@tool(version="1.0.0", effect="readonly", scopes=["desk:transfer"])
def transfer_to_human_agents(summary: str) -> str:
    """Hand the customer over to a person, who is told the summary."""
    with _shop() as shop:
        return shop.transfer_to_human_agents(summary)


# Changing: each tool gives the row as it is afterwards. Where money moves, a gift card's balance
# does, and that stands in the customer's row.


@tool(
    version="1.0.0",
    effect="verifiable",
    scopes=["orders:write", "users:write"],
    errors=[Refused],
    lookup=find_cancellation,
    settle_time=0,
)
def cancel_pending_order(order_id: str, reason: str) -> Order:
    """Cancel a pending order; a gift card has its money back at once.

    Verifiable: the order is `cancelled`.
    """
    with _shop() as shop:
        return shop.cancel_pending_order(order_id, reason)


@tool(version="1.0.0", effect="idempotent", scopes=["orders:write"], errors=[Refused])
def modify_pending_order_address(  # noqa: PLR0913, PLR0917 -- the tool's own parameters
    order_id: str,
    address1: str,
    address2: str,
    city: str,
    state: str,
    country: str,
    zip: str,  # noqa: A002 -- the tool's own parameter
) -> Order:
    """Send a pending order elsewhere.

    Idempotent: it sets the whole address, so the second call finds nothing left to change.
    """
    with _shop() as shop:
        return shop.modify_pending_order_address(
            order_id, address1, address2, city, state, country, zip
        )


@tool(
    version="1.0.0",
    effect="verifiable",
    scopes=["orders:write", "users:write"],
    errors=[Refused],
    lookup=find_new_items,
    settle_time=0,
)
def modify_pending_order_items(
    order_id: str, item_ids: list[str], new_item_ids: list[str], payment_method_id: str
) -> Order:
    """Replace items of a pending order, pair by pair; once in an order's life.

    Verifiable: the order is `pending (item modified)` and has the new items.
    """
    with _shop() as shop:
        return shop.modify_pending_order_items(order_id, item_ids, new_item_ids, payment_method_id)


@tool(
    version="1.0.0",
    effect="verifiable",
    scopes=["orders:write", "users:write"],
    errors=[Refused],
    lookup=find_new_payment,
    settle_time=0,
)
def modify_pending_order_payment(order_id: str, payment_method_id: str) -> Order:
    """Pay a pending order by another method; once in an order's life.

    Verifiable: the payment history ends with the new payment and the refund of the old one.
    """
    with _shop() as shop:
        return shop.modify_pending_order_payment(order_id, payment_method_id)


@tool(version="1.0.0", effect="idempotent", scopes=["users:write"], errors=[Refused])
def modify_user_address(  # noqa: PLR0913, PLR0917 -- the tool's own parameters
    user_id: str,
    address1: str,
    address2: str,
    city: str,
    state: str,
    country: str,
    zip: str,  # noqa: A002 -- the tool's own parameter
) -> User:
    """Replace a customer's default address; orders keep theirs.

    Idempotent: it sets the whole address.
    """
    with _shop() as shop:
        return shop.modify_user_address(user_id, address1, address2, city, state, country, zip)


@tool(
    version="1.0.0",
    effect="verifiable",
    scopes=["orders:write"],
    errors=[Refused],
    lookup=find_return,
    settle_time=0,
)
def return_delivered_order_items(
    order_id: str, item_ids: list[str], payment_method_id: str
) -> Order:
    """Ask for the return of delivered items.

    Verifiable: the order's status is `return requested`.
    """
    with _shop() as shop:
        return shop.return_delivered_order_items(order_id, item_ids, payment_method_id)


@tool(
    version="1.0.0",
    effect="verifiable",
    scopes=["orders:write"],
    errors=[Refused],
    lookup=find_exchange,
    settle_time=0,
)
def exchange_delivered_order_items(
    order_id: str, item_ids: list[str], new_item_ids: list[str], payment_method_id: str
) -> Order:
    """Ask for the exchange of delivered items.

    Verifiable: the order's status is `exchange requested`.
    """
    with _shop() as shop:
        return shop.exchange_delivered_order_items(
            order_id, item_ids, new_item_ids, payment_method_id
        )


# The carrier.


@tool(
    version="1.0.0",
    effect="readonly",
    scopes=["carrier:read"],
    errors=[UnknownParcel],
    policy=Policy(timeout=CARRIER_ANSWERS_WITHIN),
)
async def track_parcel(tracking_id: TrackingId) -> Parcel:
    """Ask the carrier where a parcel is."""
    carrier, client = current().resource(Carrier), current().resource(CarrierClient)
    return await client.track(carrier.url, tracking_id)


# The payment service.


@tool(
    version="1.0.0",
    effect="keyed",
    scopes=["payments:write"],
    target="payment_api",
    key_ttl=PAYMENTS_REMEMBER_KEYS_FOR,
    key_caches="success",
    business_key=("order_id",),
    lookup=find_refund,
    settle_time=PAYMENTS_ANSWER_WITHIN,  # no request is on its way any more
    policy=Policy(
        attempt_timeout=PAYMENTS_ANSWER_WITHIN,
        retry=Retry(attempts=3),
        breaker=Breaker(),
        bulkhead=Bulkhead(10),
    ),
)
async def issue_refund(
    order_id: str, amount: Amount, method: RefundMethod = "original_payment"
) -> Receipt:
    """Give money back for an order, once."""
    asked = RefundOrder(order_id=order_id, amount=amount, method=method)
    service, client = current().resource(PaymentProcess), current().resource(PaymentClient)
    return await client.refund(await service.url(), asked, key=current().idempotency_key)


# The customer.


@tool(version="1.0.0", effect="idempotent", scopes=["messages:write"])
def ask_customer(question: Reply) -> Reply:
    """Send a question of a run to its customer.

    Idempotent: a run has one question, and the outbox one message of it.
    """
    current().resource(Outbox).put(current().run_id, question)
    return question
