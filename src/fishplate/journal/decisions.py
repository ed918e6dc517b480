"""What a person may decide about a run or an effect, each in the transaction that audits it.

Everything is checked before anything is written: what raises has changed nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias, cast

from pydantic_core import from_json, to_json

from fishplate.core.errors import ErrorClass, FishplateError, JsonValue, StepError
from fishplate.core.run_context import Principal
from fishplate.journal.audit import append_audit
from fishplate.journal.effect_rows import Evidence, evidence_of, move_effect
from fishplate.journal.effects import EffectState
from fishplate.journal.run_rows import OPEN_STATES, StoredState, UnknownRunError
from fishplate.journal.waits import forget_open

Decision: TypeAlias = Literal["confirm_done", "confirm_not_done", "redo", "compensate"]
_DECIDES: Final[Mapping[Decision, tuple[frozenset[EffectState], EffectState]]] = {
    "confirm_done": (frozenset({"unknown"}), "succeeded"),
    "confirm_not_done": (frozenset({"unknown"}), "failed"),
    "redo": (frozenset({"unknown"}), "reserved"),
    "compensate": (frozenset({"succeeded", "compensation_failed"}), "compensating"),
}
"""Which states an action may decide, and what it makes of them."""

RECONCILER: Final = Principal(name="fishplate")
"""Who decides what the other side was asked about and answered."""


class NotAllowedError(FishplateError):
    """What was decided does not fit the state of what it was decided about; nothing was changed."""

    code = "not_allowed"
    error_class = ErrorClass.PERMANENT


def check_effect(connection: sqlite3.Connection, key: str, decision: Decision) -> Evidence:
    """The effect, if it may be decided so.

    Raises:
        FishplateError: There is no such effect (code `unknown_effect`).
        NotAllowedError: Its state does not allow it, or its run was given up, and nobody is left
            who would do it again.
    """
    found = evidence_of(connection, key)
    allowed, _ = _DECIDES[decision]
    if found.state not in allowed:
        msg = (
            f"the effect {key!r} is {found.state!r}, and {decision!r} decides only what is "
            f"{' or '.join(sorted(allowed))}"
        )
        raise NotAllowedError(msg)
    if decision == "redo" and _is_given_up(connection, found.run):
        msg = (
            f"run {found.run!r} of effect {key!r} was cancelled, and does nothing again: "
            "confirm that it is done, or that it is not"
        )
        raise NotAllowedError(msg)
    if decision == "compensate" and not _can_be_compensated(connection, found):
        msg = (
            f"{found.tool!r} says no compensate=, and nobody else knows how to undo the effect "
            f"{key!r}: undo it by hand"
        )
        raise NotAllowedError(msg)
    return found


def decide_effect(  # noqa: PLR0913 -- facts about one decision, keyword-only
    connection: sqlite3.Connection,
    key: str,
    decision: Decision,
    *,
    principal: Principal,
    outcome: bytes | None,
    note: str,
    now_ms: int,
) -> Evidence:
    """Decide an effect; a run that waited for no more than that is open again.

    Args:
        connection: Inside a transaction.
        key: Of the effect.
        decision: What is decided.
        principal: Who decides.
        outcome: JSON of the result, for `confirm_done`; a call that is confirmed not to have
            happened fails with the code `confirmed_not_done`.
        note: Why.
        now_ms: Wall clock, milliseconds since 1970.

    Raises:
        FishplateError: See `check_effect`.
    """
    found = check_effect(connection, key, decision)
    _, state = _DECIDES[decision]
    if decision == "compensate":
        connection.execute(
            "UPDATE effect SET state = 'compensating', updated_ms = ? WHERE key = ?", (now_ms, key)
        )
    else:
        if decision == "confirm_not_done":
            outcome = _not_done(found, principal)
        move_effect(connection, key, state, outcome or b"null", now_ms)
        _open_again(connection, found.run, now_ms)
    details: dict[str, JsonValue] = {"from": found.state, "to": state, "note": note}
    _audit(connection, now_ms, principal, decision, key, details)
    return evidence_of(connection, key)


def reconcile_effect(
    connection: sqlite3.Connection, key: str, result: bytes | None, now_ms: int
) -> bool:
    """Decide an unknown outcome by what the other side says of it.

    Args:
        connection: Inside a transaction.
        key: Of the effect.
        result: JSON of what the call gave; `None`: it has certainly not happened.
        now_ms: Wall clock, milliseconds since 1970.

    Returns:
        Whether the outcome was still unknown; somebody may have decided it meanwhile.
    """
    found = evidence_of(connection, key)
    if found.state != "unknown":
        return False
    state: EffectState = "succeeded"
    if result is None:
        # Who was given up does nothing again; anybody else sends it once more.
        is_over = _is_given_up(connection, found.run)
        state, result = ("failed", _not_done(found, RECONCILER)) if is_over else ("reserved", None)
    move_effect(connection, key, state, result or b"null", now_ms)
    _open_again(connection, found.run, now_ms)
    details: dict[str, JsonValue] = {"from": found.state, "to": state, "note": "looked up"}
    _audit(connection, now_ms, RECONCILER, "reconcile", key, details)
    return True


def check_cancel(connection: sqlite3.Connection, run_id: str) -> StoredState:
    """The state of a run that may be given up.

    Raises:
        UnknownRunError: There is no such run.
        NotAllowedError: It has ended.
    """
    state = _state_of(connection, run_id)
    if state not in OPEN_STATES and state != "needs_attention":
        msg = f"run {run_id!r} has ended: it is {state!r}"
        raise NotAllowedError(msg)
    return state


def cancel_run(
    connection: sqlite3.Connection, run_id: str, *, principal: Principal, note: str, now_ms: int
) -> StoredState:
    """Give up a run that no task drives.

    What it sent out without an answer is unknown from now on, and the run needs attention until
    that is decided. A run that was cancelled on the way here is only written down.

    Returns:
        The state of the run.

    Raises:
        FishplateError: See `check_cancel`.
    """
    before = _state_of(connection, run_id)
    if before != "cancelled":
        check_cancel(connection, run_id)
    if before in OPEN_STATES:
        _leave_effects(connection, run_id, now_ms)
    (unknown,) = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM effect WHERE run = ? AND state = 'unknown')", (run_id,)
    ).fetchone()
    state: StoredState = "needs_attention" if unknown else "cancelled"
    forget_open(connection, run_id)
    connection.execute(
        "UPDATE run SET state = ?, attention = ?, ended_ms = coalesce(ended_ms, ?), given_up = 1 "
        "WHERE id = ?",
        (state, "unknown_outcome" if unknown else None, now_ms, run_id),
    )
    details: dict[str, JsonValue] = {"from": before, "to": state, "note": note}
    _audit(connection, now_ms, principal, "cancel", run_id, details)
    return state


def check_reopen(connection: sqlite3.Connection, run_id: str) -> None:
    """Refuse to reopen a run that is not to go on, or not yet.

    Raises:
        UnknownRunError: There is no such run.
        NotAllowedError: It does not need attention, or an effect of it has to be decided first.
    """
    state = _state_of(connection, run_id)
    if state != "needs_attention":
        msg = f"run {run_id!r} is {state!r}, and only one that needs attention is reopened"
        raise NotAllowedError(msg)
    row = connection.execute(
        "SELECT key, state FROM effect WHERE run = ? AND state IN "
        "('unknown', 'compensating', 'compensation_failed')",
        (run_id,),
    ).fetchone()
    if row is not None and row[1] != "unknown":
        msg = (
            f"run {run_id!r} has failed and its effects are undone, of which {row[0]!r} is "
            f"{row[1]!r}: try that again by 'fishplate runs decide {row[0]} compensate'"
        )
        raise NotAllowedError(msg)
    if row is not None:
        msg = (
            f"run {run_id!r} goes on when the outcome of its effect {row[0]!r} is known: "
            "decide that by 'fishplate runs decide'"
        )
        raise NotAllowedError(msg)


def reopen_run(
    connection: sqlite3.Connection, run_id: str, *, principal: Principal, note: str, now_ms: int
) -> StoredState:
    """Let a run be taken up again, after what was in its way was removed.

    Returns:
        The state of the run.

    Raises:
        FishplateError: See `check_reopen`.
    """
    check_reopen(connection, run_id)
    (reason,) = connection.execute("SELECT attention FROM run WHERE id = ?", (run_id,)).fetchone()
    connection.execute(
        "UPDATE run SET state = 'running', attention = NULL, ended_ms = NULL, recoveries = 0, "
        "given_up = 0 WHERE id = ?",
        (run_id,),
    )
    details: dict[str, JsonValue] = {"from": reason, "to": "running", "note": note}
    _audit(connection, now_ms, principal, "reopen", run_id, details)
    return "running"


def _open_again(connection: sqlite3.Connection, run_id: str, now_ms: int) -> None:
    """Let a run go on that waited for no more than the last unknown outcome."""
    connection.execute(
        """
        UPDATE run SET attention = NULL,
          state = CASE WHEN given_up THEN 'cancelled' ELSE 'running' END,
          ended_ms = CASE WHEN given_up THEN ? END
        WHERE id = ? AND state = 'needs_attention' AND attention = 'unknown_outcome'
          AND NOT EXISTS (SELECT 1 FROM effect WHERE effect.run = run.id AND state = 'unknown')
        """,
        (now_ms, run_id),
    )


def _not_done(effect: Evidence, principal: Principal) -> bytes:
    """The failure of a call whose effect has not happened, as the journal keeps one."""
    failure = StepError(
        f"{effect.tool!r} has not happened, as {principal.name!r} found out",
        step=effect.call,
        code="confirmed_not_done",
        error_class=ErrorClass.PERMANENT,
    )
    return to_json(
        {
            "kind": "StepError",
            "facts": failure.to_json(),
            "has_effect": failure.has_effect,
            "retry_exhausted": failure.retry_exhausted,
            "retry_after": failure.retry_after,
        }
    )


def _can_be_compensated(connection: sqlite3.Connection, effect: Evidence) -> bool:
    """Whether the tool said how to undo its effect when the run began."""
    row = connection.execute(
        "SELECT data FROM run JOIN document ON digest = units WHERE id = ?", (effect.run,)
    ).fetchone()
    if row is None or effect.undoes is not None:
        return False
    units: dict[str, Any] = from_json(row[0])
    declared: dict[str, Any] = units.get(effect.tool, {}).get("effect", {})
    return declared.get("compensate") is not None


def _leave_effects(connection: sqlite3.Connection, run_id: str, now_ms: int) -> None:
    """Settle what a run has begun outside and will not end."""
    connection.execute(
        "DELETE FROM effect WHERE run = ? AND state = 'reserved' AND attempts = 0", (run_id,)
    )
    connection.execute(
        "UPDATE effect SET updated_ms = ?, outcome = ?, "
        "state = CASE WHEN effect = 'idempotent' THEN 'reserved' ELSE 'unknown' END "
        "WHERE run = ? AND state = 'dispatched'",
        (now_ms, b'"the run was cancelled before the answer came"', run_id),
    )


def _state_of(connection: sqlite3.Connection, run_id: str) -> StoredState:
    row = connection.execute("SELECT state FROM run WHERE id = ?", (run_id,)).fetchone()
    if row is None:
        msg = f"there is no run {run_id!r} in this store: 'fishplate runs' lists them"
        raise UnknownRunError(msg)
    return cast("StoredState", row[0])


def _is_given_up(connection: sqlite3.Connection, run_id: str) -> bool:
    row = connection.execute("SELECT given_up FROM run WHERE id = ?", (run_id,)).fetchone()
    return row is not None and bool(row[0])


def _audit(  # noqa: PLR0913, PLR0917 -- the columns of a row
    connection: sqlite3.Connection,
    now_ms: int,
    principal: Principal,
    action: str,
    subject: str,
    details: dict[str, JsonValue],
) -> None:
    roles: dict[str, JsonValue] = {"roles": [*sorted(principal.roles)]} if principal.roles else {}
    append_audit(
        connection,
        at_ms=now_ms,
        principal=principal.name,
        action=action,
        subject=subject,
        details={**details, **roles},
    )
