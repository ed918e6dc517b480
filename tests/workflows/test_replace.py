"""Exchanging an agent: the same workflow with a stand-in at any depth, checked like any edge."""

from __future__ import annotations

from typing import Any

import pytest

from fishplate import App, DeclarationError, agent, tool, workflow
from fishplate.workflows.workflow import every_unit, exchanged, reachable
from tests.workflows.cast import NotFound, Order, Query, Reply, find, greet, polish, say, stock


@agent
async def hello(question: Query) -> Reply:
    """Stands in for `greet`, under another name and parameter."""
    return Reply(text=f"stand-in {question.text}")


@agent(agents=[greet])
async def caller(query: Query) -> Reply:
    """Calls `greet` in its body."""
    return await greet(query)


@workflow
async def inner(query: Query) -> Reply:
    """Has `greet` as a step."""
    return await greet(query)


@agent
async def fails(query: Query) -> Reply:
    """Never answers."""
    raise ConnectionError(query.text)


@workflow
async def outer(query: Query) -> Reply:
    """Reaches `greet` in four ways, and `polish` besides."""
    first = await greet(query)
    await inner(query)
    await caller(query)
    await fails.or_else(greet)(query)
    return await polish(first)


SEEN: list[str] = []


@agent
async def watched(query: Query) -> Reply:
    """Stands in for `greet`, and remembers what it was asked."""
    SEEN.append(query.text)
    return Reply(text="")


async def test_an_agent_is_exchanged_wherever_it_is_called() -> None:
    """In steps, nested workflows, grants of bodies and fallbacks; the original stays as it was."""
    mocked = outer.replace(greet, watched)

    async with App(mocked):
        await mocked(Query(text="x"))
        assert SEEN == ["x"] * 4
    async with App(outer):
        assert await outer(Query(text="x")) == Reply(text="HELLO X")
        assert SEEN == ["x"] * 4


def test_what_is_one_agent_stays_one() -> None:
    """A name means one agent after the exchange too, and what is not reached stays as it is."""
    mocked = outer.replace(greet, hello)
    units = list(every_unit([mocked]))

    names = [unit.name for unit in units]
    assert sorted(names) == sorted(set(names))
    assert {unit.name for unit in units if unit.about.function is hello.function} == {"greet"}
    assert mocked.reachable()["polish"] is outer.reachable()["polish"]
    assert outer.replace(polish, polish).units["inner"] is outer.units["inner"]


def test_a_stand_in_keeps_what_the_step_says() -> None:
    """Name of the step, fallbacks and caught errors belong to the workflow, not to the agent."""

    @workflow
    async def flow(order_id: str) -> Reply | NotFound:
        return await find.catching(NotFound).named("look")(order_id)

    @agent(errors=[NotFound])
    async def found(key: str) -> Reply:
        return Reply(text=key)

    mocked = flow.replace(find, found)
    assert mocked.units["find"].caught == (NotFound,)
    assert [path for path, _ in mocked.plan.steps()] == ["look"]


def test_a_plain_agent_can_have_its_callees_exchanged() -> None:
    """The grants of a body are reached as the steps of a workflow are."""
    mocked = exchanged(caller, "greet", hello)

    assert reachable(mocked)["greet"].function is hello.function
    assert exchanged(caller, "nobody", hello) is caller


def test_another_agent_is_another_release() -> None:
    """A workflow with a stand-in is not the version that was evaluated."""
    assert outer.replace(greet, hello).release.fingerprint != outer.release.fingerprint


@agent
async def wrong_input(order: Order) -> Reply:
    """Takes something else."""
    return Reply(text=order.order_id)


@agent
async def wrong_output(query: Query) -> int:
    """Gives something else."""
    return len(query.text)


@agent
async def too_many(query: Query, more: Order) -> Reply:
    """Takes more."""
    return Reply(text=query.text + more.order_id)


@agent(errors=[NotFound])
async def raises(query: Query) -> Reply:
    """May end otherwise."""
    raise NotFound(order_id=query.text)


@tool(effect="readonly")
async def looks(query: Query) -> Reply:
    """Has an effect."""
    return Reply(text=query.text)


@pytest.mark.parametrize(
    ("new", "says"),
    [
        (wrong_input, "does not take every 'query'"),
        (wrong_output, "the answer of 'wrong_output' is not an answer of 'greet'"),
        (too_many, "takes 2 arguments and 'greet' 1"),
        (raises, "may end with 'NotFound', which 'greet' does not declare"),
        (looks, "is a tool and 'greet' is none"),
        (len, "is not an agent but 'len'"),
    ],
)
def test_a_stand_in_that_does_not_fit_is_refused(new: Any, says: str) -> None:
    """A stand-in takes what the agent takes, and gives, raises and touches no more than it."""
    with pytest.raises(DeclarationError, match=says) as refusal:
        outer.replace(greet, new)

    assert __file__.endswith((refusal.value.problems[0].where or "").partition(":")[0])


def test_an_agent_that_is_not_there_cannot_be_exchanged() -> None:
    """The refusal lists the agents that are there."""
    with pytest.raises(DeclarationError, match="has no agent 'say'; it has: caller, fails, greet"):
        outer.replace(say, say)
    assert stock.name not in outer.reachable()
