"""The inbox: what other processes ask of the one that drives a store, and what it answered.

Whoever asks adds a row. Whoever drives the store answers it, in the transaction that also does and
audits what was asked; so a request is done once, whenever either of the two dies.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple, TypeAlias, cast, get_args

from pydantic_core import from_json, to_json

from fishplate.core.errors import FishplateError, JsonValue
from fishplate.core.run_context import Principal
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
from fishplate.journal.signals import check_signal, send_signal
from fishplate.journal.waits import check_decision, decide

Action: TypeAlias = Literal[
    "confirm_done",
    "confirm_not_done",
    "redo",
    "compensate",
    "cancel",
    "reopen",
    "prune",
    "signal",
    "approve",
    "reject",
]
ANSWERS: Final = frozenset[Action]({"signal", "approve", "reject"})
"""What a run may wait for; they are taken while it runs too."""


class Request(NamedTuple):
    """What somebody asks for.

    Attributes:
        action: What is to be done.
        subject: To which effect (its key) or run (its id); empty for `prune`.
        principal: Who asks.
        note: Why.
        details: What belongs to the action: `outcome` of `confirm_done`, JSON of the result;
            `before_ms` of `prune`; `name` and `value` of a signal; `step` of
            `approve` and `reject`, `None` for the only one that waits.
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


def check(connection: sqlite3.Connection, request: Request, now_ms: int) -> None:
    """Refuse what the store as it is would refuse; nothing is changed.

    Raises:
        FishplateError: See `journal.decisions`, `journal.signals` and `journal.waits`.
    """
    match request.action:
        case "confirm_done" | "confirm_not_done" | "redo" | "compensate":
            check_effect(connection, request.subject, request.action)
        case "cancel":
            check_cancel(connection, request.subject)
        case "reopen":
            check_reopen(connection, request.subject)
        case "signal":
            name, value = _signal(request)
            check_signal(connection, request.subject, name, value, request.principal)
        case "approve" | "reject":
            step = _step(request)
            by = request.principal
            check_decision(connection, request.subject, step, by=by, now_ms=now_ms)
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


def answer(connection: sqlite3.Connection, message: Message, now_ms: int) -> bool:
    """Do what was asked, and answer it, inside the caller's transaction; once only.

    What it raised is the answer too.

    Returns:
        Whether a run that waited goes on by that.
    """
    (is_open,) = connection.execute(
        "SELECT answered_ms IS NULL FROM inbox WHERE n = ?", (message.n,)
    ).fetchone()
    if not is_open:
        return False
    goes_on = False
    document: dict[str, JsonValue]
    try:
        result = _done(connection, message.request, now_ms)
        goes_on = result.get("goes_on") is True
        document = {"result": result}
    except FishplateError as error:
        document = {"error": {"code": error.code, "message": error.message}}
    connection.execute(
        "UPDATE inbox SET answered_ms = ?, answer = ? WHERE n = ?",
        (now_ms, to_json(document), message.n),
    )
    return goes_on


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
        case "confirm_done" | "confirm_not_done" | "redo" | "compensate":
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
        case "signal" | "approve" | "reject":
            goes_on = _answered(connection, request, request.action, now_ms)
            return {
                "run": request.subject,
                "state": _state_of(connection, request.subject),
                "goes_on": goes_on,
            }


def _decided(
    connection: sqlite3.Connection, request: Request, decision: Decision, now_ms: int
) -> dict[str, JsonValue]:
    found = decide_effect(
        connection,
        request.subject,
        decision,
        principal=request.principal,
        outcome=None if decision != "confirm_done" else to_json(request.details["outcome"]),
        note=request.note,
        now_ms=now_ms,
    )
    state = _state_of(connection, found.run)
    return {"effect": found.key, "effect_state": found.state, "run": found.run, "state": state}


def _answered(
    connection: sqlite3.Connection,
    request: Request,
    action: Literal["signal", "approve", "reject"],
    now_ms: int,
) -> bool:
    run, by = request.subject, request.principal
    if action == "signal":
        name, value = _signal(request)
        return send_signal(connection, run, name, value, by=by, now_ms=now_ms)
    step = _step(request)
    return decide(connection, run, step, action, by=by, note=request.note, now_ms=now_ms)


def _signal(request: Request) -> tuple[str, JsonValue]:
    name = request.details["name"]
    assert isinstance(name, str), "whoever signals gives a name"
    return name, request.details["value"]


def _step(request: Request) -> str | None:
    step = request.details["step"]
    assert step is None or isinstance(step, str), "whoever decides gives the path of a step"
    return step


def _state_of(connection: sqlite3.Connection, run: str) -> str | None:
    row = connection.execute("SELECT state FROM run WHERE id = ?", (run,)).fetchone()
    state: str | None = None if row is None else row[0]
    return state


def _pruned(connection: sqlite3.Connection, request: Request, now_ms: int) -> dict[str, JsonValue]:
    before = request.details["before_ms"]
    assert isinstance(before, int), "whoever asks gives a time"
    found: Pruned = prune(connection, before_ms=before, now_ms=now_ms)
    connection.execute("DELETE FROM inbox WHERE answered_ms < ?", (before,))
    return dict(found._asdict())


def _request(action: Action, subject: str, body: dict[str, Any]) -> Request:
    principal = Principal(name=body["name"], roles=frozenset(body["roles"]), tenant=body["tenant"])
    return Request(action, subject, principal, body["note"], body["details"])
