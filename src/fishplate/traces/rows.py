"""The rows of a batch in the trace store: by few statements, and one by one if one is refused."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from operator import add
from typing import Final

from fishplate.core.spending import MOST_SUM
from fishplate.traces.counting import COST, RollupKey
from fishplate.traces.parts import Row
from fishplate.traces.segments import Packed

_SIZES: Final = (256, 64, 16, 4, 1)
"""Rows of a statement: the largest has 4,352 parameters, of 32,766 that SQLite takes."""
_RUN_COLUMNS: Final = 16
_SPANS_OF_RUN: Final = 11  # where the row of a run tells how many there are in the batch
_ROLLUP_COLUMNS: Final = 17
_SEGMENT: Final = "segment (run, spans, content)"
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
  unpriced = unpriced + excluded.unpriced
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


def write(connection: sqlite3.Connection, packed: Packed) -> None:
    """Write the rows of a batch."""
    _insert(connection, "run", _RUN_COLUMNS, packed.runs, _PUT_RUNS)
    _insert(connection, "run_cost", 3, packed.costs, _PUT_COSTS)
    _insert(connection, _SEGMENT, 3, packed.segments, "")
    for table, rows in _rollups(packed):
        _insert(connection, table, _ROLLUP_COLUMNS, rows, _PUT_ROLLUPS)
    _write_standing(connection, packed)


def write_each(connection: sqlite3.Connection, packed: Packed) -> int:
    """Write the rows of a batch one by one, without those that SQLite does not take.

    Returns:
        How many spans are in rows that it has refused.
    """
    segments = {row[0]: row for row in packed.segments}
    refused = 0
    for run in packed.runs:
        is_taken = _is_taken(connection, "run", _RUN_COLUMNS, run, _PUT_RUNS)
        if is_taken and run[0] in segments:
            is_taken = _is_taken(connection, _SEGMENT, 3, segments[run[0]], "")
        refused += 0 if is_taken else run[_SPANS_OF_RUN]
    for row in packed.costs:
        _is_taken(connection, "run_cost", 3, row, _PUT_COSTS)
    for table, rows in _rollups(packed):
        for row in rows:
            _is_taken(connection, table, _ROLLUP_COLUMNS, row, _PUT_ROLLUPS)
    _write_standing(connection, packed)
    return refused


def write_gaps(connection: sqlite3.Connection, gaps: Sequence[Row]) -> None:
    """Add to what is missing of runs: run, spans, contents."""
    _insert(connection, "run_gap", 3, gaps, _PUT_GAPS)


def _write_standing(connection: sqlite3.Connection, packed: Packed) -> None:
    """Write what is missing of runs, and what they wait for; of nearly all there is nothing."""
    write_gaps(connection, packed.gaps)
    for run, waits in packed.waits.items():
        connection.execute("DELETE FROM run_wait WHERE run = ?", (run,))
        _insert(connection, "run_wait", 7, waits, "")


def _is_taken(connection: sqlite3.Connection, table: str, columns: int, row: Row, put: str) -> bool:
    """Insert one row; whether SQLite takes it. A statement that is refused changes nothing."""
    try:
        _insert(connection, table, columns, [row], put)
    except REFUSED:
        return False
    return True


def _rollups(packed: Packed) -> Iterator[tuple[str, list[Row]]]:
    for table, rollups in (
        ("rollup_minute", packed.rollups),
        ("rollup_hour", _by_hour(packed.rollups)),
    ):
        yield table, [(*key, *counters) for key, counters in rollups.items()]


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


def _insert(
    connection: sqlite3.Connection, table: str, columns: int, rows: Sequence[Row], put: str
) -> None:
    """Insert rows by few statements of sizes that come again, so that each is compiled once.

    A statement with many rows gives up the interpreter's lock once; `executemany` does at every
    row, and beside a busy loop waits for it up to 5 ms each time.
    """
    start = 0
    for size in _SIZES:
        while len(rows) - start >= size:
            some = rows[start : start + size]
            connection.execute(_statement(table, columns, size, put), [*chain.from_iterable(some)])
            start += size


@functools.lru_cache
def _statement(table: str, columns: int, rows: int, put: str) -> str:
    marks = f"({','.join('?' * columns)})"
    return f"INSERT INTO {table} VALUES {','.join([marks] * rows)}{put}"  # noqa: S608 -- of our own words
