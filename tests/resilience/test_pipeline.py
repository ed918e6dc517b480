"""One call through all policies: what comes of it, what is tried again, and what is told."""

import asyncio
import traceback

import pytest

from fishplate.core.errors import ErrorClass, StepError
from fishplate.core.outcome import DeclaredError
from fishplate.resilience.calls import CallOptions
from fishplate.resilience.events import (
    AttemptEnded,
    RetriesStopped,
    RetryScheduled,
)
from fishplate.resilience.policy import Breaker, Policy, Retry
from fishplate.testing.virtual_time import run_in_virtual_time
from tests.resilience.world import (
    Script,
    World,
    failing,
    failure_of,
    outcome,
    overloaded,
    virtually,
)

ALONE = Policy(retry="off", breaker="off", bulkhead="off")
UNSAFE = Policy(retry=Retry())


class Gone(DeclaredError):  # noqa: N818 -- named as a contract names it
    """A declared error."""


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


@pytest.mark.parametrize(("made", "attempts"), [(0, [1, 2, 3]), (1, [2, 3]), (2, [3]), (9, [10])])
def test_attempts_before_a_crash_count(made: int, attempts: list[int]) -> None:
    """A crash loop does not reset them, and a call that was recovered always gets one."""

    async def scenario() -> list[int]:
        world = World()
        options = CallOptions(attempts_made=made)
        await outcome(world.pipeline(UNSAFE).run(Script([overloaded()]), "step", options=options))
        return [event.attempt for event in world.told(AttemptEnded)]

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


def test_a_map_of_errors_is_checked_when_the_pipeline_is_made() -> None:
    """Not when the first call fails."""

    async def scenario() -> None:
        World().pipeline(Policy(), errors={asyncio.CancelledError: ErrorClass.TRANSIENT})  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType] -- refused

    with pytest.raises(ValueError, match="a key is a subclass of Exception"):
        run_in_virtual_time(scenario())
