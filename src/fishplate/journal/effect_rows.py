"""The rows of effects: what is kept about each, and the statements that move them."""

from __future__ import annotations

import sqlite3
from typing import Any, Final, NamedTuple

from fishplate.core.errors import ErrorClass, FishplateError
from fishplate.journal.effects import NEXT, EffectState


class EffectCall(NamedTuple):
    """A call that may change something outside.

    Attributes:
        key: The idempotency key that goes out; holds neither attempt nor arguments.
        tenant: Whose data it is.
        tool: Name of the tool.
        effect: The word that the tool declares.
        run: Id of the run.
        call: Path of the call in the run.
        fingerprint: SHA-256 of tool, contract and arguments, as hex.
        arguments: JSON.
        business_key: What makes it one effect in the world, across runs; `None` if nothing does.
        business_window: Seconds for which the business key holds.
        undoes: Key of the effect that this one compensates.
    """

    key: str
    tenant: str
    tool: str
    effect: str
    run: str
    call: str
    fingerprint: str
    arguments: bytes
    business_key: str | None = None
    business_window: float = 0.0
    undoes: str | None = None


class Evidence(NamedTuple):
    """What is known about an effect.

    Attributes:
        state: Where it stands.
        attempts: How often it was dispatched.
        outcome: JSON of its result or error.
        late_outcome: JSON of what a former holder reported too late.
        completed: Its place in the order in which effects were completed.
        undoes: Key of the effect that this one compensates.
        undo_error: JSON of why it could not be compensated.
        lookups: How often it was asked what became of it.
    """

    key: str
    tenant: str
    tool: str
    effect: str
    run: str
    call: str
    arguments: bytes
    state: EffectState
    attempts: int
    first_dispatch_ms: int | None
    last_dispatch_ms: int | None
    outcome: bytes | None
    late_outcome: bytes | None
    completed: int | None
    undoes: str | None
    undo_error: bytes | None
    lookups: int


class Reserved(NamedTuple):
    """The right to dispatch.

    Attributes:
        key: Of the effect.
        fence: Which holder of that right this is.
        attempts: How often it has been dispatched.
        first_dispatch_ms: When it was first dispatched; `None` if never.
        last_dispatch_ms: When it was last dispatched; `None` if never.
        is_open: It was dispatched and never answered: it may have happened.
        effect: The word that its tool declared when it was first reserved.
    """

    key: str
    fence: int
    attempts: int = 0
    first_dispatch_ms: int | None = None
    last_dispatch_ms: int | None = None
    is_open: bool = False
    effect: str = ""


class IdempotencyConflictError(FishplateError):
    """A key came back with other arguments: sending it would be a second effect under one name."""

    code = "idempotency_conflict"
    error_class = ErrorClass.PERMANENT


class AlreadyDoneError(FishplateError):
    """Another run has this effect under the same business key.

    Attributes:
        other: What is known about that effect.
    """

    code = "already_done"
    error_class = ErrorClass.PERMANENT

    def __init__(self, message: str, other: Evidence) -> None:
        super().__init__(message)
        self.other = other


class OutcomeUnknownError(FishplateError):
    """Nobody knows whether an effect has happened; it is not repeated until somebody does."""

    code = "outcome_unknown"
    error_class = ErrorClass.UNKNOWN_OUTCOME


class EffectUndoneError(FishplateError):
    """An effect was done and compensated since; it is neither repeated nor has it a result."""

    code = "effect_undone"
    error_class = ErrorClass.PERMANENT


class ReplacedError(FishplateError):
    """Another holder has taken the effect over; this one may not touch it any more."""

    code = "effect_taken_over"
    error_class = ErrorClass.CANCELLED


_COLUMNS: Final = (
    "key, tenant, tool, effect, run, call, arguments, state, attempts, first_dispatch_ms, "
    "last_dispatch_ms, outcome, late_outcome, completed, undoes, "
    "undo_error, lookups"
)


def evidence_of(connection: sqlite3.Connection, key: str) -> Evidence:
    """What is known about an effect.

    Raises:
        FishplateError: There is none of that key (code `unknown_effect`).
    """
    for found in select_effects(connection, "key = ?", (key,)):
        return found
    msg = f"there is no effect {key!r} in this store"
    raise FishplateError(msg, code="unknown_effect")


def select_effects(
    connection: sqlite3.Connection, where: str, values: tuple[Any, ...]
) -> list[Evidence]:
    """The effects that satisfy a condition of our own making."""
    # Columns and conditions are ours; what comes from elsewhere is bound.
    rows = connection.execute(f"SELECT {_COLUMNS} FROM effect WHERE {where}", values)  # noqa: S608
    return [Evidence(*row) for row in rows]


def insert_effect(
    connection: sqlite3.Connection, call: EffectCall, boot_id: str, now: int, until: int
) -> None:
    """Reserve an effect that nobody has asked for.

    Raises:
        AlreadyDoneError: Its business key is taken.
    """
    if call.business_key is not None:
        for other in select_effects(
            connection,
            "tenant = ? AND tool = ? AND business_key = ? "
            "AND state NOT IN ('failed', 'compensated')",
            (call.tenant, call.tool, call.business_key),
        ):
            msg = (
                f"{call.tool!r} was asked for {call.business_key} already, by run {other.run!r}, "
                f"and that is {other.state!r}"
            )
            raise AlreadyDoneError(msg, other)
    release = now + round(call.business_window * 1000)
    connection.execute(
        "INSERT INTO effect (key, tenant, tool, effect, run, call, business_key, fingerprint, "
        "arguments, state, owner, fence, lease_until_ms, attempts, release_business_ms, "
        "updated_ms, undoes) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'reserved', ?, 1, ?, 0, ?, ?, ?)",
        (
            call.key,
            call.tenant,
            call.tool,
            call.effect,
            call.run,
            call.call,
            call.business_key,
            call.fingerprint,
            call.arguments,
            boot_id,
            until,
            release,
            now,
            call.undoes,
        ),
    )


def check_held(connection: sqlite3.Connection, reserved: Reserved, state: EffectState) -> None:
    """Refuse to move what somebody else holds, or what cannot become `state`.

    Raises:
        ReplacedError: It is so.
    """
    row = connection.execute(
        "SELECT fence, state FROM effect WHERE key = ?", (reserved.key,)
    ).fetchone()
    if row is None or row[0] != reserved.fence or state not in NEXT[row[1]]:
        raise replaced(reserved.key)


def replaced(key: str) -> ReplacedError:
    """The error of a former holder."""
    return ReplacedError(f"the effect {key!r} was taken over by another holder meanwhile")


def move_effect(
    connection: sqlite3.Connection, key: str, state: EffectState, outcome: bytes, now: int
) -> None:
    """Move an effect to a state; the first success gets its place in the order."""
    connection.execute(
        "UPDATE effect SET state = ?, outcome = ?, updated_ms = ? WHERE key = ?",
        (state, outcome, now, key),
    )
    if state == "succeeded":
        connection.execute(
            "UPDATE effect SET completed = (SELECT coalesce(max(completed), 0) + 1 FROM effect "
            "WHERE completed IS NOT NULL) WHERE key = ?",
            (key,),
        )
