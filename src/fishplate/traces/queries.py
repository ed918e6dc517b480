"""Reading a trace store: runs by what is asked of them, one run whole, and sums from roll-ups."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

from pydantic_core import from_json

from fishplate.core.data import dataclass
from fishplate.core.errors import JsonValue
from fishplate.core.events import Span, SpanHead, WaitTold
from fishplate.core.ids import runs_near, span_hex
from fishplate.core.spending import MOST_SUM, is_whole
from fishplate.traces.blocks import NOTHING, Cells
from fishplate.traces.stored import stored_spans

MOST_BESIDE: Final = 200
"""Runs that are looked through for what changed a remembered answer."""
USUAL: Final = 20
"""Earlier runs of the same agent that tell what its tools usually answer."""
_RUN: Final = f"""
SELECT id, trace_id, caller_span, agent, release, tenant, principal, state, started_ns, duration_ns,
  error, spans, model_calls, input_tokens, output_tokens, unpriced,
  (SELECT json_group_object(currency, min(cost_nanos, {MOST_SUM})) FROM run_cost
    WHERE run = id),
  (SELECT json_array(spans, contents) FROM run_gap WHERE run = id),
  CASE state WHEN 'waiting' THEN (
    SELECT json_group_array(json_array(step, kind, name, json(roles), since_ms, due_ms))
    FROM run_wait WHERE run = id
  ) END
