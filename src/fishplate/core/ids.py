"""Ids: runs are time-ordered, traces and spans are random."""

import base64
import functools
import hashlib

SPAN_BITS = 63
"""Of the 64 that the text of a span id has: so its number fits a machine word with a sign, and what
writes it as JSON takes a third of the time."""

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [first + second for first in _CROCKFORD for second in _CROCKFORD]


def run_id(unix_ms: int, randomness: int) -> str:
    """A run's id: 26 characters, ordered by time, then random.

    Args:
        unix_ms: Wall clock, milliseconds since 1970.
        randomness: At least 74 random bits, of which the lowest are taken.

    Source: the layout of UUIDv7 (RFC 9562, section 5.7), spelled in Crockford's base 32 so that
    text order is time order.
    """
    # Two numbers that fit a machine word: one of 80 bits takes three times as long to cut.
    high = 0x7 << 36 | (randomness >> 62 & (1 << 12) - 1) << 24 | 0b10 << 22
    high |= randomness >> 40 & (1 << 22) - 1
    low = randomness & (1 << 40) - 1
    two = _PAIRS
    return (
        f"{_time_text(unix_ms)}"
        f"{two[high >> 30]}{two[high >> 20 & 1023]}{two[high >> 10 & 1023]}{two[high & 1023]}"
        f"{two[low >> 30]}{two[low >> 20 & 1023]}{two[low >> 10 & 1023]}{two[low & 1023]}"
    )


@functools.lru_cache(maxsize=1)
def _time_text(unix_ms: int) -> str:
    """The ten characters that all runs of a millisecond begin with."""
    time = unix_ms & (1 << 48) - 1
    return "".join([_PAIRS[time >> shift & 1023] for shift in range(40, -1, -10)])


def trace_hex(trace_id: int) -> str:
    """A trace id as W3C Trace Context writes it: 32 lower-case hex digits."""
    return f"{trace_id:032x}"


def span_hex(span_id: int) -> str:
    """A span id as W3C Trace Context writes it: 16 lower-case hex digits."""
    return f"{span_id:016x}"


def timed_trace_id(unix_ms: int, randomness: int) -> int:
    """A trace id in whose first 48 bits stands when it began: so its run is found by its time.

    An index of ids would take a tenth of the time of writing a run, and one of random ids, which is
    written to all over, half of it.

    Args:
        unix_ms: Wall clock, milliseconds since 1970.
        randomness: At least 80 random bits, of which the lowest are taken.

    Source: W3C Trace Context, Level 2, asks that the last 7 bytes are random (the flag
    `random-trace-id`).
    """
    return (unix_ms & (1 << 48) - 1) << 80 | randomness & (1 << 80) - 1


def runs_near(trace_id: int, milliseconds: int) -> tuple[str, str]:
    """Between which ids those of runs are that began about when a timed trace id says.

    Args:
        trace_id: The run's own.
        milliseconds: How much earlier or later.
    """
    began = trace_id >> 80
    latest = min(began + milliseconds, (1 << 48) - 1)
    return run_id(max(began - milliseconds, 0), 0), run_id(latest, -1)


def root_span_id(trace_id: int) -> int:
    """The id of a run's own span: the same in every process that takes the run up.

    Args:
        trace_id: The run's own, which is random; not that of a caller.
    """
    return trace_id & (1 << SPAN_BITS) - 1 or 1


def step_span_id(trace_id: int, path: str) -> int:
    """The id of a step's span: the same in every process that takes the run up.

    Args:
        trace_id: The run's own.
        path: Of the step.
    """
    return _span_id(f"{trace_id}/{path}")


def child_span_id(span_id: int, number: int) -> int:
    """The id of a span that a call tells of itself, without drawing from any randomness.

    Args:
        span_id: Of the call.
        number: Which of its own spans it is, from 1.
    """
    return _span_id(f"{span_id}/{number}")


def _span_id(text: str) -> int:
    return (
        int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> 64 - SPAN_BITS
        or 1
    )


def idempotency_key(tenant: str, tool: str, call_id: str) -> str:
    """The key of an effect: 44 characters that hold no attempt, no argument and no name in clear.

    Args:
        tenant: Whose data it is; part of the key, so that tenants cannot meet.
        tool: Name of the tool.
        call_id: Run, step path, iteration and call ordinal; stable over attempts and resumes.
    """
    digest = hashlib.sha256(f"ak1\0{tenant}\0{tool}\0{call_id}".encode()).digest()
    return "ak1_" + base64.b32encode(digest).decode().lower()[:40]
