"""A crash within one process: what was to be kept after it is not, and nobody hears of it.

The process does not die, since what watches has to see the next life open the store. Instead its
journal stops for ever, and its life is cancelled: nothing can be written any more by what is left.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from fishplate.journal.batch import Owner, Table, Values
from fishplate.journal.store import Durability
from fishplate.journal.writer import JournalWriter, OpenWriter

T = TypeVar("T")


class Crash:
    """When a life of a process ends.

    Args:
        kept: How many records are kept before it, at least 0; `None`: it happens only when `now` is
            called.

    Attributes:
        has_happened: The process is dead: what it does from now on reaches nobody.
    """

    def __init__(self, kept: int | None = None) -> None:
        self._left = kept
        self._life: asyncio.Task[Any] | None = None
        self.has_happened = False

    def survives(self) -> bool:
        """Hear of a record that is to be kept: whether it is.

        The process may still go on after the first one that is not, as one does whose rows are
        in memory; it ends when it would wait for them, at `now`.
        """
        if self._left is None:
            return not self.has_happened
        if self._left == 0:
            return False
        self._left -= 1
        return not self.has_happened

    def now(self) -> None:
        """Let the process die; called on its event loop."""
        if not self.has_happened:
            self.has_happened = True
            if self._life is not None:
                self._life.cancel()

    def ends(self, life: asyncio.Task[Any]) -> None:
        """Hear which task is to be cancelled."""
        self._life = life

    def around(self, open_writer: OpenWriter) -> OpenWriter:
        """The same writers, which stop at this crash; for `App.keep_in(open_writer=)`."""

        def opened(
            connection: sqlite3.Connection, path: Path, durability: Durability
        ) -> JournalWriter:
            return _MortalWriter(open_writer(connection, path, durability), self)

        return opened


class _MortalWriter:
    """Hands on what is given before a crash; whoever waits for more is cancelled.

    Args:
        writer: Writes it.
        crash: When it stops.
    """

    def __init__(self, writer: JournalWriter, crash: Crash) -> None:
        self._writer = writer
        self._crash = crash
        self._has_lost = False

    def add(self, owner: Owner, table: Table, values: Values) -> None:
        """Take a row."""
        if self._keeps():
            self._writer.add(owner, table, values)

    async def settled(self, owner: Owner) -> None:
        """Wait until everything is kept; the end of the process if something is not."""
        if self._has_lost:
            await self._die()
        await self._writer.settled(owner)
        if self._crash.has_happened:
            await self._die()

    async def change(
        self, owner: Owner, apply: Callable[[sqlite3.Connection], T], *, is_precious: bool = False
    ) -> T:
        """Read and write in one piece."""
        if not self._keeps():
            await self._die()
        found = await self._writer.change(owner, apply, is_precious=is_precious)
        if self._crash.has_happened:
            await self._die()
        return found

    def close(self) -> None:
        """Close the store, with what was given before the crash."""
        self._writer.close()

    def _keeps(self) -> bool:
        if not self._has_lost and not self._crash.survives():
            self._has_lost = True
        return not self._has_lost

    async def _die(self) -> NoReturn:
        self._crash.now()
        await asyncio.sleep(0)  # if it is the life itself that waits, its one cancellation is this
        # Who would wait for ever, shielded from the end of its life, would hold it up.
        raise asyncio.CancelledError
