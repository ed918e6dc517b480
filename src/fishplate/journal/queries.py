"""What a store tells whoever looks in from outside; every question is one read of one moment."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from pydantic_core import from_json

from fishplate.core.errors import JsonValue
from fishplate.journal.audit import AuditRow, audit_rows
from fishplate.journal.effect_rows import Evidence, select_effects
from fishplate.journal.effects import EffectState
from fishplate.journal.run_rows import (
    OPEN_STATES,
    StepRecord,
    StoredRun,
    StoredState,
    find_run,
    steps_of,
)
from fishplate.journal.waits import Wait, open_waits

UNSETTLED: Final = frozenset[EffectState]({"unknown", "compensation_failed"})
"""What an effect is that somebody has to decide about."""


class RunRow(NamedTuple):
    """A run in a list.

    Attributes:
        id: Time-ordered text.
        agent: Name of what runs.
        release: Version and fingerprint of it.
        state: Where it stands.
        started_ms: Wall clock, milliseconds since 1970.
        ended_ms: The same; `None` while it has not ended.
        attention: Why somebody has to decide; `None` unless somebody has to.
    """

    id: str
    agent: str
    release: str
    state: StoredState
    started_ms: int
    ended_ms: int | None
    attention: str | None


class WholeRun(NamedTuple):
    """A run with all that is kept of it.

    Attributes:
        run: Its row.
        steps: What its steps gave, in the order in which they ended.
        effects: What it did outside, or may have done, in the order of the first dispatch.
        waits: What it waits for, oldest first.
        audit: Who decided what about it or one of its effects, oldest first.
    """

    run: StoredRun
    steps: list[StepRecord]
    effects: list[Evidence]
    waits: list[Wait]
    audit: list[AuditRow]


class Attention(NamedTuple):
    """A run that a person has to decide about.

    Attributes:
        run: Its row.
        unknown: Its effects whose outcome is unknown, or that could not be undone.
    """

    run: StoredRun
    unknown: list[Evidence]


def list_runs(
    connection: sqlite3.Connection,
    *,
    states: Sequence[StoredState] = (),
    agent: str | None = None,
    limit: int | None = None,
) -> list[RunRow]:
    """The runs of a store, newest first.

    Args:
        connection: Of the store.
        states: Only runs in one of these; in any if there are none.
        agent: Only runs of this agent.
        limit: At most so many; all of them if it is `None`.
    """
    marks = ", ".join("?" * len(states))
    in_states = f"state IN ({marks})" if states else "1"
    rows = connection.execute(
        "SELECT id, agent, release, state, started_ms, ended_ms, attention FROM run "  # noqa: S608 -- question marks alone
        f"WHERE {in_states} AND (? IS NULL OR agent = ?) ORDER BY id DESC LIMIT ?",
        (*states, agent, agent, -1 if limit is None else limit),
    )
    return [RunRow(*row) for row in rows]


def open_runs(connection: sqlite3.Connection) -> list[RunRow]:
    """The runs that go on when an app opens the store, newest first."""
    return list_runs(connection, states=OPEN_STATES)


def whole_run(connection: sqlite3.Connection, run_id: str) -> WholeRun | None:
    """A run with all that is kept of it; `None` if the store has none of that id."""
    run = find_run(connection, run_id)
    if run is None:
        return None
    effects = effects_of(connection, run_id)
    subjects = [run_id, *(effect.key for effect in effects)]
    audit = [row for subject in subjects for row in audit_rows(connection, subject)]
    return WholeRun(
        run,
        steps_of(connection, run_id),
        effects,
        open_waits(connection, run_id),
        sorted(audit, key=lambda row: row.n),
    )


def effects_to_tend(connection: sqlite3.Connection) -> list[Evidence]:
    """The effects that an app looks up or undoes when it opens the store."""
    return select_effects(
        connection, "state IN ('unknown', 'compensating') ORDER BY first_dispatch_ms, key", ()
    )


def tended_since(connection: sqlite3.Connection, before: Sequence[Evidence]) -> list[Evidence]:
    """Those of some effects that are in another state by now."""
    now = [one for old in before for one in select_effects(connection, "key = ?", (old.key,))]
    return [new for old, new in zip(before, now, strict=True) if new.state != old.state]


def effects_of(connection: sqlite3.Connection, run_id: str) -> list[Evidence]:
    """The effects of a run, in the order of the first dispatch."""
    return select_effects(connection, "run = ? ORDER BY first_dispatch_ms, key", (run_id,))


def runs_for_attention(connection: sqlite3.Connection) -> Iterator[Attention]:
    """The runs that a person has to decide about, oldest first.

    They are those that say so, and those with an effect whose outcome is unknown, or that could
    not be undone.
    """
    found = connection.execute(
        "SELECT id FROM run WHERE state = 'needs_attention' "
        "UNION SELECT run FROM effect WHERE state IN ('unknown', 'compensation_failed') ORDER BY 1"
    ).fetchall()
    for (run_id,) in found:
        run = find_run(connection, run_id)
        if run is not None:
            effects = effects_of(connection, run_id)
            yield Attention(run, [effect for effect in effects if effect.state in UNSETTLED])


def run_json(run: StoredRun) -> dict[str, JsonValue]:
    """A run as a JSON object, without the plan and the agents that it was started among."""
    return {
        "id": run.id,
        "agent": run.agent,
        "release": run.release,
        "state": run.state,
        "attention": run.attention,
        "explanation": run.explanation,
        "started_ms": run.started_ms,
        "ended_ms": run.ended_ms,
        "recoveries": run.recoveries,
        "trace_id": run.trace_id,
        "principal": from_json(run.principal),
        "input": from_json(run.input),
        "outcome": _json_or_none(run.outcome),
    }


def step_json(step: StepRecord) -> dict[str, JsonValue]:
    """What a step gave as a JSON object; `kind` says what `data` is."""
    return {
        "n": step.n,
        "key": step.key,
        "kind": step.kind,
        "data": from_json(step.data),
        "reasons": _json_or_none(step.reasons),
        "ended_ms": step.ended_ms,
    }


def effect_json(effect: Evidence) -> dict[str, JsonValue]:
    """What is known about an effect as a JSON object."""
    return {
        "key": effect.key,
        "tool": effect.tool,
        "effect": effect.effect,
        "run": effect.run,
        "call": effect.call,
        "state": effect.state,
        "arguments": from_json(effect.arguments),
        "attempts": effect.attempts,
        "first_dispatch_ms": effect.first_dispatch_ms,
        "last_dispatch_ms": effect.last_dispatch_ms,
        "outcome": _json_or_none(effect.outcome),
        "late_outcome": _json_or_none(effect.late_outcome),
        "lookups": effect.lookups,
        "undoes": effect.undoes,
        "undo_error": _json_or_none(effect.undo_error),
    }


def wait_json(wait: Wait) -> dict[str, JsonValue]:
    """What a run waits for as a JSON object; `arguments` are of the call to be approved."""
    return {
        "step": wait.key,
        "kind": wait.kind,
        "name": wait.name,
        "roles": [*wait.roles],
        "arguments": from_json(wait.arguments),
        "digest": wait.digest,
        "schema": from_json(wait.schema),
        "since_ms": wait.since_ms,
        "due_ms": wait.due_ms,
    }


def whole_json(whole: WholeRun) -> dict[str, JsonValue]:
    """A run with its steps and effects as a JSON object."""
    return {
        **run_json(whole.run),
        "steps": [step_json(step) for step in whole.steps],
        "effects": [effect_json(effect) for effect in whole.effects],
        "waits": [wait_json(wait) for wait in whole.waits],
        "audit": [_audit_json(row) for row in whole.audit],
    }


def _audit_json(row: AuditRow) -> dict[str, JsonValue]:
    return {
        "at_ms": row.at_ms,
        "principal": row.principal,
        "action": row.action,
        "subject": row.subject,
        "details": dict(row.details),
        "seal": row.seal,
    }


def _json_or_none(data: bytes | None) -> JsonValue:
    found: JsonValue = None if data is None else from_json(data)
    return found
