"""The rows of a batch in the trace store: by few statements, and one by one if one is refused."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from operator import add
from typing import Final, NamedTuple

from fishplate.core.spending import MOST_SUM
from fishplate.traces.counting import COST, RollupKey
from fishplate.traces.packing import Packed
from fishplate.traces.parts import Row

_SIZES: Final = (256, 64, 16, 4, 1)
"""Rows of a statement: the largest has 4,352 parameters, of 32,766 that SQLite takes."""
_SPANS_OF_RUN: Final = 11  # where the row of a run tells how many there are in the batch
REFUSED: Final = (
    *(sqlite3.DataError, sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError),
    *(OverflowError, UnicodeError),
)
"""What is raised for a value that SQLite does not take, rather than for its file."""

_PUT_RUNS: Final = """
ON CONFLICT (id) DO UPDATE SET
  release = CASE excluded.release WHEN '' THEN release ELSE excluded.release END,
  state = excluded.state,
  duration_ns = excluded.started_ns + excluded.duration_ns - started_ns,
  error = excluded.error,
  spans = spans + excluded.spans,
  model_calls = model_calls + excluded.model_calls,
  input_tokens = input_tokens + excluded.input_tokens,
  output_tokens = output_tokens + excluded.output_tokens,
  unpriced = unpriced + excluded.unpriced,
  block = coalesce(block, excluded.block)
"""
# SQLite goes on with a float where a sum has more than 64 bits, and of the two takes the integer.
_SUM_UP: Final = f"cost_nanos = min(cost_nanos + excluded.cost_nanos, {MOST_SUM})"
_PUT_COSTS: Final = f"ON CONFLICT DO UPDATE SET {_SUM_UP}"
_PUT_GAPS: Final = """
ON CONFLICT DO UPDATE SET
  spans = spans + excluded.spans, contents = contents + excluded.contents
"""
_PUT_ROLLUPS: Final = f"""
ON CONFLICT DO UPDATE SET
  count = count + excluded.count,
  errors = errors + excluded.errors,
  degraded = degraded + excluded.degraded,
  model_calls = model_calls + excluded.model_calls,
  input_tokens = input_tokens + excluded.input_tokens,
  output_tokens = output_tokens + excluded.output_tokens,
  {_SUM_UP},
  unpriced = unpriced + excluded.unpriced
"""


class _Into(NamedTuple):
    """Where rows are inserted.

    Attributes:
        table: Its name.
        columns: How many it has.
        put: What is done if the row is there already.
    """

    table: str
    columns: int
    put: str = ""


_RUNS: Final = _Into("run", 17, _PUT_RUNS)
_COSTS: Final = _Into("run_cost", 3, _PUT_COSTS)
_BLOCKS: Final = _Into("block", 4)
_MORE: Final = _Into("run_block", 2)
_GAPS: Final = _Into("run_gap", 3, _PUT_GAPS)
_WAITS: Final = _Into("run_wait", 7)
_MINUTES: Final = _Into("rollup_minute", 17, _PUT_ROLLUPS)
_HOURS: Final = _MINUTES._replace(table="rollup_hour")


def write(connection: sqlite3.Connection, packed: Packed) -> None:
    """Write the rows of a batch."""
    for into, rows in _rows(packed, _next_block(connection)):
        _insert(connection, into, rows)
    _write_standing(connection, packed)


def write_each(connection: sqlite3.Connection, packed: Packed) -> int:
    """Write the rows of a batch one by one, without those that SQLite does not take.

    Returns:
        How many spans are in rows that it has refused.
    """
    refused = 0
    first = _next_block(connection)
    for into, rows in _rows(packed, first):
        for row in rows:
            try:  # a statement that is refused changes nothing
                _insert(connection, into, [row])
            except REFUSED:
                if into is _RUNS:
                    refused += row[_SPANS_OF_RUN]
                elif into is _BLOCKS:
                    refused += packed.blocks[int(row[0]) - first].size
    _write_standing(connection, packed)
    return min(refused, packed.spans)


def write_gaps(connection: sqlite3.Connection, gaps: Sequence[Row]) -> None:
    """Add to what is missing of runs: run, spans, contents."""
    _insert(connection, _GAPS, gaps)


def _write_standing(connection: sqlite3.Connection, packed: Packed) -> None:
    """Write what is missing of runs, and what they wait for; of nearly all there is nothing."""
    write_gaps(connection, packed.gaps)
    for run, waits in packed.waits.items():
        connection.execute("DELETE FROM run_wait WHERE run = ?", (run,))
        _insert(connection, _WAITS, waits)


def _next_block(connection: sqlite3.Connection) -> int:
    """The number of the next block; within a transaction nobody else takes it."""
    (last,) = connection.execute("SELECT max(n) FROM block").fetchone()
    return (last or 0) + 1


def _rows(packed: Packed, first: int) -> Iterator[tuple[_Into, list[Row]]]:
    """The rows of a batch, and where they belong.

    Args:
        packed: The batch.
        first: The number of its first block.
    """
    yield (
        _RUNS,
        [
            (*part.row(), None if part.block is None else first + part.block)
            for part in packed.parts
        ],
    )
    yield (
        _COSTS,
        [
            (part.run.id, *cost)
            for part in packed.parts
            if part.sums is not None
            for cost in part.sums.costs.items()
        ],
    )
    yield _BLOCKS, [(n, *block[:3]) for n, block in enumerate(packed.blocks, first)]
    yield _MORE, [(run_id, first + block) for run_id, block in packed.more]
    for into, rollups in ((_MINUTES, packed.rollups), (_HOURS, _by_hour(packed.rollups))):
        yield into, [(*key, *counters) for key, counters in rollups.items()]


def _by_hour(rollups: Mapping[RollupKey, list[int]]) -> dict[RollupKey, list[int]]:
    found: dict[RollupKey, list[int]] = {}
    for key, counters in rollups.items():
        hour = (key[0] // 60, *key[1:])
        known = found.get(hour)
        found[hour] = counters if known is None else _added(known, counters)
    return found


def _added(some: list[int], others: list[int]) -> list[int]:
    found = [*map(add, some, others)]
    found[COST] = min(found[COST], MOST_SUM)
    return found


def _insert(connection: sqlite3.Connection, into: _Into, rows: Sequence[Row]) -> None:
    """Insert rows by few statements of sizes that come again, so that each is compiled once.

    A statement with many rows gives up the interpreter's lock once; `executemany` does at every
    row, and beside a busy loop waits for it up to 5 ms each time.
    """
    start = 0
    for size in _SIZES:
        while len(rows) - start >= size:
            some = rows[start : start + size]
            connection.execute(_statement(into, size), [*chain.from_iterable(some)])
            start += size


@functools.lru_cache
def _statement(into: _Into, rows: int) -> str:
    marks = f"({','.join('?' * into.columns)})"
    return f"INSERT INTO {into.table} VALUES {','.join([marks] * rows)}{into.put}"  # noqa: S608 -- of our own words
