"""Reading a trace store: runs by what is asked of them, one run whole, and sums from roll-ups."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple, cast

from pydantic_core import from_json

from fishplate.core.data import dataclass
from fishplate.core.errors import JsonValue
from fishplate.core.events import Span, SpanHead
from fishplate.core.ids import span_hex

MOST_BESIDE: Final = 200
USUAL: Final = 20
"""Earlier runs of the same agent that tell what its tools usually answer."""
"""Runs that are looked through for what changed a remembered answer."""
NOTHING: Final = object()
"""In place of content that was not kept; `null` is content."""


class TracedRun(NamedTuple):
    """A run as the list shows it.

    Attributes:
        id: Of the run.
        trace_id: 32 hex digits.
        caller_span: 16 hex digits; `None` if it has a trace of its own.
        agent: Name of what ran.
        release: Version and fingerprint; empty while it has not ended.
        tenant: Whose data it is.
        principal: On whose behalf it ran.
        state: `running` also if its process ended without telling.
        started_ns: Nanoseconds since 1970.
        duration_ns: `None` if it has not ended.
        error: Code; `None` if it did not fail.
        spans: How many there are.
        model_calls: Requests to models and priced tools; each attempt counts.
        input_tokens: Of those.
        output_tokens: Of those.
        cost_nanos: What is known of their cost, in 10^-9 of the currency.
        unpriced: How many of them have no known price, those among them that broke off; if any, the
            cost is at least `cost_nanos`.
    """

    id: str
    trace_id: str
    caller_span: str | None
    agent: str
    release: str
    tenant: str
    principal: str
    state: str
    started_ns: int
    duration_ns: int | None
    error: str | None
    spans: int
    model_calls: int
    input_tokens: int
    output_tokens: int
    cost_nanos: int
    unpriced: int

    @property
    def known_cost(self) -> int | None:
        """What the run cost, in 10^-9 of the currency; `None` unless every price is known."""
        return None if self.unpriced else self.cost_nanos


@dataclass(frozen=True, kw_only=True, slots=True)
class TracedSpan:
    """A span with its contents.

    Attributes:
        span: The span; its times are nanoseconds since 1970.
        given: What was given, as JSON; `NOTHING` if it was not kept.
        gave: What came out, or `{"error": ...}`; `NOTHING` if it was not kept.
    """

    span: Span
    given: object
    gave: object


@dataclass(frozen=True, kw_only=True, slots=True)
class WholeTrace:
    """A run with its spans, in order of start."""

    run: TracedRun
    spans: tuple[TracedSpan, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFilter:
    """Which runs are asked for; what is `None` or empty restricts nothing.

    Attributes:
        states: Any of these.
        agent: Name of what ran.
        trace_id: 32 hex digits.
        slower_than: Seconds that it took at least.
        dearer_than: Least known cost, in 10^-9 of the currency.
        limit: Most of them, the newest.
    """

    states: Sequence[str] = ()
    agent: str | None = None
    trace_id: str | None = None
    slower_than: float | None = None
    dearer_than: int | None = None
    limit: int = 50


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
        cost_nanos: What is known of their cost, in 10^-9 of the currency.
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
    cost_nanos: int
    unpriced: int
    p50_ns: int
    p95_ns: int


def list_traces(connection: sqlite3.Connection, wanted: RunFilter) -> list[TracedRun]:
    """The runs that were asked for, newest first."""
    where, values = list[str](), list[object]()
    if wanted.states:
        where.append(f"state IN ({','.join('?' * len(wanted.states))})")
        values += wanted.states
    for column, value in (
        ("agent = ?", wanted.agent),
        ("trace_id = ?", wanted.trace_id),
        ("duration_ns >= ?", _nanos(wanted.slower_than)),
        ("cost_nanos >= ?", wanted.dearer_than),
    ):
        if value is not None:
            where.append(column)
            values.append(value)
    condition = f"WHERE {' AND '.join(where)}" if where else ""
    query = f"SELECT * FROM run {condition} ORDER BY id DESC LIMIT ?"  # noqa: S608 -- our own words
    rows = connection.execute(query, (*values, wanted.limit))
    return [TracedRun._make(row) for row in rows]


def whole_trace(connection: sqlite3.Connection, run_id: str) -> WholeTrace | None:
    """A run with all that is kept of it; `None` if the store does not know it."""
    row = connection.execute("SELECT * FROM run WHERE id = ?", (run_id,)).fetchone()
    if row is None:
        return None
    run = TracedRun._make(row)
    segments = connection.execute(
        "SELECT spans, content FROM segment WHERE run = ? ORDER BY n", (run_id,)
    )
    trace_id = int(run.trace_id, 16)
    spans = [span for one in segments for span in _spans_of(trace_id, *one)]
    spans.sort(key=lambda one: (one.span.start_ns, -one.span.end_ns))
    return WholeTrace(run=run, spans=tuple(spans))


def runs_beside(
    connection: sqlite3.Connection, trace: WholeTrace, *, limit: int = MOST_BESIDE
) -> list[WholeTrace]:
    """Other runs of the same tenant that tell more about a run than it does itself.

    Args:
        connection: Of a trace store.
        trace: The run.
        limit: Most of those that may have changed what it remembered, the newest.

    Returns:
        Those of the same agent that came before it, which tell what is usual, at most `USUAL` of
        them; and those that were under way between the time at which the run's oldest remembered
        answer was read and its end. Oldest first, each once.
    """
    run = trace.run
    # Ids of one millisecond are in no order, so it is the time that tells what came before.
    rows = connection.execute(
        "SELECT id FROM run WHERE tenant = ? AND agent = ? AND id != ? AND started_ns <= ?"
        " ORDER BY id DESC LIMIT ?",
        (run.tenant, run.agent, run.id, run.started_ns, USUAL),
    ).fetchall()
    known = [remembered_since(one.span) for one in trace.spans]
    since = min((one for one in known if one is not None), default=None)
    if since is not None:
        until = max(one.span.end_ns for one in trace.spans)
        rows += connection.execute(
            "SELECT id FROM run WHERE tenant = ? AND id != ? AND started_ns <= ?"
            " AND (duration_ns IS NULL OR started_ns + duration_ns >= ?) ORDER BY id DESC LIMIT ?",
            (run.tenant, run.id, until, since, limit),
        ).fetchall()
    found = [whole_trace(connection, run_id) for run_id in sorted({run_id for (run_id,) in rows})]
    return [one for one in found if one is not None]


def remembered_since(span: Span) -> int | None:
    """When a remembered answer was read, in nanoseconds since 1970; `None` if it was not."""
    facts = span.attributes or {}
    age = facts.get("cache_age")
    if facts.get("cache_hit") is not True or not isinstance(age, (int, float)):
        return None
    return span.start_ns - round(age * 1e9)


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
    also = "" if tenant is None else "AND tenant = ?"
    begin, end = since_ms // 60_000, -(-until_ms // 60_000)
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
    whose = () if tenant is None else (tenant,)
    values = [value for _, *bounds in ranges for value in (*bounds, *whose)]
    rows = connection.execute(
        "SELECT kind, agent, release, tenant, bucket, sum(count), sum(errors), sum(degraded),"  # noqa: S608 -- our own words
        " sum(model_calls), sum(input_tokens), sum(output_tokens), sum(cost_nanos), sum(unpriced)"
        f" FROM ({parts}) GROUP BY kind, agent, release, tenant, bucket ORDER BY 1, 2, 3, 4, 5",
        values,
    )
    grouped: dict[tuple[str, ...], list[tuple[int, ...]]] = {}
    for row in rows:
        grouped.setdefault(row[:4], []).append(row[4:])
    return [
        Total._make(
            (
                *key,
                *(sum(column) for column in list(zip(*found, strict=True))[1:]),
                _quantile(found, 0.5),
                _quantile(found, 0.95),
            )
        )
        for key, found in grouped.items()
    ]


def lost(connection: sqlite3.Connection) -> int:
    """How many spans, contents and beginnings of runs are not in the store, as far as it knows."""
    (count,) = connection.execute("SELECT sum(dropped) + sum(lost) FROM loss").fetchone()
    return int(count or 0)


def whole_json(trace: WholeTrace) -> dict[str, JsonValue]:
    """A trace as one JSON document; ids of spans as 16 hex digits, times in nanoseconds."""
    return {**run_json(trace.run), "trace": [_span_json(one) for one in trace.spans]}


def run_json(run: TracedRun) -> dict[str, JsonValue]:
    """A run in a list as a JSON object; an unknown cost is `null`."""
    found: dict[str, JsonValue] = {**run._asdict()}
    return {**found, "cost_nanos": run.known_cost, "known_cost_nanos": run.cost_nanos}


def _span_json(one: TracedSpan) -> dict[str, JsonValue]:
    span = one.span
    found: dict[str, JsonValue] = {
        "span_id": span_hex(span.span_id),
        "parent_id": None if span.parent_id is None else span_hex(span.parent_id),
        "kind": span.kind,
        "name": span.name,
        "release": span.release,
        "path": span.path,
        "start_ns": span.start_ns,
        "duration_ns": span.end_ns - span.start_ns,
        "status": span.status,
        "attributes": dict(span.attributes or {}),
    }
    for word, value in (("input", one.given), ("output", one.gave)):
        if value is not NOTHING:
            found[word] = cast("JsonValue", value)
    return found


def _spans_of(trace_id: int, spans: bytes, content: bytes | None) -> Iterator[TracedSpan]:
    values: list[object] = [] if content is None else from_json(content)
    for row in cast("list[list[object]]", from_json(spans)):
        span_id, parent_id, kind, name, release, path, start, duration, status, facts, *at = row
        start_ns, duration_ns = cast("int", start), cast("int", duration)
        head = SpanHead._make((kind, name, release))
        yield TracedSpan(
            span=Span._make(
                (
                    *(trace_id, span_id, parent_id, head, path, start_ns),
                    *(
                        start_ns + duration_ns,
                        status,
                        cast("Mapping[str, JsonValue] | None", facts),
                    ),
                )
            ),
            given=_value(values, at[0]),
            gave=_value(values, at[1]),
        )


def _value(values: Sequence[object], at: object) -> object:
    return values[at] if isinstance(at, int) else NOTHING


def _nanos(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1e9)


def _quantile(buckets: Sequence[tuple[int, ...]], share: float) -> int:
    """The middle of the bucket below which a share of the durations lies, in nanoseconds."""
    left = share * sum(one[1] for one in buckets)
    for bucket, count, *_ in buckets:
        left -= count
        if left <= 0:
            return round(1000 * 2 ** ((bucket + 0.5) / 4))
    return 0
