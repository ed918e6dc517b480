"""The waits of runs: announced, answered once, and signals that come before their wait.

Each function runs inside one transaction. An answer and the run that it makes ready to go on are
written together: a run of state `queued` has something to do, also after a crash.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

from fishplate.contracts.json import canonical_json
from fishplate.core.errors import ErrorClass, FishplateError, JsonValue
from fishplate.core.run_context import Principal
from fishplate.journal.audit import append_audit
from fishplate.journal.journal import check_size
from fishplate.journal.run_rows import OPEN_STATES, UnknownRunError

WaitKind: TypeAlias = Literal["signal", "approval", "sleep"]
Decision: TypeAlias = Literal["approve", "reject"]

EXPIRED: Final = b'{"expired":true}'
"""The answer to a wait whose time is over; the end of a sleep too."""

MOST_EXPIRED: Final = 1_000
"""Waits that one transaction lets expire: after a long stop many are due at once."""


class NotWaitingError(FishplateError):
    """A run does not wait for this: it never did, it has its answer already, or it has ended."""

    code = "not_waiting"
    error_class = ErrorClass.PERMANENT


class DecisionDeniedError(FishplateError):
    """The principal may not decide this."""

    code = "decision_denied"
    error_class = ErrorClass.POLICY_DENIED


class Wait(NamedTuple):
    """What a run waits for.

    Attributes:
        run: Id of the run.
        key: Path of the step.
        kind: What answers it: somebody's signal, somebody's decision, or time alone.
        name: Of the signal, or of the agent that is to be approved.
        contract: Fingerprint of what the signal carries; empty for the others.
        roles: Who may decide.
        digest: SHA-256 of the arguments that are to be approved, as hex; empty for the others.
        arguments: JSON of them; `null` for the others.
        schema: JSON Schema of what the signal carries; `null` for the others.
        since_ms: When it was announced: wall clock, milliseconds since 1970.
        due_ms: When its time is over; `None` for never.
    """

    run: str
    key: str
    kind: WaitKind
    name: str
    contract: str
    roles: tuple[str, ...]
    digest: str
    arguments: bytes
    schema: bytes
    since_ms: int
    due_ms: int | None


_COLUMNS: Final = (
    "wait.run, wait.key, wait.kind, wait.name, wait.contract, wait.roles, wait.digest, "
    "wait.arguments, wait.schema, wait.since_ms, wait.due_ms"
)


class Answered(NamedTuple):
    """What a step that waited was answered with.

    Attributes:
        digest: SHA-256 of the arguments that were approved, as hex; empty for another wait.
        answer: JSON.
        roles: Who might approve; empty for another wait.
        waited_ms: For how long it had waited by then, of the wall clock.
        answered_ms: When: wall clock, milliseconds since 1970.
        is_old: The run has gone on with it before, since it has waited for something else by then.
    """

    digest: str
    answer: bytes
    roles: tuple[str, ...]
    waited_ms: int
    answered_ms: int
    is_old: bool = False


def announce(connection: sqlite3.Connection, wait: Wait) -> Answered | None:
    """Write that a run waits, unless that stands there already; the answer, if there is one.

    A wait for another decision than the one that stands there takes its place: a word about other
    arguments decides nothing.
    """
    found = connection.execute(
        "SELECT digest, answer, answered_ms - since_ms, answered_ms FROM wait "
        "WHERE run = ? AND key = ?",
        (wait.run, wait.key),
    ).fetchone()
    if found is not None and found[0] == wait.digest:
        _, known, waited_ms, answered_ms = found
        if known is None:
            return None
        return Answered(wait.digest, known, wait.roles, waited_ms, answered_ms)
    answer: bytes | None = None
    if wait.kind == "signal":
        answer = _take_early(connection, wait)
    if answer is None and wait.due_ms is not None and wait.due_ms <= wait.since_ms:
        answer = EXPIRED
    connection.execute(
        "INSERT OR REPLACE INTO wait VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            wait.run,
            wait.key,
            wait.kind,
            wait.name,
            wait.contract,
            json.dumps(wait.roles),
            wait.digest,
            wait.arguments,
            wait.schema,
            wait.since_ms,
            wait.due_ms,
            answer,
            None if answer is None else wait.since_ms,
        ),
    )
    if answer is None:
        return None
    return Answered(wait.digest, answer, wait.roles, 0, wait.since_ms)


def suspend(connection: sqlite3.Connection, run: str, keys: Sequence[str], left_ns: int) -> bool:
    """Let a run wait for these steps and no others; false if one of them has its answer by now.

    Args:
        connection: Inside a transaction.
        run: Id of the run.
        keys: Paths of the steps, at least one.
        left_ns: Working time that it has left.
    """
    marks = ", ".join("?" * len(keys))
    # What it waited for beside them belongs to branches that were given up meanwhile.
    connection.execute(
        f"DELETE FROM wait WHERE run = ? AND answer IS NULL AND key NOT IN ({marks})",  # noqa: S608 -- marks
        (run, *keys),
    )
    (is_waiting,) = connection.execute(
        f"SELECT count(answer) = 0 FROM wait WHERE run = ? AND key IN ({marks})",  # noqa: S608 -- marks
        (run, *keys),
    ).fetchone()
    connection.execute(
        "UPDATE run SET state = ?, left_ns = ? WHERE id = ?",
        ("waiting" if is_waiting else "queued", left_ns, run),
    )
    return bool(is_waiting)


def forget_open(connection: sqlite3.Connection, run: str) -> None:
    """Take back what a run that ends still waits for, and what came too early for it."""
    connection.execute("DELETE FROM wait WHERE run = ? AND answer IS NULL", (run,))
    connection.execute("DELETE FROM signal WHERE run = ?", (run,))


def cancel_waiting(connection: sqlite3.Connection, run: str, now_ms: int) -> bool:
    """End a run that waits; false if it does not wait any more, and has gone on."""
    ended = connection.execute(
        "UPDATE run SET state = 'cancelled', ended_ms = ?, given_up = 1 WHERE id = ? "
        "AND state IN ('waiting', 'queued')",
        (now_ms, run),
    ).rowcount
    if ended:
        forget_open(connection, run)
    return bool(ended)


def receive(  # noqa: PLR0913 -- what a signal is
    connection: sqlite3.Connection,
    run: str,
    name: str,
    answer: bytes,
    contracts: Sequence[str],
    *,
    by: Principal,
    now_ms: int,
) -> bool:
    """Answer the oldest open wait for a signal, or keep it for one that is still to come.

    Args:
        connection: Inside a transaction.
        run: Id of the run.
        name: Of the signal.
        answer: JSON of what the wait is answered with.
        contracts: Fingerprints of the contracts that the value satisfies.
        by: Who sends it.
        now_ms: Wall clock, milliseconds since 1970.

    Returns:
        Whether the run waited, and goes on.

    Raises:
        UnknownRunError: There is no such run of the sender's tenant.
        NotWaitingError: It has ended.
    """
    check_size(f"the signal {name!r}", answer)
    open_run(connection, run, by)
    waits = connection.execute(
        "SELECT key, contract FROM wait WHERE run = ? AND kind = 'signal' AND name = ? "
        "AND answer IS NULL AND (due_ms IS NULL OR due_ms > ?) ORDER BY since_ms, key",
        (run, name, now_ms),
    )
    for key, contract in waits:
        if contract in contracts:
            _audit_signal(connection, run, name, by, now_ms, step=key)
            return _answer(connection, run, key, answer, now_ms)
    _audit_signal(connection, run, name, by, now_ms, step=None)
    connection.execute(
        "INSERT INTO signal SELECT ?, coalesce(max(n), 0) + 1, ?, ?, ? FROM signal WHERE run = ?",
        (run, name, json.dumps(contracts), answer, run),
    )
    return False


def _audit_signal(  # noqa: PLR0913 -- what a signal is
    connection: sqlite3.Connection,
    run: str,
    name: str,
    by: Principal,
    now_ms: int,
    *,
    step: str | None,
) -> None:
    append_audit(
        connection,
        at_ms=now_ms,
        principal=by.name,
        action="signal",
        subject=run,
        details={"signal": name, "step": step},
    )


def decidable(connection: sqlite3.Connection, run: str, key: str | None, now_ms: int) -> Wait:
    """The open wait for a decision of a step, or the only one of the run if no step is named.

    Raises:
        NotWaitingError: There is none, or several to choose from.
    """
    found = [
        wait
        for wait in open_waits(connection, run)
        if wait.kind == "approval"
        and key in {None, wait.key}
        and (wait.due_ms is None or wait.due_ms > now_ms)
    ]
    if len(found) == 1:
        return found[0]
    if found:
        keys = ", ".join(repr(wait.key) for wait in found)
        msg = f"run {run!r} waits for several decisions: say which step, one of {keys}"
    elif key is None:
        msg = f"run {run!r} waits for no decision: it is decided already, or its time is over"
    else:
        msg = (
            f"step {key!r} of run {run!r} waits for no decision: it is decided already, its time "
            "is over, or it is no approval"
        )
    raise NotWaitingError(msg)


def check_decision(
    connection: sqlite3.Connection, run: str, key: str | None, *, by: Principal, now_ms: int
) -> Wait:
    """The wait that somebody may decide; nothing is changed.

    Args:
        connection: Of the store.
        run: Id of the run.
        key: Path of the step; `None` for the only one that waits for a decision.
        by: Who decides.
        now_ms: Wall clock, milliseconds since 1970.

    Raises:
        UnknownRunError: There is no such run of the decider's tenant.
        NotWaitingError: The step waits for no decision.
        DecisionDeniedError: The decider has none of the roles, or has started the run.
    """
    starter = open_run(connection, run, by)
    wait = decidable(connection, run, key, now_ms)
    if not by.roles.intersection(wait.roles):
        msg = (
            f"{by.name!r} may not decide about {wait.name!r} in step {wait.key!r}: that takes one "
            f"of the roles {', '.join(wait.roles)}"
        )
        raise DecisionDeniedError(msg)
    if by.name == starter:
        msg = (
            f"{by.name!r} has started run {run!r}: somebody else has to decide about {wait.name!r}"
        )
        raise DecisionDeniedError(msg)
    return wait


def decide(  # noqa: PLR0913 -- what a decision is
    connection: sqlite3.Connection,
    run: str,
    key: str | None,
    decision: Decision,
    *,
    by: Principal,
    note: str,
    now_ms: int,
) -> bool:
    """Approve or reject what a step waits for, and write down who did; whether the run goes on.

    Raises:
        FishplateError: See `check_decision`; nothing was changed.
    """
    wait = check_decision(connection, run, key, by=by, now_ms=now_ms)
    details: dict[str, JsonValue] = {
        "step": wait.key,
        "agent": wait.name,
        "digest": wait.digest,
        "roles": [*sorted(by.roles)],
        "note": note,
    }
    append_audit(
        connection,
        at_ms=now_ms,
        principal=by.name,
        action=decision,
        subject=run,
        details=details,
    )
    word = "approved" if decision == "approve" else "rejected"
    answer = canonical_json({word: {"by": by.name, "note": note}})
    return _answer(connection, run, wait.key, answer, now_ms)


def expire(connection: sqlite3.Connection, now_ms: int) -> tuple[list[str], int | None]:
    """Answer the waits whose time is over: the runs that go on, and when the next wait is due."""
    due = connection.execute(
        "SELECT run, key FROM wait WHERE answer IS NULL AND due_ms <= ? ORDER BY due_ms LIMIT ?",
        (now_ms, MOST_EXPIRED),
    ).fetchall()
    ready = [run for run, key in due if _answer(connection, run, key, EXPIRED, now_ms)]
    return ready, next_due(connection)


def next_due(connection: sqlite3.Connection) -> int | None:
    """When the next wait is due: wall clock, milliseconds since 1970; `None` for never."""
    (found,) = connection.execute(
        "SELECT min(due_ms) FROM wait WHERE answer IS NULL AND due_ms IS NOT NULL"
    ).fetchone()
    due: int | None = found
    return due


def answers_of(connection: sqlite3.Connection, run: str) -> Mapping[str, Answered]:
    """What the steps of a run were answered with, by their keys."""
    rows = connection.execute(
        "SELECT key, digest, answer, roles, answered_ms - since_ms, answered_ms, "
        "answered_ms < (SELECT max(since_ms) FROM wait WHERE run = ?) FROM wait "
        "WHERE run = ? AND answer IS NOT NULL",
        (run, run),
    )
    return {
        key: Answered(digest, answer, tuple(json.loads(roles)), waited_ms, at_ms, bool(is_old))
        for key, digest, answer, roles, waited_ms, at_ms, is_old in rows
    }


def open_waits(connection: sqlite3.Connection, run: str | None = None) -> list[Wait]:
    """What a run waits for, or all of them, oldest first."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM wait WHERE answer IS NULL AND (? IS NULL OR run = ?) "  # noqa: S608 -- ours
        "ORDER BY since_ms, run, key",
        (run, run),
    )
    return [Wait(*row)._replace(roles=tuple(json.loads(row[5]))) for row in rows]


