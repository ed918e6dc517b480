"""A block of a trace store: the spans that one batch brought, column by column, and contents."""

from __future__ import annotations

import functools
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, count
from typing import Any, Final, NamedTuple, TypeAlias, cast

from pydantic_core import from_json, to_json

from fishplate.core.events import HeadTuple, SpanStatus
from fishplate.traces.capture import MOST_BYTES, Facts, Reader
from fishplate.traces.items import Told

MOST_CONTENT: Final = 65_536
"""Bytes of contents after which a block takes no more: who reads a run reads all of its blocks."""
NOTHING: Final = object()
"""In place of content that was not kept; `null` is content."""

Cells: TypeAlias = tuple[int, int | None, HeadTuple, str, int, int, SpanStatus, Facts | None]
"""A span as it was kept: id, parent, what it is called, path, start in nanoseconds since 1970,
duration, status and attributes."""


class Block(NamedTuple):
    """Spans of some runs.

    Attributes:
        last_run: The highest id of a run in it.
        spans: JSON, see `Columns`.
        content: JSON of the contents, one after another; `None`: none was kept.
        size: How many spans there are.
    """

    last_run: str
    spans: bytearray
    content: bytearray | None
    size: int


class Contents:
    """The inputs and outputs of the spans of a block, each once.

    Attributes:
        given: Where the input of each span stands among `found`; `None`: it is not kept.
        gave: The same of the output.
        found: JSON, not cleaned yet.
    """

    __slots__ = ("_by_text", "_reader", "_room", "found", "gave", "given")

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._room = MOST_CONTENT
        self._by_text: dict[bytes, int] = {}
        self.given: list[int | None] = []
        self.gave: list[int | None] = []
        self.found: list[bytes] = []

    def take(self, told: Sequence[Told]) -> int:
        """Read the contents of spans while there is room; of how many, at least one."""
        if not self._reader.is_on:
            self.given = self.gave = [None] * len(told)
            return len(told)
        given, gave = self.given, self.gave
        seen: dict[int, int] = {}  # by the ids of objects: the batch holds all of them
        for _, signature, arguments, outcome in told:
            if signature is None:
                given.append(None)
                gave.append(None)
                continue
            # Most inputs are the output of another step, which was read already.
            same = id(arguments[0]) if signature.is_whole else None
            at = None if same is None else seen.get(same)
            if at is None:
                at = self._at(self._reader.arguments(signature, arguments))
                if same is not None:
                    seen[same] = at
            given.append(at)
            same = id(outcome)
            at = seen.get(same)
            if at is None:
                at = seen[same] = self._at(self._reader.outcome(signature, outcome))
            gave.append(at)
            if self._room <= 0:
                break
        return len(given)

    def _at(self, text: bytes) -> int:
        at = self._by_text.get(text)
        if at is None:
            at = self._by_text[text] = len(self.found)
            self.found.append(text)
            self._room -= min(len(text), MOST_BYTES)  # what is larger is cut
        return at


class Columns(NamedTuple):
    """What a block says of its spans: of each column, one entry for each span.

    Attributes:
        runs: Which of the block's runs it belongs to.
        ids: Its id.
        parents: That of its parent.
        heads: Which of the block's names is its own.
        paths: Where it stands in its run.
        starts: When it began, on the clock of the runs.
        took: How long it took.
        statuses: How it ended.
        given: Where its input stands among the contents.
        gave: Where its output does.
        facts: Attributes as they are kept, by the numbers of spans; most have none.
        names: The block's.
    """

    runs: Sequence[int]
    ids: Sequence[int]
    parents: Sequence[int | None]
    heads: Sequence[int]
    paths: Sequence[str]
    starts: Sequence[int]
    took: Sequence[int]
    statuses: Sequence[str]
    given: Sequence[int | None]
    gave: Sequence[int | None]
    facts: Mapping[int, Facts]
    names: Sequence[HeadTuple]

    def to_json(self, runs: Sequence[tuple[str, int]], lengths: Sequence[int]) -> bytes:
        """The block's JSON; what comes again in it, such as paths, is written once.

        Args:
            runs: Ids, and what added to their clocks gives nanoseconds since 1970.
            lengths: Of the contents, in bytes.

        Raises:
            Exception: One of the spans has no JSON form.
        """
        paths = dict.fromkeys(self.paths)
        return to_json(
            (
                *(runs, lengths, self.names, [*paths], [*self.facts.items()]),
                (*self[:4], numbers(paths, self.paths), *self[5:10]),
            ),
            inf_nan_mode="null",
        )

    def has_json(self, at: int) -> bool:
        """Whether a span has a JSON form."""
        try:
            self.only([at]).to_json([], [])
        except Exception:  # noqa: BLE001 -- whatever it is, it cannot be kept
            return False
        return True

    def only(self, wanted: Sequence[int]) -> Columns:
        """The columns of some spans, by their numbers."""
        found = Columns._make(
            (
                *([column[at] for at in wanted] for column in self[:10]),
                {now: self.facts[at] for now, at in enumerate(wanted) if at in self.facts},
                self.names,
            )
        )
        used = dict.fromkeys(found.heads)
        names = [self.names[at] for at in used]
        return found._replace(heads=numbers(used, found.heads), names=names)


def numbers(once: Iterable[Hashable], all_of_them: Iterable[Hashable]) -> list[int]:
    """Where each of them stands among those that differ, in the order of these."""
    return [*map(dict(zip(once, count())).__getitem__, all_of_them)]


def spans_in(
    spans: bytes, content: bytes | None, run: str
) -> Iterator[tuple[Cells, object, object]]:
    """The spans of a run in a block, with what was given and what came out.

    Args:
        spans: The block's JSON.
        content: The contents in it.
        run: Id.
    """
    runs, lengths, heads, paths, noted, columns = _parsed(spans)
    wanted = [at for at, (name, _) in enumerate(runs) if name == run]
    facts = dict[int, Facts](noted)
    ends = [*accumulate(lengths, initial=0)]

    @functools.cache
    def value(at: int | None) -> object:
        if at is None or content is None:
            return NOTHING
        return from_json(content[ends[at] : ends[at + 1]])

    for number, (which, span_id, parent_id, head, path, start_ns, took, status, *at) in enumerate(
        zip(*columns, strict=True)
    ):
        if which in wanted:
            began, name = start_ns + runs[which][1], tuple(heads[head])
            cells = (span_id, parent_id, name, paths[path], began, took, status)
            yield (*cells, facts.get(number)), value(at[0]), value(at[1])


@functools.lru_cache(maxsize=4)
def _parsed(spans: bytes) -> list[Any]:
    """A block's JSON as it was parsed a moment ago, for another run that stands in it."""
    return cast("list[Any]", from_json(spans))
