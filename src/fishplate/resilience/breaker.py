"""A circuit breaker that survives cancellation, concurrency and late answers.

```
CLOSED     counts in a sliding window; opens on failures, and is then OPEN
OPEN       admits nobody for a while, longer each time, then HALF_OPEN
HALF_OPEN  admits one probe at a time; enough successes: CLOSED; one failure: OPEN
FORCED_OPEN, DISABLED: set by an operator, left by an operator
```

Three rules that are easy to get wrong:

- A cancelled call gives its permit back and counts as nothing: it says nothing about the target.
- A probe's permit is a lease. Whoever loses it cannot keep the breaker half-open for ever.
- Every change of state begins an epoch. An answer to a call of an older epoch is late and moves
  nothing, so a success from before the outage cannot close the breaker.

All of it runs on one event loop, and between two awaits nothing else runs: no locks.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import Enum
from typing import Final

from fishplate.core.errors import JsonValue
from fishplate.resilience.events import (
    BreakerClosed,
    BreakerHalfOpened,
    BreakerOpened,
    BreakerOverruled,
    EventSink,
    OpenReason,
)
from fishplate.resilience.policy import Breaker
from fishplate.resilience.window import Window

CALLS: Final = 0
FAILURES: Final = 1
SLOW: Final = 2

# A probe's lease lasts as long as its attempt may, and this much longer.
LEASE_MARGIN: Final = 5.0
# While a probe is out nobody knows when it ends; whoever may wait looks again after this.
PROBE_HINT: Final = 0.1
# A target that asks for more is tried after this: its answer may be wrong, and a probe is one call.
LONGEST_RETRY_AFTER: Final = 300.0
# 2**16 times any opening is above its cap; more would only overflow.
MOST_DOUBLINGS: Final = 16


class BreakerState(Enum):
    """What a breaker does with calls."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    FORCED_OPEN = "forced_open"
    DISABLED = "disabled"


class Outcome(Enum):
    """What a call says about its target."""

    SUCCESS = "success"
    FAILURE = "failure"
    HUNG = "hung"  # cut off by its deadline
    IGNORED = "ignored"  # cancelled, refused by our own rules, wrong on our side


class Permit:
    """The right to make one call; give it back once, by `settle` or by `release`.

    Attributes:
        epoch: The breaker's epoch when it was given.
        probe: Number of the probe; 0 for an ordinary call.
    """

    __slots__ = ("_breaker", "_is_over", "epoch", "probe")

    def __init__(self, breaker: CircuitBreaker, epoch: int, probe: int) -> None:
        self._breaker = breaker
        self._is_over = False
        self.epoch = epoch
        self.probe = probe

    def settle(
        self,
        outcome: Outcome,
        now: float,
        *,
        seconds: float = 0.0,
        retry_after: float | None = None,
    ) -> None:
        """Give it back with what the call says about the target; see `CircuitBreaker.settle`."""
        if not self._is_over:
            self._is_over = True
            self._breaker.settle(
                self.epoch, self.probe, outcome, now, seconds=seconds, retry_after=retry_after
            )

    def release(self) -> None:
        """Give it back uncounted; nothing happens if it was given back before."""
        if not self._is_over:
            self._is_over = True
            self._breaker.release(self.epoch, self.probe)


