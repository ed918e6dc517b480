"""A batch of what was told, as rows: runs, segments of spans with their contents, and roll-ups."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from pydantic_core import to_json

from fishplate.contracts.signature import Signature
from fishplate.core.events import HeadTuple, SpanTuple
from fishplate.core.ids import span_hex, trace_hex
from fishplate.core.run_context import RunContext
from fishplate.traces.capture import TOLD_KINDS, Facts, Reader, ToldError
from fishplate.traces.items import Halted, Missed

SPAN_SIZE: Final = 9  # of its tuple, which tells it from a content
CONTENT_SIZE: Final = 5  # and that from what is told of a run
_MICROSECOND_NS: Final = 1_000
MOST_OPEN: Final = 100_000
"""Runs that are known while they have not ended; of more, the oldest are forgotten."""
MOST_ENDED: Final = 1_000
MOST_PENDING: Final = 10_000
_MINUTE_NS: Final = 60_000_000_000
_STATES: Final = {
    "ok": "succeeded",
    "degraded": "degraded",
    "error": "failed",
    "cancelled": "cancelled",
}


class Began(NamedTuple):
    """A run that begins, or goes on in this process.

    Attributes:
        context: Of the run.
        agent: Name of what runs.
        offset_ns: What added to the run's clock gives nanoseconds since 1970.
    """

    context: RunContext
    agent: str
    offset_ns: int


Content: TypeAlias = tuple[int, int, Signature, tuple[object, ...], object]
"""Trace key and span id of a call, its signature, what it was given, what it gave or raised."""

Item: TypeAlias = SpanTuple | Content | Began | Missed | Halted
Row: TypeAlias = tuple[Any, ...]
RollupKey: TypeAlias = tuple[int, str, str, str, str, str, str, str, int]
"""The columns of a roll-up's key, in order."""

# What a path counts: the calls of a body, the items of an `each`, the rounds of a `repeat`.
_NUMBERS: Final = re.compile(r"(?<![^/])(?:\d+\.)+|\.\d+(?=/|$)")


class Packed(NamedTuple):
    """The rows of a batch.

    Attributes:
        runs: Of the table `run`, one for each run that is in the batch.
        costs: Run, currency and billionths of it, of what has a price.
        segments: Run, spans and content.
        rollups: Counters by key, in the order of their columns.
        spans: How many there are.
        lost: How many are not there: they belong to runs that nobody has told of, or cannot be
            written down.
        latest_ms: When the latest run so far began, in milliseconds since 1970; 0 before any.
        gaps: Runs that are not whole, with how many spans and contents of them are missing.
        waits: Runs that wait, each with the rows of what it waits for.
    """

    runs: list[Row]
    costs: list[Row]
    segments: list[Row]
    rollups: Mapping[RollupKey, list[int]]
    spans: int
    lost: int
    latest_ms: int
    gaps: list[Row]
    waits: Mapping[str, list[Row]]


class _OpenRun:
    """A run that has not ended, with what the batch at hand says about it."""

    __slots__ = (
        *("agent", "caller_span", "content", "costs", "error", "facts", "id", "local", "offset_ns"),
        *("principal", "release", "rows", "started_ns", "state", "tenant", "totals", "trace_id"),
        "duration_ns",
    )

    def __init__(self, began: Began, reader: Reader) -> None:
        context = began.context
        caller = context.caller
        self.id = context.run_id
        self.trace_id = trace_hex(context.shown_trace_id)
        self.caller_span = None if caller is None else span_hex(caller.span_id)
        self.agent = began.agent
        self.release = ""
        self.tenant = reader.name(context.principal.tenant)
        self.principal = reader.name(context.principal.name)
        self.offset_ns = began.offset_ns
        self.started_ns = context.started_ns + began.offset_ns
        self.go_on()
        self.reset()

    def go_on(self) -> None:
        """Begin, or begin again after a wait."""
        self.state = "running"
        self.duration_ns: int | None = None
        self.error: str | None = None

    def reset(self) -> None:
        """Begin a batch."""
        self.rows: list[list[Any]] = []
        self.facts: list[Facts | None] = []
        self.content: list[int] = []  # of the batch's values, those that its spans point to
        self.local: dict[int, int] = {}
        self.totals = [0, 0, 0, 0]
        self.costs: dict[str, int] = {}

    def point(self, value: int) -> int:
        """Where in the segment's content a value of the batch stands."""
        found = self.local.get(value)
        if found is None:
            found = self.local[value] = len(self.content)
            self.content.append(value)
        return found

    def row(self) -> Row:
        """As the table `run` has it."""
        return (
            *(self.id, self.trace_id, self.caller_span, self.agent, self.release, self.tenant),
            *(self.principal, self.state, self.started_ns, self.duration_ns, self.error),
            *(len(self.rows), *self.totals),
        )


