"""The writer: everything goes into the store through it, in groups, in the order it was given.

A row is given and not waited for. Who has to know that it is kept waits for `settled`, which one
commit answers for everybody. While a commit waits for its disk the next group gathers.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Final, Protocol, TypeAlias, TypeVar, cast

from fishplate.core.errors import FishplateError
from fishplate.journal.batch import Batch, Change, Owner, Synchronous, Table, Values, commit
from fishplate.journal.store import Durability, StoreUnavailableError, store_failure

T = TypeVar("T")

LINGER: Final = 0.005
"""Seconds after which rows that nobody waits for are written all the same."""


class JournalWriter(Protocol):
    """What keeps a journal: items are kept in the order in which they were given, or not at all.

    After a crash some first part of them is there and nothing of the rest; everything that somebody
    has waited for belongs to that part. All but `close` is called on the event loop.
    """

    def add(self, owner: Owner, table: Table, values: Values) -> None:
        """Take a row, which nobody waits for."""
        ...

    async def settled(self, owner: Owner) -> None:
        """Wait until everything given so far is kept.

        Raises:
            FishplateError: Something of this owner was lost, now or before.
        """
        ...

    async def change(
        self, owner: Owner, apply: Callable[[sqlite3.Connection], T], *, is_precious: bool = False
    ) -> T:
        """Read and write in one piece, after everything given so far; wait until it is kept.

        Raises:
            FishplateError: What `apply` raised, with nothing of it written; or it was lost.
        """
        ...

    def close(self) -> None:
        """Keep what is left and close the store; blocks, on any thread."""
        ...


_Answer: TypeAlias = tuple[asyncio.Future[object], object]


class Gathered(Batch):
    """A batch that is not written yet, and who waits for it.

    Attributes:
        answers: Of who waits for one of the changes, in their order.
        settled: Of who waits for everything.
    """

    __slots__ = ("answers", "settled")

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[asyncio.Future[object]] = []
        self.settled: list[asyncio.Future[object]] = []


class Writer:
    """Gathers items and commits them on a thread, so that no disk holds up the event loop.

    All of its methods but `close` are called on the event loop that made it.

    Args:
        connection: Of `open_store`; belongs to the writer from now on.
        path: The store's file, for messages.
        durability: `full`: what was waited for survives a loss of power; `normal`: the end of the
            process.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, durability: Durability) -> None:
        self._connection = connection
        self._path = path
        self._synchronous: Synchronous = "FULL" if durability == "full" else "NORMAL"
        self._loop = asyncio.get_running_loop()
        self._owners: list[Owner] = []  # who has rows that are in no batch yet
        # Protects the batch that gathers: the thread takes it, and the loop puts things in.
        self._gate = threading.Lock()
        self._gathered = Gathered()
        self._lingers = False
        self._is_closed = False
        self._is_awake = False
        self._death: StoreUnavailableError | None = None
        self._start()

    def add(self, owner: Owner, table: Table, values: Values) -> None:
        """Give a row; if it is lost, its owner hears why."""
        if not owner.rows:
            self._owners.append(owner)
            if not self._lingers:
                self._lingers = True
                self._loop.call_later(LINGER, self._linger_over)
        owner.rows.append((table, values))

    async def settled(self, owner: Owner) -> None:
        """Wait until everything given so far is kept.

        Raises:
            FishplateError: Something of this owner was lost, now or before.
        """
        answer = self._answer()
        with self._gate:
            self._gather().settled.append(answer)
        self._wake()
        await answer
        if owner.failure is not None:
            raise owner.failure

    async def change(
        self, owner: Owner, apply: Callable[[sqlite3.Connection], T], *, is_precious: bool = False
    ) -> T:
        """Read and write in one piece, after everything given so far; wait until it is kept.

        Raises:
            FishplateError: What `apply` raised; nothing of this change was written.
            StoreUnavailableError: The batch could not be written.
        """
        answer = self._answer()
        with self._gate:
            gathered = self._gather()
            gathered.changes.append(Change(owner, apply, is_precious))
            gathered.answers.append(answer)
        self._wake()
        return cast("T", await answer)

    def close(self) -> None:
        """Write what is left and close the store; blocks until that is done.

        Nobody gives anything any more by then: it may be called on any thread.
        """
        if not self._is_closed:
            with self._gate:
                self._gather()
            self._is_closed = True
            self._tokens.put(None)
            self._thread.join()

    def _start(self) -> None:
        """Begin to write; the test kit does so without a thread."""
        self._tokens: SimpleQueue[None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="fishplate-journal", daemon=True)
        self._thread.start()

    def _commit(self, batch: Batch) -> list[object]:
        """Write a batch; what its changes gave. The test kit ends the process around it."""
        return commit(self._connection, batch, self._synchronous)

    def _answer(self) -> asyncio.Future[object]:
        if self._is_closed:
            msg = f"the store {str(self._path)!r} is closed"
            raise StoreUnavailableError(msg)
        return self._loop.create_future()

    def _gather(self) -> Gathered:
        """Put all that was given into the batch, which somebody waits for now."""
        gathered, owners = self._gathered, self._owners
        self._owners = []
        for owner in owners:
            gathered.take(owner)
        return gathered

    def _linger_over(self) -> None:
        self._lingers = False
        if self._owners:
            with self._gate:
                self._gather()
            self._wake()

    def _wake(self) -> None:
        if self._death is not None:
            self._fail(self._taken(), self._death)
        elif not self._is_awake:
            self._is_awake = True
            self._tokens.put(None)

    # on the thread

    def _run(self) -> None:
        batch: Gathered | None = None
        try:
            is_last = False
            while not is_last:
                self._tokens.get()
                # Asked before the batch is taken: what was given before the end is written.
                is_last = self._is_closed
                # From here on a new item wakes the thread again, so that none is overlooked.
                self._is_awake = False
                while (batch := self._taken()) is not None:
                    self._write(batch)
        except BaseException as error:  # noqa: BLE001 -- a dead writer must not leave anybody waiting
            self._death = StoreUnavailableError(
                f"the writer of the store {str(self._path)!r} has ended "
                f"({type(error).__name__}): close the app and open it again"
            )
            self._death.__cause__ = error
            self._fail(batch, self._death)
            self._fail(self._taken(), self._death)
        finally:
            self._connection.close()

    def _taken(self) -> Gathered | None:
        """What has gathered; `None` if that is nothing."""
        with self._gate:
            found = self._gathered
            if found.is_empty and not found.settled:
                return None
            self._gathered = Gathered()
        return found

    def _write(self, batch: Gathered) -> None:
        try:
            outcomes = [] if batch.is_empty else self._commit(batch)
        except sqlite3.Error as error:
            self._fail(batch, store_failure(error, self._path))
            return
        self._tell([*zip(batch.answers, outcomes, strict=True), *_all_told(batch.settled)])

    def _fail(self, batch: Gathered | None, failure: FishplateError) -> None:
        if batch is None:
            return
        for owner in (*batch.owners, *(change.owner for change in batch.changes)):
            owner.failure = failure
        # The owner of lost rows tells who waits for everything.
        self._tell([*((answer, failure) for answer in batch.answers), *_all_told(batch.settled)])

    def _tell(self, answers: list[_Answer]) -> None:
        if answers and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_settle, answers)


def _all_told(settled: list[asyncio.Future[object]]) -> list[_Answer]:
    return [(answer, None) for answer in settled]


def _settle(answers: list[_Answer]) -> None:
    for future, outcome in answers:
        if future.done():
            continue  # who waited was cancelled
        if isinstance(outcome, FishplateError):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)


OpenWriter: TypeAlias = Callable[[sqlite3.Connection, Path, Durability], JournalWriter]
"""Makes what a journal is written through; the class `Writer` does."""
