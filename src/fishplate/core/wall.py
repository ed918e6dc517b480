"""The wall clock, read from the monotonic one most of the time, which takes less."""

from __future__ import annotations

from typing import Final

from fishplate.core.clock import Clock

WALL_FOR_NS: Final = 100_000_000
"""Nanoseconds for which the wall clock is told from the other one, which takes less to read."""


class WallClock:
    """Tells the wall clock of an app.

    Args:
        clock: Both of its clocks.
    """

    __slots__ = ("_clock", "_now_ns", "_offset_ns", "_until_ns")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._now_ns = clock.monotonic_ns
        self._offset_ns = 0
        self._until_ns: int | None = None

    def now_ms(self) -> int:
        """Wall clock, milliseconds since 1970."""
        now_ns = self._now_ns()
        return (now_ns + self.offset_ns(now_ns)) // 1_000_000

    def offset_ns(self, now_ns: int) -> int:
        """What makes nanoseconds since 1970 of those of the monotonic clock.

        Args:
            now_ns: What that clock tells now.
        """
        if self._until_ns is None or now_ns >= self._until_ns:
            self._offset_ns = round(self._clock.now().timestamp() * 1e9) - now_ns
            self._until_ns = now_ns + WALL_FOR_NS
        return self._offset_ns
