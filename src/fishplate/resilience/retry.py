"""Whether a failed attempt is followed by another one, and after which delay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fishplate.core.data import dataclass
from fishplate.core.errors import ErrorClass, FishplateError
from fishplate.core.outcome import DeclaredError
from fishplate.resilience.events import StopReason
from fishplate.resilience.policy import Retry

# A server's delay is a minimum; up to a quarter on top keeps its clients from coming back as one.
SPREAD_OF_SERVER_DELAY: Final = 0.25


@dataclass(frozen=True, kw_only=True, slots=True)
class FailedAttempt:
    """What decides whether an attempt is repeated.

    Attributes:
        number: Its number, from 1.
        error_class: How it failed.
        is_exhausted: Whether a layer below has retried already.
        is_repeatable: Whether repeating it is safe.
        retry_after: Seconds for which the target asks not to be called.
        time_left: Seconds until the call's deadline; infinite without one.
        time_needed: Seconds below which another attempt would be useless.
    """

    number: int
    error_class: ErrorClass
    is_exhausted: bool
    is_repeatable: bool
    retry_after: float | None
    time_left: float
    time_needed: float


def is_given_up(error: BaseException) -> bool:
    """Whether a layer below has retried already, and this is what became of it.

    Also what was raised from an exhausted failure counts: it was only worded anew.
    """
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, (FishplateError, DeclaredError)) and found.retry_exhausted:
            return True
        found = found.__cause__
    return False


def backoff(retry: Retry, attempt: int, uniform: Callable[[float, float], float]) -> float:
    """The delay after a failed attempt: anything from 0 to a limit that doubles.

    Args:
        retry: The policy.
        attempt: Number of the attempt that failed, from 1.
        uniform: Draws a number between two others.
    """
    return uniform(0.0, min(retry.cap, retry.base * 2.0 ** (attempt - 1)))


def longest_delays(retry: Retry) -> float:
    """Seconds of all delays between the attempts of a call, each at its longest."""
    return sum(min(retry.cap, retry.base * 2.0**n) for n in range(retry.attempts - 1))


def next_delay(  # noqa: PLR0911 -- one line for each reason to stop
    retry: Retry, failed: FailedAttempt, uniform: Callable[[float, float], float]
) -> float | StopReason:
    """Seconds until the next attempt, or why there is none; the retry budget is asked elsewhere.

    Source: full jitter as in https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    if not failed.error_class.is_retried:
        return "not_retried"
    if failed.is_exhausted:
        return "exhausted_below"
    if not failed.is_repeatable:
        return "not_repeatable"
    if failed.number >= retry.attempts:
        return "attempts"
    asked = failed.retry_after
    if asked is not None and asked > retry.max_server_delay:
        return "server_delay"
    if asked is not None and asked > 0:
        delay = asked + uniform(0.0, SPREAD_OF_SERVER_DELAY * asked)
    else:
        delay = backoff(retry, failed.number, uniform)
    if failed.time_left < delay + failed.time_needed:
        return "deadline"
    return delay
