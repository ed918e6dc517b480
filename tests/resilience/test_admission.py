"""What a call does when its target is not simply free."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine

import pytest

from fishplate.core.errors import ErrorClass
from fishplate.resilience.breaker import BreakerState
from fishplate.resilience.calls import CallOptions
from fishplate.resilience.events import (
    CallHeld,
    CallRejected,
    RetriesStopped,
)
from fishplate.resilience.policy import Breaker, Bulkhead, Policy, RateLimit, Retry
from tests.resilience.world import (
    Script,
    World,
    failing,
    failure_of,
    outcome,
    overloaded,
    virtually,
)


@virtually
async def test_an_open_breaker_rejects_without_an_attempt() -> None:
    """Also without using the retry budget, and the failure says when to come back."""
    world = World()
    pipeline = world.pipeline(Policy(breaker=Breaker(consecutive=2), retry=Retry(attempts=2)))
    await outcome(pipeline.run(Script([overloaded()]), "step"))
    script = Script(["answer"])

    found = failure_of(await outcome(pipeline.run(script, "step")))

    assert script.started == []
    assert (found.code, found.error_class) == ("breaker_open", ErrorClass.LOCAL_REJECTION)
    assert found.retry_after == pytest.approx(18)
    assert found.retry_exhausted
    assert world.told(CallRejected) == [
        CallRejected(
            target="target",
            subject="step",
            code="breaker_open",
            waited=0,
            retry_after=found.retry_after,
        )
    ]


@virtually
async def test_no_retry_is_scheduled_against_an_open_breaker() -> None:
    """The caller gets the real failure at once, instead of a rejection later."""
    world = World()
    pipeline = world.pipeline(Policy(breaker=Breaker(consecutive=1), retry=Retry()))

    found = failure_of(await outcome(pipeline.run(Script([overloaded()]), "step")))

    assert found.code == "busy"
    assert world.clock() == 0
    assert world.told(RetriesStopped)[0].reason == "breaker"


@virtually
async def test_a_call_waits_for_a_rejection_that_passes_soon() -> None:
    """It uses no attempt for it, and tells that it was held."""
    world = World()
    pipeline = world.pipeline(
        Policy(breaker=Breaker(consecutive=1, open_for=0.5, jitter=0), retry=Retry(attempts=1))
    )
    await outcome(pipeline.run(Script([overloaded()]), "step"))
    script = Script(["answer"])

    assert await pipeline.run(script, "step") == "answer"
    assert script.started == [0.5]
    assert world.told(CallHeld) == [
        CallHeld(target="target", subject="step", code="breaker_open", seconds=0.5)
    ]


@virtually
async def test_a_call_with_a_fallback_does_not_wait_for_a_rejection() -> None:
    """Something else can answer at once."""
    world = World()
    pipeline = world.pipeline(
        Policy(breaker=Breaker(consecutive=1, open_for=0.5), retry=Retry(attempts=1))
    )
    await outcome(pipeline.run(Script([overloaded()]), "step"))

    call = pipeline.run(Script(["answer"]), "step", options=CallOptions(has_fallback=True))

    assert failure_of(await outcome(call)).code == "breaker_open"
    assert world.clock() == 0


@virtually
async def test_calls_beyond_the_bulkhead_wait_in_its_queue() -> None:
    """Time in the queue counts against the call's deadline, not against the attempt."""
    world = World()
    pipeline = world.pipeline(Policy(attempt_timeout=1, bulkhead=Bulkhead(1, wait=10)))
    script = Script([0.9])
    results: list[object] = []

    async def call(deadline: float) -> None:
        results.append(await outcome(pipeline.run(script, "step", deadline=deadline)))

    async with asyncio.TaskGroup() as group:
        for deadline in (10, 10, 10, 1):
            group.create_task(call(deadline))

    assert script.started == pytest.approx([0.0, 0.9, 1.8])
    rejected = failure_of(results.pop(1))
    assert results == ["late", "late", "late"]
    assert rejected.code == "bulkhead_full"
    assert pipeline.target.slots is not None
    assert (pipeline.target.slots.in_flight, pipeline.target.slots.queued) == (0, 0)


