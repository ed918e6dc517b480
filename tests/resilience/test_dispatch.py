"""The moment of dispatch: announced before, and taken back whole if it is cancelled."""

import asyncio
from concurrent.futures import Future
from functools import partial

from fishplate.core.errors import ErrorClass, Failure
from fishplate.resilience.breaker import BreakerState
from fishplate.resilience.calls import CallOptions
from fishplate.resilience.pipeline import Pipeline
from fishplate.resilience.policy import Breaker, Bulkhead, Policy, RateLimit, Retry
from tests.resilience.world import (
    Script,
    World,
    cancelled,
    failing,
    outcome,
    overloaded,
    virtually,
)


@virtually
async def test_every_attempt_is_announced_before_it_is_dispatched() -> None:
    """With its number, after all gates; a call that was rejected is never announced."""
    world = World()
    pipeline = world.pipeline(
        Policy(breaker=Breaker(consecutive=2), retry=Retry(attempts=2, max_wait=0))
    )
    seen: list[object] = []

    async def announce(attempt: int) -> None:
        seen.append(attempt)

    async def attempt() -> None:
        seen.append("dispatched")
        raise overloaded()

    options = CallOptions(before_dispatch=announce)
    for _ in range(3):
        await outcome(pipeline.run(attempt, "step", options=options))

    assert seen == [1, "dispatched", 2, "dispatched"]


@virtually
async def test_an_announcement_that_fails_is_not_held_against_the_target() -> None:
    """It is raised as it is, nothing is retried, and nothing is kept."""
    world = World()
    pipeline = world.pipeline(
        Policy(breaker=Breaker(consecutive=1), bulkhead=Bulkhead(1), retry=Retry())
    )
    disk_full = overloaded()

    async def announce(_attempt: int) -> None:
        raise disk_full

    script = Script(["answer"])
    call = pipeline.run(script, "step", options=CallOptions(before_dispatch=announce))

    assert await outcome(call) is disk_full
    assert script.started == []
    assert world.events == []
    assert await pipeline.run(script, "step") == "answer"


@virtually
async def test_a_probe_whose_announcement_fails_makes_way_for_the_next() -> None:
    """It has told nothing about the target."""
    world = World()
    pipeline = world.pipeline(Policy(breaker=Breaker(consecutive=1), retry=Retry(max_wait=0)))
    await outcome(pipeline.run(Script([overloaded()]), "step"))
    await asyncio.sleep(20)

    async def refuse(_attempt: int) -> None:
        raise failing(ErrorClass.POLICY_DENIED)

    await outcome(pipeline.run(Script([1]), "step", options=CallOptions(before_dispatch=refuse)))

    assert await pipeline.run(Script(["answer"]), "step") == "answer"


@virtually
async def test_cancellation_is_never_retried_nor_counted() -> None:
    """In an attempt, in a queue and in a delay alike, and everything is given back."""
    world = World()
    policy = Policy(
        breaker=Breaker(consecutive=3),
        bulkhead=Bulkhead(1, wait=10),
        rate_limit=RateLimit(requests_per_minute=100),
        retry=Retry(),
    )
    pipeline = world.pipeline(policy)
    target = pipeline.target
    assert target.slots is not None
    assert target.breaker is not None
    assert target.limiter is not None
    script = Script([5.0])
    for _ in range(10):
        await cancelled(pipeline.run(script, "step"), after=1)
    assert len(script.started) == 10
    assert target.slots.in_flight == 0
    assert target.breaker.consecutive == 0

    target.slots.try_acquire()
    await cancelled(pipeline.run(script, "step"), after=0.001)
    target.slots.release()
    assert target.limiter.requests == 100

    failing_script = Script([overloaded()])
    await cancelled(pipeline.run(failing_script, "step"), after=0.25)
    assert len(failing_script.started) == 1
    assert (target.slots.in_flight, target.slots.queued) == (0, 0)


@virtually
async def test_a_call_with_one_policy_gives_back_what_it_took() -> None:
    """Whichever it is: what is off is not touched when an attempt is cancelled or refused."""

    async def refuse(_attempt: int) -> None:
        raise failing(ErrorClass.POLICY_DENIED)

    for policy in (Policy(bulkhead=Bulkhead(1)), Policy(breaker=Breaker()), Policy(retry=Retry())):
        pipeline = World().pipeline(policy)
        await cancelled(pipeline.run(Script([5.0]), "step"), after=1)
        call = pipeline.run(Script([1]), "step", options=CallOptions(before_dispatch=refuse))
        assert isinstance(await outcome(call), Failure)
        assert await pipeline.run(Script(["answer"]), "step") == "answer"


@virtually
async def test_a_cancelled_probe_makes_way_for_the_next() -> None:
    """The breaker stays half-open, and closes when a later probe succeeds."""
    world = World()
    pipeline = world.pipeline(Policy(breaker=Breaker(consecutive=1)))
    breaker = pipeline.target.breaker
    assert breaker is not None
    await outcome(pipeline.run(Script([overloaded()]), "step"))
    await asyncio.sleep(20)

    await cancelled(pipeline.run(Script([5.0]), "step"), after=1)
    assert breaker.state is BreakerState.HALF_OPEN
    for _ in range(2):
        await pipeline.run(Script(["answer"]), "step")
    assert breaker.state is BreakerState.CLOSED


@virtually
async def test_a_thread_that_goes_on_keeps_the_slot_of_its_attempt() -> None:
    """The next call finds the bulkhead full until the thread has ended."""
    world = World()
    bounded = world.pipeline(
        Policy(attempt_timeout=1, bulkhead=Bulkhead(1, queued=0), retry=Retry(max_wait=0))
    )
    unbounded = world.pipeline(Policy(attempt_timeout=1), key="other")

    async def attempt(pipeline: Pipeline, thread: Future[str]) -> str:
        try:
            return await asyncio.wrap_future(thread)
        except asyncio.CancelledError:
            pipeline.hold_until(thread)
            raise

    for pipeline, code in ((bounded, "bulkhead_full"), (unbounded, None)):
        running: Future[str] = Future()
        running.set_running_or_notify_cancel()  # so that it cannot be cancelled any more
        await outcome(pipeline.run(partial(attempt, pipeline, running), "step"))
        found = await outcome(pipeline.run(Script(["answer"]), "step"))
        assert getattr(found, "code", None) == code
        running.set_result("late")
        await asyncio.sleep(0)
        assert await pipeline.run(Script(["answer"]), "step") == "answer"
