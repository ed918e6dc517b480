"""What all calls to one target share: breaker, slots, rate limit, retry budget, usual duration."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Final

from fishplate.core.data import dataclass
from fishplate.core.errors import JsonValue
from fishplate.resilience.breaker import CircuitBreaker
from fishplate.resilience.budget import RetryBudget
from fishplate.resilience.bulkhead import Slots
from fishplate.resilience.deadline import LEAST_USEFUL
from fishplate.resilience.events import EventSink
from fishplate.resilience.rate_limit import RateLimiter

# How far one duration moves the estimate of the usual one.
STEP: Final = 1.1


@dataclass(frozen=True, kw_only=True, slots=True)
class Environment:
    """What the policies take from outside, so that a test or a simulation can own it.

    Attributes:
        clock: Seconds of a clock that never goes back. It runs like the event loop's, whose timers
            end attempts and waits in a queue.
        uniform: Draws a number between two others.
        sleep: Waits that many seconds.
        emit: Where events go; called on the event loop, must be quick and must not raise.
    """

    clock: Callable[[], float]
    uniform: Callable[[float, float], float]
    sleep: Callable[[float], Awaitable[object]]
    emit: EventSink


class Target:
    """The state of one target.

    Args:
        key: Which target, e.g. `payments` or `openai/gpt-5/eu`.
        now: The time in seconds, on a clock that never goes back.

    Attributes:
        budget: Its retry budget.
        breaker: Its breaker, if any of its callers wants one.
        slots: Its bulkhead, if any of its callers wants one.
        limiter: Its rate limit, if any of its callers wants one.
        closed_until: Before this time it has said that it answers nobody.
        useful: Seconds that an attempt usually needs: roughly the median of those that had to wait
            and succeeded, at least 0.05.
    """

    __slots__ = (
        "_has_durations",
        "breaker",
        "budget",
        "closed_until",
        "key",
        "limiter",
        "slots",
        "useful",
    )

    def __init__(self, key: str, now: float) -> None:
        self.key = key
        self.budget = RetryBudget(now)
        self.breaker: CircuitBreaker | None = None
        self.slots: Slots | None = None
        self.limiter: RateLimiter | None = None
        self.closed_until = -math.inf
        self.useful = LEAST_USEFUL
        self._has_durations = False

    def remember(self, seconds: float) -> None:
        """Take the duration of an attempt that succeeded into account: one step towards it.

        Source: the median estimate of Ma, Muthukrishnan and Sandler, "Frugal Streaming for
            Estimating Quantiles", 2014, with steps of a tenth instead of a constant.
        """
        if not self._has_durations:
            self._has_durations = True
            self.useful = max(seconds, LEAST_USEFUL)
        elif seconds > self.useful:
            self.useful *= STEP
        elif seconds < self.useful:
            self.useful = max(self.useful / STEP, LEAST_USEFUL)

    def to_json(self, now: float) -> dict[str, JsonValue]:
        """The state of its parts; a part that nobody wants is left out."""
        found: dict[str, JsonValue] = {
            "target": self.key,
            "retry_credit": round(self.budget.credit(now), 3),
            "usual_duration": round(self.useful, 3),
        }
        if self.closed_until > now:
            found["closed_for"] = round(self.closed_until - now, 3)
        if self.breaker is not None:
            found["breaker"] = self.breaker.to_json(now)
        if self.slots is not None:
            found["bulkhead"] = self.slots.to_json()
        if self.limiter is not None:
            found["rate_limit"] = self.limiter.to_json()
        return found
