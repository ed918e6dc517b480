"""What a store has of runs: their rows, the records of their steps, and how both are read."""

from __future__ import annotations

import sqlite3
from typing import Final, Literal, NamedTuple, TypeAlias

from fishplate.core.errors import ErrorClass, FishplateError

StoredState: TypeAlias = Literal[
    "queued",
    "running",
    "waiting",
    "succeeded",
    "degraded",
    "failed",
    "cancelled",
    "needs_attention",
]
RecordKind: TypeAlias = Literal["value", "failure", "dropped", "now", "open"]
OPEN_STATES: Final[tuple[StoredState, ...]] = ("queued", "running", "waiting")
READY_STATES: Final[tuple[StoredState, ...]] = ("queued", "running")
"""Of open runs that have something to do; the others wait."""

_RUN_COLUMNS: Final = """
  SELECT run.id, agent, release, units.data, plan.data, input, principal, trace_id, started_ms,
         state, ended_ms, outcome, attention, explanation, left_ns, recoveries, protocol
  FROM run
  JOIN document AS units ON units.digest = run.units
  LEFT JOIN document AS plan ON plan.digest = run.plan
"""


class UnknownRunError(FishplateError):
    """The store has no run of that id that the principal may know of."""

    code = "unknown_run"
    error_class = ErrorClass.PERMANENT


class NewRun(NamedTuple):
    """A run that is to be kept.

    Attributes:
        id: Time-ordered text.
        agent: Name of what runs.
        release: Version and fingerprint of it.
        units: JSON: every agent that it may call, with release, effect and scopes.
        plan: JSON: the plan that it goes on under; `None` if it is no workflow.
        input: JSON.
        principal: JSON.
        trace_id: 32 hex digits.
        started_ms: Wall clock, milliseconds since 1970.
    """

    id: str
    agent: str
    release: str
    units: bytes
    plan: bytes | None
    input: bytes
    principal: bytes
    trace_id: str
    started_ms: int


class StoredRun(NamedTuple):
    """A run as the journal has it; see `NewRun` for what is not said here.

    Attributes:
        state: Where it stands.
        ended_ms: When it ended; `None` while it has not.
        outcome: JSON: its output or error.
        attention: Why somebody has to decide; `None` unless the state is `needs_attention`.
        explanation: The same in words, where more is known than the reason says.
        left_ns: Working time that it had left when it began to wait.
        recoveries: How often it was taken up again.
        protocol: How its keys are spelled.
    """

    id: str
    agent: str
    release: str
    units: bytes
    plan: bytes | None
    input: bytes
    principal: bytes
    trace_id: str
    started_ms: int
    state: StoredState
    ended_ms: int | None
    outcome: bytes | None
    attention: str | None
    explanation: str | None
    left_ns: int | None
    recoveries: int
    protocol: int


class StepRecord(NamedTuple):
    """What one step gave.

    Attributes:
        n: Its place in the order in which the run's steps ended, from 1.
        key: Path of the step.
        kind: What `data` is: its value or its failure. `dropped`: the records below the step that
            were written before this one count no more, since its body began anew. `now`: the
            time that its body was told, at a place that the key names behind an `@`. `open`, which
            is never written: an effect was sent, and no answer to it is kept.
        arguments: SHA-256 of what a body called it with; `None` for a step of a plan.
        data: JSON.
        reasons: JSON: why the value is degraded; `None` if it is not.
        ended_ms: Wall clock, milliseconds since 1970.
    """

    n: int
    key: str
    kind: RecordKind
    arguments: str | None
    data: bytes
    reasons: bytes | None
    ended_ms: int


def find_run(connection: sqlite3.Connection, run_id: str) -> StoredRun | None:
    """A run, or `None` if the store has none of that id."""
    row = connection.execute(f"{_RUN_COLUMNS} WHERE run.id = ?", (run_id,)).fetchone()
    return None if row is None else StoredRun(*row)


def unfinished_runs(connection: sqlite3.Connection) -> list[StoredRun]:
    """The runs that have not ended and wait for nothing, oldest first."""
    marks = ", ".join("?" * len(READY_STATES))
    rows = connection.execute(
        f"{_RUN_COLUMNS} WHERE state IN ({marks}) ORDER BY run.id", READY_STATES
    )
    return [StoredRun(*row) for row in rows]


def steps_of(connection: sqlite3.Connection, run_id: str) -> list[StepRecord]:
    """The records of a run, in the order in which its steps ended."""
    rows = connection.execute(
        """
        SELECT n, key, kind, arguments, coalesce(document.data, step.data), reasons, ended_ms
        FROM step
        LEFT JOIN document ON is_large AND document.digest = CAST(step.data AS TEXT)
        WHERE run = ? ORDER BY n
        """,
        (run_id,),
    )
    return [StepRecord(*row) for row in rows]
