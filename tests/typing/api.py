"""Correct uses of the public names, with the types that both checkers have to infer.

Read by the type checkers and not run: see `test_typing.py`.
"""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import Any, Literal, assert_type

from pydantic import BaseModel

from fishplate import (
    Agent,
    App,
    Call,
    CannotSay,
    DeclaredError,
    Degraded,
    ModelAgent,
    NotDone,
    Policy,
    Prompt,
    Rejected,
    Run,
    Stale,
    Static,
    TextPiece,
    TextWithdrawn,
    TimedOut,
    Workflow,
    agent,
    approval,
    current,
    each,
    graded,
    model_agent,
    parallel,
    repeat,
    route,
    sleep,
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
    urgent: bool = False
    channel: Literal["email", "chat"] = "chat"


class Reason(Enum):
    """Why an order comes back."""

    DAMAGED = "damaged"
    LATE = "late"


class Status(BaseModel):
    """Asks where an order is."""

    kind: Literal["status"] = "status"


class Refund(BaseModel):
    """Asks for the money back."""

    kind: Literal["refund"] = "refund"
    reason: Reason = Reason.LATE


class Unclear(BaseModel):
    """Nobody knows."""

    kind: Literal["unclear"] = "unclear"


class Info(BaseModel):
    """Where an order is."""

    lines: list[str]
    is_final: bool = True


class Decision(BaseModel):
    """Whether the money comes back."""

    amount: int


class LostError(DeclaredError):
    """An order that nobody finds."""

    order_id: str


class LateError(DeclaredError):
    """A service that takes too long."""

    seconds: float


# decorators: bare, with arguments, on plain functions, on methods


@agent
async def intent(query: Query) -> Status | Refund | Unclear:
    """Async and bare."""
    return Status()


@agent(version="1.0.0", errors=[LostError, LateError])
async def status(request: Status) -> Info:
    """Async, with arguments."""
    return Info(lines=[])


@agent
def rules(request: Refund) -> Decision:
    """Plain and bare."""
    return Decision(amount=1)


@agent(inline=True)
def clarify(request: Unclear) -> str:
    """Plain, with arguments."""
    return ""


@tool(effect="readonly", scopes=["orders:read"])
async def count(text: str, step: int = 1) -> int:
    """A tool."""
    return step


@tool(effect="readonly")
async def find_payment(amount: int, order: str) -> Decision | NotDone | CannotSay:
    """What became of a payment."""
    return NotDone()


@tool(effect="idempotent")
async def give_back(result: Decision) -> None:
    """Undo a payment."""


@tool(effect="verifiable", lookup=find_payment, settle_time=5, compensate=give_back)
async def pay_for(amount: int, order: str) -> Decision:
    """Pay, and know afterwards whether that has happened."""
    return Decision(amount=amount)


@tool(effect="verifiable", lookup=find_payment, settle_time=5)
def pay_plainly(amount: int, order: str) -> Decision:
    """The same in a thread."""
    return Decision(amount=amount)


@agent(tools=[pay_for], on_failure="compensate")
async def pay_or_not(amount: int) -> Decision:
    """Pay, or undo it."""
    return await pay_for(amount, "W1")


assert_type(pay_for(1, order="W1"), Call[Decision])
assert_type(pay_plainly(1, "W1"), Call[Decision])


class Desk:
    """Holds behaviours."""

    async def answer(self, query: Query) -> Info:
        """Async."""
        return Info(lines=[query.text])

    def look(self, query: Query) -> Info:
        """Plain."""
        return Info(lines=[query.text])

    async def charge(self, amount: int) -> Decision:
        """Async, with an effect."""
        return Decision(amount=amount)


answer = agent(Desk().answer, name="answer")
look = agent(Desk().look, name="look", inline=True)
charge = tool(Desk().charge, name="charge", effect="at_most_once")


@agent
async def spare(question: Query) -> Info:
    """A parameter of another name."""
    return Info(lines=[])


@agent
async def further(info: Info) -> Info:
    """Takes its own output."""
    return info


@agent
async def join(infos: list[Info], query: Query) -> str:
    """Takes a list."""
    return ""


async def calls() -> None:
    """A call is deferred, and awaiting it gives the output."""
    assert_type(intent(Query(text="")), Call[Status | Refund | Unclear])
    assert_type(await intent(Query(text="")), Status | Refund | Unclear)
    assert_type(await status(request=Status()), Info)
    assert_type(await rules(Refund()), Decision)
    assert_type(await clarify(Unclear()), str)
    assert_type(await count("x"), int)
    assert_type(await count("x", step=2), int)
    assert_type(await answer(Query(text="")), Info)
    assert_type(await look(query=Query(text="")), Info)
    assert_type(await charge(3), Decision)
    assert_type(await asyncio.gather(rules(Refund()), count("x")), tuple[Decision, int])
    assert_type(current().run_id, str)


async def configured() -> None:
    """Settings keep the parameters, and `catching` adds to the output."""
    assert_type(await answer.or_else(spare)(query=Query(text="")), Info)
    stale = answer.or_else(Stale(max_age=60, scope="orders"))
    assert_type(await stale.or_else(Static(Info(lines=[])))(query=Query(text="")), Info)
    assert_type(await answer.using(Policy(timeout=2))(Query(text="")), Info)
    assert_type(await answer.named("hello").assuming("it is so")(Query(text="")), Info)
    assert_type(await status.catching(LostError)(Status()), Info | LostError)
    assert_type(await status.catching(LostError, LateError)(Status()), Info | LostError | LateError)


@workflow(version="1.0.0", errors=[LateError])
async def support(query: Query) -> Info | Decision | str | LostError:
    """Every decision has the union of its branches."""
    what = await intent(query)
    found = await route(rules, status.catching(LostError), clarify, on=what)
    assert_type(found, Decision | Info | LostError | str)
    more = await route(
        when(Refund, lambda refund: count(refund.reason.value)), status, clarify, on=what
    )
    assert_type(more, int | Info | str)
    return found


@workflow
async def compositions(query: Query) -> str:
    """Every word has the type that its parts give it."""
    by_case = await switch(
        ("email", rules(Refund())), ("chat", clarify(Unclear())), on=query.channel
    )
    assert_type(by_case, Decision | str)
    by_truth = await switch((True, count("x")), on=query.urgent, default=clarify(Unclear()))
    assert_type(by_truth, int | str)
    pair = await parallel(answer(query), count("x"))
    assert_type(pair, tuple[Info, int])
    info, number = pair
    assert_type(number, int)
    three = await parallel(answer(query), count("x"), clarify(Unclear()))
    assert_type(three, tuple[Info, int, str])
    assert_type(await each(count, info.lines), list[int])
    assert_type(await each(lambda line: count(line, 2), info.lines, key=None), list[int])
    assert_type(await repeat(further, info, until="is_final", at_most=3), Info)
    assert_type(await approval(charge(3), roles=["lead"], within=60), Decision | Rejected)
    assert_type(await wait_for("info", Info), Info)
    assert_type(await wait_for("info", Info, within=60), Info | TimedOut)
    assert_type(await wait_for("info", Info, within=60, default=Info(lines=[])), Info)
    assert_type(await wait_for("other", "contract.yaml"), Any)
    assert_type(await graded(answer(query)), Degraded[Info])
    assert_type(struct(Info, lines=info.lines), Info)
    await sleep(60)
    return await join([], query)


async def runs() -> None:
    """A workflow is an agent, and a run has its output."""
    assert_type(await support(Query(text="")), Info | Decision | str | LostError)
    assert_type(
        await support.replace(rules, rules)(Query(text="")), Info | Decision | str | LostError
    )
    async with App(support) as app:
        run = app.start(support, Query(text=""))
        assert_type(run, Run[Info | Decision | str | LostError])
        assert_type(await run.result(), Info | Decision | str | LostError)
        assert_type(await anext(run.text()), TextPiece | TextWithdrawn)


@model_agent("fast", version="1.0.0", tools=[count])
def read(query: Query) -> Prompt[Status | Refund]:
    """A prompt."""
    return Prompt(system="Read.", user=query.text)


@workflow
async def reading(query: Query) -> Info | Decision:
    """The answer of a model is routed like any other."""
    what = await read(query)
    assert_type(what, Status | Refund)
    return await route(status, rules, on=what)


async def models() -> None:
    """A prompt has the type of its answer."""
    assert_type(read.prompt(Query(text="")), Prompt[Status | Refund])
    assert_type(await read(Query(text="")), Status | Refund)


names: Agent[[Query], Info] = answer
asks: ModelAgent[[Query], Status | Refund] = read
nested: Workflow[[Query], str] = compositions
