"""Breakers: what holds for them whatever the calls that they admit come to."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final

from fishplate.core.events import Span
from fishplate.resilience.breaker import BreakerState, CircuitBreaker
from fishplate.testing.simulation.history import History
from fishplate.testing.simulation.invariants import AtEnd, Broken, Invariant, invariant
from fishplate.testing.simulation.world import WorldCall

# Long enough for everything around a call to have ended, and too short for anything to begin.
A_MOMENT: Final = 1e-6


@invariant
def one_probe(history: History, broken: Broken) -> AtEnd:
    """A half-open breaker lets one call at a time through."""
    probes = _Probes(history)

    def began(call: WorldCall) -> None:
        if probes.began(call) is not None and probes.running[call.target] > 1:
            broken(f"target {call.target!r} has {probes.running[call.target]} probes at a time")

    history.world.watchers.began.append(began)
    history.world.watchers.ended.append(probes.ended)
    return _nothing


@invariant
def probe_given_back(history: History, broken: Broken) -> AtEnd:
    """When a probe has ended, however it did, a half-open breaker admits the next one."""
    probes = _Probes(history)

    def look(target: str, breaker: CircuitBreaker, epoch: int) -> None:
        now = asyncio.get_running_loop().time()
        slots = getattr(history.app.targets.get(target), "slots", None)
        if (
            breaker.epoch == epoch
            and breaker.state is BreakerState.HALF_OPEN
            and probes.running[target] == 0
            # Else one may be on its way, from its slot to the world.
            and (slots is None or slots.in_flight <= history.world.in_flight[target])
            and breaker.peek(now) > 0
        ):
            broken(f"target {target!r} admits nobody at {now:.3f} s, and no probe is out")

    def ended(call: WorldCall) -> None:
        breaker = probes.ended(call)
        if breaker is not None:
            loop = asyncio.get_running_loop()
            loop.call_later(A_MOMENT, look, call.target, breaker, breaker.epoch)

    history.world.watchers.began.append(probes.began)
    history.world.watchers.ended.append(ended)
    return _nothing


@invariant
def closed_on_proof(history: History, broken: Broken) -> AtEnd:
    """A breaker closes only when enough calls that began after it had opened were answered."""
    opened_at: dict[str, int] = {}
    proofs: Counter[str] = Counter()

    def ended(call: WorldCall) -> None:
        if call.ending == "answered" and call.order >= opened_at.get(call.target, 0):
            proofs[call.target] += 1

    def told(_run: int, span: Span) -> None:
        if span.kind != "decision" or span.attributes is None:
            return
        target = str(span.attributes.get("target"))
        if span.name == "breaker.opened":
            opened_at[target] = len(history.world.calls)
            proofs[target] = 0
        elif span.name == "breaker.closed" and target in history.world.in_flight:
            found = history.app.targets.get(target)
            assert found is not None
            assert found.breaker is not None
            needed = found.breaker.settings.successes
            if proofs[target] < needed:
                at = span.start_ns / 1e9
                broken(f"target {target!r} closed at {at:.3f} s on {proofs[target]} of {needed}")

    history.world.watchers.ended.append(ended)
    history.told.append(told)
    return _nothing


BREAKERS: Final[tuple[Invariant, ...]] = (one_probe, probe_given_back, closed_on_proof)


class _Probes:
    """The probes that run, by what the world sees: a call that began while a breaker was half-open.

    Attributes:
        running: By target.
    """

    def __init__(self, history: History) -> None:
        self.running: Counter[str] = Counter()
        self._history = history
        self._breakers: dict[int, CircuitBreaker] = {}

    def began(self, call: WorldCall) -> CircuitBreaker | None:
        """Count a call if it is a probe; the breaker that admitted it."""
        target = self._history.app.targets.get(call.target)
        if target is None or target.breaker is None:
            return None
        if target.breaker.state is not BreakerState.HALF_OPEN:
            return None
        if self._history.policy(call.unit).breaker is None:
            return None
        self.running[call.target] += 1
        self._breakers[call.order] = target.breaker
        return target.breaker

    def ended(self, call: WorldCall) -> CircuitBreaker | None:
        """Count it no more; the breaker that admitted it, if it was a probe."""
        breaker = self._breakers.pop(call.order, None)
        if breaker is not None:
            self.running[call.target] -= 1
        return breaker


def _nothing() -> None:
    """Everything was said while it happened."""
