"""The writer: everything goes into the store through it, in groups, in the order it was given.

A row is given and not waited for. Who has to know that it is kept waits for `settled`, which one
commit answers for everybody. While a commit waits for its disk the next group gathers.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Final, NamedTuple, TypeAlias, TypeVar, cast

from fishplate.core.errors import FishplateError
from fishplate.journal.batch import Change, Item, Owner, Row, Synchronous, Table, Values, commit
from fishplate.journal.store import Durability, StoreUnavailableError, store_failure

T = TypeVar("T")

MOST_ITEMS: Final = 4_096
"""Items of one commit: what waits behind a commit waits no longer than these take."""

LINGER: Final = 0.005
"""Seconds after which rows that nobody waits for are written all the same."""


class _Waiting(NamedTuple):
    """Somebody who waits: for a change, or for everything given before."""

    change: Change | None
    answer: asyncio.Future[object]


Entry: TypeAlias = Row | _Waiting
_Answer: TypeAlias = tuple[asyncio.Future[object], object]


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
        self._queue: deque[Entry] = deque()
        self._lingers = False
        self._is_closed = False
        self._is_awake = False
        self._death: StoreUnavailableError | None = None
        self._tokens: SimpleQueue[None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="fishplate-journal", daemon=True)
        self._thread.start()

    def add(self, owner: Owner, table: Table, values: Values) -> None:
        """Give a row; if it is lost, its owner hears why."""
        self._queue.append(Row(owner, table, values))
        if not self._lingers:
            self._lingers = True
            self._loop.call_later(LINGER, self._linger_over)

    async def settled(self, owner: Owner) -> None:
        """Wait until everything given so far is kept.

        Raises:
            FishplateError: Something of this owner was lost, now or before.
        """
        await self._waited(None)
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
        return cast("T", await self._waited(Change(owner, apply, is_precious)))

    def close(self) -> None:
        """Write what is left and close the store; blocks until that is done."""
        if not self._is_closed:
            self._is_closed = True
            self._tokens.put(None)
            self._thread.join()

    async def _waited(self, change: Change | None) -> object:
        if self._is_closed:
            msg = f"the store {str(self._path)!r} is closed"
            raise StoreUnavailableError(msg)
        answer: asyncio.Future[object] = self._loop.create_future()
        self._queue.append(_Waiting(change, answer))
        self._wake()
        return await answer

    def _linger_over(self) -> None:
        self._lingers = False
        if self._queue:
            self._wake()

    def _wake(self) -> None:
        if self._death is not None:
            self._fail(self._taken(), self._death)
        elif not self._is_awake:
            self._is_awake = True
            self._tokens.put(None)

    # on the thread

    def _run(self) -> None:
        batch: list[Entry] = []
        try:
            is_last = False
            while not is_last:
                self._tokens.get()
                # Asked before the queue is: what was given before the end is written.
                is_last = self._is_closed
                # From here on a new item wakes the thread again, so that none is overlooked.
                self._is_awake = False
                while batch := self._taken():
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

    def _taken(self) -> list[Entry]:
        """The next batch; empty if nothing is queued."""
        queue = self._queue
        return [queue.popleft() for _ in range(min(len(queue), MOST_ITEMS))]

    def _write(self, batch: list[Entry]) -> None:
        items: list[Item] = []
        for entry in batch:
            if isinstance(entry, Row):
                items.append(entry)
            elif entry.change is not None:
                items.append(entry.change)
        try:
            outcomes = commit(self._connection, items, self._synchronous) if items else []
        except sqlite3.Error as error:
            self._fail(batch, store_failure(error, self._path))
            return
        left = iter(outcomes)
        self._answer(
            [
                (entry.answer, None if entry.change is None else next(left))
                for entry in batch
                if isinstance(entry, _Waiting)
            ]
        )

    def _fail(self, batch: list[Entry], failure: FishplateError) -> None:
        answers: list[_Answer] = []
        for entry in batch:
            if isinstance(entry, Row):
                entry.owner.failure = failure
            elif entry.change is None:
                answers.append((entry.answer, None))  # the owner of lost rows tells who waits
            else:
                entry.change.owner.failure = failure
                answers.append((entry.answer, failure))
        self._answer(answers)

    def _answer(self, answers: list[_Answer]) -> None:
        if answers and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_settle, answers)


def _settle(answers: list[_Answer]) -> None:
    for future, outcome in answers:
        if future.done():
            continue  # who waited was cancelled
        if isinstance(outcome, FishplateError):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
