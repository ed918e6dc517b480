"""Evidence: what a trial has left, in words that are equal in every trial that went equally well.

Ids and keys of a run are drawn anew in each trial, so they are replaced by what they stand for.
"""

from __future__ import annotations

import fnmatch
import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from fishplate.core.data import dataclass
from fishplate.core.errors import FishplateError
from fishplate.journal.queries import list_runs
from fishplate.journal.run_rows import StepRecord, StoredState, steps_of
from fishplate.journal.store import open_reader

_SQLITE: Final = b"SQLite format 3\x00"
_BESIDE: Final = ("-wal", "-shm", "-journal")
"""What SQLite puts beside a file; its content is read with the file."""

_REPEATABLE: Final = frozenset({"readonly", "idempotent", "keyed"})
"""Effects whose tools can be called again after a crash, so that nothing is left open by it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """What a trial has left.

    Attributes:
        state: Of the run.
        is_open_question: It needs attention, since nobody can know whether an effect has happened
            that its tool declares can neither be repeated nor asked for.
        parts: Lines by what they are about: the run, its steps, its effects, and each file of the
            working folder.
    """

    state: StoredState
    is_open_question: bool
    parts: Mapping[str, Sequence[str]]


def gather(store: Path, work: Path, ignored: Sequence[str] = ()) -> Evidence:
    """Read what a trial has left.

    Args:
        store: The file of its store, which knows one run.
        work: Its working folder.
        ignored: Patterns of files there that are not looked at, as of `fnmatch`.

    Raises:
        FishplateError: The store has another number of runs (code `lost_run`).
    """
    with closing(open_reader(store)) as connection:
        rows = list_runs(connection)
        if len(rows) != 1:
            msg = f"the store has {len(rows)} runs, and one was started"
            raise FishplateError(msg, code="lost_run")
        row = connection.execute(
            "SELECT id, trace_id, state, attention, outcome FROM run"
        ).fetchone()
        run_id, trace_id, state, attention, outcome = row
        effects = connection.execute(
            "SELECT key, tool, effect, call, state, arguments, outcome FROM effect "
            "ORDER BY completed IS NULL, completed, call"
        ).fetchall()
        steps = list(_steps(steps_of(connection, run_id)))
    names = {run_id: "<run>", trace_id: "<trace>"}
    names |= {effect[0]: f"<key of {effect[3]}>" for effect in effects}
    unknown = [effect[2] for effect in effects if effect[4] == "unknown"]
    parts: dict[str, Iterable[str]] = {
        "the run": [f"{state} {attention or ''}".strip(), _text(outcome)],
        "its steps": sorted(steps),
        "its effects": [
            f"{tool} in {call}: {word} with {_text(arguments)} gave {_text(outcome)}"
            for _, tool, _, call, word, arguments, outcome in effects
        ],
    }
    for path in sorted(work.rglob("*")):
        name = path.relative_to(work).as_posix()
        is_left_out = name.endswith(_BESIDE) or any(fnmatch.fnmatch(name, one) for one in ignored)
        if path.is_file() and not is_left_out:
            parts[f"the file {name!r}"] = _content(path)
    return Evidence(
        state=state,
        is_open_question=attention == "unknown_outcome"
        and bool(unknown)
        and not _REPEATABLE.intersection(unknown),
        parts={name: [_named(line, names) for line in lines] for name, lines in parts.items()},
    )


def _steps(records: Sequence[StepRecord]) -> Iterator[str]:
    """What the steps gave that count: those below a body that began anew do not.

    The times that bodies were told are not among it: no two runs are told the same.
    """
    kept: dict[str, StepRecord] = {}
    for record in records:
        if record.kind == "now":
            continue
        if record.kind == "dropped":
            for key in [key for key in kept if key.startswith(f"{record.key}/")]:
                del kept[key]
        else:
            kept[record.key] = record
    for key, record in kept.items():
        reasons = "" if record.reasons is None else f", degraded by {_text(record.reasons)}"
        yield f"{key}: {record.kind} {_text(record.data)}{reasons}"


def _content(path: Path) -> list[str]:
    """A file as lines: of SQL for a database, of hexadecimal for what is no text."""
    data = path.read_bytes()
    if data.startswith(_SQLITE):
        with closing(sqlite3.connect(path)) as connection:
            return list(connection.iterdump())
    try:
        return data.decode().splitlines()
    except UnicodeDecodeError:
        return [f"{len(data)} bytes, SHA-256 {hashlib.sha256(data).hexdigest()}"]


def _text(data: bytes | None) -> str:
    return "nothing" if data is None else data.decode()


def _named(line: str, names: Mapping[str, str]) -> str:
    for value, name in names.items():
        line = line.replace(value, name)
    return line
