"""Taking out what is old: runs that have ended, and what nothing refers to any more."""

from __future__ import annotations

import sqlite3
from typing import Final, NamedTuple

MOST_RUNS: Final = 1_000
"""Runs that go in one transaction, so that whoever drives the store does not wait for long."""

# An effect whose business key still holds keeps other runs from repeating it.
_SETTLED: Final = (
    "state IN ('succeeded', 'failed', 'compensated') "
    "AND (business_key IS NULL OR state != 'succeeded' OR release_business_ms <= ?)"
)


class Pruned(NamedTuple):
    """How many rows went.

    Attributes:
        is_all: Nothing old enough is left.
    """

    runs: int
    steps: int
    effects: int
    documents: int
    is_all: bool


def prune(
    connection: sqlite3.Connection, *, before_ms: int, now_ms: int, most: int = MOST_RUNS
) -> Pruned:
    """Take out runs that ended before a time, with their steps, start keys and settled effects.

    A run stays as long as it has an effect that is not settled, or that still holds its business
    key. Documents go with the last such runs; what somebody decided stays in the audit for good.

    Args:
        connection: Inside a transaction.
        before_ms: Milliseconds since 1970.
        now_ms: Wall clock, milliseconds since 1970.
        most: At most so many runs.
    """
    old = connection.execute(
        "SELECT id FROM run WHERE state IN ('succeeded', 'degraded', 'failed', 'cancelled') "  # noqa: S608 -- our own text
        "AND ended_ms < ? AND NOT EXISTS "
        f"(SELECT 1 FROM effect WHERE effect.run = run.id AND NOT ({_SETTLED})) "
        "ORDER BY id LIMIT ?",
        (before_ms, now_ms, most),
    ).fetchall()
    steps = connection.executemany("DELETE FROM step WHERE run = ?", old).rowcount
    effects = connection.executemany("DELETE FROM effect WHERE run = ?", old).rowcount
    connection.executemany("DELETE FROM wait WHERE run = ?", old)
    connection.executemany("DELETE FROM signal WHERE run = ?", old)
    connection.executemany("DELETE FROM start_key WHERE run = ?", old)
    connection.executemany("DELETE FROM run WHERE id = ?", old)
    is_all = len(old) < most
    documents = _prune_documents(connection) if is_all else 0
    return Pruned(len(old), max(steps, 0), max(effects, 0), documents, is_all)


def _prune_documents(connection: sqlite3.Connection) -> int:
    return connection.execute(
        """
        DELETE FROM document WHERE digest NOT IN (
          SELECT units FROM run
          UNION SELECT plan FROM run WHERE plan IS NOT NULL
          UNION SELECT CAST(data AS TEXT) FROM step WHERE is_large)
        """
    ).rowcount
