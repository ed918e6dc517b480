"""Lives of a process: forks that begin a run or go on with it, and die at a commit of our choice.

A death is a real one: the process kills itself, and nothing of it runs any more. What it leaves is
what stands in its store, in its folder, and wherever else its tools reach.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import sys
import threading
import traceback
import warnings
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from queue import SimpleQueue
from typing import Final, Literal, TypeAlias

from typing_extensions import override

from fishplate.agents.agent import AnyAgent
from fishplate.app import App
from fishplate.core.data import dataclass
from fishplate.core.errors import ErrorClass, FishplateError, JsonValue, UsageError
from fishplate.journal.batch import Batch, Owner, Table, Values
from fishplate.journal.store import Durability, open_reader
from fishplate.journal.writer import Gathered, Writer

Side: TypeAlias = Literal["before", "after"]
SIDES: Final[tuple[Side, Side]] = ("before", "after")


class CrashTestError(FishplateError):
    """The crash test cannot go on, and proves nothing."""

    code = "crash_test"
    error_class = ErrorClass.PERMANENT


@dataclass(frozen=True, kw_only=True, slots=True)
class CrashPoint:
    """Where a process dies: on one side of a commit of its store, counted from 1."""

    side: Side
    commit: int

    @override
    def __str__(self) -> str:
        return f"{self.side} commit {self.commit}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """What is to survive.

    Attributes:
        app: Not entered; every life enters its own fork of it.
        agent: What runs.
        document: Its input, as JSON.
        files: Files and folders that each trial gets a copy of in its own folder.
        seconds: How long a life may take; whole, above 0.
    """

    app: App
    agent: AnyAgent
    document: JsonValue
    files: Sequence[Path]
    seconds: int


class Place:
    """Where a trial takes place.

    Args:
        folder: Is made.
        files: What is copied into it.

    Attributes:
        work: The working folder of each of its lives.
        store: The store's file.
    """

    def __init__(self, folder: Path, files: Sequence[Path]) -> None:
        self.work = folder / "work"
        self.store = folder / "runs.db"
        self._said = folder / "said"
        self.work.mkdir(parents=True)
        for file in files:
            if file.is_dir():
                shutil.copytree(file, self.work / file.name)
            else:
                shutil.copy2(file, self.work / file.name)

    def live(self, subject: Subject, point: CrashPoint | None) -> bool:
        """Live once: go on with the run, or begin it if the store knows of none.

        Args:
            subject: What runs.
            point: Where the process dies; `None`: it lives to the end.

        Returns:
            Whether it has died; else the run has come to an end, or waits.

        Raises:
            CrashTestError: It ended in another way (code `crash_test`), or took too long (code
                `crash_test_stuck`).
            UsageError: This system does not fork processes (code `no_fork`).
        """
        if not hasattr(os, "fork"):
            msg = "a crash test forks processes, which this system does not: use Linux or macOS"
            raise UsageError(msg, code="no_fork")
        with warnings.catch_warnings():
            # A fork beside threads may find a lock taken for ever; ours has a limit to its life.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            self._become(subject, point)
        _, status = os.waitpid(child, 0)
        if status == signal.SIGKILL and point is not None:
            return True
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM:
            msg = (
                f"a life of {subject.agent.name!r} did not end in {subject.seconds} seconds: let "
                "it wait for nothing, or give it more"
            )
            raise CrashTestError(msg, code="crash_test_stuck")
        if status:
            said = self._said.read_text(encoding="utf-8", errors="replace").strip()
            why = said.rpartition("\n")[2] or f"status {status}"
            msg = f"a life of {subject.agent.name!r} broke off: {why}"
            raise CrashTestError(msg)
        return False

    def _become(self, subject: Subject, point: CrashPoint | None) -> None:
        """Live in this process, which is a fork, and end it."""
        status = 1
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(subject.seconds)
            said = os.open(self._said, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(said, 1)
            os.dup2(said, 2)
            sys.stdout = sys.stderr = os.fdopen(said, "w", encoding="utf-8")
            os.chdir(self.work)
            asyncio.run(self._run(subject, point))
            status = 0
        except BaseException:  # noqa: BLE001 -- nothing of a fork may go on as its parent
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(status)

    async def _run(self, subject: Subject, point: CrashPoint | None) -> None:
        def open_writer(
            connection: sqlite3.Connection, path: Path, durability: Durability
        ) -> Writer:
            if point is None:
                return Writer(connection, path, durability)
            return _DeadlyWriter(connection, path, durability, point)

        app, agent = subject.app, subject.agent
        app.agents[agent.name] = agent  # it may be made of stand-ins
        app.keep_in(f"sqlite:///{self.store}", durability=app.durability, open_writer=open_writer)
        has_begun = await asyncio.to_thread(_has_run, self.store)
        async with app:
            runs = app.resumed if has_begun else (app.start_json(agent, subject.document),)
            for run in runs:
                await run.ended()


class _DeadlyWriter(Writer):
    """Kills its process on one side of a commit.

    What is written together is decided on the event loop, where each step's rows are a batch of
    their own, and not by when the thread comes to it: so the commit of a number holds the same in
    every life.
    """

    def __init__(
        self, connection: sqlite3.Connection, path: Path, durability: Durability, point: CrashPoint
    ) -> None:
        self._point = point
        self._commits = 0
        super().__init__(connection, path, durability)

    @override
    def add(self, owner: Owner, table: Table, values: Values) -> None:
        if not self._lingers:
            self._lingers = True
            self._loop.call_soon(self._linger_over)
        super().add(owner, table, values)

    @override
    def close(self) -> None:
        if not self._is_closed:
            self._gather()
            self._wake()
            self._is_closed = True
            self._batches.put(None)
            self._thread.join()
            self._connection.close()

    @override
    def _start(self) -> None:
        self._batches: SimpleQueue[Gathered | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._write_all, daemon=True)
        self._thread.start()

    @override
    def _wake(self) -> None:
        while (batch := self._taken()) is not None:
            self._batches.put(batch)

    def _write_all(self) -> None:
        while (batch := self._batches.get()) is not None:
            self._write(batch)

    @override
    def _commit(self, batch: Batch) -> list[object]:
        self._commits += 1
        self._die("before")
        found = super()._commit(batch)
        self._die("after")
        return found

    def _die(self, side: Side) -> None:
        if self._point == CrashPoint(side=side, commit=self._commits):
            os.kill(os.getpid(), signal.SIGKILL)


def _has_run(path: Path) -> bool:
    if not path.exists():
        return False
    with closing(open_reader(path)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM run").fetchone()
    return bool(count)
