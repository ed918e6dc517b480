"""What a target says about when to come back is read in every spelling, and nonsense is not."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fishplate.resilience.server_delay import Allowance, allowance_of, may_retry, server_delay

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
IN_90_SECONDS = "Sun, 22 Nov 2026 12:01:30 GMT"

SPELLINGS: list[tuple[dict[str, str], float | None]] = [
    ({}, None),
    ({"retry-after-ms": "1500"}, 1.5),
    ({"Retry-After": "7"}, 7),
    ({"Retry-After": " 0.25 "}, 0.25),
    ({"Retry-After": IN_90_SECONDS}, 90),
    ({"Retry-After": "Sunday, 22-Nov-26 12:01:30 GMT"}, 90),
    ({"Retry-After": "Sun Nov 22 12:01:30 2026"}, 90),
    ({"x-ratelimit-reset-requests": "12ms"}, 0.012),
    ({"x-ratelimit-reset-tokens": "6m0s"}, 360),
    ({"x-ratelimit-reset-tokens": "1h2m3.5s"}, 3723.5),
    ({"x-ratelimit-reset": "30"}, 30),
    ({"x-ratelimit-reset": str(int(NOW.timestamp()) + 45)}, 45),
    ({"x-ratelimit-reset": str(int(NOW.timestamp() + 45) * 1000)}, 45),
    ({"anthropic-ratelimit-requests-reset": "2026-11-22T12:00:20Z"}, 20),
    ({"anthropic-ratelimit-input-tokens-reset": "2026-11-22T14:00:20+02:00"}, 20),
    # precedence
    ({"retry-after-ms": "100", "retry-after": "7"}, 0.1),
    ({"retry-after": "7", "x-ratelimit-reset-requests": "9s"}, 7),
    ({"retry-after-ms": "soon", "retry-after": "7"}, 7),
    ({"retry-after": "soon", "x-ratelimit-reset-requests": "9s"}, 9),
    # of several limits only those that are used up hold a call back, the latest of them
    ({"x-ratelimit-reset-requests": "2s", "x-ratelimit-reset-tokens": "60s"}, 60),
    (
        {
            "x-ratelimit-reset-requests": "2s",
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-tokens": "60s",
            "x-ratelimit-remaining-tokens": "149984",
        },
        2,
    ),
    # nothing to wait for: the ordinary backoff applies
    ({"retry-after": "0"}, None),
    ({"retry-after": "0", "x-ratelimit-reset-requests": "9s"}, None),
    ({"retry-after": "-3"}, None),
    ({"retry-after": "Sun, 22 Nov 2026 11:00:00 GMT"}, None),
    # nonsense
    ({"retry-after": "nan"}, None),
    ({"retry-after": "inf"}, None),
    ({"retry-after": "Infinity"}, None),
    ({"retry-after": "1e3"}, None),
    ({"retry-after": "1_000"}, None),
    ({"retry-after": "9" * 400}, None),
    ({"retry-after": "Sun, 99 Nov 2026 12:01:30 GMT"}, None),
    ({"x-ratelimit-reset-requests": "s"}, None),
    ({"anthropic-ratelimit-requests-reset": "tomorrow"}, None),
]


@pytest.mark.parametrize(("headers", "delay"), SPELLINGS)
def test_a_delay_is_read_in_every_spelling(headers: dict[str, str], delay: float | None) -> None:
    """Milliseconds, seconds, dates, durations and time stamps, in this order of precedence."""
    assert server_delay(headers, now=NOW) == (None if delay is None else pytest.approx(delay))


names = st.sampled_from(
    ["retry-after-ms", "Retry-After", "x-ratelimit-reset-requests", "x-ratelimit-reset"]
)
texts = st.text(max_size=30) | st.from_regex(r"[0-9.]{1,9}(ms|s|m|h)?", fullmatch=True)


@given(st.dictionaries(names, texts))
def test_no_header_makes_an_impossible_delay(headers: dict[str, str]) -> None:
    """Whatever a server sends, the delay is above zero and finite, or there is none."""
    delay = server_delay(headers, now=NOW)

    assert delay is None or 0 < delay < float("inf")


def test_a_server_may_forbid_to_try_again() -> None:
    """Only `x-should-retry: false` does."""
    assert not may_retry({"X-Should-Retry": "false"})
    assert may_retry({"x-should-retry": "true"})
    assert may_retry({})


def test_what_is_left_is_read_as_the_lowest_of_each_kind() -> None:
    """A limit on input tokens binds as much as one on all tokens."""
    headers = {
        "anthropic-ratelimit-requests-remaining": "12",
        "anthropic-ratelimit-tokens-remaining": "5000",
        "anthropic-ratelimit-input-tokens-remaining": "700",
    }

    assert allowance_of(headers) == Allowance(requests=12, tokens=700)
    assert allowance_of({"x-ratelimit-remaining-requests": "-1"}) == Allowance(
        requests=0, tokens=None
    )
    assert allowance_of({}) == Allowance(requests=None, tokens=None)
