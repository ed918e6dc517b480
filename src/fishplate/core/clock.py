"""Time and randomness, handed in so that a test or a simulation can own them."""

import random
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Where fishplate reads the time."""

    def now(self) -> datetime:
        """Wall clock time, aware, in UTC."""
        ...

    def monotonic_ns(self) -> int:
        """Nanoseconds of a clock that never goes back; only differences mean anything."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        """Wall clock time, aware, in UTC."""
        return datetime.now(UTC)  # noqa: TID251 -- the one place that may ask the machine

    monotonic_ns = staticmethod(time.perf_counter_ns)


class FixedClock:
    """A clock that stands still until it is told to move; for tests and for repeatable demos.

    Args:
        now: Aware wall clock time at which the clock starts.
    """

    def __init__(self, now: datetime) -> None:
        if now.tzinfo is None:
            msg = f"the clock needs an aware datetime, got {now!r}: add a tzinfo"
            raise ValueError(msg)
        self._start = now
        self._elapsed_ns = 0

    def now(self) -> datetime:
        """Wall clock time, aware, in the zone the clock was started with."""
        return self._start + timedelta(microseconds=self._elapsed_ns / 1000)

    def monotonic_ns(self) -> int:
        """Nanoseconds since the clock was made."""
        return self._elapsed_ns

    def advance(self, seconds: float) -> None:
        """Move the clock forward by `seconds`, which is not negative."""
        if seconds < 0:
            msg = f"a clock does not go back: {seconds} seconds"
            raise ValueError(msg)
        self._elapsed_ns += round(seconds * 1e9)


def system_random() -> random.Random:
    """A source of randomness seeded by the machine; not for secrets."""
    return random.Random()  # noqa: S311 -- ids and jitter, not keys
