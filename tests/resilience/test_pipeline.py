"""One call through all policies: what it retries, what it waits for, and what it tells."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress

import pytest

from fishplate.core.errors import ErrorClass, Failure, StepError
from fishplate.core.outcome import DeclaredError
from fishplate.resilience.breaker import BreakerState
from fishplate.resilience.calls import CallOptions
from fishplate.resilience.events import (
    AttemptEnded,
    BreakerOpened,
    CallHeld,
    CallRejected,
    RetriesStopped,
    RetryScheduled,
)
from fishplate.resilience.policy import Breaker, Bulkhead, Policy, RateLimit, Retry
from fishplate.testing.virtual_time import run_in_virtual_time
from tests.resilience.world import Script, World, failing, outcome, overloaded

ALONE = Policy(retry="off", breaker="off", bulkhead="off")


class Gone(DeclaredError):  # noqa: N818 -- named as a contract names it
    """A declared error."""


def virtually(scenario: Callable[[], Coroutine[object, object, None]]) -> Callable[[], None]:
    """Run an async test in virtual time."""

    def run() -> None:
        run_in_virtual_time(scenario())

    run.__name__, run.__doc__ = scenario.__name__, scenario.__doc__
    return run


def failure_of(found: object) -> Failure:
    """A `Failure`, which it has to be."""
    assert isinstance(found, Failure), found
    return found


@virtually
async def test_a_success_is_handed_on_and_tells_nothing() -> None:
    """The span of the call says it all."""
    world = World()
    pipeline = world.pipeline(Policy(), kind="model")

    assert await pipeline.run(Script(["answer"]), "step") == "answer"
    assert world.events == []


@virtually
async def test_a_failed_attempt_is_followed_by_another_one_after_a_delay() -> None:
    """Half a second and a second, at most, with two retries told."""
    world = World()
    pipeline = world.pipeline(Policy(retry=Retry()))
    script = Script([overloaded(), ConnectionResetError(), "answer"])

    assert await pipeline.run(script, "step") == "answer"
    assert script.started == [0.0, 0.5, 1.5]
    assert [event.name for event in world.events] == [
        "attempt.ended",
        "retry.scheduled",
        "attempt.ended",
        "retry.scheduled",
        "attempt.ended",
    ]
    assert world.told(RetryScheduled)[0] == RetryScheduled(
        target="target",
        subject="step",
        attempt=1,
        delay=0.5,
        error_class=ErrorClass.OVERLOAD,
        credit=10 + 0.2 * 1 - 1,
    )
    assert world.told(AttemptEnded)[-1] == AttemptEnded(
        target="target", subject="step", attempt=3, seconds=0.0
    )


@virtually
async def test_the_last_failure_says_that_retrying_has_ended() -> None:
    """A layer above has not to try again."""
    world = World()
    script = Script([overloaded()])

    found = failure_of(await outcome(world.pipeline(Policy(retry=Retry())).run(script, "step")))

    assert len(script.started) == 3
    assert found.code == "busy"
    assert found.retry_exhausted
    assert world.told(RetriesStopped)[0].reason == "attempts"
    assert found.__notes__ == ["not tried again: all attempts of its policy are used"]


@virtually
async def test_the_same_exception_raised_again_has_attempts_of_its_own() -> None:
    """What ended one call is not remembered in an object that belongs to the target's code."""
    pipeline = World().pipeline(Policy(retry=Retry()))
    script = Script([overloaded()])

    first = await outcome(pipeline.run(script, "step"))
    await outcome(pipeline.run(script, "step"))

    assert len(script.started) == 6
    assert failure_of(first).__notes__ == ["not tried again: all attempts of its policy are used"]


class CarrierError(StepError):
    """An error with facts of its own."""

    def __init__(self, parcel: str) -> None:
        super().__init__("no", step="s", code="carrier", error_class=ErrorClass.TRANSIENT)
        self.parcel = parcel


@virtually
async def test_an_error_keeps_its_type_and_its_facts_when_its_attempts_are_used() -> None:
    """And the place where it was raised."""
    pipeline = World().pipeline(Policy(retry=Retry(attempts=1)))

    found = await outcome(pipeline.run(Script([CarrierError("p-1")]), "step"))

    assert isinstance(found, CarrierError)
    assert (found.parcel, found.code, str(found)) == ("p-1", "carrier", "no")
    assert found.retry_exhausted
    assert traceback.extract_tb(found.__traceback__)[-1].name == "__call__"


@virtually
async def test_one_layer_retries() -> None:
    """Two layers of three attempts make three requests, not nine."""
    world = World()
    script = Script([overloaded()])
    inner = world.pipeline(Policy(retry=Retry()), key="inner")
    outer = world.pipeline(Policy(retry=Retry()), key="outer")

    await outcome(outer.run(lambda: inner.run(script, "inner"), "outer"))

    assert len(script.started) == 3
    assert [event.reason for event in world.told(RetriesStopped)] == ["attempts", "exhausted_below"]


