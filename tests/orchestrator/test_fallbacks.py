"""Which failures a fallback answers, which errors become values, and what both leave behind."""

from typing import Any

import pytest
from pydantic import BaseModel

from fishplate import (
    DeclaredError,
    Degraded,
    ErrorClass,
    Failure,
    OutputError,
    Reason,
    UsageError,
    agent,
    graded,
    route,
    workflow,
)
from fishplate.orchestrator.effects import Marked
from tests.orchestrator.story import LATE, told


class Eta(BaseModel):
    """When something arrives."""

    days: int


class NotFound(DeclaredError):  # noqa: N818 -- an outcome
    """Nothing of that number."""

    number: str


@agent(inline=True, errors=[NotFound])
def track(number: str) -> Eta:
    """Ask the carrier."""
    return Eta(days=1)


@agent(inline=True, errors=[NotFound])
def cached(number: str) -> Eta:
    """Ask the cache."""
    return Eta(days=2)


@agent(inline=True)
def guess(number: str) -> Eta:
    """Ask nobody."""
    return Eta(days=9)


@agent(inline=True)
def tell(eta: Eta) -> str:
    """Say it."""
    return f"{eta.days} days"


@workflow(errors=[NotFound])
async def chain(number: str) -> str:
    """Ask the carrier, else the cache, else nobody."""
    eta = await track.or_else(cached).or_else(guess)(number)
    return await tell(eta)


def failing(error_class: ErrorClass, code: str = "down") -> Failure:
    """A failure of a class."""
    return Failure("it failed", error_class=error_class, code=code)


@pytest.mark.parametrize("error_class", ErrorClass)
def test_a_fallback_answers_the_classes_that_allow_it(error_class: ErrorClass) -> None:
    """The class of the failure decides; what may not be answered stays the failure it is."""
    failure = failing(error_class)
    story = told(chain, "P1", track=failure)

    if error_class.allows_fallback:
        assert story.lines[1:3] == ["track: fallback -> cached", "track|cached: cached('P1')"]
        assert story.result == "2 days"
    else:
        assert story.lines == ["track: track('P1')"]
        assert story.failure is failure


def test_a_chain_goes_on_until_somebody_answers() -> None:
    """Each failure is judged by its own class, and names the reason of the answer."""
    story = told(
        chain,
        "P1",
        track=failing(ErrorClass.TRANSIENT, "reset"),
        cached=failing(ErrorClass.OVERLOAD, "busy"),
    )

    assert story.lines[:5] == [
        "track: track('P1')",
        "track: fallback -> cached",
        "track|cached: cached('P1')",
        "track: fallback -> guess",
        "track|guess: guess('P1')",
    ]
    assert story.result == "9 days"
    assert story.reasons == (Reason(reason="busy", source="guess", step="track"),)


def test_a_chain_ends_at_a_failure_that_allows_no_fallback() -> None:
    """The second answer was a bug, so nobody asks the third; the last failure is the step's."""
    bug = failing(ErrorClass.BUG, "bug")
    story = told(chain, "P1", track=failing(ErrorClass.TRANSIENT), cached=bug)

    assert story.failure is bug
    assert not any("guess" in line for line in story.lines)


def test_a_chain_that_nobody_answers_fails_with_the_last_failure() -> None:
    """There is one pass over the chain."""
    last = failing(ErrorClass.TRANSIENT, "last")
    story = told(
        chain,
        "P1",
        track=failing(ErrorClass.TRANSIENT),
        cached=failing(ErrorClass.TRANSIENT),
        guess=last,
    )

    assert story.failure is last


def test_a_fallback_that_says_how_good_it_is_is_believed() -> None:
    """Its own reason, with the answer's age, stands in place of the plain one."""
    own = Reason(reason="carrier_down", source="cache", step="track|cached", age=60)
    story = told(
        chain, "P1", track=failing(ErrorClass.TRANSIENT), cached=Marked(Eta(days=3), (own,))
    )

    assert story.reasons == (own,)


