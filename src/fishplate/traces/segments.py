"""A batch of what was told, as rows: runs, segments of spans with their contents, and roll-ups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from pydantic_core import to_json

from fishplate.contracts.signature import Signature
from fishplate.core.events import SpanKind
from fishplate.core.ids import span_hex, trace_hex
from fishplate.traces.capture import TOLD_KINDS, Facts, Reader, ToldError
from fishplate.traces.counting import NO_TOTALS, RollupKey, Rollups, Sums
from fishplate.traces.items import Began, Halted, Item, Missed, Told

MOST_OPEN: Final = 100_000
"""Runs that are known while they have not ended; of more, the oldest are forgotten."""
MOST_ENDED: Final = 1_000
CELLS: Final = 10
"""What a segment says of a span, one after another in one flat list: id, parent, [kind, name,
release], path, start, duration, status, attributes, and where its input and its output stand in the
content; `null` for what it has not.

A list for each span would take twice as long to make and to write.
"""
_FACTS: Final = 7  # where the attributes stand among the cells of a span
_STATES: Final = {
    "ok": "succeeded",
    "degraded": "degraded",
    "error": "failed",
    "cancelled": "cancelled",
}

Row: TypeAlias = tuple[Any, ...]


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
        replayed: Paths of the steps that were answered from their records, by run.
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
    replayed: Mapping[str, list[str]]


class _Noted(NamedTuple):
    """The attributes of a span, which are cleaned at the end of a batch.

    Attributes:
        cells: Of its run's spans.
        at: Where the attributes are to stand among them.
        kind: Of the span.
        facts: The attributes.
    """

    cells: list[object]
    at: int
    kind: SpanKind
    facts: Facts


class _OpenRun:
    """A run that has not ended, or has a moment ago."""

    __slots__ = (
        *("agent", "caller_span", "duration_ns", "error", "id", "offset_ns", "principal"),
        *("release", "started_ns", "state", "tenant", "trace_id"),
    )

    def __init__(self, began: Began, reader: Reader) -> None:
        context = began.context
        caller = context.caller
        self.id = context.run_id
        self.trace_id = trace_hex(context.shown_trace_id)
        span_id = None if caller is None else caller.span_id
        self.caller_span = None if span_id is None else span_hex(span_id)
        self.agent = began.agent
        self.release = ""
        self.tenant = reader.name(context.principal.tenant)
        self.principal = reader.name(context.principal.name)
        self.offset_ns = began.offset_ns
        self.started_ns = context.began_ns + began.offset_ns
        self.go_on()

    def go_on(self) -> None:
        """Begin, or begin again after a wait."""
        self.state = "running"
        self.duration_ns: int | None = None
        self.error: str | None = None


class _Part:
    """What a batch says about a run.

    Attributes:
        run: The run.
        cells: Of its spans, `CELLS` each; see there.
        content: Of the batch's values those that its spans point to, each with where it stands
            among them.
        seen: The same by the ids of objects.
        sums: What it has spent; `None`: nothing.
    """

    __slots__ = ("cells", "content", "run", "seen", "sums")

    def __init__(self, run: _OpenRun) -> None:
        self.run = run
        self.cells: list[object] = []
        self.content: dict[int, int] = {}
        self.seen: dict[int, int] = {}
        self.sums: Sums | None = None

    def row(self) -> Row:
        """The run as the table `run` has it."""
        run, sums = self.run, self.sums
        return (
            *(run.id, run.trace_id, run.caller_span, run.agent, run.release, run.tenant),
            *(run.principal, run.state, run.started_ns, run.duration_ns, run.error),
            *(len(self.cells) // CELLS, *(NO_TOTALS if sums is None else sums.totals)),
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
        same = id(arguments[0])  # as in a run, with which others may share it
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
        self._keeps_content = reader.is_on
        self._open: dict[int, _OpenRun] = {}
        self._ended: dict[int, _OpenRun] = {}  # what is told late still finds its run
        self._latest_ns = 0
        self._early: dict[int, Missed] = {}  # of runs whose beginning is still on its way
        self._gaps: dict[str, list[int]] = {}  # of the batch, as what follows
        self._waits: dict[str, list[Row]] = {}
        self._replayed: dict[str, list[str]] = {}
        self._noted: list[_Noted] = []

    def pack(self, items: Sequence[Item]) -> Packed:
        """The rows of a batch, in the order in which its items were told."""
        self._reader.begin()
        values = _Values(self._reader)
        parts: dict[int, _Part] = {}
        rollups = Rollups(self._reader)
        self._gaps, self._waits, self._replayed, self._noted = {}, {}, {}, []
        spans = lost = 0
        part: _Part | None = None
        last: int | None = None  # mostly, the next span is of the same run
        for item in items:
            if type(item) is not tuple:
                self._hear(item, parts)
                last = None
                continue
            told: Told = item  # type: ignore[assignment]  # by its type
            span = told[0]
            key = span[0]
            if key is not last:
                last = key
                part = parts.get(key) or self._part(key, parts)
            if part is None:
                lost += 1
                continue
            spans += 1
            self._add(part, told, values, rollups)
            if span[2] is None and span[3][0] != "decision":
                _end(part.run, told, self._reader)
                self._open.pop(key, None)
                self._ended[key] = part.run
        self._forget_some()
        contents = self._reader.clean(values.found) if values.found else []
        segments = self._segments(parts.values(), contents)
        written = sum([len(part.cells) for part in parts.values()]) // CELLS
        return Packed(
            [part.row() for part in parts.values()],
            [
                (part.run.id, *cost)
                for part in parts.values()
                if part.sums is not None
                for cost in part.sums.costs.items()
            ],
            segments,
            rollups.all(),
            written,
            lost + spans - written,
            self._latest_ns // 1_000_000,
            [(run_id, *counts) for run_id, counts in self._gaps.items()],
            self._waits,
            self._replayed,
        )

    def _part(self, key: int, parts: dict[int, _Part]) -> _Part | None:
        """What the batch says about a run; `None`: nobody has told of it."""
        found = parts.get(key)
        if found is None:
            run = self._open.get(key) or self._ended.get(key)
            if run is not None:
                found = parts[key] = _Part(run)
        return found

    def _begin(self, began: Began, parts: dict[int, _Part]) -> None:
        key = began.context.trace_id
        # A run that has waited goes on: what the batch holds of it already is kept.
        part = parts.get(key)
        run = self._open.get(key) if part is None else part.run
        if run is None:
            run = _OpenRun(began, self._reader)
        else:
            run.go_on()
        self._open[key] = run
        if part is None:
            parts[key] = _Part(run)
        if self._early and (early := self._early.pop(key, None)) is not None:
            self._miss(run, early.spans, early.contents)
        self._latest_ns = max(self._latest_ns, run.started_ns)

    def _hear(self, told: Item, parts: dict[int, _Part]) -> None:
        """Note what is told of a run beside its spans."""
        if isinstance(told, Began):
            self._begin(told, parts)
            return
        if not isinstance(told, (Missed, Halted)):
            return
        key = told.trace_id
        part = self._part(key, parts)
        if part is None:
            if isinstance(told, Missed):
                known = self._early.get(key, Missed(key, 0, 0))
                spans, contents = known.spans + told.spans, known.contents + told.contents
                self._early[key] = Missed(key, spans, contents)
            return
        run = part.run
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

    def _add(self, part: _Part, told: Told, values: _Values, rollups: Rollups) -> None:
        span, signature, arguments, outcome = told
        _, span_id, parent_id, head, path, start_ns, end_ns, status, facts = span
        is_call = True
        if head[0] in TOLD_KINDS:
            is_call = head[0] != "decision"
            head = self._reader.head(head, facts)
        given = gave = None
        if signature is not None and self._keeps_content:
            # Most inputs are the output of another step, which was read already; the batch holds
            # both, so that no id is used anew.
            seen, same = part.seen, id(arguments[0] if signature.is_whole else arguments)
            given = seen.get(same)
            if given is None:
                value = values.given(signature, arguments)
                given = seen[same] = part.content.setdefault(value, len(part.content))
            same = id(outcome)
            gave = seen.get(same)
            if gave is None:
                value = values.gave(signature, outcome)
                gave = seen[same] = part.content.setdefault(value, len(part.content))
        run, cells = part.run, part.cells
        duration = end_ns - start_ns
        start_ns += run.offset_ns
        if facts:
            self._noted.append(_Noted(cells, len(cells) + _FACTS, head[0], facts))
        cells += (span_id, parent_id, head, path, start_ns, duration, status, None, given, gave)
        if not is_call:
            return
        if facts and facts.get("replayed"):
            self._replayed.setdefault(run.id, []).append(path)
        elif facts and "requests" in facts:
            sums = part.sums = part.sums or Sums()
            rollups.spend((head, path), start_ns, duration, run.tenant, status, facts, sums)
        else:
            rollups.count(head, start_ns, duration, run.tenant, status)

    def _segments(self, parts: Iterable[_Part], contents: Sequence[bytes]) -> list[Row]:
        noted = self._noted
        if noted:
            kept = self._reader.facts([one.kind for one in noted], [one.facts for one in noted])
            for one, facts in zip(noted, kept, strict=True):
                one.cells[one.at] = facts
        found: list[Row] = []
        for part in parts:
            if not part.cells:
                continue
            try:
                spans = to_json(part.cells, inf_nan_mode="null")
            except Exception:  # noqa: BLE001 -- one span must not cost the others theirs
                spans = self._those_with_json(part)
            if not part.cells:
                continue
            content = None
            if part.content:
                content = bytearray(b"[%b]" % b",".join([contents[at] for at in part.content]))
            # `bytearray`, as in the journal: `sqlite3` looks for no adapter of it.
            found.append((part.run.id, bytearray(spans), content))
        return found

    def _those_with_json(self, part: _Part) -> bytes:
        """The segment of a run without the spans that have no JSON form."""
        all_cells = part.cells
        part.cells = []
        for start in range(0, len(all_cells), CELLS):
            cells = all_cells[start : start + CELLS]
            try:
                to_json(cells, inf_nan_mode="null")
            except Exception:  # noqa: BLE001 -- as above
                self._miss(part.run, 1, 0)
            else:
                part.cells += cells
        return to_json(part.cells, inf_nan_mode="null")

    def _forget_some(self) -> None:
        for runs, most in ((self._open, MOST_OPEN), (self._ended, MOST_ENDED)):
            while len(runs) > most:
                del runs[next(iter(runs))]
        while len(self._early) > MOST_ENDED:
            del self._early[next(iter(self._early))]


def _end(run: _OpenRun, told: Told, reader: Reader) -> None:
    (_, _, _, head, _, _, end_ns, status, facts), _, _, outcome = told
    run.release = head[2]
    needs_somebody = isinstance(outcome, ToldError) and outcome.needs_somebody
    run.state = "needs_attention" if needs_somebody else _STATES[status]
    run.duration_ns = end_ns + run.offset_ns - run.started_ns
    error = (facts or {}).get("error") if status == "error" else None
    run.error = reader.name(error) if isinstance(error, str) else None
