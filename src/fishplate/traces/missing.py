"""What is missing of each run: counted where it is dropped or lost, told when there is room."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Final

from fishplate.traces.items import Item, Missed, is_span

MOST_RUNS: Final = 10_000
"""Runs that are counted apart until they are told; what is missing of more stands in the sum."""


class Missing:
    """Counts what is missing of runs, from any thread; nothing that is kept comes here."""

    def __init__(self) -> None:
        # Between those that tell and the thread that takes, which empties what they count into.
        self._lock = threading.Lock()
        self._counts: dict[int, list[int]] = {}

    def __bool__(self) -> bool:
        """Whether there is something to tell."""
        return bool(self._counts)

    def add(self, trace_id: int, *, spans: int = 0, contents: int = 0) -> None:
        """Count what is missing of a run.

        Args:
            trace_id: The run's own.
            spans: How many of them.
            contents: Inputs and outputs of how many calls.
        """
        with self._lock:
            counts = self._counts.get(trace_id)
            if counts is None:
                if len(self._counts) >= MOST_RUNS:
                    return
                counts = self._counts[trace_id] = [0, 0]
            counts[0] += spans
            counts[1] += contents

    def add_all(self, items: Iterable[Item]) -> None:
        """Count what was taken from a queue and is not kept."""
        for item in items:
            if isinstance(item, Missed):
                self.add(item.trace_id, spans=item.spans, contents=item.contents)
            elif is_span(item):
                self.add(item[0][0], spans=1, contents=item[1] is not None)
            # What follows the beginning of a run is lost too, and belongs to one that nobody knows.

    def take(self) -> list[Missed]:
        """What was counted so far; from then on it is the taker's to tell."""
        with self._lock:
            counts, self._counts = self._counts, {}
        return [Missed(trace_id, *found) for trace_id, found in counts.items()]
