"""What the store of a simulation holds, read when nobody drives it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final, cast

from pydantic_core import from_json, to_json

from fishplate.app import RunState
from fishplate.core.data import dataclass
from fishplate.journal.run_rows import OPEN_STATES, StepRecord, steps_of
from fishplate.journal.store import open_reader

_WITH_OUTPUT: Final = frozenset({"succeeded", "degraded"})


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredEnd:
    """Where a run stands.

    Attributes:
        end: How it has ended; `None` if it is open.
        attention: Why somebody has to decide; `None` unless `end` is `needs_attention`.
        output: JSON; `None` if it has none.
    """

    end: RunState | None
    attention: str | None
    output: bytes | None


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredEffect:
    """An effect of the ledger.

    Attributes:
        run: Id of its run.
        path: Of its call.
        effect: The word that its tool declares.
        state: Where it stands.
    """

    run: str
    path: str
    effect: str
    state: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredFacts:
    """Everything that a store holds at one moment.

    Attributes:
        runs: By id.
        steps: The records of each run, in order.
        effects: All of them.
    """

    runs: Mapping[str, StoredEnd]
    steps: Mapping[str, Sequence[StepRecord]]
    effects: Sequence[StoredEffect]


def read_facts(path: Path) -> StoredFacts:
    """Read everything that a store holds."""
    with closing(open_reader(path)) as connection:
        rows = connection.execute("SELECT id, state, attention, outcome FROM run").fetchall()
        runs = {
            run_id: StoredEnd(
                # Every state that is not open is an end of the same name.
                end=None if state in OPEN_STATES else cast("RunState", state),
                attention=attention,
                output=to_json(from_json(outcome)["output"]) if state in _WITH_OUTPUT else None,
            )
            for run_id, state, attention, outcome in rows
        }
        effects = [
            StoredEffect(run=run, path=path, effect=effect, state=state)
            for run, path, effect, state in connection.execute(
                "SELECT run, call, effect, state FROM effect ORDER BY run, call"
            )
        ]
        return StoredFacts(
            runs=runs, steps={run: steps_of(connection, run) for run in runs}, effects=effects
        )
