"""The inbox: what other processes ask of the one that drives a store, and what it answered.

Whoever asks adds a row. Whoever drives the store answers it, in the transaction that also does and
audits what was asked; so a request is done once, whenever either of the two dies.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypeAlias, cast, get_args

from pydantic_core import from_json, to_json

from fishplate.core.current import Principal
from fishplate.core.errors import FishplateError, JsonValue
from fishplate.journal.decisions import (
    Decision,
    cancel_run,
    check_cancel,
    check_effect,
    check_reopen,
    decide_effect,
    reopen_run,
)
from fishplate.journal.prune import Pruned, prune

Action: TypeAlias = Literal["confirm_done", "confirm_not_done", "redo", "cancel", "reopen", "prune"]


class Request(NamedTuple):
    """What somebody asks for.

    Attributes:
        action: What is to be done.
        subject: To which effect (its key) or run (its id); empty for `prune`.
        principal: Who asks.
        note: Why.
        details: What belongs to the action: `outcome` of a decision, as the ledger keeps it;
            `before_ms` of `prune`.
    """

    action: Action
    subject: str
    principal: Principal
    note: str = ""
    details: Mapping[str, JsonValue] = {}


class Message(NamedTuple):
    """A request in the inbox.

    Attributes:
        n: Its number.
        run: Id of the run that it is about; empty if it is about none.
    """

    n: int
    run: str
    request: Request


def check(connection: sqlite3.Connection, request: Request) -> None:
    """Refuse what the store as it is would refuse; nothing is changed.

    Raises:
        FishplateError: See `journal.decisions`.
    """
    match request.action:
        case "confirm_done" | "confirm_not_done" | "redo":
            check_effect(connection, request.subject, request.action)
        case "cancel":
            check_cancel(connection, request.subject)
        case "reopen":
            check_reopen(connection, request.subject)
        case "prune":
            pass  # there is always a store to prune


def put(connection: sqlite3.Connection, request: Request, now_ms: int) -> int:
    """Add a request, inside the caller's transaction; its number."""
    principal = request.principal
    body = to_json(
        {
            "name": principal.name,
            "roles": sorted(principal.roles),
            "tenant": principal.tenant,
            "note": request.note,
            "details": dict(request.details),
        }
    )
    number = connection.execute(
        "INSERT INTO inbox (at_ms, action, subject, body) VALUES (?, ?, ?, ?)",
        (now_ms, request.action, request.subject, body),
    ).lastrowid
    assert number is not None, "a row was inserted"
    return number


def pending(connection: sqlite3.Connection) -> list[Message]:
    """The requests that nobody has answered, in the order in which they came.

    Those that only a later version knows are left to it.
    """
    rows = connection.execute(
        "SELECT n, coalesce((SELECT run FROM effect WHERE key = subject), subject), action, "
        "subject, body FROM inbox WHERE answered_ms IS NULL ORDER BY n"
    )
    return [
        Message(n, run, _request(action, subject, from_json(body)))
        for n, run, action, subject, body in rows
        if action in get_args(Action)
    ]


def answer(connection: sqlite3.Connection, message: Message, now_ms: int) -> None:
    """Do what was asked, and answer it, inside the caller's transaction; once only.

    What it raised is the answer too.
    """
    (is_open,) = connection.execute(
        "SELECT answered_ms IS NULL FROM inbox WHERE n = ?", (message.n,)
    ).fetchone()
    if not is_open:
        return
    document: dict[str, JsonValue]
    try:
        document = {"result": _done(connection, message.request, now_ms)}
    except FishplateError as error:
        document = {"error": {"code": error.code, "message": error.message}}
    connection.execute(
        "UPDATE inbox SET answered_ms = ?, answer = ? WHERE n = ?",
        (now_ms, to_json(document), message.n),
    )


def answer_of(connection: sqlite3.Connection, number: int) -> Mapping[str, JsonValue] | None:
    """What was done for a request; `None` if it is not answered yet.

    Raises:
        FishplateError: The request was refused.
    """
    row = connection.execute("SELECT answer FROM inbox WHERE n = ?", (number,)).fetchone()
    if row is None or row[0] is None:
        return None
    found: dict[str, Any] = from_json(row[0])
    if (error := found.get("error")) is not None:
        raise FishplateError(error["message"], code=error["code"])
    return cast("Mapping[str, JsonValue]", found["result"])


def _done(connection: sqlite3.Connection, request: Request, now_ms: int) -> dict[str, JsonValue]:
    match request.action:
        case "confirm_done" | "confirm_not_done" | "redo":
            return _decided(connection, request, request.action, now_ms)
        case "cancel" | "reopen":
            act = cancel_run if request.action == "cancel" else reopen_run
            state = act(
                connection,
                request.subject,
                principal=request.principal,
                note=request.note,
                now_ms=now_ms,
            )
            return {"run": request.subject, "state": state}
        case "prune":
            return _pruned(connection, request, now_ms)


def _decided(
    connection: sqlite3.Connection, request: Request, decision: Decision, now_ms: int
) -> dict[str, JsonValue]:
    found = decide_effect(
        connection,
        request.subject,
        decision,
        principal=request.principal,
        outcome=to_json(request.details["outcome"]),
        note=request.note,
        now_ms=now_ms,
    )
    row = connection.execute("SELECT state FROM run WHERE id = ?", (found.run,)).fetchone()
    state: str | None = None if row is None else row[0]
    return {"effect": found.key, "effect_state": found.state, "run": found.run, "state": state}


def _pruned(connection: sqlite3.Connection, request: Request, now_ms: int) -> dict[str, JsonValue]:
    before = request.details["before_ms"]
    assert isinstance(before, int), "whoever asks gives a time"
    found: Pruned = prune(connection, before_ms=before, now_ms=now_ms)
    connection.execute("DELETE FROM inbox WHERE answered_ms < ?", (before,))
    return dict(found._asdict())


def _request(action: Action, subject: str, body: dict[str, Any]) -> Request:
    principal = Principal(name=body["name"], roles=frozenset(body["roles"]), tenant=body["tenant"])
    return Request(action, subject, principal, body["note"], body["details"])