def _take_early(connection: sqlite3.Connection, wait: Wait) -> bytes | None:
    rows = connection.execute(
        "SELECT n, contracts, answer FROM signal WHERE run = ? AND name = ? ORDER BY n",
        (wait.run, wait.name),
    )
    for number, contracts, answer in rows.fetchall():
        if wait.contract in json.loads(contracts):
            connection.execute("DELETE FROM signal WHERE run = ? AND n = ?", (wait.run, number))
            found: bytes = answer
            return found
    return None


def _answer(connection: sqlite3.Connection, run: str, key: str, answer: bytes, now_ms: int) -> bool:
    connection.execute(
        "UPDATE wait SET answer = ?, answered_ms = ? WHERE run = ? AND key = ?",
        (answer, now_ms, run, key),
    )
    # One that is running finds the answer when it comes to wait.
    ready = connection.execute(
        "UPDATE run SET state = 'queued' WHERE id = ? AND state = 'waiting'", (run,)
    )
    return ready.rowcount == 1


def open_run(connection: sqlite3.Connection, run: str, by: Principal) -> str:
    """Who has started a run that is open."""
    row = connection.execute("SELECT state, principal FROM run WHERE id = ?", (run,)).fetchone()
    starter: Mapping[str, str] = {} if row is None else json.loads(row[1])
    if row is None or starter["tenant"] != by.tenant:
        msg = f"the store has no run {run!r} of tenant {by.tenant!r}"
        raise UnknownRunError(msg)
    if row[0] not in OPEN_STATES:
        msg = f"run {run!r} waits for nothing any more: it is {row[0]!r}"
        raise NotWaitingError(msg)
    return starter["name"]
