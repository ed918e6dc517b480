"""Bugs that were planted on purpose, each of which the simulation has to find and name.

A bug is planted in one method of the real code. Each names the invariants that may find it first,
since a leaked probe, for one, is seen both when it leaks and when nobody is admitted any more.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from math import inf
from typing import Any

import pytest

from fishplate import app
from fishplate.agents.agent import AnyAgent
from fishplate.core import suspension
from fishplate.core.current import Current
from fishplate.core.errors import ErrorClass
from fishplate.core.ids import idempotency_key
from fishplate.core.run_context import RunContext
from fishplate.core.timers import TimerWheel
from fishplate.engines import local
from fishplate.engines.fork import Fork
from fishplate.orchestrator import steps
from fishplate.orchestrator.pools import Pool
from fishplate.resilience import pipeline
from fishplate.resilience.aftermath import Aftermath
from fishplate.resilience.breaker import BreakerState, CircuitBreaker, Outcome
from fishplate.resilience.bulkhead import Slots
from fishplate.resilience.calls import ORDINARY, CallOptions, CallState
from fishplate.resilience.pipeline import Pipeline
from fishplate.testing.simulation import simulate
from fishplate.testing.simulation.orders import FORBIDDEN, ORDERS

SEEDS = range(12)
RUNS = 300

Plant = Callable[[pytest.MonkeyPatch], None]


def probe_leaked_on_cancel(patch: pytest.MonkeyPatch) -> None:
    """A cancelled call keeps its permit."""

    def forgetful(_breaker: CircuitBreaker, _epoch: int, _probe: int) -> None:
        pass

    patch.setattr(CircuitBreaker, "release", forgetful)


def permit_leaked_on_cancel(patch: pytest.MonkeyPatch) -> None:
    """A cancelled call keeps its slot."""
    release = Slots.release

    def forgetful(slots: Slots) -> None:
        task = asyncio.current_task()
        if task is None or not task.cancelling():
            release(slots)

    patch.setattr(Slots, "release", forgetful)


def pool_leaked_on_cancel(patch: pytest.MonkeyPatch) -> None:
    """A cancelled call keeps its slot of a pool."""
    release = Pool.release

    def forgetful(pool: Pool) -> None:
        task = asyncio.current_task()
        if task is None or not task.cancelling():
            release(pool)

    patch.setattr(Pool, "release", forgetful)


def late_success_closes(patch: pytest.MonkeyPatch) -> None:
    """An answer counts for the breaker as it is now, whenever its call began."""
    settle = CircuitBreaker.settle

    def credulous(
        breaker: CircuitBreaker,
        epoch: int,
        probe: int,
        outcome: Outcome,
        now: float,
        *,
        seconds: float = 0.0,
        retry_after: float | None = None,
    ) -> None:
        if breaker.state is BreakerState.HALF_OPEN and outcome is Outcome.SUCCESS:
            epoch, probe = breaker.epoch, 0
        settle(breaker, epoch, probe, outcome, now, seconds=seconds, retry_after=retry_after)

    patch.setattr(CircuitBreaker, "settle", credulous)


def probes_side_by_side(patch: pytest.MonkeyPatch) -> None:
    """A half-open breaker admits whoever asks."""
    peek = CircuitBreaker.peek

    def generous(breaker: CircuitBreaker, now: float) -> float:
        return 0.0 if breaker.state is BreakerState.HALF_OPEN else peek(breaker, now)

    patch.setattr(CircuitBreaker, "peek", generous)


def retry_past_the_deadline(patch: pytest.MonkeyPatch) -> None:
    """Attempts do not look at the time that their call has left."""
    run = Pipeline.run

    async def tireless(
        calls: Pipeline,
        attempt: Callable[[], Coroutine[Any, Any, object]],
        subject: str,
        deadline: float | None = None,
        options: CallOptions = ORDINARY,
        *how: Any,
    ) -> object:
        return await run(calls, attempt, subject, None, options, *how)

    patch.setattr(Pipeline, "run", tireless)


def effect_repeated_after_a_lost_answer(patch: pytest.MonkeyPatch) -> None:
    """Whatever failed is tried again."""

    def reckless(
        _self: Aftermath, _call: CallState, _failure: Exception, _error: Exception, _of: ErrorClass
    ) -> bool:
        return True

    patch.setattr(Aftermath, "_is_repeatable", reckless)


def body_repeated_after_an_effect(patch: pytest.MonkeyPatch) -> None:
    """A body is tried again although one of its calls has acted."""

    def unsuspecting(_run: RunContext, _path: str) -> bool:
        return False

    patch.setattr(RunContext, "has_effect_below", unsuspecting)


def key_of_the_attempt(patch: pytest.MonkeyPatch) -> None:
    """Each attempt goes out under a key of its own."""

    def fresh(call: Current) -> str:
        return idempotency_key("default", call.step_name, str(call.run.now_ns()))

    patch.setattr(Current, "idempotency_key", property(fresh))


def output_unchecked(patch: pytest.MonkeyPatch) -> None:
    """What a body gives is handed on as it is."""

    def trusting(_unit: AnyAgent, result: object, _path: str) -> object:
        return result

    patch.setattr(steps, "_accepted", trusting)


def denial_ignored(patch: pytest.MonkeyPatch) -> None:
    """A body calls what it was not granted."""

    def lenient(_unit: AnyAgent, wanted: AnyAgent, _path: str) -> AnyAgent:
        return wanted

    patch.setattr(local, "granted", lenient)
    assert FORBIDDEN["wipe"].release  # reads its source, which is not for the event loop


def time_limits_ignored(patch: pytest.MonkeyPatch) -> None:
    """A call that hangs is waited for."""
    finish = suspension.finish_within

    def patient(
        _seconds: float,
        coroutine: Coroutine[Any, Any, object],
        yielded: object,
        wheel: TimerWheel | None = None,
        *,
        grace: float = suspension.CANCEL_GRACE,
    ) -> Awaitable[object]:
        return finish(inf, coroutine, yielded, wheel, grace=grace)

    for module in (app, pipeline, suspension):
        patch.setattr(module, "finish_within", patient)


def branches_left_running(patch: pytest.MonkeyPatch) -> None:
    """A fork ends before its branches have."""

    async def hasty(_fork: Fork[object]) -> None:
        pass

    patch.setattr(Fork, "_end", hasty)


def slots_without_limit(patch: pytest.MonkeyPatch) -> None:
    """A full bulkhead takes one more call."""

    def roomy(slots: Slots) -> bool:
        slots.in_flight += 1
        return True

    patch.setattr(Slots, "try_acquire", roomy)


def breaker_open_for_good(patch: pytest.MonkeyPatch) -> None:
    """An open breaker never admits a probe."""
    peek = CircuitBreaker.peek

    def final(breaker: CircuitBreaker, now: float) -> float:
        return 1.0 if breaker.state is BreakerState.OPEN else peek(breaker, now)

    patch.setattr(CircuitBreaker, "peek", final)


PLANTED: dict[Plant, set[str]] = {
    probe_leaked_on_cancel: {"probe_given_back"},
    permit_leaked_on_cancel: {"all_given_back"},
    pool_leaked_on_cancel: {"all_given_back"},
    late_success_closes: {"closed_on_proof"},
    probes_side_by_side: {"one_probe"},
    retry_past_the_deadline: {"call_in_time"},
    effect_repeated_after_a_lost_answer: {"effect_once"},
    body_repeated_after_an_effect: {"effect_once"},
    key_of_the_attempt: {"effect_once"},
    output_unchecked: {"output_checked", "garbage_refused"},
    denial_ignored: {"call_granted"},
    time_limits_ignored: {"run_ends"},
    branches_left_running: {"call_in_time"},
    slots_without_limit: {"slots_bounded"},
    breaker_open_for_good: {"recovers"},
}


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_found(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a few seeds the simulation breaks the invariant that the bug is about."""
    plant(monkeypatch)

    found = set[str]()
    for seed in SEEDS:
        report = simulate(ORDERS, seed=seed, runs=RUNS)
        found |= {violation.name for violation in report.violations}
        if found & PLANTED[plant]:
            return

    pytest.fail(f"{plant.__doc__} Nothing of {PLANTED[plant]} in {len(SEEDS)} seeds: {found}")