class _Values:
    """The contents of a batch, each once."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.found: list[bytes] = []
        self._by_text: dict[bytes, int] = {}
        self._by_object: dict[int, int] = {}

    def given(self, signature: Signature, arguments: tuple[object, ...]) -> int:
        """Where the input of a call stands."""
        if not signature.is_whole:
            return self._at(self._reader.arguments(signature, arguments))
        # Most inputs are the output of another step, which was read already; the batch holds both,
        # so that no id is used anew.
        same = id(arguments[0])
        at = self._by_object.get(same)
        if at is None:
            at = self._by_object[same] = self._at(self._reader.arguments(signature, arguments))
        return at

    def gave(self, signature: Signature, outcome: object) -> int:
        """Where the output of a call stands."""
        same = id(outcome)
        at = self._by_object.get(same)
        if at is None:
            at = self._by_object[same] = self._at(self._reader.outcome(signature, outcome))
        return at

    def _at(self, text: bytes) -> int:
        at = self._by_text.get(text)
        if at is None:
            at = self._by_text[text] = len(self.found)
            self.found.append(text)
        return at


class Segmenter:
    """Makes rows of what is told; used on one thread.

    Args:
        reader: Decides what is kept of contents.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._open: dict[int, _OpenRun] = {}
        self._ended: dict[int, _OpenRun] = {}  # what is told late still finds its run
        self._pending: dict[tuple[int, int], Content] = {}
        self._latest_ns = 0
        self._early: dict[int, Missed] = {}  # of runs whose beginning is still on its way
        self._gaps: dict[str, list[int]] = {}  # of the batch, as what follows
        self._waits: dict[str, list[Row]] = {}

    def pack(self, items: Sequence[Item]) -> Packed:
        """The rows of a batch, in the order in which its items were told."""
        self._reader.begin()
        values = _Values(self._reader)
        touched: dict[int, _OpenRun] = {}
        rollups: dict[RollupKey, list[int]] = {}
        pending, opened = self._pending, self._open
        self._gaps, self._waits = {}, {}
        spans = lost = 0
        for item in items:
            if isinstance(item, Began):
                key = item.context.trace_id
                # A run that has waited goes on: what the batch holds of it already is kept.
                known = opened.get(key) or touched.get(key)
                begun = touched[key] = opened[key] = known or _OpenRun(item, self._reader)
                begun.go_on()
                if self._early and (early := self._early.pop(key, None)) is not None:
                    self._miss(begun, early.spans, early.contents)
                self._latest_ns = max(self._latest_ns, begun.started_ns)
            elif len(item) != SPAN_SIZE:
                if isinstance(item, (Missed, Halted)):
                    self._hear(item, touched)
                    continue
                told: Content = item  # type: ignore[assignment]  # by its size
                pending[told[0], told[1]] = told
            else:
                # By its size, which type checkers do not read off a tuple with names.
                span: SpanTuple = item  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
                run = opened.get(span[0]) or self._ended.get(span[0])
                if run is None:
                    lost += 1
                    continue
                spans += 1
                touched[span[0]] = run
                content = pending.pop((span[0], span[1]), None)
                self._add(run, span, content, values, rollups)
                if span[2] is None and span[3][0] != "decision":
                    _end(run, span, content, self._reader)
                    opened.pop(span[0], None)
                    self._ended[span[0]] = run
        self._forget_some()
        contents = self._reader.clean(values.found) if values.found else []
        segments = self._segments(list(touched.values()), contents)
        written = sum(len(run.rows) for run in touched.values())
        packed = Packed(
            [run.row() for run in touched.values()],
            [(run.id, *cost) for run in touched.values() for cost in run.costs.items()],
            segments,
            rollups,
            written,
            lost + spans - written,
            self._latest_ns // 1_000_000,
            [(run_id, *counts) for run_id, counts in self._gaps.items()],
            self._waits,
        )
        for run in touched.values():
            run.reset()
        return packed

    def _hear(self, told: Missed | Halted, touched: dict[int, _OpenRun]) -> None:
        """Note what is told of a run beside its spans."""
        key = told.trace_id
        run = self._open.get(key) or self._ended.get(key)
        if run is None:
            if isinstance(told, Missed):
                known = self._early.get(key, Missed(key, 0, 0))
                spans, contents = known.spans + told.spans, known.contents + told.contents
                self._early[key] = Missed(key, spans, contents)
            return
        touched[key] = run
        if isinstance(told, Missed):
            self._miss(run, told.spans, told.contents)
            return
        run.state = told.state
        if told.state == "waiting":
            self._waits[run.id] = [
                (run.id, step, kind, name, to_json(roles).decode(), since_ms, due_ms)
                for step, kind, name, roles, since_ms, due_ms in told.waits
            ]
            return
        run.duration_ns = told.at_ns + run.offset_ns - run.started_ns
        self._open.pop(key, None)
        self._ended[key] = run

    def _miss(self, run: _OpenRun, spans: int, contents: int) -> None:
        counts = self._gaps.setdefault(run.id, [0, 0])
        counts[0] += spans
        counts[1] += contents

    def _add(
        self,
        run: _OpenRun,
        span: SpanTuple,
        content: Content | None,
        values: _Values,
        rollups: dict[RollupKey, list[int]],
    ) -> None:
        _, span_id, parent_id, head, path, start_ns, end_ns, status, facts = span
        if head[0] in TOLD_KINDS:
            head = self._reader.head(head, facts)
        given = gave = None
        if content is not None and self._reader.is_on:
            given = run.point(values.given(content[2], content[3]))
            gave = run.point(values.gave(content[2], content[4]))
        start_ns += run.offset_ns
        duration = end_ns + run.offset_ns - start_ns
        run.rows.append(
            [span_id, parent_id, *head, path, start_ns, duration, status, None, given, gave]
        )
        run.facts.append(facts)
        if head[0] != "decision" and not (facts and facts.get("replayed")):
            _count(run, head, span, start_ns, duration, rollups, self._reader)

    def _segments(self, runs: Sequence[_OpenRun], contents: Sequence[bytes]) -> list[Row]:
        kinds = (row[2] for run in runs for row in run.rows)
        kept = iter(self._reader.facts(kinds, [one for run in runs for one in run.facts]))
        found: list[Row] = []
        for run in runs:
            if not run.rows:
                continue
            for row in run.rows:
                row[9] = next(kept)
            content = None
            if run.content:
                content = bytearray(b"[%b]" % b",".join([contents[at] for at in run.content]))
            told = len(run.rows)
            # `bytearray`, as in the journal: `sqlite3` looks for no adapter of it.
            found.append((run.id, bytearray(_written(run)), content))
            if len(run.rows) < told:
                self._miss(run, told - len(run.rows), 0)
        return found

    def _forget_some(self) -> None:
        for runs, most in ((self._open, MOST_OPEN), (self._ended, MOST_ENDED)):
            while len(runs) > most:
                del runs[next(iter(runs))]
        while len(self._early) > MOST_ENDED:
            del self._early[next(iter(self._early))]
        if len(self._pending) > MOST_PENDING:  # of spans that were dropped
            self._pending.clear()


