"""What one call brings to its pipeline beside its attempt."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from math import inf
from typing import Final, NamedTuple

from fishplate.core.data import dataclass
from fishplate.core.errors import ErrorClass
from fishplate.core.suspension import CANCEL_GRACE


def _never() -> bool:
    return False


@dataclass(frozen=True, kw_only=True, slots=True)
class CallOptions:
    """What most calls leave at its default.

    Attributes:
        before_dispatch: Awaited with the attempt's number right before each attempt, once breaker
            and bulkhead have admitted it. If it raises, the attempt does not begin, nothing is
            counted, and the exception goes to the caller as it is.
        may_repeat: Asked before an attempt is repeated, with its exception and class. Without it,
            an attempt that is not safe to repeat is repeated only if nothing had been sent.
        tokens: Estimate of the model tokens that an attempt uses, for the rate limit; at least 0.
        tokens_used: Reads from a result how many it really were; `None`: unknown.
        attempts_made: Attempts of the same call before a crash. They count, but one more is made
            even if they were all, since how often a call is recovered is limited elsewhere.
        has_fallback: Whether something else answers if this call is rejected here; then the call
            does not wait for a local rejection to pass.
        has_given_up_below: Asked after a failed attempt: whether a call that it made has retried
            and given up. Repeating the attempt would then repeat all of that call's attempts.
        cancel_grace: Seconds for which an attempt that was cut off may clean up.
    """

    before_dispatch: Callable[[int], Awaitable[object]] | None = None
    may_repeat: Callable[[Exception, ErrorClass], bool] | None = None
    tokens: int = 0
    tokens_used: Callable[[object], int | None] | None = None
    attempts_made: int = 0
    has_fallback: bool = False
    has_given_up_below: Callable[[], bool] = _never
    cancel_grace: float = CANCEL_GRACE


ORDINARY: Final = CallOptions()


class CallState:
    """What the slow paths of one call share; a call that succeeds at once has none.

    Attributes:
        subject: What is called, e.g. the path of the step.
        deadline: When the call has to be over, on the environment's clock; infinite without one.
        options: What the caller says about it.
        waited: Seconds that it has waited for local rejections to pass.
        last: How its last attempt failed.
    """

    __slots__ = ("deadline", "last", "options", "subject", "waited")

    def __init__(self, subject: str, deadline: float | None, options: CallOptions) -> None:
        self.subject = subject
        self.deadline = inf if deadline is None else deadline
        self.options = options
        self.waited = 0.0
        self.last: Exception | None = None

    def time_left(self, now: float) -> float:
        """Seconds until the deadline; infinite without one."""
        return self.deadline - now


class DispatchedAttempt(NamedTuple):
    """One attempt that was admitted.

    Attributes:
        number: Its number, from 1.
        started: When it was dispatched, on the environment's clock.
        epoch: Of its breaker permit.
        probe: Of its breaker permit.
    """

    number: int
    started: float
    epoch: int
    probe: int