@virtually
async def test_one_hanging_target_does_not_hold_its_neighbour() -> None:
    """Each target has slots of its own."""
    world = World()
    policy = Policy(bulkhead=Bulkhead(2, queued=0, wait=0), retry=Retry(max_wait=0))
    slow = world.pipeline(policy, key="slow")
    quick = world.pipeline(policy, key="quick")

    async with asyncio.TaskGroup() as group:
        for _ in range(50):
            group.create_task(outcome(slow.run(Script([60.0]), "slow")))
        await asyncio.sleep(0)
        results = [await quick.run(Script(["answer"]), "quick") for _ in range(50)]

    assert results == ["answer"] * 50


@virtually
async def test_the_rate_limit_holds_calls_back_until_there_is_room() -> None:
    """As long as they may wait, and in the order of the clock."""
    world = World()
    pipeline = world.pipeline(
        Policy(rate_limit=RateLimit(requests_per_minute=60), retry=Retry(max_wait=2))
    )
    script = Script(["answer"])
    for _ in range(62):
        await pipeline.run(script, "step")

    assert script.started[59] == 0
    assert script.started[60:] == pytest.approx([1.0, 2.0])


@virtually
async def test_tokens_are_debited_by_estimate_and_corrected_by_use() -> None:
    """What the answer did not use is there for the next call."""
    world = World()
    pipeline = world.pipeline(Policy(rate_limit=RateLimit(tokens_per_minute=1000)))
    options = CallOptions(tokens=900, tokens_used=lambda result: 50 if result == "short" else None)

    await pipeline.run(Script(["short"]), "step", options=options)
    assert pipeline.target.limiter is not None
    assert pipeline.target.limiter.tokens == 950
    await pipeline.run(Script(["unknown"]), "step", options=options)
    assert pipeline.target.limiter.tokens == 50


@virtually
async def test_a_request_above_the_limit_of_a_whole_minute_is_refused() -> None:
    """No waiting would help it."""
    pipeline = World().pipeline(Policy(rate_limit=RateLimit(tokens_per_minute=1000)))

    call = pipeline.run(Script(["answer"]), "step", options=CallOptions(tokens=1001))

    found = failure_of(await outcome(call))
    assert (found.code, found.error_class) == ("above_rate_limit", ErrorClass.PERMANENT)


@virtually
async def test_what_was_never_sent_is_credited() -> None:
    """A refused connection, a full bulkhead and a refused dispatch use no request."""
    world = World()
    limit = RateLimit(requests_per_minute=60)
    pipeline = world.pipeline(Policy(rate_limit=limit, bulkhead=Bulkhead(1, queued=0)))
    limiter = pipeline.target.limiter
    assert limiter is not None
    await outcome(pipeline.run(Script([ConnectionRefusedError()]), "step"))
    assert limiter.requests == 60

    async def refuse(_attempt: int) -> None:
        raise failing(ErrorClass.POLICY_DENIED)

    await outcome(pipeline.run(Script([1]), "step", options=CallOptions(before_dispatch=refuse)))
    assert limiter.requests == 60

    assert pipeline.target.slots is not None
    pipeline.target.slots.try_acquire()
    call = pipeline.run(Script([1]), "step", options=CallOptions(has_fallback=True))
    assert failure_of(await outcome(call)).code == "bulkhead_full"
    assert limiter.requests == 60


@virtually
async def test_an_exhausted_quota_closes_the_target_until_its_reset() -> None:
    """Nobody asks again before, and no breaker opens for it."""
    world = World()
    pipeline = world.pipeline(Policy(retry=Retry(), breaker=Breaker()))
    spent = failing(ErrorClass.QUOTA_EXHAUSTED, retry_after=60)
    assert await outcome(pipeline.run(Script([spent]), "step")) is spent
    script = Script(["answer"])

    await asyncio.sleep(20)
    found = failure_of(await outcome(pipeline.run(script, "step")))
    assert (found.error_class, found.retry_after) == (ErrorClass.QUOTA_EXHAUSTED, 40)
    assert script.started == []
    await asyncio.sleep(40)
    assert await pipeline.run(script, "step") == "answer"


