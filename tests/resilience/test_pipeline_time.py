"""No attempt begins too late, and none lasts too long."""

import asyncio
from contextlib import suppress

import pytest

from fishplate.core.errors import ErrorClass
from fishplate.resilience.calls import ORDINARY
from fishplate.resilience.events import (
    AttemptEnded,
    BreakerOpened,
    RetriesStopped,
    RetryScheduled,
)
from fishplate.resilience.policy import Breaker, Policy, Retry
from tests.resilience.world import (
    Script,
    World,
    cancelled,
    failure_of,
    outcome,
    overloaded,
    virtually,
)


@virtually
async def test_a_retry_never_starts_after_the_deadline() -> None:
    """Nor so late that it could not be useful."""
    world = World()
    script = Script([overloaded()])

    await outcome(world.pipeline(Policy(retry=Retry())).run(script, "step", deadline=1.52))

    assert script.started == [0.0, 0.5]
    assert world.told(RetriesStopped)[0].reason == "deadline"
    assert world.clock() == 0.5


@virtually
async def test_a_retry_needs_the_time_that_the_target_usually_takes() -> None:
    """What is usual is the median of the attempts that succeeded."""
    world = World()
    pipeline = world.pipeline(Policy(retry=Retry()))
    for _ in range(5):
        await pipeline.run(Script([2.0]), "step")
    script = Script([overloaded()])

    await outcome(pipeline.run(script, "step", deadline=world.clock() + 2.4))

    assert len(script.started) == 1
    assert world.told(RetriesStopped)[0].reason == "deadline"


@virtually
async def test_a_call_without_time_is_not_begun() -> None:
    """Less than 50 milliseconds are of no use to anybody."""
    world = World()
    script = Script(["answer"])

    found = failure_of(await outcome(world.pipeline(Policy()).run(script, "step", deadline=0.04)))

    assert found.error_class is ErrorClass.DEADLINE
    assert found.code == "deadline"
    assert script.started == []


@virtually
async def test_a_target_that_is_usually_slow_does_not_lock_quick_callers_out() -> None:
    """A first attempt is begun in less time than usual, or nobody would ever see it recover."""
    world = World()
    pipeline = world.pipeline(Policy(retry=Retry()))
    for _ in range(5):
        await pipeline.run(Script([3.0]), "step")

    assert await pipeline.run(Script(["quick"]), "step", deadline=world.clock() + 1) == "quick"


@virtually
async def test_an_attempt_that_takes_too_long_is_cut_off_and_repeated() -> None:
    """The limit is that of one attempt; the cancelled one has ended before the next begins."""
    world = World()
    pipeline = world.pipeline(Policy(attempt_timeout=2, retry=Retry()))
    script = Script([5.0, "answer"])

    assert await pipeline.run(script, "step") == "answer"
    assert script.started == [0.0, 2.5]
    ended = world.told(AttemptEnded)[0]
    assert (ended.code, ended.error_class, ended.seconds) == (
        "attempt_timeout",
        ErrorClass.TRANSIENT,
        2.0,
    )
    assert world.told(RetryScheduled)[0].credit == pytest.approx(8.2)  # a timeout costs 2


@virtually
async def test_an_attempt_is_cut_off_at_the_deadline() -> None:
    """Which is another failure than that of one attempt: there is no time for a second."""
    world = World()
    pipeline = world.pipeline(Policy(attempt_timeout=2, retry=Retry()))

    found = failure_of(await outcome(pipeline.run(Script([5.0]), "step", deadline=1.5)))

    assert found.error_class is ErrorClass.DEADLINE
    assert world.clock() == 1.5


@virtually
async def test_an_attempt_that_goes_on_after_its_time_is_given_up() -> None:
    """It may clean up for a second; what it answers then is dropped."""

    async def stubborn() -> str:
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            await asyncio.sleep(60)
        return "far too late"

    async def late() -> str:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(5)
        return "too late"

    world = World()
    pipeline = world.pipeline(Policy(attempt_timeout=2))
    assert failure_of(await outcome(pipeline.run(stubborn, "step"))).code == "attempt_timeout"
    assert world.clock() == 3
    assert failure_of(await outcome(pipeline.run(late, "step"))).code == "attempt_timeout"


@virtually
async def test_a_failure_in_the_clean_up_is_the_cause_of_the_timeout() -> None:
    """The call was out of time; why it ended so is told too."""
    broken = OSError("disk full")

    async def attempt() -> None:
        try:
            await asyncio.sleep(5)
        finally:
            raise broken

    found = failure_of(
        await outcome(World().pipeline(Policy(attempt_timeout=2)).run(attempt, "step"))
    )

    assert found.code == "attempt_timeout"
    assert found.__cause__ is broken


@virtually
async def test_a_target_that_hangs_until_the_deadline_opens_its_breaker() -> None:
    """Ten calls that were cut off by nothing but their deadline are slow calls."""
    world = World()
    pipeline = world.pipeline(Policy(breaker=Breaker()))
    for _ in range(10):
        await outcome(pipeline.run(Script([60.0]), "step", deadline=world.clock() + 2))

    assert [event.reason for event in world.told(BreakerOpened)] == ["slow_rate"]


@virtually
async def test_a_call_cancelled_at_its_deadline_has_hung_too() -> None:
    """Whoever's timer is first: the caller may bound the call by the same deadline."""
    world = World()
    pipeline = world.pipeline(Policy(breaker=Breaker()))
    breaker = pipeline.target.breaker
    assert breaker is not None
    for seconds in (1.0, 1.9):  # not at its deadline: it says nothing
        await cancelled(pipeline.run(Script([60.0]), "step", world.clock() + 2), after=seconds)
    assert breaker.to_json(world.clock())["calls"] == 0

    for _ in range(10):
        await cancelled(pipeline.run(Script([60.0]), "step", world.clock() + 2), after=2)
    assert [event.reason for event in world.told(BreakerOpened)] == ["slow_rate"]


@virtually
async def test_an_attempt_that_had_too_little_time_says_nothing_about_its_target() -> None:
    """A caller in a hurry does not open the breaker of all others."""
    world = World()
    pipeline = world.pipeline(Policy(breaker=Breaker()))
    for _ in range(20):
        await pipeline.run(Script([1.0]), "step")
    for _ in range(100):
        await outcome(pipeline.run(Script([1.0]), "step", deadline=world.clock() + 0.5))

    assert world.told(BreakerOpened) == []


@virtually
async def test_an_attempt_is_told_when_it_has_to_be_over() -> None:
    """Each begins with the time of its own timer, which is never beyond that of the call."""
    world = World()
    told: list[float] = []
    pipeline = world.pipeline(Policy(attempt_timeout=2, retry=Retry()))

    async def ask(seconds: float) -> None:
        await asyncio.sleep(seconds)

    call = pipeline.run(ask, "step", world.clock() + 3, ORDINARY, (5.0,), told.append)
    began = world.clock()
    failure = failure_of(await outcome(call))

    assert [round(ends - began, 6) for ends in told] == [2, 3]
    assert (failure.code, round(world.clock() - began, 6)) == ("deadline", 3)
