"""Delays are drawn from a growing range, and many reasons end retrying."""

import random
from dataclasses import replace
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fishplate.core.errors import ErrorClass
from fishplate.resilience.policy import Retry
from fishplate.resilience.retry import FailedAttempt, backoff, next_delay
from tests.resilience.world import highest

FAILED = FailedAttempt(
    number=1,
    error_class=ErrorClass.TRANSIENT,
    is_exhausted=False,
    is_repeatable=True,
    retry_after=None,
    time_left=inf,
    time_needed=0.05,
)


def test_the_range_of_delays_doubles_up_to_its_cap() -> None:
    """Half a second, one, two, four, and from then on eight."""
    longest = [backoff(Retry(attempts=10), number, highest) for number in range(1, 8)]

    assert longest == [0.5, 1, 2, 4, 8, 8, 8]


@given(st.integers(1, 10), st.integers())
def test_any_delay_from_zero_on_is_drawn(number: int, seed: int) -> None:
    """Full jitter: callers that failed together do not come back together."""
    delay = backoff(Retry(attempts=10), number, random.Random(seed).uniform)

    assert 0 <= delay <= min(8, 0.5 * 2 ** (number - 1))


@given(st.floats(0.001, 120), st.integers())
def test_a_servers_delay_is_a_minimum(asked: float, seed: int) -> None:
    """A quarter of it at most is added, so that its clients do not come back as one."""
    delay = next_delay(Retry(), replace(FAILED, retry_after=asked), random.Random(seed).uniform)

    assert isinstance(delay, float)
    assert asked <= delay <= asked * 1.25


@pytest.mark.parametrize(
    ("failed", "expected"),
    [
        (FAILED, 0.5),
        (replace(FAILED, number=2), 1.0),
        (replace(FAILED, number=3), "attempts"),
        (replace(FAILED, retry_after=0), 0.5),
        (replace(FAILED, retry_after=4), 5.0),
        (replace(FAILED, retry_after=120), 150.0),
        (replace(FAILED, retry_after=121), "server_delay"),
        (replace(FAILED, retry_after=4, time_left=4), "deadline"),
        (replace(FAILED, time_left=0.55), 0.5),
        (replace(FAILED, time_left=0.54), "deadline"),
        (replace(FAILED, time_left=2, time_needed=1.6), "deadline"),
        (replace(FAILED, is_exhausted=True), "exhausted_below"),
        (replace(FAILED, is_repeatable=False), "not_repeatable"),
    ],
)
def test_a_failed_attempt_is_repeated_or_there_is_a_reason(
    failed: FailedAttempt, expected: float | str
) -> None:
    """Attempts, the server's wish, the deadline, safety and the layers below all end it."""
    assert next_delay(Retry(), failed, highest) == expected


RETRIED = {
    ErrorClass.TRANSIENT,
    ErrorClass.OVERLOAD,
    ErrorClass.RATE_LIMITED,
    ErrorClass.LOCAL_REJECTION,
}


@pytest.mark.parametrize("error_class", ErrorClass)
def test_the_class_decides_whether_anything_is_repeated(error_class: ErrorClass) -> None:
    """What would fail again, what was refused and what may have happened is not."""
    delay = next_delay(Retry(), replace(FAILED, error_class=error_class), highest)

    assert delay == (0.5 if error_class in RETRIED else "not_retried")
