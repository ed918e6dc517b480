"""Counts of the last seconds, in ten buckets that are thrown away one by one."""

from __future__ import annotations

from collections import deque
from typing import Final

BUCKETS: Final = 10


class Window:
    """A sliding window over several counters.

    Whoever counts calls `roll` once `now >= ends`, then adds to `current`: two steps, so that the
    fast path of a call is a comparison and an addition.

    Args:
        span: Seconds that the window covers; above 0. The newest bucket is still filling, so sums
            cover between nine tenths of the span and all of it.
        counters: How many numbers are counted.
        now: The time, on a clock that never goes back.

    Attributes:
        current: The numbers of the newest bucket.
        ends: When the newest bucket is over.
    """

    __slots__ = ("_buckets", "_width", "current", "ends")

    def __init__(self, span: float, counters: int, now: float) -> None:
        self._width = span / BUCKETS
        self._buckets: deque[list[int]] = deque(maxlen=BUCKETS)
        for _ in range(BUCKETS):
            self._buckets.append([0] * counters)
        self.current = self._buckets[-1]
        self.ends = now + self._width

    def roll(self, now: float) -> None:
        """Begin the bucket of `now` and forget those too old; to be called once `ends` is past."""
        passed = int((now - self.ends) / self._width) + 1
        counters = len(self.current)
        for _ in range(min(passed, BUCKETS)):
            self._buckets.append([0] * counters)
        self.current = self._buckets[-1]
        self.ends += passed * self._width
        if self.ends <= now:  # rounding, far from zero
            self.ends = now + self._width

    def sums(self, now: float) -> list[int]:
        """The sum of each counter over the window."""
        if now >= self.ends:
            self.roll(now)
        return [sum(column) for column in zip(*self._buckets, strict=True)]
