"""Liveness: once nothing fails any more, everything works again, and nothing is left behind."""

from __future__ import annotations

from collections import Counter
from typing import Final

from fishplate.core.errors import ErrorClass, FishplateError
from fishplate.resilience.breaker import BreakerState
from fishplate.resilience.budget import SPAN, UNASKED_PER_SECOND
from fishplate.testing.simulation.history import History
from fishplate.testing.simulation.invariants import AtEnd, Broken, Invariant, invariant

# What a healthy world gives no reason for.
SICK: Final = frozenset(
    {
        ErrorClass.TRANSIENT,
        ErrorClass.OVERLOAD,
        ErrorClass.RATE_LIMITED,
        ErrorClass.LOCAL_REJECTION,
        ErrorClass.DEADLINE,
        ErrorClass.CANCELLED,
    }
)
# Calls to a healthy target after which its breaker has had every chance to close.
ENOUGH_CALLS: Final = 10


@invariant
def recovers(history: History, broken: Broken) -> AtEnd:
    """After a calm while runs succeed again, and no breaker stands in their way."""

    def at_end() -> None:
        calm = [run for run in history.runs if run.is_calm]
        for run in calm[len(calm) * 2 // 3 :]:
            error = run.error
            if isinstance(error, FishplateError) and error.error_class in SICK:
                broken(f"run {run.number} failed in a healthy world: {error.code}")
        now = history.ended
        calls = _healthy_calls(history)
        for key in history.world.in_flight:
            target = history.app.targets.get(key)
            if target is None or (breaker := target.breaker) is None:
                continue
            if breaker.peek(now) > 0:
                broken(f"the breaker of target {key!r} admits nobody long after the last call")
            elif breaker.state is not BreakerState.CLOSED and calls[key] >= ENOUGH_CALLS:
                broken(f"the breaker of target {key!r} did not close in {calls[key]} calm calls")

    return at_end


def _healthy_calls(history: History) -> Counter[str]:
    """How many calls of each target began when its last faulted one had ended.

    Until then, which may be seconds into the calm, a slow answer of the storm opens a breaker
    rightly, and the calls before it say nothing about whether it closes again.
    """
    healthy_since: dict[str, float] = {}
    for call in history.world.calls:
        if call.fault != "none" and call.ended is not None:
            latest = healthy_since.get(call.target, history.calm_since)
            healthy_since[call.target] = max(latest, call.ended)
    return Counter(
        call.target
        for call in history.world.calls
        if call.began >= healthy_since.get(call.target, history.calm_since)
    )


@invariant
def all_given_back(history: History, broken: Broken) -> AtEnd:
    """When nothing runs any more, every slot, place in a queue and retry credit is back."""

    def at_end() -> None:
        now = history.ended
        for key in history.world.in_flight:
            target = history.app.targets.get(key)
            if target is None:
                continue
            if (slots := target.slots) is not None and (slots.in_flight or slots.queued):
                broken(
                    f"target {key!r} has {slots.in_flight} slots taken and "
                    f"{slots.queued} calls waiting"
                )
            credit, full = target.budget.credit(now), UNASKED_PER_SECOND * SPAN
            if credit != full:
                broken(f"target {key!r} has {credit:g} of {full:g} retry credit")
        for pool in history.app.pools.report():
            if pool["held"]:
                broken(f"pool {pool['pool']!r} has {pool['held']} slots taken")

    return at_end


@invariant
def nothing_left(history: History, broken: Broken) -> AtEnd:
    """No task is left, no call runs in the world, and nothing was raised behind the back."""

    def at_end() -> None:
        for name in history.tasks_left:
            broken(f"task {name} is left")
        for target, running in history.world.in_flight.items():
            if running:
                broken(f"{running} calls of target {target!r} still run")
        for stray in history.stray:
            broken(f"raised where nobody could catch it: {stray}")

    return at_end


LIVENESS: Final[tuple[Invariant, ...]] = (recovers, all_given_back, nothing_left)
