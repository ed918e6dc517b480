"""A batch of what was told, as rows: runs, segments of spans with their contents, and roll-ups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from pydantic_core import to_json

from fishplate.core.events import HeadTuple, SpanKind
from fishplate.traces.capture import TOLD_KINDS, Facts, Reader
from fishplate.traces.counting import RollupKey, Rollups, Sums
from fishplate.traces.items import Began, Halted, Item, Missed, Told
from fishplate.traces.parts import CELLS, OpenRun, Part, Row, Values

MOST_OPEN: Final = 100_000
"""Runs that are known while they have not ended; of more, the oldest are forgotten."""
MOST_ENDED: Final = 1_000
_FACTS: Final = 7  # where the attributes stand among the cells of a span


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


class Segmenter:
    """Makes rows of what is told; used on one thread.

    Args:
        reader: Decides what is kept of contents.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._keeps_content = reader.is_on
        self._open: dict[int, OpenRun] = {}
        self._ended: dict[int, OpenRun] = {}  # what is told late still finds its run
        self._latest_ns = 0
        self._early: dict[int, Missed] = {}  # of runs whose beginning is still on its way
        self._gaps: dict[str, list[int]] = {}  # of the batch, as what follows
        self._waits: dict[str, list[Row]] = {}
        self._replayed: dict[str, list[str]] = {}
        self._noted: list[_Noted] = []
        self._rollups = Rollups(reader)

    def pack(self, items: Sequence[Item]) -> Packed:
        """The rows of a batch, in the order in which its items were told."""
        self._reader.begin()
        values = Values(self._reader)
        parts: dict[int, Part] = {}
        self._rollups = Rollups(self._reader)
        self._gaps, self._waits, self._replayed, self._noted = {}, {}, {}, []
        spans, lost = self._sort(items, parts, values)
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
            self._rollups.all(),
            written,
            lost + spans - written,
            self._latest_ns // 1_000_000,
            [(run_id, *counts) for run_id, counts in self._gaps.items()],
            self._waits,
            self._replayed,
        )

    def _sort(  # noqa: C901 -- for every span: calls of functions would take a third longer
        self, items: Sequence[Item], parts: dict[int, Part], values: Values
    ) -> tuple[int, int]:
        """Bring every item to its run; how many spans have found one, and how many have not."""
        spans = lost = 0
        keeps_content = self._keeps_content
        part: Part | None = None
        last: int | None = None  # mostly, the next span is of the same run
        for item in items:
            if type(item) is not tuple:
                self._hear(item, parts)
                last = None
                continue
            told: Told = item  # type: ignore[assignment]  # by its type
            span, signature, arguments, outcome = told
            key, span_id, parent_id, head, path, start_ns, end_ns, status, facts = span
            if key is not last:
                last = key
                part = parts.get(key) or self._part(key, parts)
            if part is None:
                lost += 1
                continue
            spans += 1
            given = gave = None
            if signature is not None and keeps_content:
                # Most inputs are the output of another step, which was read already; the batch
                # holds both, so that no id is used anew.
                given = part.seen.get(id(arguments[0] if signature.is_whole else arguments))
                if given is None:
                    given = part.given(values, signature, arguments)
                gave = part.seen.get(id(outcome))
                if gave is None:
                    gave = part.gave(values, signature, outcome)
            is_plain = not facts and head[0] not in TOLD_KINDS
            if not is_plain:
                head = self._note(part, head, facts)
            began, took = start_ns + part.run.offset_ns, end_ns - start_ns
            part.cells += (span_id, parent_id, head, path, began, took, status, None, given, gave)
            if is_plain and status == "ok":
                part.plain[head].extend((began, took))
            elif head[0] != "decision":
                self._count(part, told, head)
            if parent_id is None and head[0] != "decision":
                part.run.end(told, self._reader)
                self._open.pop(key, None)
                self._ended[key] = part.run
        return spans, lost

    def _part(self, key: int, parts: dict[int, Part]) -> Part | None:
        """What the batch says about a run; `None`: nobody has told of it."""
        found = parts.get(key)
        if found is None:
            run = self._open.get(key) or self._ended.get(key)
            if run is not None:
                found = parts[key] = Part(run, self._rollups.plain(run.tenant))
        return found

    def _begin(self, began: Began, parts: dict[int, Part]) -> None:
        key = began.context.trace_id
        # A run that has waited goes on: what the batch holds of it already is kept.
        part = parts.get(key)
        run = self._open.get(key) if part is None else part.run
        if run is None:
            run = OpenRun(began, self._reader)
        else:
            run.go_on()
        self._open[key] = run
        if part is None:
            parts[key] = Part(run, self._rollups.plain(run.tenant))
        if self._early and (early := self._early.pop(key, None)) is not None:
            self._miss(run, early.spans, early.contents)
        self._latest_ns = max(self._latest_ns, run.started_ns)

    def _hear(self, told: Item, parts: dict[int, Part]) -> None:
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

    def _miss(self, run: OpenRun, spans: int, contents: int) -> None:
        counts = self._gaps.setdefault(run.id, [0, 0])
        counts[0] += spans
        counts[1] += contents

    def _note(self, part: Part, head: HeadTuple, facts: Facts | None) -> HeadTuple:
        """Keep the attributes of the next span in mind; what the span is called."""
        if facts:
            self._noted.append(_Noted(part.cells, len(part.cells) + _FACTS, head[0], facts))
        return self._reader.head(head, facts)

    def _count(self, part: Part, told: Told, head: HeadTuple) -> None:
        """Count a call that has spent something, was answered from its record or went wrong."""
        _, _, _, _, path, start_ns, end_ns, status, facts = told[0]
        run, duration = part.run, end_ns - start_ns
        start_ns += run.offset_ns
        if facts and facts.get("replayed"):
            self._replayed.setdefault(run.id, []).append(path)
        elif facts and "requests" in facts:
            sums = part.sums = part.sums or Sums()
            place = head, path
            self._rollups.spend(place, start_ns, duration, run.tenant, status, facts, sums)
        else:
            self._rollups.count(head, start_ns, duration, run.tenant, status)

    def _segments(self, parts: Iterable[Part], contents: Sequence[bytes]) -> list[Row]:
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

    def _those_with_json(self, part: Part) -> bytes:
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
