"""The wall clock, read from the monotonic one most of the time, which takes less."""

from __future__ import annotations

from typing import Final

from fishplate.core.run_context import Surroundings

WALL_FOR_NS: Final = 100_000_000
"""Nanoseconds for which the wall clock is told from the other one, which takes less to read."""


class WallClock:
    """Tells the wall clock of an app.

    Args:
        around: What the app's runs share, with both clocks.
    """

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._wall_ns = 0
        self._wall_until_ns = 0

    def now_ms(self) -> int:
        """Wall clock, milliseconds since 1970."""
        now_ns = self._around.now_ns()
        if now_ns >= self._wall_until_ns:
            self._wall_ns = round(self._around.clock.now().timestamp() * 1e9) - now_ns
            self._wall_until_ns = now_ns + WALL_FOR_NS
        return (now_ns + self._wall_ns) // 1_000_000
