# The next two lines keep the project's own checks silent here; `test_typing.py` takes them out.
# mypy: ignore-errors
# pyright: basic, reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false
"""Wrong uses, which both type checkers have to refuse before anything runs.

A line marked with `E`, a code of mypy and a rule of pyright is refused by both, and no other line
by any. The file is read by the type checkers and not run.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from fishplate import (
    CannotSay,
    DeclaredError,
    NotDone,
    Prompt,
    Static,
    agent,
    each,
    model_agent,
    parallel,
    repeat,
    route,
    struct,
    switch,
    tool,
    wait_for,
    when,
    workflow,
)


class Query(BaseModel):
    """What a customer writes."""

    text: str
    channel: Literal["email", "chat"] = "chat"


class Status(BaseModel):
    """Asks where an order is."""

    kind: Literal["status"] = "status"


class Refund(BaseModel):
    """Asks for the money back."""

    kind: Literal["refund"] = "refund"


class Info(BaseModel):
    """Where an order is."""

    lines: list[str]
    is_final: bool = True


class LostError(DeclaredError):
    """An order that nobody finds."""

    order_id: str


@agent
async def intent(query: Query) -> Status | Refund:
    """What the customer wants."""
    return Status()


@agent(errors=[LostError])
async def status(request: Status) -> Info:
    """Where an order is."""
    return Info(lines=[])


@agent
async def refund(request: Refund) -> Info:
    """The money back."""
    return Info(lines=[])


@agent
async def number(text: str) -> int:
    """Takes a text."""
    return 0


@agent
async def text_of(value: int) -> str:
    """Takes a number."""
    return ""


@model_agent("fast")  # E: arg-type, reportArgumentType
def promptless(text: str) -> str:
    """Returns no prompt."""
    return text


@model_agent("fast")
def prompted(text: str) -> Prompt[int]:
    """Asks for a number."""
    prompted.prompt(2)  # E: arg-type, reportArgumentType
    return Prompt(user=text)


@tool  # E: call-overload, reportCallIssue
async def bare(text: str) -> int:
    """Says nothing about its effect."""
    return 0


@tool(scopes=["orders:read"])  # E: call-overload, reportCallIssue
async def scoped(text: str) -> int:
    """Says nothing about its effect either."""
    return 0


@tool(effect="often")  # E: call-overload, reportArgumentType
async def worded(text: str) -> int:
    """Says a word that is none."""
    return 0


@tool(effect="readonly")
async def find(text: str) -> int | NotDone | CannotSay:
    """What became of a call."""
    return NotDone()


@tool(effect="verifiable", lookup=find, settle_time=1)  # E: arg-type, reportArgumentType
async def other_result(text: str) -> str:
    """Gives something else than its lookup."""
    return text


@tool(effect="verifiable", lookup=find, settle_time=1)  # E: arg-type, reportArgumentType
async def other_input(number: int) -> int:
    """Takes something else than its lookup."""
    return number


@workflow
async def forgotten(query: Query) -> Info:
    """A route without a branch for every member."""
    what = await intent(query)
    return await route(status, on=what)  # E: arg-type, reportArgumentType


@workflow
async def wrong_member(query: Query) -> Info:
    """A branch for another type."""
    what = await intent(query)
    return await route(status, number, on=what)  # E: arg-type, reportReturnType


@workflow
async def wrong_when(query: Query) -> Info:
    """A branch that gives its member to an agent of another type."""
    what = await intent(query)
    wrong = when(Refund, lambda one: status(request=one))  # E: arg-type, reportArgumentType
    return await route(status, wrong, on=what)


@workflow
async def wrong_result(query: Query) -> Info:
    """Another type than promised."""
    return await number(query.text)  # E: return-value, reportReturnType


@workflow
async def wrong_arguments(query: Query) -> int:
    """Arguments of another type, unknown, missing, too many."""
    await number(query)  # E: arg-type, reportArgumentType
    await number(query.txt)  # E: attr-defined, reportAttributeAccessIssue
    await number()  # E: call-arg, reportCallIssue
    await number(words=query.text)  # E: call-arg, reportCallIssue
    return await number(query.text, 2)  # E: call-arg, reportCallIssue


@workflow
async def not_awaited(query: Query) -> int:
    """A call in place of its value."""
    return await text_of(number(query.text))  # E: return-value, reportReturnType


@workflow
async def wrong_fallbacks(query: Query) -> int:
    """A fallback that takes or gives another type."""
    await number.or_else(text_of)(query.text)  # E: arg-type, reportArgumentType
    await number.or_else(shout)(query.text)  # E: arg-type, reportArgumentType
    await number.or_else(Static("three"))(query.text)  # E: arg-type, reportArgumentType
    return await number.or_else(add)(query.text)  # E: arg-type, reportArgumentType


@agent
async def shout(text: str) -> str:
    """Gives a text."""
    return text


@agent
async def add(left: str, right: str) -> int:
    """Takes two."""
    return 0


@workflow
async def wrong_catch(request: Status) -> Info | LostError:
    """An error that is none, and one that nobody takes."""
    await status.catching(ValueError)(request)  # E: type-var, reportArgumentType
    found = await status.catching(LostError)(request)
    return await route(again, on=found)  # E: arg-type, reportArgumentType


@agent
async def again(info: Info) -> Info:
    """Takes its own output."""
    return info


@workflow
async def wrong_lists(query: Query) -> list[int]:
    """Elements of another type, and a value that is no list."""
    info = await status(Status())
    await each(lambda line: text_of(value=line), info.lines)  # E: arg-type, reportArgumentType
    return await each(number, info)  # E: arg-type, reportArgumentType


@workflow
async def wrong_repeat(query: Query) -> Info:
    """An agent that does not take what it gives, and a start that it does not take."""
    await repeat(number, "a", until="done", at_most=3)  # E: arg-type, reportArgumentType
    return await repeat(again, query, until="", at_most=3)  # E: arg-type, reportArgumentType


@workflow
async def wrong_switch(query: Query) -> int:
    """A case that is awaited already."""
    case = ("email", await number("a"))
    other = ("chat", number("b"))
    return await switch(case, other, on=query.channel)  # E: arg-type, reportCallIssue


@workflow
async def wrong_parallel(query: Query) -> tuple[int, str]:
    """A tuple of other types, and a call that is awaited already."""
    await parallel(await number("a"), number("b"))  # E: call-overload, reportCallIssue
    return await parallel(number("a"), number("b"))  # E: return-value, reportReturnType


@workflow
async def wrong_signal(query: Query) -> Info:
    """A signal that may not come, and a default of another type."""
    await wait_for("info", Info, within="soon")  # E: call-overload, reportCallIssue
    await wait_for("info", 3)  # E: call-overload, reportCallIssue
    return await wait_for("info", Info, within=60)  # E: return-value, reportReturnType


@workflow
async def wrong_default(query: Query) -> Info:
    """A default of another type."""
    return await wait_for("info", Info, within=60, default=query)  # E: arg-type, reportReturnType


@workflow
async def wrong_struct(query: Query) -> Info:
    """A type that is no model."""
    return struct(str, text=query.text)  # E: type-var, reportArgumentType
