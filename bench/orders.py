"""What is measured: a small order, and the same step with fishplate and without.

A step takes an order and gives one, and its body does nothing: what remains is its price.
"""

from typing import Final

from pydantic import BaseModel

from fishplate import agent


class Order(BaseModel):
    """An order as it comes in."""

    order_id: str
    customer: str
    quantity: int
    amount_cents: int


ORDER: Final = Order(order_id="o-1042", customer="c-7", quantity=2, amount_cents=4990)
DOCUMENT: Final[dict[str, object]] = ORDER.model_dump()


@agent
async def receive(order: Order) -> Order:
    """Receive an order."""
    return order


@agent
async def check(order: Order) -> Order:
    """Check an order."""
    return order


@agent
async def pack(order: Order) -> Order:
    """Pack an order."""
    return order


@agent
async def ship(order: Order) -> Order:
    """Ship an order."""
    return order


async def pass_on(document: dict[str, object]) -> dict[str, object]:
    """The body of a step without fishplate."""
    return document
