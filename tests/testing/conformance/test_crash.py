"""A crash within one process leaves what one of a process would have left."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import pytest

from fishplate.journal.batch import Owner, Table, Values
from fishplate.journal.store import Durability
from fishplate.journal.writer import JournalWriter
from fishplate.testing.conformance import Crash

T = TypeVar("T")

ROWS = Table("rows", ("number",))
PATH = Path("runs.db")


class Listing:
    """A writer that lists what it is given."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.kept: list[object] = []

    def add(self, owner: Owner, table: Table, values: Values) -> None:
        """List a row."""
        assert (owner.rows, table) == ([], ROWS), "handed on as it was given"
        self.kept.append(values[0])

    async def settled(self, owner: Owner) -> None:
        """Wait for nothing."""

    async def change(
        self, owner: Owner, apply: Callable[[sqlite3.Connection], T], *, is_precious: bool = False
    ) -> T:
        """List a change."""
        assert owner.failure is None
        self.kept.append("precious change" if is_precious else "change")
        return apply(self._connection)

    def close(self) -> None:
        """List the end."""
        self.kept.append("closed")


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """A store in memory."""
    with closing(sqlite3.connect(":memory:")) as opened:
        yield opened


def _writer(crash: Crash, connection: sqlite3.Connection) -> tuple[Listing, JournalWriter]:
    listing = Listing(connection)

    def opened(given: sqlite3.Connection, path: Path, durability: Durability) -> JournalWriter:
        assert (given, path, durability) == (connection, PATH, "full"), "as it was given"
        return listing

    return listing, crash.around(opened)(connection, PATH, "full")


async def _ends(crash: Crash, life: Callable[[], asyncio.Future[None]]) -> None:
    task = asyncio.current_task()
    assert task is not None
    crash.ends(task)
    with pytest.raises(asyncio.CancelledError):
        await life()
    task.uncancel()


async def test_so_many_records_are_kept_and_no_more(connection: sqlite3.Connection) -> None:
    """Rows and changes count alike; the process goes on until it would wait for what is lost."""
    crash, owner, reached = Crash(kept=2), Owner(), list[str]()
    listing, writer = _writer(crash, connection)

    async def live() -> None:
        writer.add(owner, ROWS, (1,))
        await writer.change(owner, lambda _: None, is_precious=True)
        await writer.settled(owner)
        writer.add(owner, ROWS, (2,))
        writer.add(owner, ROWS, (3,))
        reached.append("the last line before it waits")
        await writer.settled(owner)
        reached.append("nothing")

    await _ends(crash, lambda: asyncio.get_running_loop().create_task(live()))
    writer.close()
    assert listing.kept == [1, "precious change", "closed"]
    assert reached == ["the last line before it waits"]
    assert crash.has_happened


async def test_a_change_that_is_lost_is_not_applied(connection: sqlite3.Connection) -> None:
    """Who asked for it is never answered."""
    crash, applied = Crash(kept=0), list[bool]()
    listing, writer = _writer(crash, connection)

    async def live() -> None:
        await writer.change(Owner(), lambda _: applied.append(True))

    await _ends(crash, lambda: asyncio.get_running_loop().create_task(live()))
    assert (listing.kept, applied) == ([], [])


async def test_nothing_is_kept_after_a_crash_that_somebody_calls(
    connection: sqlite3.Connection,
) -> None:
    """What was given before it is kept; what comes after it is not, and nobody is answered."""
    crash, owner = Crash(), Owner()
    listing, writer = _writer(crash, connection)

    async def live() -> None:
        writer.add(owner, ROWS, (1,))
        crash.now()
        writer.add(owner, ROWS, (2,))
        await writer.settled(owner)

    await _ends(crash, lambda: asyncio.get_running_loop().create_task(live()))
    assert listing.kept == [1]
