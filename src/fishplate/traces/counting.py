"""What the spans of a batch add to the roll-ups, and to the sums of their runs."""

from __future__ import annotations

import math
import re
from bisect import bisect, bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

from fishplate.core.events import HeadTuple
from fishplate.core.spending import MOST_SUM
from fishplate.traces.capture import Facts, Reader

RollupKey: TypeAlias = tuple[int, str, str, str, str, str, str, str, int]
"""The columns of a roll-up's key, in order."""
Place: TypeAlias = tuple[HeadTuple, str]
"""What a span is called, and its path."""

MINUTE_NS: Final = 60_000_000_000
_BUCKETS: Final = [math.ceil(1_000 * 2 ** (quarter / 4)) for quarter in range(1, 160)]
"""Where buckets of durations begin, in nanoseconds: four for each doubling, from 1 µs on."""
_NOTHING_ELSE: Final = (0,) * 7  # of the counters, where a call was counted alone
COST: Final = 6  # which of the counters it is
# What a path counts: the calls of a body, the items of an `each`, the rounds of a `repeat`.
_NUMBERS: Final = re.compile(r"(?<![^/])(?:\d+\.)+|\.\d+(?=/|$)")


NO_TOTALS: Final = (0, 0, 0, 0)
"""Of a run that has spent nothing; see `Sums.totals`."""


class Sums:
    """What the requests to models and the priced tools of a run add to its row.

    Attributes:
        totals: Requests, tokens read and written, and requests without a known price.
        costs: Billionths by currency.
    """

    __slots__ = ("costs", "totals")

    def __init__(self) -> None:
        self.totals = [*NO_TOTALS]
        self.costs: dict[str, int] = {}


class Rollups:
    """The roll-ups of a batch.

    Args:
        reader: Cleans names of models.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._plain = defaultdict[tuple[int, HeadTuple, str], list[int]](list)
        self._others: dict[RollupKey, list[int]] = {}

    def count_all(
        self, minute: int, tenant: str, calls: Iterable[tuple[HeadTuple, list[int]]]
    ) -> None:
        """Count calls of a minute that have spent nothing and went well.

        Args:
            minute: Since 1970.
            tenant: Whose data it was.
            calls: Durations by what the calls are called.
        """
        for head, durations in calls:
            if durations:
                self._plain[minute, head, tenant] += durations

    def count(
        self, head: HeadTuple, start_ns: int, duration: int, tenant: str, status: str
    ) -> None:
        """Count a call that has spent nothing, however it went."""
        minute, bucket = start_ns // MINUTE_NS, bisect(_BUCKETS, duration)
        self._one_more((minute, *head, tenant, "", "", "", bucket), status)

    def spend(  # noqa: PLR0913, PLR0917 -- what a span says
        self,
        place: Place,
        start_ns: int,
        duration: int,
        tenant: str,
        status: str,
        facts: Facts,
        sums: Sums,
    ) -> None:
        """Count a request to a model or a priced tool, and add it to the sums of its run."""
        head, model, cost = place[0], facts.get("model"), _whole(facts.get("cost_nanos"))
        currency = str(facts["cost_currency"]) if "cost_currency" in facts else ""
        asked = self._reader.name(model) if isinstance(model, str) else ""
        bucket = bisect(_BUCKETS, duration)
        step = _step_of(place)
        key = (start_ns // MINUTE_NS, *head, tenant, step, asked, currency, bucket)
        counters = self._one_more(key, status)
        spent = (
            _whole(facts["requests"]),
            _whole(facts.get("input_tokens")),
            _whole(facts.get("output_tokens")),
            _whole(facts.get("unpriced_requests")),
        )
        for at, amount in enumerate(spent):
            sums.totals[at] += amount
        for at, amount in enumerate((*spent[:3], cost, spent[3])):
            counters[3 + at] += amount
        if currency:
            counters[COST] = min(counters[COST], MOST_SUM)
            sums.costs[currency] = min(sums.costs.get(currency, 0) + cost, MOST_SUM)

    def all(self) -> dict[RollupKey, list[int]]:
        """All of them by their whole keys: counters in the order of their columns."""
        found = self._others
        for (minute, head, tenant), durations in self._plain.items():
            for bucket, count in _by_bucket(durations):
                key = (minute, *head, tenant, "", "", "", bucket)
                known = found.setdefault(key, [0, *_NOTHING_ELSE])
                known[0] += count
        self._plain.clear()
        return found

    def _one_more(self, key: RollupKey, status: str) -> list[int]:
        counters = self._others.setdefault(key, [0, *_NOTHING_ELSE])
        counters[0] += 1
        if status in {"error", "degraded"}:
            counters[1 if status == "error" else 2] += 1
        return counters


def _by_bucket(durations: list[int]) -> Iterator[tuple[int, int]]:
    """How many stand in which bucket; each is looked for once, and not for every duration."""
    durations.sort()
    start, most = 0, len(durations)
    while start < most:
        bucket = bisect(_BUCKETS, durations[start])
        over = bisect_left(durations, _BUCKETS[bucket], start) if bucket < len(_BUCKETS) else most
        yield bucket, over - start
        start = over


def _step_of(place: Place) -> str:
    """Where in its workflow something was spent, the same for every item and round.

    A request to a model is spent in the step of its agent.
    """
    head, path = place
    if head[0] == "model":
        path = path.rpartition("/")[0]
    return _NUMBERS.sub("", path)


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0
