"""What answers in the place of a model: what it said last, a smaller model, a fixed answer."""

from __future__ import annotations

import asyncio
from typing import TypeAlias

import pytest

from fishplate import (
    App,
    ErrorClass,
    Policy,
    Prompt,
    Stale,
    Static,
    model_agent,
    workflow,
)
from fishplate.testing import ScriptedModel, VirtualClock, run_in_virtual_time
from fishplate.testing.scripted_model import Scripted
from tests.agents.asked import Question, Refund, refund

ONCE = Policy(retry="off", breaker="off")
FIVE: Scripted = {"kind": "refund", "amount": 5}
SEVEN: Scripted = {"kind": "refund", "amount": 7}
BROKEN: Scripted = {"kind": "refund", "amount": 0}
Told: TypeAlias = tuple[int, str, str | None, float | None]


@model_agent("small", policy=ONCE)
def by_small(question: Question) -> Prompt[Refund]:
    """Decide about a refund, by a smaller model."""
    return Prompt(user=question.text)


@workflow
async def deciding(question: Question) -> Refund:
    """Ask the model; else say what it said last; else ask the smaller one; else give nothing."""
    asked = refund.using(ONCE).or_else(Stale(max_age=60, scope="refunds"))
    return await asked.or_else(by_small).or_else(Static(Refund(amount=1)))(question)


def answered(
    *questions: tuple[str, float], fast: list[Scripted], small: list[Scripted]
) -> list[Told]:
    """Amount, state, source and age of answers to questions, each so long after the one before."""

    async def scenario() -> list[Told]:
        found: list[Told] = []
        models = {"fast": ScriptedModel(fast), "small": ScriptedModel(small)}
        async with App(deciding, models=models, clock=VirtualClock()) as app:
            for text, pause in questions:
                await asyncio.sleep(pause)
                run = app.start(deciding, Question(text=text))
                amount = (await run.result()).amount
                source, age = None, None
                if run.degraded:
                    source, age = run.degraded[0].source, run.degraded[0].age
                found.append((amount, run.state, source, age))
        return found

    return run_in_virtual_time(scenario())


@pytest.mark.parametrize(
    "failure",
    [[ErrorClass.OVERLOAD], [ErrorClass.QUOTA_EXHAUSTED], [BROKEN, BROKEN]],
    ids=["overload", "quota", "never valid"],
)
def test_what_the_model_said_last_answers_when_it_cannot(failure: list[Scripted]) -> None:
    """The same question gets the answer of before, marked with its age."""
    found = answered(("lamp", 0), ("lamp", 30), fast=[FIVE, *failure], small=[])

    assert found == [(5, "succeeded", None, None), (5, "degraded", "cache", 30.0)]


def test_another_question_or_an_old_answer_is_for_the_smaller_model() -> None:
    """Nothing is answered from memory that was said about something else, or too long ago."""
    down: Scripted = ErrorClass.OVERLOAD
    found = answered(
        ("lamp", 0), ("desk", 1), ("lamp", 60), fast=[FIVE, down, down], small=[SEVEN, SEVEN]
    )

    assert found[1:] == [(7, "degraded", "by_small", None)] * 2


def test_a_fixed_answer_ends_the_chain() -> None:
    """Where both models fail and nothing is remembered, somebody answers all the same."""
    found = answered(("lamp", 0), fast=[ErrorClass.OVERLOAD], small=[ErrorClass.OVERLOAD])

    assert found == [(1, "degraded", "static", None)]


def test_what_a_fallback_said_is_not_remembered_as_the_models() -> None:
    """A degraded answer is no good answer of the agent that it stood in for."""
    down: Scripted = ErrorClass.OVERLOAD
    found = answered(("lamp", 0), ("lamp", 1), fast=[down, down], small=[SEVEN, FIVE])

    assert [amount for amount, *_ in found] == [7, 5]