FROM run
"""  # noqa: S608 -- our own words
_CALLED: Final = "SELECT id FROM run WHERE trace_id = ? AND caller_span IS NOT NULL"
_OWN: Final = "SELECT id FROM run WHERE id BETWEEN ? AND ? AND trace_id = ?"
_NEAR_MS: Final = 1_000
"""Between what the ids of a trace and of its run say of when it began, at most."""


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
        state: `running` also if its process ended without telling; `waiting` also if it was
            answered or cancelled since, where this store does not hear of it.
        started_ns: Nanoseconds since 1970.
        duration_ns: `None` if it has not ended.
        error: Code; `None` if it did not fail.
        spans: How many there are.
        model_calls: Requests to models and priced tools; each attempt counts.
        input_tokens: Of those.
        output_tokens: Of those.
        unpriced: How many of them have no known price, those among them that broke off; if any, the
            cost is at least `costs`.
        costs: What is known of their cost, in 10^-9 of each currency that was paid; `MOST_SUM` is
            at least that.
        missing_spans: How many more it had, which were dropped or lost on their way.
        missing_contents: Of how many calls inputs and outputs were dropped or lost likewise.
        waits: What it waits for; empty unless its state is `waiting`.
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
    unpriced: int
    costs: Mapping[str, int]
    missing_spans: int = 0
    missing_contents: int = 0
    waits: tuple[WaitTold, ...] = ()

    @property
    def whole_costs(self) -> Mapping[str, int] | None:
        """What the run cost, in 10^-9 of each currency; `None` unless all of it is known."""
        is_all = not self.missing_spans and is_whole(self.costs, self.unpriced)
        return self.costs if is_all else None


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

    @property
    def told_until_ns(self) -> int:
        """The end of the last span that was told, in nanoseconds since 1970."""
        return max((one.span.end_ns for one in self.spans), default=self.run.started_ns)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFilter:
    """Which runs are asked for; what is `None` or empty restricts nothing.

    Attributes:
        states: Any of these.
        agent: Name of what ran.
        trace_id: 32 hex digits.
        slower_than: Seconds that it took at least.
        dearer_than: Least known cost, in 10^-9 of any one currency.
        error: Code of the error that it failed with.
        before: Only runs that have begun before the one of this id.
        limit: Most of them, the newest.
    """

    states: Sequence[str] = ()
    agent: str | None = None
    trace_id: str | None = None
    slower_than: float | None = None
    dearer_than: int | None = None
    error: str | None = None
    before: str | None = None
    limit: int = 50


def list_traces(connection: sqlite3.Connection, wanted: RunFilter) -> list[TracedRun]:
    """The runs that were asked for, newest first."""
    where, values = list[str](), list[object]()
    if wanted.states:
        where.append(f"state IN ({','.join('?' * len(wanted.states))})")
        values += wanted.states
    if wanted.trace_id is not None:
        condition, known = _in_trace(connection, wanted.trace_id)
        where.append(condition)
        values += known
    for column, value in (
        ("agent = ?", wanted.agent),
        ("error = ?", wanted.error),
        ("id < ?", wanted.before),
        ("duration_ns >= ?", _nanos(wanted.slower_than)),
        (
            "EXISTS (SELECT 1 FROM run_cost WHERE run = id AND cost_nanos >= ?)",
            wanted.dearer_than,
        ),
    ):
        if value is not None:
            where.append(column)
            values.append(value)
    condition = f"WHERE {' AND '.join(where)}" if where else ""
    query = f"{_RUN} {condition} ORDER BY id DESC LIMIT ?"
    rows = connection.execute(query, (*values, wanted.limit))
    return [_run_of(row) for row in rows]


def _in_trace(connection: sqlite3.Connection, trace_id: str) -> tuple[str, tuple[str, ...]]:
    """What finds the runs of a trace, as a condition and its values.

    They were started by callers, or one of them began when the id says. One that was begun before
    traces were kept has an id that says nothing: then all are looked at.
    """
    near = runs_near(int(trace_id, 16), _NEAR_MS)
    quick = f"id IN ({_CALLED} UNION ALL {_OWN})"
    values = (trace_id, *near, trace_id)
    found = connection.execute(f"SELECT 1 FROM run WHERE {quick} LIMIT 1", values).fetchone()  # noqa: S608 -- our own words
    return ("trace_id = ?", (trace_id,)) if found is None else (quick, values)


def whole_trace(connection: sqlite3.Connection, run_id: str) -> WholeTrace | None:
    """A run with all that is kept of it; `None` if the store does not know it."""
    row = connection.execute(f"{_RUN} WHERE id = ?", (run_id,)).fetchone()
    if row is None:
        return None
    run = _run_of(row)
    trace_id = int(run.trace_id, 16)
    # A process that dies between telling a span and recording its step has told it already when
    # another takes up the run: the span of the step is then the one that ended later.
    told = {
        cells[0]: _span(trace_id, cells, *at) for cells, *at in stored_spans(connection, run.id)
    }
    spans = sorted(told.values(), key=lambda one: (one.span.start_ns, -one.span.end_ns))
    return WholeTrace(run=run, spans=tuple(spans))


def told_until_ns(connection: sqlite3.Connection, run: TracedRun) -> int:
    """The end of the span that was told last, without reading all; see `WholeTrace`."""
    last = stored_spans(connection, run.id, only_last=True)
    return max((cells[4] + cells[5] for cells, *_ in last), default=run.started_ns)


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


def lost(connection: sqlite3.Connection) -> int:
    """How many spans, contents and beginnings of runs are not in the store, as far as it knows."""
    (count,) = connection.execute("SELECT sum(dropped) + sum(lost) FROM loss").fetchone()
    return int(count or 0)


def whole_json(trace: WholeTrace) -> dict[str, JsonValue]:
    """A trace as one JSON document; ids of spans as 16 hex digits, times in nanoseconds."""
    return {
        **run_json(trace.run),
        "told_until_ns": trace.told_until_ns,
        "trace": [_span_json(one) for one in trace.spans],
    }


def run_json(run: TracedRun) -> dict[str, JsonValue]:
    """A run in a list as a JSON object; whole costs are `null` unless all are known."""
    found: dict[str, JsonValue] = {**run._asdict()}
    whole = run.whole_costs
    return {
        **found,
        "costs": {**run.costs},
        "whole_costs": None if whole is None else {**whole},
        "waits": [{**one._asdict(), "roles": [*one.roles]} for one in run.waits],
    }


def _run_of(row: tuple[Any, ...]) -> TracedRun:
    *told, costs, gap, waits = row
    missing: list[int] = [0, 0] if gap is None else from_json(gap)
    found: list[list[Any]] = [] if waits is None else from_json(waits)
    waiting = tuple(WaitTold._make((*one[:3], tuple(one[3]), *one[4:])) for one in found)
    return TracedRun._make((*told, from_json(costs), *missing, waiting))


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


def _span(trace_id: int, cells: Cells, given: object, gave: object) -> TracedSpan:
    span_id, parent_id, head, path, start_ns, duration_ns, status, facts = cells
    span = Span(
        *(trace_id, span_id, parent_id, SpanHead._make(head), path, start_ns),
        *(start_ns + duration_ns, status, facts),
    )
    return TracedSpan(span=span, given=given, gave=gave)


def _nanos(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1e9)