@virtually
async def test_a_failure_of_another_class_is_raised_at_once() -> None:
    """A wrong request stays wrong, and its exception stays as it is."""
    world = World()
    refused = failing(ErrorClass.PERMANENT)
    script = Script([refused])

    found = await outcome(world.pipeline(Policy(retry=Retry())).run(script, "step"))

    assert found is refused
    assert len(script.started) == 1
    assert not refused.retry_exhausted


@virtually
async def test_a_bug_is_raised_as_it_is() -> None:
    """An exception that no map knows is never retried."""
    world = World()
    bug = KeyError("order_id")
    script = Script([bug])

    assert await outcome(world.pipeline(Policy(retry=Retry())).run(script, "step")) is bug
    assert len(script.started) == 1


@virtually
async def test_an_exception_that_the_map_knows_becomes_a_typed_failure() -> None:
    """With its class, without its text, and with itself as the cause."""
    world = World()
    lost = LookupError("secret text")
    pipeline = world.pipeline(ALONE, errors={LookupError: ErrorClass.OVERLOAD}, key="shop")

    found = failure_of(await outcome(pipeline.run(Script([lost]), "support/order")))

    assert found.error_class is ErrorClass.OVERLOAD
    assert found.__cause__ is lost
    assert str(found) == "'support/order' failed: target 'shop' raised LookupError"


@virtually
async def test_a_declared_error_is_an_answer_of_a_healthy_target() -> None:
    """It is neither retried nor counted as a failure, unless the map says what it means."""
    world = World()
    healthy = world.pipeline(Policy(retry=Retry(), breaker=Breaker()))
    script = Script([Gone()])
    for _ in range(20):
        assert isinstance(await outcome(healthy.run(script, "step")), Gone)
    assert len(script.started) == 20
    assert healthy.target.breaker is not None
    assert healthy.target.breaker.to_json(0)["failures"] == 0

    mapped = world.pipeline(Policy(retry=Retry()), errors={Gone: ErrorClass.TRANSIENT})
    script = Script([Gone(), "answer"])
    assert await mapped.run(script, "step") == "answer"


@virtually
async def test_a_retry_obeys_the_delay_that_the_target_asks_for() -> None:
    """At least as long, and a quarter more at most."""
    script = Script([overloaded(retry_after=8), "answer"])

    await World().pipeline(Policy(retry=Retry())).run(script, "step")

    assert script.started == [0.0, 10.0]


@virtually
async def test_a_delay_that_is_too_long_is_not_waited_for() -> None:
    """A fallback or a later run is the better answer; the failure says when."""
    world = World()
    script = Script([overloaded(retry_after=500)])

    found = failure_of(await outcome(world.pipeline(Policy(retry=Retry())).run(script, "step")))

    assert found.retry_after == 500
    assert world.told(RetriesStopped)[0].reason == "server_delay"
    assert world.clock() == 0


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
async def test_a_spent_retry_budget_ends_retrying_at_once() -> None:
    """Calls go on with one attempt each; nobody waits for credit."""
    world = World()
    pipeline = world.pipeline(Policy(retry=Retry(attempts=2, base=0.001)))
    script = Script([overloaded()])
    for _ in range(50):
        await outcome(pipeline.run(script, "step"))

    assert len(script.started) <= 50 * 1.2 + 10
    assert "budget" in [event.reason for event in world.told(RetriesStopped)]
    generous = world.pipeline(Policy(retry=Retry(attempts=2, base=0.001, budget=False)))
    script = Script([overloaded()])
    await outcome(generous.run(script, "step"))
    assert len(script.started) == 2


@virtually
async def test_only_attempts_earn_retry_credit() -> None:
    """A call that was rejected here has loaded nobody, and one that is tried again earns once."""
    world = World()
    pipeline = world.pipeline(Policy(breaker=Breaker(consecutive=1), retry=Retry(max_wait=0)))
    await outcome(pipeline.run(Script([overloaded()]), "step"))
    for _ in range(50):
        await outcome(pipeline.run(Script(["answer"]), "step"))

    assert pipeline.target.budget.credit(world.clock()) == 10 + 0.2


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


UNSAFE = Policy(retry=Retry())


@virtually
async def test_an_unsafe_effect_is_repeated_only_if_it_certainly_did_not_happen() -> None:
    """A refused connection proves it, a lost answer does not."""
    world = World()
    pipeline = world.pipeline(UNSAFE, kind="tool", effect="at_most_once")
    refused = Script([ConnectionRefusedError(), "sent"])
    lost = Script([ConnectionResetError(), "sent twice"])

    assert await pipeline.run(refused, "step") == "sent"
    found = failure_of(await outcome(pipeline.run(lost, "step")))

    assert len(lost.started) == 1
    assert found.retry_exhausted
    assert world.told(RetriesStopped)[0].reason == "not_repeatable"


