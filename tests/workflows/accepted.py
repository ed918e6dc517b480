"""Bodies that a plan holds: every form of composition, and what may stand around it."""

from __future__ import annotations

import dataclasses
from datetime import date
from decimal import Decimal
from types import NoneType
from typing import Final

import fishplate
from fishplate import (
    Contract,
    Degraded,
    Policy,
    Rejected,
    TimedOut,
    agent,
    approval,
    each,
    graded,
    parallel,
    repeat,
    route,
    sleep,
    struct,
    switch,
    wait_for,
    when,
    workflow,
)
from fishplate.contracts import Schema
from fishplate.contracts.shape import Shape
from tests.workflows.cast import (
    Line,
    NotFound,
    Order,
    Query,
    Reason,
    Refund,
    Reply,
    Unclear,
    apologise,
    clarify,
    explain,
    find,
    greet,
    intent,
    line_reply,
    order_of,
    order_status,
    polish,
    refund,
    say,
    sparse,
    stock,
    summary,
)

GREETING: Final = "hello"
TWICE: Final = 1 + 1
QUICK: Final = Policy(timeout=2)


@dataclasses.dataclass(frozen=True)
class Texts:
    """Texts that do not change."""

    bye: str = "bye"


TEXTS: Final = Texts()


@agent
async def price(amount: Decimal, day: date, reason: Reason) -> str:
    """Takes constants of several types."""
    return f"{amount} {day.isoformat()} {reason.value}"


@agent
async def refund_of(request: Refund, query: Query) -> Reply:
    """A branch that needs more than its value."""
    return Reply(text=f"{request.order_id} {query.channel}")


@agent
async def perhaps(text: str) -> Reply | None:
    """A reply, or none."""
    return Reply(text=text) if text else None


@agent
async def nothing_found(missing: None) -> Reply:
    """What to say if there is none."""
    return Reply(text="none")


@agent
async def reason_of(text: str) -> Reason | None:
    """A reason, or none."""
    return Reason(text) if text in {"damaged", "late"} else None


@dataclasses.dataclass
class Count:
    """A plain dataclass."""

    number: int
    is_full: bool


@agent
async def count_on(count: Count) -> Count:
    """One more."""
    return Count(count.number + 1, count.number + 1 >= 3)


@agent
async def keyed(*, text: str, times: int = 2) -> Reply:
    """Takes its arguments by name alone."""
    return Reply(text=text * times)


LINE_CONTRACT: Final = Contract(name="returned", input=Schema({}), output=Shape.of(Line).gives)


@workflow
async def chain(query: Query) -> Reply:
    """Steps one after the other, with a docstring, `pass` and an annotation."""
    pass  # noqa: PIE790 -- it is accepted
    reply: Reply = await greet(query)
    return await polish(reply)


@workflow
async def handed_through(query: Query) -> Query:
    """The input is the result."""
    return query


@workflow
async def field_of_input(query: Query) -> str:
    """A field is the result."""
    return query.text


@workflow
async def constant_result(query: Query) -> str:
    """A constant is the result."""
    return GREETING


@workflow
async def nothing_back(query: Query) -> None:
    """No result, and a step for its effect."""
    await greet(query)


@workflow
async def routed(query: Query) -> Reply:
    """Every member of a union has a branch."""
    what = await intent(query)
    return await route(order_status, refund, clarify, on=what)


@workflow
async def routed_with_more(query: Query) -> Reply:
    """A branch that needs more than its value, a dotted word, agents under local names."""
    what = await fishplate.graded(intent(query))
    unclear = clarify.using(QUICK)
    return await fishplate.route(
        order_status, when(Refund, lambda one: refund_of(one, query)), unclear, on=what.value
    )


@workflow
async def nested_decision(query: Query) -> Reply:
    """A branch that decides again."""
    what = await intent(query)
    return await route(
        order_status,
        when(
            Refund, lambda one: switch((True, refund(one)), (False, greet(query)), on=query.urgent)
        ),
        clarify,
        on=what,
    )


