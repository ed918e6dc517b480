"""The agents that the tests of the walker share."""

from decimal import Decimal
from enum import Enum
from typing import Literal

from pydantic import BaseModel

from fishplate import (
    agent,
    tool,
)


class Order(BaseModel):
    """An order."""

    kind: Literal["order"] = "order"
    number: str


class Refund(BaseModel):
    """A refund."""

    kind: Literal["refund"] = "refund"
    number: str
    amount: Decimal = Decimal(5)


class Basket(BaseModel):
    """Some orders."""

    orders: list[Order]


class Draft(BaseModel):
    """A text that gets better."""

    text: str
    done: bool = False


class Speed(Enum):
    """How fast."""

    FAST = "fast"
    SLOW = "slow"


@agent(inline=True)
def double(number: int) -> int:
    """Twice the number."""
    return number * 2


@agent(inline=True)
def add(first: int, second: int) -> int:
    """The sum."""
    return first + second


@agent(inline=True)
def show(number: int) -> str:
    """The number as text."""
    return str(number)


@agent(inline=True)
def ship(order: Order) -> str:
    """Ship an order."""
    return f"shipped {order.number}"


@agent(inline=True)
def pay(refund: Refund) -> str:
    """Pay a refund."""
    return f"paid {refund.number}"


@agent(inline=True)
def sort_out(text: str) -> Order | Refund:
    """Tell orders and refunds apart."""
    return Refund(number=text) if text.startswith("R") else Order(number=text)


@agent(inline=True)
def improve(draft: Draft) -> Draft:
    """Add a letter; three are enough."""
    text = draft.text + "x"
    return Draft(text=text, done=len(text) >= 3)


@tool(effect="keyed", key_ttl=60, inline=True)
def charge(number: str, amount: Decimal) -> str:
    """Charge money."""
    return f"charged {amount} for {number}"
