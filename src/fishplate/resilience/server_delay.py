"""What a target says about when to come back, in every spelling that is in use.

Sources: RFC 9110 section 10.2.3 (`Retry-After`); `retry-after-ms`, `x-should-retry` and the
`x-ratelimit-*` headers of OpenAI's API; the `anthropic-ratelimit-*` headers of Anthropic's API;
`x-ratelimit-reset` with seconds or a Unix time is common among others.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from fishplate.core.data import dataclass

_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,9})?")
# `6m0s`, `1h2m3.5s`, `88ms`: as Go prints a duration.
_DURATION: Final = re.compile(r"(?:[0-9]{1,9}(?:\.[0-9]{1,9})?(?:ms|us|µs|ns|h|m|s))+")
_DURATION_PART: Final = re.compile(r"([0-9.]+)(ms|us|µs|ns|h|m|s)")
_UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_RESET: Final = re.compile(
    r"x-ratelimit-reset(?:-(?P<of>[a-z-]+))?|anthropic-ratelimit-(?P<for>[a-z-]+)-reset"
)
# No delay is as long; a number from here on is a Unix time, in seconds or in milliseconds.
_EPOCH: Final = 1e9
_EPOCH_MILLISECONDS: Final = 1e12


@dataclass(frozen=True, kw_only=True, slots=True)
class Allowance:
    """What a target says is left; `None`: it does not say.

    Attributes:
        requests: Requests left in its window.
        tokens: Tokens left in its window; of several kinds the lowest.
    """

    requests: float | None
    tokens: float | None


def server_delay(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """The delay that a response asks for.

    In order of precedence: `retry-after-ms`, `retry-after` as a number or as a date, the resets of
    the limits that are used up. What cannot be read (NaN, infinity, any other text) is passed over.

    Args:
        headers: Of the response; the case of the names does not matter.
        now: The wall clock time, aware.

    Returns:
        Seconds above 0; `None` if nothing is asked for, so that the ordinary backoff applies. That
        is also the meaning of a delay of 0 and of a date that is past.
    """
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    for found in _spellings(lower, now):
        if found is not None:
            return found if found > 0 else None
    return None


def may_retry(headers: Mapping[str, str]) -> bool:
    """Whether a response leaves open to try again: all but those with `x-should-retry: false`."""
    lower = {name.lower(): value.strip().lower() for name, value in headers.items()}
    return lower.get("x-should-retry") != "false"


def allowance_of(headers: Mapping[str, str]) -> Allowance:
    """What a response says is left of the target's limits."""
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    tokens = [
        left
        for limit in ("tokens", "input-tokens", "output-tokens")
        if (left := _remaining(lower, limit)) is not None
    ]
    requests = _remaining(lower, "requests")
    return Allowance(requests=requests, tokens=min(tokens, default=None))


def _spellings(headers: Mapping[str, str], now: datetime) -> Iterator[float | None]:
    if (milliseconds := _number(headers.get("retry-after-ms", ""))) is not None:
        yield milliseconds / 1000
    text = headers.get("retry-after", "")
    yield _number(text)
    yield _until(_http_date(text), now)
    resets = [delay for delay in _resets(headers, now) if delay is not None]
    yield max(resets, default=None)


def _resets(headers: Mapping[str, str], now: datetime) -> Iterator[float | None]:
    """Delays of the limits with nothing left: the target admits nobody before the last of them."""
    for name, text in headers.items():
        match = _RESET.fullmatch(name)
        if match is None:
            continue
        left = _remaining(headers, match["of"] or match["for"])
        if left is not None and left > 0:
            continue
        yield _reset(text, now)


def _reset(text: str, now: datetime) -> float | None:
    number = _number(text)
    if number is None:
        duration = _duration(text)
        return _until(_timestamp(text), now) if duration is None else duration
    if number < _EPOCH:
        return number
    unix_time = number if number < _EPOCH_MILLISECONDS else number / 1000
    return unix_time - now.timestamp()


def _remaining(headers: Mapping[str, str], limit: str | None) -> float | None:
    names = (f"x-ratelimit-remaining-{limit}", f"anthropic-ratelimit-{limit}-remaining")
    for name in names if limit else ("x-ratelimit-remaining",):
        left = _number(headers.get(name, ""))
        if left is not None:
            return max(left, 0.0)
    return None


def _number(text: str) -> float | None:
    """A plain decimal; `float` alone would also read `nan`, `inf` and `1_000`."""
    return float(text) if _NUMBER.fullmatch(text) else None


def _duration(text: str) -> float | None:
    if not _DURATION.fullmatch(text):
        return None
    return math.fsum(float(part[1]) * _UNITS[part[2]] for part in _DURATION_PART.finditer(text))


def _http_date(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None


def _timestamp(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _until(moment: datetime | None, now: datetime) -> float | None:
    if moment is None:
        return None
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return (aware - now).total_seconds()