@virtually
async def test_the_caller_may_know_better_whether_repeating_is_safe() -> None:
    """Whoever keeps the record of effects decides, in both directions."""
    asked: list[tuple[str, ErrorClass]] = []

    def judge(answer: bool) -> CallOptions:
        def may_repeat(error: Exception, error_class: ErrorClass) -> bool:
            asked.append((type(error).__name__, error_class))
            return answer

        return CallOptions(may_repeat=may_repeat)

    world = World()
    unsafe = world.pipeline(UNSAFE, kind="tool", effect="at_most_once", key="mail")
    safe = world.pipeline(UNSAFE, kind="tool", effect="keyed", key="payments")
    script = Script([ConnectionResetError(), "answer"])
    assert await unsafe.run(script, "step", options=judge(answer=True)) == "answer"
    script = Script([ConnectionResetError(), "answer"])
    await outcome(safe.run(script, "step", options=judge(answer=False)))

    assert len(script.started) == 1
    assert asked == [("Failure", ErrorClass.TRANSIENT)] * 2


@pytest.mark.parametrize(("made", "attempts"), [(0, 3), (1, 2), (2, 1), (9, 1)])
def test_attempts_before_a_crash_count(made: int, attempts: int) -> None:
    """A crash loop does not reset them, and one is always left to a call that was recovered."""

    async def scenario() -> int:
        script = Script([overloaded()])
        options = CallOptions(attempts_made=made)
        await outcome(World().pipeline(UNSAFE).run(script, "step", options=options))
        return len(script.started)

    assert run_in_virtual_time(scenario()) == attempts


@virtually
async def test_a_rejection_further_down_is_waited_for_without_using_an_attempt() -> None:
    """An agent whose tool had no slot for a moment has not failed yet."""
    world = World()
    rejected = failing(ErrorClass.LOCAL_REJECTION, retry_after=0.3)
    script = Script([rejected, rejected, rejected, "answer"])

    assert await world.pipeline(Policy(retry=Retry(attempts=1))).run(script, "step") == "answer"
    assert script.started == pytest.approx([0.0, 0.3, 0.6, 0.9])

    script = Script([rejected])
    outer, inner = world.pipeline(UNSAFE, key="outer"), world.pipeline(UNSAFE, key="inner")
    call = outer.run(lambda: inner.run(script, "inner"), "outer")
    found = failure_of(await outcome(call))
    assert (found.code, found.retry_exhausted) == (rejected.code, True)
    assert len(script.started) == 4  # then the second that it may wait is over, for all layers

    once = world.pipeline(ALONE, key="without retries")
    assert await outcome(once.run(Script([rejected]), "step")) is rejected


async def _cancelled(call: Coroutine[object, object, object], after: float) -> None:
    task = asyncio.get_running_loop().create_task(call)
    await asyncio.sleep(after)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


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
        await _cancelled(pipeline.run(script, "step"), after=1)
    assert len(script.started) == 10
    assert target.slots.in_flight == 0
    assert target.breaker.consecutive == 0

    target.slots.try_acquire()
    await _cancelled(pipeline.run(script, "step"), after=0.001)
    target.slots.release()
    assert target.limiter.requests == 100

    failing_script = Script([overloaded()])
    await _cancelled(pipeline.run(failing_script, "step"), after=0.25)
    assert len(failing_script.started) == 1
    assert (target.slots.in_flight, target.slots.queued) == (0, 0)


@virtually
async def test_a_call_with_one_policy_gives_back_what_it_took() -> None:
    """Whichever it is: what is off is not touched when an attempt is cancelled or refused."""

    async def refuse(_attempt: int) -> None:
        raise failing(ErrorClass.POLICY_DENIED)

    for policy in (Policy(bulkhead=Bulkhead(1)), Policy(breaker=Breaker()), Policy(retry=Retry())):
        pipeline = World().pipeline(policy)
        await _cancelled(pipeline.run(Script([5.0]), "step"), after=1)
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

    await _cancelled(pipeline.run(Script([5.0]), "step"), after=1)
    assert breaker.state is BreakerState.HALF_OPEN
    for _ in range(2):
        await pipeline.run(Script(["answer"]), "step")
    assert breaker.state is BreakerState.CLOSED


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


def test_a_map_of_errors_is_checked_when_the_pipeline_is_made() -> None:
    """Not when the first call fails."""

    async def scenario() -> None:
        World().pipeline(Policy(), errors={asyncio.CancelledError: ErrorClass.TRANSIENT})  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType] -- refused

    with pytest.raises(ValueError, match="a key is a subclass of Exception"):
        run_in_virtual_time(scenario())
