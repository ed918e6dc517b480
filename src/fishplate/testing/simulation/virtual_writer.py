"""The writer of a store in virtual time: a commit takes as long as is drawn, and may be the last.

There is no thread, so that what is written together follows from the seed. It is the same function
that commits, into a real file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from typing_extensions import override

from fishplate.journal.batch import Batch
from fishplate.journal.store import Durability, StoreUnavailableError
from fishplate.journal.writer import Gathered, Writer


class VirtualWriter(Writer):
    """Commits on the event loop, after a drawn time.

    Args:
        connection: See `Writer`.
        path: See `Writer`.
        durability: See `Writer`.
        seconds: Draws how long a commit takes.
        around: Called on both sides of each commit; what it raises ends the loop, and nothing is
            written from then on.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        durability: Durability,
        seconds: Callable[[], float],
        around: Callable[[Literal["before", "after"]], None],
    ) -> None:
        self._seconds = seconds
        self._around = around
        self._batch: Gathered | None = None
        super().__init__(connection, path, durability)
        # What is written survives the process all the same; it is power that does not fail here.
        self._synchronous = "OFF"

    def now(self) -> float:
        """The virtual time, also while a commit runs."""
        return self._loop.time()

    def die(self) -> None:
        """Write nothing any more."""
        msg = f"the writer of the store {str(self._path)!r} has crashed"
        self._death = StoreUnavailableError(msg)

    @override
    def close(self) -> None:
        """Write what is left, unless it has crashed, and close the store."""
        if not self._is_closed:
            self._gather()
            self._is_closed = True
            while True:
                self._batch = self._batch or self._taken()
                if self._batch is None:
                    break
                self._write_batch()
            self._connection.close()

    @override
    def _start(self) -> None:
        """Begin nothing: the loop is there."""

    @override
    def _wake(self) -> None:
        if not self._is_awake:
            self._is_awake = True
            self._loop.call_soon(self._begin)

    @override
    def _commit(self, batch: Batch) -> list[object]:
        self._around("before")
        found = super()._commit(batch)
        self._around("after")
        return found

    def _begin(self) -> None:
        self._batch = self._taken()
        if self._batch is not None:
            self._loop.call_later(self._seconds(), self._finish)
        else:
            self._is_awake = False

    def _finish(self) -> None:
        if not self._is_closed:
            # As a thread would, so that nobody takes it for a loop that is held up.
            self._loop.run_in_executor(None, self._write_batch)
            self._loop.call_soon(self._begin)

    def _write_batch(self) -> None:
        batch, self._batch = self._batch, None
        assert batch is not None, "it is written once"
        if self._death is not None:
            self._fail(batch, self._death)
        else:
            self._write(batch)
