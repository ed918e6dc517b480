"""Starting once: the key under which a run was started belongs to that run for good."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from fishplate.core.errors import ErrorClass, FishplateError


class StartConflictError(FishplateError):
    """A run was started under the same key with another input."""

    code = "idempotency_conflict"
    error_class = ErrorClass.PERMANENT


class StartKey(NamedTuple):
    """What makes starts one start, within its tenant, principal and agent."""

    tenant: str
    principal: str
    agent: str
    key: str


def claim_start(
    connection: sqlite3.Connection, start: StartKey, digest: str, run: str
) -> str | None:
    """Give a key to a run, inside its transaction; the id of the run that has it already.

    Args:
        connection: Inside a transaction.
        start: The key.
        digest: SHA-256 of the run's input, as hex.
        run: Id of the run.

    Raises:
        StartConflictError: The run that has it was started with another input.
    """
    found = connection.execute(
        "SELECT digest, run FROM start_key "
        "WHERE tenant = ? AND principal = ? AND agent = ? AND key = ?",
        start,
    ).fetchone()
    if found is None:
        connection.execute("INSERT INTO start_key VALUES (?, ?, ?, ?, ?, ?)", (*start, digest, run))
        return None
    if found[0] != digest:
        msg = (
            f"{start.agent!r} was started under the key {start.key!r} with another input: "
            "a start that is repeated has to have an equal one"
        )
        raise StartConflictError(msg)
    earlier: str = found[1]
    return earlier
