"""`RateLimit(tokens_per_minute=)` of a model: an estimate is reserved, the count settles it."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fishplate import (
    App,
    ErrorClass,
    FishplateError,
    Policy,
    Prompt,
    RateLimit,
    Retry,
    model_agent,
)
from fishplate.models.model import ModelAnswer, ModelRequest, ModelSettings, Usage
from fishplate.testing import ScriptedModel, VirtualClock, run_in_virtual_time
from fishplate.testing.scripted_model import Scripted
from tests.agents.asked import Question, refund

MINUTE = 600  # tokens, so that ten come back in a second
ROOM = 100  # tokens that an answer may have
PATIENT = Policy(
    timeout=9_000,
    attempt_timeout=8_000,
    retry=Retry(attempts=2, base=1, cap=1, max_wait=8_000),
    rate_limit=RateLimit(tokens_per_minute=MINUTE),
)


class Told(NamedTuple):
    """One question, and what it really took."""

    pause: float
    characters: int
    used: int | None

    @property
    def estimate(self) -> int:
        """Four characters a token, and all the room that the answer has."""
        return -(-self.characters // 4) + ROOM


class Clocked(ScriptedModel):
    """A scripted model that writes down when it is asked."""

    def __init__(self, answers: list[Scripted]) -> None:
        super().__init__(answers)
        self.asked_at: list[float] = []

    async def request(self, request: ModelRequest) -> ModelAnswer:
        """Answer as it is written."""
        self.asked_at.append(asyncio.get_running_loop().time())
        return await super().request(request)


@model_agent("fast", settings=ModelSettings(max_tokens=ROOM), policy=PATIENT)
def answer(question: Question) -> Prompt[str]:
    """Answer in words."""
    return Prompt(user=question.text)


def used(tokens: int | None) -> ModelAnswer:
    """An answer that took so many tokens."""
    usage = Usage() if tokens is None else Usage(input_tokens=tokens, output_tokens=0)
    return ModelAnswer(text="yes", usage=usage)


def asked_at(*told: Told) -> list[float]:
    """When the model was asked, in seconds since the start."""
    model = Clocked([used(one.used) for one in told])

    async def ask() -> None:
        async with App(
            answer, models={"fast": model}, clock=VirtualClock(), working_time=10_000
        ) as app:
            for one in told:
                await asyncio.sleep(one.pause)
                await app.start(answer, Question(text="x" * one.characters)).result()

    run_in_virtual_time(ask())
    return model.asked_at


def test_what_an_answer_may_take_is_reserved_before_it_is_asked_for() -> None:
    """A request waits until the minute has room for its input and the longest answer."""
    first, second = asked_at(Told(0, 1600, None), Told(0, 1600, None))

    # 500 of 600 are taken, and 400 more come within 40 seconds.
    assert (first, second) == (0, pytest.approx(40))


def test_what_was_not_used_is_given_back_at_once() -> None:
    """An answer that is shorter than it might have been costs what its provider counted."""
    first, second = asked_at(Told(0, 1600, 100), Told(0, 1600, 500))

    assert (first, second) == (0, 0)


def test_what_was_used_beyond_the_estimate_is_owed() -> None:
    """Whatever was estimated, in the long run no more is used than the minutes allow."""
    _, second = asked_at(Told(0, 40, 1200), Told(0, 40, 10))

    # 600 tokens are owed, and the next request needs 110.
    assert second == pytest.approx((600 + 110) / 10)


def test_a_retry_reserves_again() -> None:
    """An attempt that failed at the provider may have used its tokens, so they stay reserved."""
    model = Clocked([ErrorClass.TRANSIENT, used(100)])

    async def ask() -> None:
        async with App(answer, models={"fast": model}, clock=VirtualClock()):
            await answer(Question(text="x" * 1600))

    run_in_virtual_time(ask())
    assert len(model.asked_at) == 2
    assert model.asked_at[1] == pytest.approx(40)


def test_what_no_minute_has_room_for_is_refused_unasked() -> None:
    """Waiting would not help a request above the whole minute, so nothing is sent."""
    model = Clocked([used(1)])

    async def ask() -> None:
        async with App(answer, models={"fast": model}, clock=VirtualClock()):
            await answer(Question(text="x" * 2400))

    with pytest.raises(FishplateError) as refused:
        run_in_virtual_time(ask())

    assert refused.value.code == "above_rate_limit"
    assert model.requests == []


def test_schemas_and_tools_are_part_of_the_estimate() -> None:
    """What goes out beside the messages costs tokens too."""
    model = ScriptedModel([{"kind": "refund", "amount": 5}])
    narrow = refund.using(Policy(rate_limit=RateLimit(tokens_per_minute=20)))

    async def ask() -> None:
        async with App(narrow, models={"fast": model}, clock=VirtualClock()):
            await narrow(Question(text="a"))

    with pytest.raises(FishplateError) as refused:
        run_in_virtual_time(ask())
    assert refused.value.code == "above_rate_limit"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.builds(
            Told,
            st.floats(0, 90),
            st.integers(1, 2000),
            st.none() | st.integers(0, 900),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_requests_go_out_as_soon_as_the_minutes_allow_and_no_sooner(told: list[Told]) -> None:
    """A count by hand of what was reserved, used and has come back tells every request's time."""
    now, level, expected = 0.0, float(MINUTE), list[float]()
    for one in told:
        level = min(MINUTE, level + one.pause * MINUTE / 60)
        now += one.pause
        wait = max(0.0, one.estimate - level) * 60 / MINUTE
        now += wait
        expected.append(now)
        level += wait * MINUTE / 60 - (one.estimate if one.used is None else one.used)
        level = min(MINUTE, level)

    assert asked_at(*told) == pytest.approx(expected, abs=1e-3)