def test_a_fallbacks_answer_becomes_the_answer_it_stands_in_for() -> None:
    """Another class with the same JSON is turned into the class that the next step takes."""

    class Estimate(BaseModel):
        days: int

    @agent(inline=True)
    def estimate(number: str) -> Estimate:
        return Estimate(days=4)

    other: Any = estimate

    @workflow(errors=[NotFound])
    async def flow(number: str) -> Eta:
        return await track.or_else(other)(number)

    story = told(flow, "P1", track=failing(ErrorClass.TRANSIENT))

    assert type(story.result) is Eta
    assert story.result == Eta(days=4)


def test_a_fallbacks_answer_of_another_shape_is_refused() -> None:
    """A recorded answer that breaks the contract does not reach the next step."""
    story = told(chain, "P1", track=failing(ErrorClass.TRANSIENT), cached={"days": "soon"})

    assert isinstance(story.failure, OutputError)
    assert story.failure.pointer == "/days"


def test_a_declared_error_is_an_answer_and_no_failure() -> None:
    """No fallback covers it up; nobody catches it, so it leaves the workflow."""
    story = told(chain, "P1", track=NotFound(number="P1"))

    assert story.failure == NotFound(number="P1")
    assert story.lines == ["track: track('P1')"]


def test_a_caught_error_of_the_fallback_is_a_value_too() -> None:
    """`catching` holds for the step, whoever answers it."""

    @agent(inline=True)
    def give_up(error: NotFound) -> str:
        return f"no {error.number}"

    @workflow
    async def flow(number: str) -> str:
        found = await track.catching(NotFound).or_else(cached)(number)
        return await route(tell, give_up, on=found)

    story = told(flow, "P1", track=failing(ErrorClass.TRANSIENT), cached=NotFound(number="P2"))

    assert story.lines[2:4] == ["track|cached: cached('P1')", "track: caught -> not_found"]
    assert story.result == "no P2"


def test_a_usage_error_is_answered_by_nobody() -> None:
    """A wrong call is no outage."""
    wrong = UsageError("wrong", code="no_app")

    assert told(chain, "P1", track=wrong).failure is wrong


def test_the_keys_of_fallbacks_are_no_keys_of_steps() -> None:
    """A nested step of the fallback's name does not share the fallback's key."""
    story = told(chain, "P1", track=failing(ErrorClass.TRANSIENT))

    assert [line.partition(":")[0] for line in story.lines if "cached(" in line] == ["track|cached"]


def test_grading_tells_the_reasons_and_keeps_them() -> None:
    """The next step sees why the value is degraded, and what it makes of it stays degraded."""

    @agent(inline=True)
    def weigh(found: Degraded[Eta]) -> str:
        return f"{found.value.days} {[reason.reason for reason in found.reasons]}"

    @workflow(errors=[NotFound])
    async def flow(number: str) -> str:
        found = await graded(track.or_else(cached)(number))
        return await weigh(found)

    good = told(flow, "P1")
    degraded = told(flow, "P1", track=failing(ErrorClass.TRANSIENT, "down"))

    assert (good.result, good.reasons) == ("1 []", ())
    assert degraded.result == "2 ['down']"
    assert [reason.source for reason in degraded.reasons] == ["cached"]


def test_grading_tells_the_reasons_of_the_arguments_too() -> None:
    """A value that was made from a degraded one is degraded."""

    @agent(inline=True)
    def later(eta: Eta) -> Eta:
        return Eta(days=eta.days + 1)

    @agent(inline=True)
    def weigh(found: Degraded[Eta]) -> str:
        return str([reason.reason for reason in found.reasons])

    @workflow(errors=[NotFound])
    async def flow(number: str) -> str:
        eta = await track(number)
        found = await graded(later(eta))
        return await weigh(found)

    story = told(flow, "P1", track=Marked(Eta(days=1), (LATE,)))

    assert story.result == "['late']"
    assert story.reasons == (LATE,)
