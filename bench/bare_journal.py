"""The least that a journal with group commit can be: the limit of the row `journal`.

It writes the rows that a store keeps of a run, into the same tables of a file of its own, and waits
once, at the run's end, until all of them are kept.
"""

import asyncio
import sqlite3
import threading
from collections import deque
from pathlib import Path
from queue import SimpleQueue
from typing import Final, NamedTuple, TypeAlias

from fishplate.journal.layout import MIGRATIONS

Value: TypeAlias = str | bytes | int

START_COLUMNS: Final = (
    "id, agent, release, units, plan, input, principal, trace_id, started_ms, state, protocol"
)
STEP_COLUMNS: Final = "run, n, key, kind, data, is_large, ended_ms"
END_COLUMNS: Final = "id, state, ended_ms, outcome"


class BareRun(NamedTuple):
    """The rows of a run that has ended, each in the order of its columns."""

    start: tuple[Value, ...]
    steps: list[tuple[Value, ...]]
    end: tuple[Value, ...]


class BareJournal:
    """Gathers runs, and commits on a thread what has gathered while it committed.

    Args:
        path: Of a file that is not there yet.
        synchronous: `FULL` or `NORMAL`.
    """

    def __init__(self, path: Path, synchronous: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute(f"PRAGMA synchronous = {synchronous}")
        self._connection.executescript("".join(MIGRATIONS))
        self._loop = asyncio.get_running_loop()
        self._queue: deque[tuple[BareRun, asyncio.Future[None]]] = deque()
        self._is_awake = False
        self._is_closed = False
        self._tokens: SimpleQueue[None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    async def keep(self, run: BareRun) -> None:
        """Write a run, and wait until it is kept."""
        answer = self._loop.create_future()
        self._queue.append((run, answer))
        if not self._is_awake:
            self._is_awake = True
            self._tokens.put(None)
        await answer

    def close(self) -> None:
        """End the thread; blocks until it has."""
        self._is_closed = True
        self._tokens.put(None)
        self._thread.join()

    def _run(self) -> None:
        while not self._is_closed:
            self._tokens.get()
            self._is_awake = False
            while self._queue:
                self._commit([self._queue.popleft() for _ in range(len(self._queue))])
        self._connection.close()

    def _commit(self, batch: list[tuple[BareRun, asyncio.Future[None]]]) -> None:
        # One statement of many rows, as the module lets other threads run at every statement.
        execute = self._connection.execute
        runs = [run for run, _ in batch]
        steps = [step for run in runs for step in run.steps]
        execute("BEGIN IMMEDIATE")
        execute(
            f"INSERT INTO run ({START_COLUMNS}) VALUES {_marks(START_COLUMNS, len(runs))}",
            [value for run in runs for value in run.start],
        )
        execute(
            f"INSERT INTO step ({STEP_COLUMNS}) VALUES {_marks(STEP_COLUMNS, len(steps))}",
            [value for step in steps for value in step],
        )
        execute(
            f"WITH new ({END_COLUMNS}) AS (VALUES {_marks(END_COLUMNS, len(runs))}) "
            "UPDATE run SET state = new.state, ended_ms = new.ended_ms, outcome = new.outcome "
            "FROM new WHERE run.id = new.id",
            [value for run in runs for value in run.end],
        )
        execute("COMMIT")
        self._loop.call_soon_threadsafe(_answer, [answer for _, answer in batch])


def _marks(columns: str, rows: int) -> str:
    one = f"({', '.join('?' * len(columns.split(',')))})"
    return ", ".join([one] * rows)


def _answer(answers: list[asyncio.Future[None]]) -> None:
    for answer in answers:
        answer.set_result(None)