def _written(run: _OpenRun) -> bytes:
    """The rows of a run as JSON; those that have no JSON form are taken out of it."""
    try:
        return to_json(run.rows, inf_nan_mode="null")
    except Exception:  # noqa: BLE001 -- one span must not cost the others theirs
        run.rows = [row for row in run.rows if _is_writable(row)]
        return to_json(run.rows, inf_nan_mode="null")


def _is_writable(row: list[object]) -> bool:
    try:
        to_json(row)
    except Exception:  # noqa: BLE001 -- it is counted as lost
        return False
    return True


def _end(run: _OpenRun, span: SpanTuple, content: Content | None, reader: Reader) -> None:
    _, _, _, head, _, _, end_ns, status, facts = span
    run.release = head[2]
    told = None if content is None else content[4]
    needs_somebody = isinstance(told, ToldError) and told.needs_somebody
    run.state = "needs_attention" if needs_somebody else _STATES[status]
    run.duration_ns = end_ns + run.offset_ns - run.started_ns
    error = (facts or {}).get("error") if status == "error" else None
    run.error = reader.name(error) if isinstance(error, str) else None


def _count(  # noqa: PLR0913, PLR0917 -- what a span says
    run: _OpenRun,
    head: HeadTuple,
    span: SpanTuple,
    start_ns: int,
    duration: int,
    rollups: dict[RollupKey, list[int]],
    reader: Reader,
) -> None:
    status, facts = span[7], span[8]
    bucket = 0
    if duration > _MICROSECOND_NS:
        bucket = int(4 * math.log2(duration / _MICROSECOND_NS))
    minute = start_ns // _MINUTE_NS
    if facts is None or "requests" not in facts:  # as most are: in line, and no more than needed
        key = (minute, *head, run.tenant, "", "", "", bucket)
        counted = rollups.get(key)
        if counted is None:
            counted = rollups[key] = [0] * 8
        counted[0] += 1
        if status != "ok":
            _count_end(counted, status)
        return
    model, cost = facts.get("model"), _whole(facts.get("cost_nanos"))
    currency = str(facts["cost_currency"]) if "cost_currency" in facts else ""
    step, asked = _step_of(span[4], head), reader.name(model) if isinstance(model, str) else ""
    key = (minute, *head, run.tenant, step, asked, currency, bucket)
    counters = rollups.setdefault(key, [0] * 8)
    counters[0] += 1
    _count_end(counters, status)
    spent = (
        _whole(facts["requests"]),
        _whole(facts.get("input_tokens")),
        _whole(facts.get("output_tokens")),
        _whole(facts.get("unpriced_requests")),
    )
    for at, amount in enumerate(spent):
        run.totals[at] += amount
    for at, amount in enumerate((*spent[:3], cost, spent[3])):
        counters[3 + at] += amount
    if currency:
        run.costs[currency] = run.costs.get(currency, 0) + cost


def _count_end(counters: list[int], status: str) -> None:
    if status in {"error", "degraded"}:
        counters[1 if status == "error" else 2] += 1


def _step_of(path: str, head: HeadTuple) -> str:
    """Where in its workflow something was spent, the same for every item and round.

    A request to a model is spent in the step of its agent.
    """
    if head[0] == "model":
        path = path.rpartition("/")[0]
    return _NUMBERS.sub("", path)


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0
