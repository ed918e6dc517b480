"""A small shop: the agents that the tests of the command line run."""

from typing import Literal

from pydantic import BaseModel

from fishplate import (
    DeclaredError,
    ErrorClass,
    Failure,
    agent,
    current,
    route,
    tool,
    workflow,
)


class Question(BaseModel):
    """What a customer asks."""

    text: str
    order_id: str = "W1"


class Status(BaseModel):
    """Asks where an order is."""

    kind: Literal["status"] = "status"
    order_id: str


class Unclear(BaseModel):
    """Asks what nobody understands."""

    kind: Literal["unclear"] = "unclear"


class Order(BaseModel):
    """What the shop knows of an order."""

    order_id: str
    state: Literal["shipped", "delivered"]


class NotFound(DeclaredError):  # noqa: N818 -- it is an outcome too
    """No order has this id."""

    order_id: str


@tool(effect="readonly", scopes=["orders:read"], version="1.0.0", errors=[NotFound])
async def find_order(order_id: str) -> Order:
    """Look an order up."""
    if order_id != "W1":
        raise NotFound(order_id=order_id)
    return Order(order_id=order_id, state="shipped")


@tool(effect="keyed", key_ttl=60, scopes=["payments:write"])
async def pay(amount: int) -> str:
    """Pay money out."""
    return f"paid {amount}"


@agent(version="1.0.0")
async def intent(question: Question) -> Status | Unclear:
    """Tell what a question is about."""
    if "order" in question.text:
        return Status(order_id=question.order_id)
    return Unclear()


@agent(version="1.1.0", tools=[find_order], errors=[NotFound])
async def order_status(request: Status) -> str:
    """Say where an order is."""
    order = await find_order(request.order_id)
    return f"order {order.order_id} is {order.state}"


@agent
async def clarify(request: Unclear) -> str:
    """Ask back."""
    return f"which order do you mean? ({request.kind})"


@workflow(version="1.0.0", errors=[NotFound])
async def support(question: Question) -> str:
    """Answer a question."""
    what = await intent(question)
    return await route(order_status, clarify, on=what)


@agent
async def count(first: int = 1, second: int = 2) -> int:
    """Add two numbers, and print about it."""
    print("counting")  # noqa: T201 -- bodies of users do
    return first + second


@agent
async def carrier(order_id: str) -> str:
    """Ask a carrier that has too much to do."""
    raise Failure(f"no time for {order_id}", error_class=ErrorClass.OVERLOAD, code="busy")


@agent
async def estimate(order_id: str) -> str:
    """Guess from old data."""
    current().degrade("estimated", source="history", age=90)
    return f"{order_id} arrives tomorrow"


@workflow
async def shipping(order_id: str) -> str:
    """Ask the carrier, or guess."""
    return await carrier.or_else(estimate)(order_id)


@agent
async def broken(order_id: str) -> str:
    """Fail as code with a bug does."""
    return order_id[1_000]


@agent
async def leaving() -> str:
    """Try to end the whole program."""
    raise SystemExit(7)
