"""What stands behind a tool has to fit it: who tells what became of a call, and who undoes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from fishplate import CannotSay, DeclarationError, NotDone, agent, tool
from fishplate.agents.agent import AnyAgent
from fishplate.agents.behind import compensation_arguments
from fishplate.tools.effect import EffectDeclaration


async def pay(order: str, amount: int) -> int:
    """Pay; a number."""
    return amount


@tool(effect="readonly")
async def find(order: str, amount: int) -> int | NotDone | CannotSay:
    """What became of a payment."""
    return CannotSay()


@tool(effect="readonly")
async def find_by_order(order: str) -> int | NotDone:
    """Asks with too little."""
    return NotDone()


@tool(effect="readonly")
async def find_by_cents(order: str, amount: float) -> str | NotDone:
    """Gives something else."""
    return NotDone()


@tool(effect="readonly")
async def find_by_name(order: int, amount: int) -> int | NotDone:
    """Takes something else."""
    return NotDone()


@tool(effect="idempotent")
async def ask_loudly(order: str, amount: int) -> int | NotDone:
    """Changes something."""
    return NotDone()


@agent
async def ask_an_agent(order: str, amount: int) -> int | NotDone:
    """Is no tool."""
    return NotDone()


@tool(effect="idempotent")
async def give_back(result: int, order: str) -> None:
    """Undo a payment."""


@tool(effect="idempotent")
async def give_back_by_day(day: str) -> None:
    """Wants to know what nobody knows."""


@tool(effect="idempotent")
async def give_back_text(result: str) -> None:
    """Takes another result."""


def _refusal(declare: Callable[[], AnyAgent]) -> str:
    with pytest.raises(DeclarationError) as refused:
        declare()
    [problem] = refused.value.problems
    assert problem.code == "bad_effect"
    return problem.message


@pytest.mark.parametrize(
    ("lookup", "message"),
    [
        (find_by_order, "takes (order), and is asked with the arguments of the call: (order, amou"),
        (find_by_name, "lookup=find_by_name of tool 'pay' does not take every 'order'"),
        (find_by_cents, "and the answer is int, NotDone or CannotSay"),
        (ask_loudly, "asking may change nothing: declare it by @tool(effect='readonly')"),
        (ask_an_agent, "is agent 'ask_an_agent', and asking may change nothing"),
    ],
)
def test_a_lookup_has_to_fit(lookup: Any, message: str) -> None:
    """It takes what the tool takes, gives what the tool gives, and changes nothing."""
    assert message in _refusal(
        lambda: cast(
            "AnyAgent", tool(pay, name="pay", effect="verifiable", lookup=lookup, settle_time=1)
        )
    )


@pytest.mark.parametrize(
    ("compensate", "message"),
    [
        (give_back_by_day, "takes 'day', and is called with: order, amount, result"),
        (give_back_text, "compensate=give_back_text of tool 'pay' does not take every 'result'"),
        (find, "is tool 'find', which changes nothing"),
    ],
)
def test_a_compensation_has_to_fit(compensate: AnyAgent, message: str) -> None:
    """It takes what is known of the call, by name, and has an effect of its own."""
    assert message in _refusal(
        lambda: tool(pay, name="pay", effect="idempotent", compensate=compensate)
    )


def test_a_call_is_undone_with_what_it_was_called_with() -> None:
    """Arguments and result go to the parameters of their names."""
    paid = tool(pay, name="pay", effect="idempotent", compensate=give_back)

    assert compensation_arguments(paid, ("W1", 5), 7, give_back) == (7, "W1")


@pytest.mark.parametrize(
    ("declaration", "problem"),
    [
        (EffectDeclaration(effect="verifiable"), "a verifiable effect needs lookup=: a readonly"),
        (
            EffectDeclaration(effect="at_most_once", lookup="find", settle_time=1),
            "lookup= belongs to a keyed or verifiable effect, and this one is 'at_most_once'",
        ),
        (
            EffectDeclaration(effect="verifiable", lookup="find"),
            "lookup= and settle_time= belong together",
        ),
        (
            EffectDeclaration(effect="idempotent", settle_time=1),
            "lookup= and settle_time= belong together",
        ),
        (
            EffectDeclaration(effect="verifiable", lookup="find", settle_time=-1),
            "settle_time=-1 is below 0",
        ),
        (
            EffectDeclaration(effect="readonly", compensate="undo"),
            "compensate= undoes an effect, and 'readonly' has none",
        ),
    ],
)
def test_a_declaration_says_what_is_missing(declaration: EffectDeclaration, problem: str) -> None:
    """One problem, in words, with what to write instead."""
    [found] = declaration.problems(())

    assert problem in found


def test_what_stands_behind_a_tool_is_part_of_its_release() -> None:
    """A tool that is undone by another one behaves in another way."""
    plain = tool(pay, name="pay", effect="idempotent")
    undone = tool(pay, name="pay", effect="idempotent", compensate=give_back)

    assert plain.release.behaviour != undone.release.behaviour