@workflow
async def route_on_none(text: str) -> Reply:
    """An optional value is routed like any union."""
    found = await perhaps(text)
    return await route(polish, nothing_found, on=found)


@workflow
async def route_on_none_by_when(text: str) -> Reply:
    """The same, with a branch written there."""
    found = await perhaps(text)
    return await route(polish, when(NoneType, lambda _: say("nothing", times=TWICE)), on=found)


@workflow
async def by_boolean(query: Query) -> Reply:
    """A switch by a boolean."""
    return await switch((True, say("quick")), (False, say("slow")), on=query.urgent)


@workflow
async def by_literal(query: Query) -> Reply:
    """A switch by a literal with a default."""
    return await switch(("email", say("dear")), on=query.channel, default=say("hi"))


@workflow
async def by_enum(text: str) -> Reply:
    """A switch by an enum, over all its members."""
    order = await order_of(text)
    return await switch(
        (Reason.DAMAGED, say("broken")), (Reason.LATE, say("late")), on=order.reason
    )


@workflow
async def by_enum_or_none(text: str) -> Reply:
    """A switch by an enum that may be None."""
    reason = await reason_of(text)
    return await switch(
        (Reason.DAMAGED, say("broken")), (None, say("?")), on=reason, default=say("late")
    )


@workflow
async def side_by_side(query: Query) -> Reply:
    """A tuple that is unpacked."""
    first, (second) = await parallel(greet(query), say(query.text, TWICE))
    await polish(second)
    return await polish(first)


@agent
async def count_letters(text: str) -> int:
    """How long a text is."""
    return len(text)


@workflow
async def three_kinds(query: Query) -> tuple[Reply, int, Order]:
    """A tuple as the result."""
    return await parallel(greet(query), count_letters(query.text), order_of(query.text))


@workflow
async def for_each(text: str) -> list[Reply]:
    """An agent for every element."""
    order = await order_of(text)
    return await each(line_reply, order.lines)


@workflow
async def for_each_by_key(text: str) -> Reply:
    """A lambda, a key and a bound."""
    order = await order_of(text)
    replies = await each(
        lambda line: say(line.sku, line.count), order.lines, key="sku", concurrency=1
    )
    return await summary(replies)


@workflow
async def constants_in_branches(text: str) -> list[str]:
    """Constants of several types in a lambda."""
    order = await order_of(text)
    return await each(lambda _: price(Decimal("1.50"), date(2026, 1, 2), Reason.LATE), order.lines)


@dataclasses.dataclass
class Sheet:
    """Fields named like what other objects have of their own."""

    copy: str
    json: str
    items: list[str]
    keys: int


@agent
async def sheet_of(text: str) -> Sheet:
    """A sheet."""
    return Sheet(copy=text, json="{}", items=[text], keys=2)


@workflow
async def more_awkward_names(text: str) -> list[Reply]:
    """They are fields all the same."""
    sheet = await sheet_of(text)
    await say(sheet.json)
    await say(sheet.copy, sheet.keys)
    return await each(say, sheet.items)


@workflow
async def again_and_again(number: int) -> Count:
    """A loop with a bound."""
    return await repeat(count_on, Count(0, is_full=False), until="is_full", at_most=5)


@agent
async def name_of_order(order: Order) -> str:
    """A field with an awkward name."""
    return order.name


@workflow
async def built(query: Query) -> Reply:
    """An input built of several values, and one inside another."""
    line = struct(Line, sku=query.text, count=3)
    order = struct(Order, order_id=query.text, lines=[], reason=Reason.LATE, copied=query.channel)
    await name_of_order(order)
    return await line_reply(line)


@workflow
async def awkward_names(text: str) -> Reply:
    """Fields named like what a symbol might have of its own."""
    order = await order_of(text)
    await say(order.type)
    await say(order.path)
    await say(order.step)
    await say(order.copied)
    return await say(order.name)


