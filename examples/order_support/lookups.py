"""What became of a change whose answer was lost: the order's own row tells.

Each has the parameters of the tool that it belongs to, changes nothing, and gives the order if the
change has happened, `NotDone` if the order is as it was before, and else `CannotSay`.
"""

from examples.order_support.payment_client import PaymentClient
from examples.order_support.payment_process import PaymentProcess
from examples.order_support.payments import Amount, Receipt, RefundOrder
from examples.order_support.refund_rules import RefundMethod
from examples.order_support.shop import Shop
from examples.order_support.shop_rules import Order
from fishplate import CannotSay, NotDone, current, tool


def _found(order: Order, *, has_happened: bool, before: str) -> Order | NotDone | CannotSay:
    if has_happened:
        return order
    return NotDone() if order.status == before else CannotSay()


def _order(order_id: str) -> Order:
    return current().resource(Shop).get_order_details(order_id)


@tool(version="1.0.0", effect="readonly", scopes=["orders:read"])
def find_cancellation(order_id: str, reason: str) -> Order | NotDone | CannotSay:
    """Whether an order was cancelled, and for that reason."""
    order = _order(order_id)
    is_it = order.status == "cancelled" and order.cancel_reason == reason
    return _found(order, has_happened=is_it, before="pending")


@tool(version="1.0.0", effect="readonly", scopes=["orders:read"])
def find_new_items(
    order_id: str,
    item_ids: list[str],  # noqa: ARG001 -- they are not in the order any more
    new_item_ids: list[str],
    payment_method_id: str,  # noqa: ARG001 -- the items tell already
) -> Order | NotDone | CannotSay:
    """Whether an order has its new items; that can happen once in its life."""
    order = _order(order_id)
    has_them = {item.item_id for item in order.items} >= {*new_item_ids}
    is_it = order.status == "pending (item modified)" and has_them
    return _found(order, has_happened=is_it, before="pending")


@tool(version="1.0.0", effect="readonly", scopes=["orders:read"])
def find_new_payment(order_id: str, payment_method_id: str) -> Order | NotDone | CannotSay:
    """Whether an order is paid by another method; that can happen once in its life."""
    order = _order(order_id)
    payments = [one for one in order.payment_history if one.transaction_type == "payment"]
    if len(payments) == 1:
        return NotDone()
    is_it = payments[-1].payment_method_id == payment_method_id
    return order if is_it else CannotSay()


@tool(version="1.0.0", effect="readonly", scopes=["orders:read"])
def find_return(
    order_id: str, item_ids: list[str], payment_method_id: str
) -> Order | NotDone | CannotSay:
    """Whether the return of these items was asked for."""
    order = _order(order_id)
    asked = (order.return_items, order.return_payment_method_id)
    is_it = order.status == "return requested" and asked == (
        tuple(sorted(item_ids)),
        payment_method_id,
    )
    return _found(order, has_happened=is_it, before="delivered")


@tool(version="1.0.0", effect="readonly", scopes=["orders:read"])
def find_exchange(
    order_id: str, item_ids: list[str], new_item_ids: list[str], payment_method_id: str
) -> Order | NotDone | CannotSay:
    """Whether the exchange of these items was asked for."""
    order = _order(order_id)
    asked = (
        order.exchange_items,
        order.exchange_new_items,
        order.exchange_payment_method_id,
    )
    is_it = order.status == "exchange requested" and asked == (
        tuple(sorted(item_ids)),
        tuple(sorted(new_item_ids)),
        payment_method_id,
    )
    return _found(order, has_happened=is_it, before="delivered")


@tool(version="1.0.0", effect="readonly", scopes=["payments:read"], target="payment_api")
async def find_refund(
    order_id: str, amount: Amount, method: RefundMethod = "original_payment"
) -> Receipt | NotDone | CannotSay:
    """Whether the payment service has given money back for an order, by its own list.

    Its keys do not count: it may have forgotten them.
    """
    asked = RefundOrder(order_id=order_id, amount=amount, method=method)
    service, client = current().resource(PaymentProcess), current().resource(PaymentClient)
    for made in await client.charges(await service.url()):
        if made.order_id == order_id:
            return made if made.is_of(asked) else CannotSay()
    return NotDone()
