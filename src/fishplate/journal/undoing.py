"""Taking back what was done: which effects are compensated, in which order, and how that ended."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

from fishplate.journal.effect_rows import Evidence, select_effects


def mark_for_undoing(
    connection: sqlite3.Connection, run_id: str, tools: Collection[str], path: str, now_ms: int
) -> int:
    """Give order to compensate what a run has done, inside the caller's transaction.

    Args:
        connection: Of the store.
        run_id: Of the run.
        tools: Names of the tools that can be compensated.
        path: Only calls below this step; all of the run's if it is empty.
        now_ms: Wall clock, milliseconds since 1970.

    Returns:
        How many effects those are.
    """
    marks = ", ".join("?" * len(tools))
    below = f"{path}/"
    return connection.execute(
        "UPDATE effect SET state = 'compensating', updated_ms = ? WHERE run = ? "  # noqa: S608 -- question marks alone
        f"AND state = 'succeeded' AND undoes IS NULL AND tool IN ({marks}) "
        "AND (? = '' OR call = ? OR substr(call, 1, ?) = ?)",
        (now_ms, run_id, *tools, path, path, len(below), below),
    ).rowcount


def to_be_undone(connection: sqlite3.Connection) -> list[Evidence]:
    """The effects that are to be compensated now, run by run, each run's last completed first.

    What was done before waits until what was done after it is undone.
    """
    return select_effects(
        connection,
        "state = 'compensating' AND NOT EXISTS (SELECT 1 FROM effect AS later "
        "WHERE later.run = effect.run AND later.completed > effect.completed "
        "AND later.state = 'compensation_failed') ORDER BY run, completed DESC",
        (),
    )


def attempts_to_undo(connection: sqlite3.Connection, key: str) -> list[Evidence]:
    """The effects that were to compensate another one, in the order in which they were made."""
    return select_effects(connection, "undoes = ? ORDER BY length(call), call", (key,))


def end_undoing(
    connection: sqlite3.Connection, effect: Evidence, error: bytes | None, now: int
) -> None:
    """Write how a compensation ended; a failed run says whether somebody has to see to one.

    A run that has not failed itself goes on when all is undone: a step of it had failed.

    Args:
        connection: Inside a transaction.
        effect: What was compensated, or was not.
        error: JSON of why it could not be compensated; `None` if it was.
        now: Wall clock, milliseconds since 1970.
    """
    if error is None:
        connection.execute(
            "UPDATE effect SET state = ?, undo_error = NULL, updated_ms = ? WHERE key = ?",
            ("compensated", now, effect.key),
        )
    else:
        connection.execute(
            "UPDATE effect SET state = ?, undo_error = ?, updated_ms = ? WHERE key = ?",
            ("compensation_failed", error, now, effect.key),
        )
        connection.execute(
            "UPDATE run SET state = 'needs_attention', attention = 'compensation_failed' "
            "WHERE id = ? AND state = 'failed'",
            (effect.run,),
        )
        return
    connection.execute(
        "UPDATE run SET attention = NULL, "
        "state = CASE WHEN outcome IS NULL THEN 'running' ELSE 'failed' END "
        "WHERE id = ? AND state = 'needs_attention' AND attention = 'compensation_failed' "
        "AND NOT EXISTS (SELECT 1 FROM effect WHERE effect.run = run.id "
        "AND state IN ('compensating', 'compensation_failed'))",
        (effect.run,),
    )


def end_failed_run(
    connection: sqlite3.Connection,
    run_id: str,
    outcome: bytes,
    tools: Collection[str],
    now_ms: int,
) -> int:
    """End a run that has failed, and give order to compensate what it has done, in one piece.

    Returns:
        How many effects are to be compensated.
    """
    connection.execute(
        "UPDATE run SET state = 'failed', outcome = ?, ended_ms = ? WHERE id = ?",
        (outcome, now_ms, run_id),
    )
    return mark_for_undoing(connection, run_id, tools, "", now_ms)