@virtually
async def test_a_probe_may_take_as_long_as_its_call() -> None:
    """Where an attempt has no limit of its own, the deadline is that of its lease."""
    world = World()
    pipeline = world.pipeline(Policy(breaker=Breaker(consecutive=1, successes=1)))
    breaker = pipeline.target.breaker
    assert breaker is not None
    await outcome(pipeline.run(Script([overloaded()]), "step"))
    await asyncio.sleep(20)

    await pipeline.run(Script([200.0]), "step", deadline=world.clock() + 300)
    assert breaker.state is BreakerState.CLOSED


@virtually
async def test_a_lost_probe_without_any_limit_is_given_up_after_a_while() -> None:
    """A minute and the margin of a lease."""
    world = World()
    pipeline = world.pipeline(Policy(breaker=Breaker(consecutive=1), retry=Retry(max_wait=0)))
    await outcome(pipeline.run(Script([overloaded()]), "step"))
    await asyncio.sleep(20)

    async with asyncio.TaskGroup() as group:
        hanging = group.create_task(pipeline.run(Script([1e6]), "step"))
        await asyncio.sleep(64)
        found = failure_of(await outcome(pipeline.run(Script(["answer"]), "step")))
        assert found.code == "breaker_open"
        await asyncio.sleep(2)
        assert await pipeline.run(Script(["answer"]), "step") == "answer"
        hanging.cancel()


@virtually
async def test_a_probe_is_taken_after_the_queue() -> None:
    """A call that waits for a slot holds no probe, so others are not kept from probing."""
    world = World()
    policy = Policy(breaker=Breaker(consecutive=1), bulkhead=Bulkhead(1, wait=100), retry="off")
    pipeline = world.pipeline(policy)
    slots, breaker = pipeline.target.slots, pipeline.target.breaker
    assert slots is not None
    assert breaker is not None
    await outcome(pipeline.run(Script([overloaded()]), "step"))
    await asyncio.sleep(20)
    slots.try_acquire()

    async with asyncio.TaskGroup() as group:
        group.create_task(outcome(pipeline.run(Script(["answer"]), "step")))
        await asyncio.sleep(1)
        assert slots.queued == 1
        assert breaker.peek(world.clock()) == 0
        slots.release()


@virtually
async def test_a_breaker_that_opens_while_a_call_queues_rejects_it() -> None:
    """It gives its slot back and tells that the breaker is open."""
    world = World()
    policy = Policy(breaker=Breaker(consecutive=1), bulkhead=Bulkhead(1, wait=100), retry="off")
    pipeline = world.pipeline(policy)
    results: list[object] = []

    async def fail() -> None:
        await asyncio.sleep(1)
        raise overloaded()

    async def call(attempt: Callable[[], Coroutine[object, object, object]]) -> None:
        results.append(await outcome(pipeline.run(attempt, "step")))

    script = Script(["answer"])
    async with asyncio.TaskGroup() as group:
        group.create_task(call(fail))
        group.create_task(call(script))

    assert [failure_of(found).code for found in results] == ["busy", "breaker_open"]
    assert script.started == []
    assert pipeline.target.slots is not None
    assert pipeline.target.slots.in_flight == 0


@virtually
async def test_a_rejection_after_a_failure_names_it_as_its_cause() -> None:
    """Whoever reads the error sees what the target said before."""
    world = World()
    pipeline = world.pipeline(Policy(retry=Retry(), bulkhead=Bulkhead(1, queued=0)))
    first = overloaded()
    slots = pipeline.target.slots
    assert slots is not None

    async def fail_and_lose_the_slot() -> Awaitable[object]:
        asyncio.get_running_loop().call_later(0.1, slots.try_acquire)
        raise first

    found = failure_of(await outcome(pipeline.run(fail_and_lose_the_slot, "step")))

    assert found.code == "bulkhead_full"
    assert found.__cause__ is first
