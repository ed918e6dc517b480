"""Sums from the roll-ups of a trace store: what agents took, and what was spent by whom."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias, TypeVar, get_args

from fishplate.core.spending import MOST_SUM

K = TypeVar("K")
Grouping: TypeAlias = Literal["agent", "step", "release", "tenant", "model"]
GROUPINGS: Final[tuple[Grouping, ...]] = get_args(Grouping)
REQUEST_ENDING: Final = "-model"
"""What the name of a request to a model has behind that of its agent."""
_COLUMNS: Final[Mapping[Grouping, tuple[str, ...]]] = {
    "agent": ("kind", "agent"),
    "step": ("step",),
    "release": ("kind", "agent", "release"),
    "tenant": ("tenant",),
    "model": ("model",),
}


class Total(NamedTuple):
    """What the steps of one agent and release took in a span of time.

    Attributes:
        kind: Of the spans.
        agent: Name.
        release: Version and fingerprint.
        tenant: Whose data it was.
        calls: How many there were; replayed ones are not among them.
        errors: How many of them failed.
        degraded: How many of them were degraded.
        model_calls: Leaves below nothing: requests to models and priced tools.
        input_tokens: Of those.
        output_tokens: Of those.
        costs: What is known of their cost, in 10^-9 of each currency that was paid; `MOST_SUM` is
            at least that.
        unpriced: How many of them have no known price.
        p50_ns: Half of them took at most this long, within a tenth.
        p95_ns: The same for 19 of 20.
    """

    kind: str
    agent: str
    release: str
    tenant: str
    calls: int
    errors: int
    degraded: int
    model_calls: int
    input_tokens: int
    output_tokens: int
    costs: Mapping[str, int]
    unpriced: int
    p50_ns: int
    p95_ns: int


class Spent(NamedTuple):
    """What requests to models and priced tools took in a span of time, of one group.

    Attributes:
        group: Which it is: name of an agent or a tool, path of a step without its numbers, name and
            release of what asked, tenant, or name of a model; empty where there is none.
        calls: Requests; each attempt counts, and replayed ones do not.
        input_tokens: As far as they were counted.
        output_tokens: Likewise.
        costs: What is known of their cost, in 10^-9 of each currency that was paid; `MOST_SUM` is
            at least that.
        unpriced: How many of them have no known price; if any, the cost is at least `costs`.
        errors: Calls of agents and tools that failed, after all attempts.
        p50_ns: Half of those took at most this long, within a tenth.
        p95_ns: The same for 19 of 20.
    """

    group: str
    calls: int
    input_tokens: int
    output_tokens: int
    costs: Mapping[str, int]
    unpriced: int
    errors: int
    p50_ns: int
    p95_ns: int


class Spending(NamedTuple):
    """What was spent in a span of time.

    Attributes:
        groups: By their names; each request stands in one.
        whole: All of them together; its group is empty.
    """

    groups: list[Spent]
    whole: Spent


class _Rollup(NamedTuple):
    """Rows of a roll-up of one group, currency and bucket, summed over time.

    Attributes:
        group: What they have in common, in the order of the columns that were asked for.
    """

    group: tuple[str, ...]
    currency: str
    bucket: int
    spans: int
    errors: int
    degraded: int
    model_calls: int
    input_tokens: int
    output_tokens: int
    cost_nanos: int
    unpriced: int


def totals(
    connection: sqlite3.Connection, since_ms: int, until_ms: int, *, tenant: str | None = None
) -> list[Total]:
    """What agents took in a span of time, by kind, name and release.

    Args:
        connection: Of a trace store.
        since_ms: Begin in milliseconds since 1970; the whole minute counts.
        until_ms: End, itself not included unless it stands within a minute.
        tenant: Of this tenant alone.
    """
    also, whose = ("", ()) if tenant is None else ("AND tenant = ?", (tenant,))
    columns = ("kind", "agent", "release", "tenant")
    found = _rows(connection, columns, (since_ms, until_ms), also, whose)
    return [
        Total._make(
            (
                *key,
                sum(row.spans for row in rows),
                sum(row.errors for row in rows),
                sum(row.degraded for row in rows),
                sum(row.model_calls for row in rows),
                sum(row.input_tokens for row in rows),
                sum(row.output_tokens for row in rows),
                _costs(rows),
                sum(row.unpriced for row in rows),
                _quantile(rows, 0.5),
                _quantile(rows, 0.95),
            )
        )
        for key, rows in _grouped(found, lambda row: row.group).items()
    ]


def spending(
    connection: sqlite3.Connection, since_ms: int, until_ms: int, *, by: Grouping
) -> Spending:
    """What requests to models and priced tools took in a span of time.

    Args:
        connection: Of a trace store.
        since_ms: Begin in milliseconds since 1970; the whole minute counts.
        until_ms: End, itself not included unless it stands within a minute.
        by: What makes a group.
    """
    columns = _COLUMNS[by]
    rows = _rows(connection, columns, (since_ms, until_ms), "AND model_calls > 0", ())
    grouped = _grouped(rows, lambda row: _name_of(columns, row.group))
    groups = [_spent(group, found) for group, found in sorted(grouped.items())]
    return Spending(groups=groups, whole=_spent("", rows))


def _spent(group: str, rows: Sequence[_Rollup]) -> Spent:
    return Spent(
        group=group,
        calls=sum(row.model_calls for row in rows),
        input_tokens=sum(row.input_tokens for row in rows),
        output_tokens=sum(row.output_tokens for row in rows),
        costs=_costs(rows),
        unpriced=sum(row.unpriced for row in rows),
        errors=sum(row.errors for row in rows),
        p50_ns=_quantile(rows, 0.5),
        p95_ns=_quantile(rows, 0.95),
    )


def _name_of(columns: tuple[str, ...], group: tuple[str, ...]) -> str:
    """A group as it is shown; the agent that asked a model stands for its request."""
    if "kind" not in columns:
        return group[0]
    kind, agent, *release = group
    name = agent.removesuffix(REQUEST_ENDING) if kind == "model" else agent
    return " ".join((name, *release))


def _rows(
    connection: sqlite3.Connection,
    columns: tuple[str, ...],
    span_ms: tuple[int, int],
    also: str,
    whose: tuple[object, ...],
) -> list[_Rollup]:
    """The roll-ups of a span of time by some columns, currency and bucket, in their order."""
    begin, end = span_ms[0] // 60_000, -(-span_ms[1] // 60_000)
    # Whole hours from the roll-ups by hour, and what is left at both ends from those by minute.
    first_hour, last_hour = -(-begin // 60), end // 60
    if first_hour >= last_hour:
        ranges = [("minute", begin, end)]
    else:
        ranges = [
            ("minute", begin, first_hour * 60),
            ("hour", first_hour, last_hour),
            ("minute", last_hour * 60, end),
        ]
    parts = " UNION ALL ".join(
        f"SELECT * FROM rollup_{table} WHERE slot >= ? AND slot < ? {also}"  # noqa: S608 -- our own words
        for table, *_ in ranges
    )
    key = ", ".join((*columns, "currency", "bucket"))
    found = connection.execute(
        f"SELECT {key}, sum(count), sum(errors), sum(degraded), sum(model_calls),"  # noqa: S608 -- our own words
        " sum(input_tokens), sum(output_tokens), sum(cost_nanos >> 32),"
        " sum(cost_nanos & 0xffffffff), sum(unpriced)"
        f" FROM ({parts}) GROUP BY {key} ORDER BY {key}",
        [value for _, *bounds in ranges for value in (*bounds, *whose)],
    )
    many = len(columns)
    return [
        # In halves, since SQLite fails where a sum has more than 64 bits.
        _Rollup._make((row[:many], *row[many:-3], (row[-3] << 32) + row[-2], row[-1]))
        for row in found
    ]


def _grouped(rows: Iterable[_Rollup], key_of: Callable[[_Rollup], K]) -> dict[K, list[_Rollup]]:
    found: dict[K, list[_Rollup]] = {}
    for row in rows:
        found.setdefault(key_of(row), []).append(row)
    return found


def _costs(rows: Iterable[_Rollup]) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in rows:
        if row.currency:
            found[row.currency] = min(found.get(row.currency, 0) + row.cost_nanos, MOST_SUM)
    return found


def _quantile(rows: Sequence[_Rollup], share: float) -> int:
    """The middle of the bucket below which a share of the durations lies, in nanoseconds."""
    left = share * sum(row.spans for row in rows)
    for row in sorted(rows, key=lambda row: row.bucket):
        left -= row.spans
        if left <= 0:
            return round(1000 * 2 ** ((row.bucket + 0.5) / 4))
    return 0
