"""Metrics, counted from spans on the thread that sends them: latency, tokens, cost, errors.

They are cumulative, as collectors expect them, and bounded: beyond `MOST_SERIES` sets of attributes
whatever is new is counted together.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple, TypeAlias

from fishplate.core.data import dataclass
from fishplate.core.errors import JsonValue
from fishplate.core.events import HeadTuple
from fishplate.traces.vocabulary import (
    COST,
    COST_UNIT,
    CURRENCY,
    DURATION_BOUNDS,
    ERRORS,
    OVERFLOW,
    OWN,
    TOKEN_BOUNDS,
    TOKENS,
    TOKENS_UNIT,
    UNPRICED,
    Attribute,
    duration_metric,
    measured,
    token_types,
)

Series: TypeAlias = tuple[str, str, Mapping[str, Attribute]]

MOST_SERIES: Final = 2_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Gauge:
    """Something that is so much now.

    Attributes:
        name: Of the metric.
        unit: As UCUM writes it.
        value: How much.
        attributes: Of what.
    """

    name: str
    unit: str
    value: int
    attributes: Mapping[str, Attribute]


def gauge(word: str, value: int, **attributes: str) -> Gauge:
    """A gauge in our own words: `fishplate.{word}`, with attributes that begin likewise."""
    named: dict[str, Attribute] = {f"{OWN}{name}": found for name, found in attributes.items()}
    return Gauge(name=f"{OWN}{word}", unit="1", value=value, attributes=named)


Gauges: TypeAlias = Callable[[], Iterable[Gauge]]
"""Tells what is now; called on the thread that sends."""


class Histogram:
    """How often a value fell between two bounds.

    Attributes:
        bounds: Upper ends of all buckets but the last, themselves included.
        counts: Of the values in each bucket.
        total: Of the values.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class _Key(NamedTuple):
    head: HeadTuple
    error: str | None
    model: str | None
    provider: str | None


class Metrics:
    """Counts spans; used on one thread."""

    def __init__(self) -> None:
        self._durations: dict[_Key, Histogram] = {}
        self._plain: dict[HeadTuple, Histogram] = {}
        self._tokens: dict[tuple[_Key, str], Histogram] = {}
        self._sums: dict[tuple[str, _Key, str | None], int] = {}
        self._overflow = _Key(("agent", "", ""), None, None, None)

    def add(self, head: HeadTuple, nanos: int, facts: Mapping[str, JsonValue] | None) -> None:
        """Count a span of a call that was made; what was decided, or replayed, is none.

        Args:
            head: Of the span.
            nanos: How long it took.
            facts: Its attributes.
        """
        if facts is None:  # as most are: one look, and no key is made
            histogram = self._plain.get(head)
            if histogram is None:
                _, histogram = self._series(_Key(head, None, None, None))
                if len(self._plain) < MOST_SERIES:
                    self._plain[head] = histogram
            histogram.add(nanos / 1e9)
            return
        error, model, provider = facts.get("error"), facts.get("model"), facts.get("provider")
        key, histogram = self._series(
            _Key(
                head,
                error if isinstance(error, str) else None,
                model if isinstance(model, str) else None,
                provider if isinstance(provider, str) else None,
            )
        )
        histogram.add(nanos / 1e9)
        if key.error is not None:
            self._sum(ERRORS, key, None, 1)
        if "requests" in facts:
            self._spend(key, facts)

    def _series(self, key: _Key) -> tuple[_Key, Histogram]:
        """The durations of a set of attributes, or of all that came too late to have their own."""
        known = self._durations.get(key)
        if known is None:
            if len(self._durations) >= MOST_SERIES:
                key = self._overflow
            known = self._durations.setdefault(key, Histogram(DURATION_BOUNDS))
        return key, known

    def _spend(self, key: _Key, facts: Mapping[str, JsonValue]) -> None:
        for word, name in token_types():
            count = facts.get(word)
            if isinstance(count, int):
                self._tokens.setdefault((key, name), Histogram(TOKEN_BOUNDS)).add(count)
        cost, currency = facts.get("cost_nanos"), facts.get("cost_currency")
        if isinstance(cost, int) and isinstance(currency, str):
            self._sum(COST, key, currency, cost)
        unpriced = facts.get("unpriced_requests")
        if isinstance(unpriced, int):
            self._sum(UNPRICED, key, None, unpriced)

    def _sum(self, name: str, key: _Key, currency: str | None, amount: int) -> None:
        which = (name, key, currency)
        self._sums[which] = self._sums.get(which, 0) + amount

    def histograms(self) -> Iterator[tuple[str, str, Mapping[str, Attribute], Histogram]]:
        """Name, unit and attributes of each histogram."""
        for key, histogram in self._durations.items():
            yield duration_metric(key.head[0]), "s", self._attributes(key), histogram
        for (key, word), histogram in self._tokens.items():
            attributes = {**self._attributes(key), "gen_ai.token.type": word}
            yield TOKENS, TOKENS_UNIT, attributes, histogram

    def sums(self) -> Iterator[tuple[str, str, Mapping[str, Attribute], int]]:
        """Name, unit, attributes and value of each sum."""
        for (name, key, currency), value in self._sums.items():
            attributes = self._attributes(key)
            if currency is not None:
                attributes[CURRENCY] = currency
            yield name, COST_UNIT if name == COST else "1", attributes, value

    def _attributes(self, key: _Key) -> dict[str, Attribute]:
        if key is self._overflow:
            return {OVERFLOW: True}
        return measured(key.head, key.error, model=key.model, provider=key.provider)