class CircuitBreaker:
    """The breaker of one target. Times are seconds of a clock that never goes back.

    Args:
        settings: Its numbers.
        target: Key of the target, for events.
        uniform: Draws a number between two others.
        emit: Where events go.
        now: The time.

    Attributes:
        settings: Its numbers.
        state: What it does with calls; an open one turns half-open when a call asks for a permit.
        epoch: Counts changes of state.
        window: Calls, failures and slow calls while closed; a call's fast path counts in it too.
        consecutive: Failures since the last success.
        late: Answers to calls of an older epoch, or of a probe whose lease was over.
    """

    __slots__ = (
        "_emit",
        "_lease_ends",
        "_openings",
        "_opens_at",
        "_probe",
        "_successes",
        "_target",
        "_uniform",
        "consecutive",
        "epoch",
        "late",
        "settings",
        "state",
        "window",
    )

    def __init__(
        self,
        settings: Breaker,
        *,
        target: str,
        uniform: Callable[[float, float], float],
        emit: EventSink,
        now: float,
    ) -> None:
        # Typed, since a checker that infers them from every assignment goes in a circle.
        self.settings: Breaker = settings
        self.state = BreakerState.CLOSED
        self.epoch = 0
        self.window = Window(settings.window, 3, now)
        self.consecutive = 0
        self.late = 0
        self._target = target
        self._uniform = uniform
        self._emit = emit
        self._openings = 0
        self._opens_at: float = now  # when an open breaker admits a probe
        self._probe = 0
        self._lease_ends = -math.inf
        self._successes = 0

    def peek(self, now: float) -> float:
        """Seconds until a call may be admitted: 0 for now, infinity if an operator has to act."""
        match self.state:
            case BreakerState.CLOSED | BreakerState.DISABLED:
                return 0.0
            case BreakerState.OPEN:
                return max(self._opens_at - now, 0.0)
            case BreakerState.HALF_OPEN:
                return min(max(self._lease_ends - now, 0.0), PROBE_HINT)
            case BreakerState.FORCED_OPEN:
                return math.inf

    def acquire(self, now: float, *, lease: float) -> Permit | None:
        """A permit for one call, to be used at once; `None` if the call is rejected.

        Args:
            now: The time.
            lease: Seconds after which a probe that was not settled is given up.
        """
        if self.state is BreakerState.CLOSED or self.state is BreakerState.DISABLED:
            return Permit(self, self.epoch, 0)
        if self.peek(now) > 0:
            return None
        if self.state is BreakerState.OPEN:
            self.state = BreakerState.HALF_OPEN
            self._successes = 0
            self._emit(BreakerHalfOpened(target=self._target))
        self._probe += 1
        self._lease_ends = now + lease
        return Permit(self, self.epoch, self._probe)

    def settle(  # noqa: PLR0913 -- the facts of one call
        self,
        epoch: int,
        probe: int,
        outcome: Outcome,
        now: float,
        *,
        seconds: float = 0.0,
        retry_after: float | None = None,
    ) -> None:
        """Count a call that has ended.

        Args:
            epoch: Of the call's permit.
            probe: Of the call's permit.
            outcome: What the call says about the target.
            now: The time.
            seconds: How long the call took.
            retry_after: For how long the target asks not to be called.
        """
        if epoch != self.epoch or (probe and not self._is_live(probe, now)):
            self.late += 1
        elif outcome is Outcome.IGNORED:
            self.release(epoch, probe)
        elif self.state is BreakerState.HALF_OPEN:
            self._judge_probe(outcome, now, seconds, retry_after)
        elif self.state is BreakerState.CLOSED:
            self._count(outcome, now, seconds, retry_after)

    def release(self, epoch: int, probe: int) -> None:
        """Give a permit back without counting the call."""
        if probe == self._probe and epoch == self.epoch:
            self._lease_ends = -math.inf

    def configure(self, settings: Breaker, now: float) -> None:
        """Go on with other numbers; what was counted in a window of another length is forgotten."""
        if settings.window != self.settings.window:
            self.window = Window(settings.window, 3, now)
        self.settings = settings

    def force_open(self, *, by: str, why: str) -> None:
        """Admit nobody until an operator says otherwise."""
        self._enter(BreakerState.FORCED_OPEN)
        self._emit(BreakerOverruled(target=self._target, state="forced_open", by=by, why=why))

    def disable(self, *, by: str, why: str) -> None:
        """Admit everybody and count nothing until an operator says otherwise."""
        self._enter(BreakerState.DISABLED)
        self._emit(BreakerOverruled(target=self._target, state="disabled", by=by, why=why))

    def reset(self, now: float, *, by: str, why: str) -> None:
        """Close, with nothing counted."""
        self._close(now)
        self._emit(BreakerOverruled(target=self._target, state="closed", by=by, why=why))

    def to_json(self, now: float) -> dict[str, JsonValue]:
        """State, counts over the window, and seconds until a call may be admitted, if known."""
        calls, failures, slow = self.window.sums(now)
        wait = self.peek(now)
        return {
            "state": self.state.value,
            "calls": calls,
            "failures": failures,
            "slow": slow,
            "consecutive": self.consecutive,
            "retry_after": None if math.isinf(wait) else round(wait, 3),
            "late": self.late,
        }

    def _is_live(self, probe: int, now: float) -> bool:
        return probe == self._probe and now <= self._lease_ends

    def _is_slow(self, outcome: Outcome, seconds: float) -> bool:
        slow_call = self.settings.slow_call
        return outcome is Outcome.HUNG or (slow_call is not None and seconds >= slow_call)

    def _count(
        self, outcome: Outcome, now: float, seconds: float, retry_after: float | None
    ) -> None:
        is_slow = self._is_slow(outcome, seconds)
        if now >= self.window.ends:
            self.window.roll(now)
        self.window.current[CALLS] += 1
        if outcome is Outcome.FAILURE:
            self.window.current[FAILURES] += 1
            self.consecutive += 1
        elif outcome is Outcome.SUCCESS:
            self.consecutive = 0
        if is_slow:
            self.window.current[SLOW] += 1
        if (is_slow or outcome is Outcome.FAILURE) and (reason := self._reason_to_open(now)):
            self._open(reason, now, retry_after)

    def _reason_to_open(self, now: float) -> OpenReason | None:
        settings = self.settings
        if self.consecutive >= settings.consecutive:
            return "consecutive"
        calls, failures, slow = self.window.sums(now)
        if calls < settings.calls:
            return None
        if failures >= settings.failure_rate * calls:
            return "failure_rate"
        if slow >= settings.slow_rate * calls:
            return "slow_rate"
        return None

    def _judge_probe(
        self, outcome: Outcome, now: float, seconds: float, retry_after: float | None
    ) -> None:
        if outcome is Outcome.FAILURE or self._is_slow(outcome, seconds):
            self._open("probe", now, retry_after)
            return
        self._lease_ends = -math.inf
        self._successes += 1
        if self._successes >= self.settings.successes:
            self._close(now)
            self._emit(BreakerClosed(target=self._target))

    def _open(self, reason: OpenReason, now: float, retry_after: float | None) -> None:
        settings = self.settings
        base = min(
            settings.open_for * 2.0 ** min(self._openings, MOST_DOUBLINGS), settings.open_cap
        )
        seconds = base * self._uniform(1 - settings.jitter, 1 + settings.jitter)
        if retry_after is not None:
            seconds = max(seconds, min(retry_after, LONGEST_RETRY_AFTER))
        self._openings += 1
        self._opens_at = now + seconds
        self._enter(BreakerState.OPEN)
        self._emit(BreakerOpened(target=self._target, reason=reason, seconds=seconds))

    def _close(self, now: float) -> None:
        self._openings = 0
        self.consecutive = 0
        self.window = Window(self.settings.window, 3, now)
        self._enter(BreakerState.CLOSED)

    def _enter(self, state: BreakerState) -> None:
        self.state = state
        self.epoch += 1
        self._lease_ends = -math.inf
