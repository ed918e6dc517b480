"""A batch of what was told, as rows: runs, blocks of spans with their contents, and roll-ups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from operator import sub
from typing import Final, NamedTuple, TypeAlias, TypeVar, cast

from pydantic_core import to_json

from fishplate.core.events import HeadTuple, SpanStatus
from fishplate.traces.blocks import Block, Columns, Contents, numbers
from fishplate.traces.capture import TOLD_KINDS, Facts, Reader
from fishplate.traces.counting import MINUTE_NS, RollupKey, Rollups, Sums
from fishplate.traces.items import Began, Halted, Item, Missed, Told
from fishplate.traces.parts import OpenRun, Part, Row

T = TypeVar("T")
_Spans: TypeAlias = tuple[
    Sequence[int],
    Sequence[int],
    Sequence[int | None],
    Sequence[HeadTuple],
    Sequence[str],
    Sequence[int],
    Sequence[int],
    Sequence[SpanStatus],
    Sequence[Facts | None],
]
"""The columns of `SpanTuple`."""

MOST_OPEN: Final = 100_000
"""Runs that are known while they have not ended; of more, the oldest are forgotten."""
MOST_ENDED: Final = 1_000


class Packed(NamedTuple):
    """The rows of a batch.

    Attributes:
        parts: What it says of runs, one for each run that is in the batch.
        blocks: Of spans.
        more: Runs, each with which of the blocks holds spans of it beside its first.
        rollups: Counters by key, in the order of their columns.
        spans: How many there are.
        lost: How many are not there: they belong to runs that nobody has told of, or cannot be
            written down.
        latest_ms: When the latest run so far began, in milliseconds since 1970; 0 before any.
        gaps: Runs that are not whole, with how many spans and contents of them are missing.
        waits: Runs that wait, each with the rows of what it waits for.
        replayed: Paths of the steps that were answered from their records, by run.
    """

    parts: Sequence[Part]
    blocks: list[Block]
    more: list[tuple[str, int]]
    rollups: Mapping[RollupKey, list[int]]
    spans: int
    lost: int
    latest_ms: int
    gaps: list[Row]
    waits: Mapping[str, list[Row]]
    replayed: Mapping[str, list[str]]


class Packer:
    """Makes rows of what is told; used on one thread.

    Args:
        reader: Decides what is kept of contents.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._open: dict[int, OpenRun] = {}
        self._ended: dict[int, OpenRun] = {}  # what is told late still finds its run
        self._latest_ns = 0
        self._early: dict[int, Missed] = {}  # of runs whose beginning is still on its way
        self._parts: dict[int, Part] = {}  # of the batch, as what follows
        self._told: list[Told] = []  # not in a block so far
        self._lost = 0
        self._blocks: list[Block] = []
        self._more: list[tuple[str, int]] = []
        self._gaps: dict[str, list[int]] = {}
        self._waits: dict[str, list[Row]] = {}
        self._replayed: dict[str, list[str]] = {}
        self._rollups = Rollups(reader)

    def pack(self, items: Sequence[Item]) -> Packed:
        """The rows of a batch, in the order in which its items were told."""
        self._reader.begin()
        self._parts, self._told, self._lost, self._blocks, self._more = {}, [], 0, [], []
        self._gaps, self._waits, self._replayed = {}, {}, {}
        self._rollups = Rollups(self._reader)
        for item in items:
            if type(item) is tuple:  # as `is_span`, without a call
                self._told.append(item)  # type: ignore[arg-type]
            else:
                self._hear(item)
        self._pack_told()
        self._forget_some()
        return Packed(
            [*self._parts.values()],
            self._blocks,
            self._more,
            self._rollups.all(),
            sum(part.spans for part in self._parts.values()),
            self._lost,
            self._latest_ns // 1_000_000,
            [(run_id, *counts) for run_id, counts in self._gaps.items()],
            self._waits,
            self._replayed,
        )

    def _part(self, key: int) -> Part | None:
        """What the batch says about a run; `None`: nobody has told of it."""
        found = self._parts.get(key)
        if found is None:
            run = self._open.get(key) or self._ended.get(key)
            if run is not None:
                found = self._parts[key] = Part(run)
        return found

    # what is told of a run beside its spans

    def _hear(self, told: Item) -> None:
        if isinstance(told, Began):
            self._begin(told)
            return
        self._pack_told()  # what was told before comes before it
        if not isinstance(told, (Missed, Halted)):
            return
        key = told.trace_id
        part = self._part(key)
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

    def _begin(self, began: Began) -> None:
        key = began.context.trace_id
        run = self._open.get(key)
        if run is None and key not in self._parts:
            run = OpenRun(began, self._reader)
            self._parts[key] = Part(run)
        else:
            # A run that has waited goes on: what was told of it before comes before that.
            self._pack_told()
            part = self._part(key)
            assert part is not None, "it is open, or in the batch"
            run = part.run
            run.go_on()
        self._open[key] = run
        if self._early and (early := self._early.pop(key, None)) is not None:
            self._miss(run, early.spans, early.contents)
        self._latest_ns = max(self._latest_ns, run.started_ns)

    def _miss(self, run: OpenRun, spans: int, contents: int) -> None:
        counts = self._gaps.setdefault(run.id, [0, 0])
        counts[0] += spans
        counts[1] += contents

    # spans

    def _pack_told(self) -> None:
        """Make blocks of the spans that were told so far."""
        told, self._told = self._told, []
        while told:
            told = told[self._pack_some(told) :]

    def _pack_some(self, told: Sequence[Told]) -> int:
        """Make a block of the first of some spans; how many were taken."""
        contents = Contents(self._reader)
        taken = contents.take(told)
        told = told[:taken]
        # Column by column: whatever is done for each span by itself takes several times as long.
        keys, ids, parents, heads, paths, starts, ends, statuses, facts = cast(
            "_Spans", zip(*[one[0] for one in told], strict=True)
        )
        runs = dict.fromkeys(keys)
        parts = [part for part in map(self._part, runs) if part is not None]
        if len(parts) < len(runs):
            known = [one for one in told if self._part(one[0][0]) is not None]
            self._lost += taken - len(known)
            if known:
                self._pack_some(known)
            return taken
        heads, noted = self._named(heads, facts)
        same = [*map(id, heads)]  # three texts take longer to compare; the batch holds them
        once = dict(zip(same, heads, strict=True))
        columns = Columns(
            runs=numbers(runs, keys),
            ids=ids,
            parents=parents,
            heads=numbers(once, same),
            paths=paths,
            starts=starts,
            took=[*map(sub, ends, starts)],
            statuses=statuses,
            facts=self._facts(heads, facts, noted),
            given=contents.given,
            gave=contents.gave,
            names=[*once.values()],
        )
        self._count(told, parts, columns, noted)
        for at, parent in enumerate(parents):
            if parent is None and heads[at][0] != "decision":
                run = parts[columns.runs[at]].run
                run.end(told[at], self._reader)
                self._open.pop(keys[at], None)
                self._ended[keys[at]] = run
        self._put(parts, columns, contents)
        return taken

    def _named(
        self, heads: Sequence[HeadTuple], facts: Sequence[Facts | None]
    ) -> tuple[Sequence[HeadTuple], set[int]]:
        """What spans are called, and the numbers of those that say more of themselves."""
        noted = {at for at, one in enumerate(facts) if one}
        if not TOLD_KINDS.isdisjoint([head[0] for head in heads]):
            noted |= {at for at, head in enumerate(heads) if head[0] in TOLD_KINDS}
        if noted:
            heads = [*heads]
            for at in noted:
                heads[at] = self._reader.head(heads[at], facts[at])
        return heads, noted

    def _facts(
        self, heads: Sequence[HeadTuple], facts: Sequence[Facts | None], noted: set[int]
    ) -> dict[int, Facts]:
        """What is kept of the attributes of spans, by their numbers."""
        wanted = [at for at in sorted(noted) if facts[at]]
        if not wanted:
            return {}
        kept = self._reader.facts([heads[at][0] for at in wanted], [facts[at] for at in wanted])
        return {at: one for at, one in zip(wanted, kept, strict=True) if one}

    def _count(
        self,
        told: Sequence[Told],
        parts: Sequence[Part],
        columns: Columns,
        noted: set[int],
    ) -> None:
        """Add spans to the roll-ups."""
        if columns.statuses.count("ok") < len(told):
            noted = noted | {at for at, status in enumerate(columns.statuses) if status != "ok"}
        for at in sorted(noted):
            head = columns.names[columns.heads[at]]
            if head[0] != "decision":
                self._count_alone(parts[columns.runs[at]], told[at], head)
        # What has spent nothing and went well is counted by what it is called, mostly all at once.
        offsets = [part.run.offset_ns for part in parts]
        tenants = {part.run.tenant for part in parts}
        minute = (min(columns.starts) + min(offsets)) // MINUTE_NS
        last_minute = (max(columns.starts) + max(offsets)) // MINUTE_NS
        if last_minute == minute and len(tenants) == 1:
            took = list[list[int]]([] for _ in columns.names)
            pairs = zip(columns.heads, columns.took, strict=True)
            for name, duration in _without(pairs, noted):
                took[name].append(duration)
            self._rollups.count_all(minute, tenants.pop(), zip(columns.names, took, strict=True))
            return
        calls = zip(columns.runs, columns.heads, columns.starts, columns.took, strict=True)
        for which, name, start_ns, duration in _without(calls, noted):
            run = parts[which].run
            began = start_ns + run.offset_ns
            self._rollups.count(columns.names[name], began, duration, run.tenant, "ok")

    def _count_alone(self, part: Part, told: Told, head: HeadTuple) -> None:
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

    def _put(
        self,
        parts: Sequence[Part],
        columns: Columns,
        contents: Contents,
    ) -> None:
        """Make a block of spans, without those that have no JSON form."""
        found = self._reader.clean(contents.found) if contents.found else []
        runs = [(part.run.id, part.run.offset_ns) for part in parts]
        lengths = [*map(len, found)]
        try:
            text = columns.to_json(runs, lengths)
        except Exception:  # noqa: BLE001 -- one span must not cost the others theirs
            good = [at for at in range(len(columns.ids)) if columns.has_json(at)]
            self._miss_others(parts, columns, good)
            if not good:
                return
            columns = columns.only(good)
            text = columns.to_json(runs, lengths)
        number = len(self._blocks)
        for at, spans in Counter(columns.runs).items():
            part = parts[at]
            part.spans += spans
            if part.run.is_new:
                part.block, part.run.is_new = number, False
            else:
                self._more.append((part.run.id, number))
        # `bytearray`, as in the journal: `sqlite3` looks for no adapter of it.
        content = bytearray(b"".join(found)) if found else None
        last = max(run_id for run_id, _ in runs)
        self._blocks.append(Block(last, bytearray(text), content, len(columns.ids)))

    def _miss_others(self, parts: Sequence[Part], columns: Columns, good: Sequence[int]) -> None:
        missing = Counter(columns.runs)
        missing.subtract([columns.runs[at] for at in good])
        for at, spans in missing.items():
            if spans:
                self._miss(parts[at].run, spans, 0)
                self._lost += spans

    def _forget_some(self) -> None:
        for runs, most in ((self._open, MOST_OPEN), (self._ended, MOST_ENDED)):
            while len(runs) > most:
                del runs[next(iter(runs))]
        while len(self._early) > MOST_ENDED:
            del self._early[next(iter(self._early))]


def _without(values: Iterable[T], numbers: set[int]) -> Iterable[T]:
    """The values but for those of some numbers."""
    if not numbers:
        return values
    return [value for at, value in enumerate(values) if at not in numbers]