@workflow
async def constants(query: Query) -> str:
    """Constants of an enum, a decimal, a date; a name of a class, an attribute, some arithmetic."""
    day = date(2026, 1, 2)
    amount = Decimal("1.50")
    await say(TEXTS.bye, times=TWICE * 2 - 1)
    await say(query.text, -1 + TWICE)
    await polish(Reply(text=GREETING))
    return await price(amount, day, Reason.DAMAGED)


@workflow
async def called_by_name(text: str, times: int = 2) -> Reply:
    """Arguments by name, a default of the workflow's own."""
    return await say(times=times, text=text)


@workflow
async def keyword_only(*, text: str) -> Reply:
    """Parameters that are given by name alone, of the workflow and of the agent."""
    return await keyed(text=text)


@workflow
async def same_agent_twice(query: Query) -> Reply:
    """The second step of a name is `~2`."""
    reply = await greet(query)
    again = await polish(reply)
    return await polish(again)


@agent
async def greet_slowly(question: Query) -> Reply:
    """A fallback whose parameter has another name."""
    return Reply(text=f"... {question.text}")


@workflow
async def pinned(query: Query) -> Reply:
    """A pinned name, in a chain of settings."""
    hello = greet.using(Policy(timeout=2)).named("hello")
    return await hello.or_else(greet_slowly).using(QUICK)(query)


@workflow
async def caught(order_id: str) -> Reply:
    """A declared error as a value, routed."""
    found = await find.catching(NotFound)(order_id)
    return await route(polish, apologise, on=found)


@workflow(errors=[NotFound])
async def let_through(order_id: str) -> Reply:
    """A declared error that leaves the workflow."""
    return await find(order_id)


@workflow
async def nested(query: Query) -> Reply:
    """A workflow is an agent."""
    reply = await routed(query)
    return await polish(reply)


@workflow
async def nested_and_caught(order_id: str) -> Reply:
    """A declared error of a workflow is caught like any."""
    found = await let_through.catching(NotFound)(order_id)
    return await route(polish, apologise, on=found)


async def two_steps(query: Query, bye: str) -> Reply:
    """An undecorated async function: its steps become the workflow's."""
    reply = await greet(query)
    await say(bye)
    return await polish(reply)


@workflow
async def inlined(query: Query) -> Reply:
    """The same helper twice, with values and constants."""
    first = await two_steps(query, GREETING)
    await two_steps(query, bye=first.text)
    return first


@workflow(tools=[stock])
async def with_a_tool(text: str) -> int:
    """A granted tool as a step."""
    return await stock(text)


@workflow
async def know_how_good(query: Query) -> Degraded[Reply]:
    """A value with its grade."""
    return await graded(greet.or_else(greet_slowly)(query))


@workflow
async def typed_dict(query: Query) -> str:
    """A key of a typed dict that is always there."""
    found = await sparse(query)
    return found["order_id"]


@workflow
async def sensitive(query: Query) -> Reply | Rejected:
    """A call that somebody has to approve."""
    return await approval(greet(query), roles=["lead"], within=60)


@workflow
async def signalled(query: Query) -> Reply:
    """Signals with a time, with a default, without one, and of a contract file."""
    late = await wait_for("line", Line, within=60)
    first = await route(line_reply, when(TimedOut, lambda out: say(out.signal)), on=late)
    line = await wait_for("line", Line, within=60, default=Line(sku="none", count=0))
    await line_reply(line)
    order = await wait_for("order", Order)
    await explain(order.reason)
    returned = await wait_for("returned", LINE_CONTRACT, within=60)
    await route(when(TimedOut, lambda out: say(out.signal)), line_reply, on=returned)
    return await polish(first)


@workflow
async def pause(query: Query) -> Reply:
    """Waits for some time."""
    await sleep(60 * 60)
    return await greet(query)


@workflow
async def waits_below(query: Query) -> Reply:
    """A nested workflow that waits."""
    return await pause(query)


@agent
async def ask(query: Query) -> Unclear:
    """Asks back."""
    return Unclear(question=query.text)


@workflow(name="renamed", version="2.1.0", policy=QUICK)
async def described(query: Query) -> Unclear:
    """All that a workflow may be given.

    This is not part of the description.
    """
    return await ask(query)
