"""Reading the spans of a run: from blocks, and from the segments of earlier layouts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeAlias, cast

from pydantic_core import from_json

from fishplate.traces.blocks import NOTHING, Cells, spans_in

Stored: TypeAlias = tuple[Cells, object, object]
"""A span, with what was given and what came out; `NOTHING` for what was not kept."""

_BLOCKS: Final = """
SELECT n, spans, content FROM block WHERE n IN (
  SELECT block FROM run WHERE id = ? UNION ALL SELECT block FROM run_block WHERE run = ?
)
"""
_SEGMENTS: Final = "SELECT n, spans, content FROM segment WHERE run = ?"
_SEGMENT_CELLS: Final = 10  # from the fourth layout on, for each span in one flat list


def stored_spans(
    connection: sqlite3.Connection, run: str, *, only_last: bool = False
) -> Iterator[Stored]:
    """The spans of a run, in the order in which they were written; one may be there twice.

    Args:
        connection: Of a trace store.
        run: Id.
        only_last: Leave out what is not in the last of its blocks.
    """
    order = "ORDER BY n DESC LIMIT 1" if only_last else "ORDER BY n"
    blocks = connection.execute(f"{_BLOCKS} {order}", (run, run)).fetchall()
    if not (only_last and blocks):
        for _, spans, content in connection.execute(f"{_SEGMENTS} {order}", (run,)):
            yield from _spans_of_segment(spans, content)
    for _, spans, content in blocks:
        yield from spans_in(spans, content, run)


def parts_of(connection: sqlite3.Connection, run: str) -> Iterator[tuple[str, Sequence[bytes]]]:
    """The JSON of all that is kept of a run, beside that of others: a name of each part, and it."""
    for word, query, runs in (("segment", _SEGMENTS, (run,)), ("block", _BLOCKS, (run, run))):
        for n, *parts in connection.execute(query, runs):
            yield f"{word} {n}", [part for part in parts if part]


def _spans_of_segment(spans: bytes, content: bytes | None) -> Iterator[Stored]:
    values: list[object] = [] if content is None else from_json(content)
    cells: list[Any] = from_json(spans)
    if cells and isinstance(cells[0], list):  # one list for each, as layouts before the fourth
        rows: Iterator[tuple[Any, ...]] = ((*one[:2], one[2:5], *one[5:]) for one in cells)
    else:
        rows = zip(*[iter(cells)] * _SEGMENT_CELLS, strict=True)
    for *span, given, gave in rows:
        found = (values[at] if isinstance(at, int) else NOTHING for at in (given, gave))
        yield cast("Stored", (tuple(span), *found))
