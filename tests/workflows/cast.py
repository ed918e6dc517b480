"""The cast of the workflow tests: models, agents and tools that the bodies under test name."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Literal, NotRequired

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from fishplate import DeclaredError, agent, tool


class Reason(Enum):
    """Why an order comes back."""

    DAMAGED = "damaged"
    LATE = "late"


class Query(BaseModel):
    """What a customer writes."""

    text: str
    channel: Literal["email", "chat", "sms"] = "chat"
    urgent: bool = False


class OrderStatus(BaseModel):
    """Asks where an order is."""

    kind: Literal["order_status"] = "order_status"
    order_id: str


class Refund(BaseModel):
    """Asks for the money back."""

    kind: Literal["refund"] = "refund"
    order_id: str
    reason: Reason = Reason.LATE


class Unclear(BaseModel):
    """Nobody knows."""

    kind: Literal["unclear"] = "unclear"
    question: str


class Reply(BaseModel):
    """What the customer reads."""

    text: str


class Line(BaseModel):
    """One line of an order."""

    sku: str
    count: int


class Order(BaseModel):
    """An order with a field of every awkward name."""

    order_id: str
    lines: list[Line]
    reason: Reason
    type: str = ""
    path: str = ""
    step: str = ""
    name: str = ""
    copied: Annotated[str, Field(alias="copy")] = ""
    is_done: bool = True

    model_config = ConfigDict(populate_by_name=True)


class Sparse(TypedDict):
    """A typed dict with a key that may be absent."""

    order_id: str
    note: NotRequired[str]


class NotFound(DeclaredError):  # noqa: N818 -- an outcome, and the word of its domain
    """No such order."""

    order_id: str


@agent
async def intent(query: Query) -> OrderStatus | Refund | Unclear:
    """What the customer wants."""
    match query.text:
        case "refund":
            return Refund(order_id="1")
        case "status":
            return OrderStatus(order_id="1")
        case _:
            return Unclear(question=query.text)


@agent
async def order_status(request: OrderStatus) -> Reply:
    """Where an order is."""
    return Reply(text=f"order {request.order_id}")


@agent
async def refund(request: Refund) -> Reply:
    """The money back."""
    return Reply(text=f"refund {request.order_id}")


@agent
async def clarify(request: Unclear) -> Reply:
    """Asks back."""
    return Reply(text=f"pardon: {request.question}")


@agent
async def greet(query: Query) -> Reply:
    """A greeting."""
    return Reply(text=f"hello {query.text}")


@agent
async def polish(reply: Reply) -> Reply:
    """The same in other words."""
    return Reply(text=reply.text.upper())


@agent
async def say(text: str, times: int = 1) -> Reply:
    """A text, some times over."""
    return Reply(text=" ".join([text] * times))


@agent
async def order_of(text: str) -> Order:
    """The order that a text is about."""
    lines = [Line(sku="a", count=1), Line(sku="b", count=2)]
    return Order(order_id=text, lines=lines, reason=Reason.DAMAGED)


@agent
async def line_reply(line: Line) -> Reply:
    """About one line."""
    return Reply(text=f"{line.count} {line.sku}")


@agent
async def explain(reason: Reason) -> Reply:
    """About a reason."""
    return Reply(text=reason.value)


@agent
async def summary(replies: list[Reply]) -> Reply:
    """All replies in one."""
    return Reply(text="; ".join(reply.text for reply in replies))


@agent
async def sparse(query: Query) -> Sparse:
    """A typed dict."""
    return {"order_id": query.text}


@agent(errors=[NotFound])
async def find(order_id: str) -> Reply:
    """An order, or `NotFound`."""
    if order_id == "unknown":
        raise NotFound(order_id=order_id)
    return Reply(text=order_id)


@agent
async def apologise(error: NotFound) -> Reply:
    """What to say about an order that is not there."""
    return Reply(text=f"no {error.order_id}")


@tool(effect="readonly", scopes=["orders:read"])
async def stock(sku: str) -> int:
    """How many there are."""
    return len(sku)
