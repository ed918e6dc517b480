"""The writer: groups, order, failures that reach whom they concern."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fishplate.core.errors import FishplateError
from fishplate.journal.batch import (
    Batch,
    Change,
    Overwriting,
    Owner,
    Synchronous,
    Table,
    Values,
    commit,
)
from fishplate.journal.store import StoreUnavailableError, open_reader, open_store
from fishplate.journal.writer import Writer

DOCUMENTS = Table("document", ("digest", "data"))


async def _writer(path: Path, pragma: str = "") -> Writer:
    connection = await asyncio.to_thread(open_store, path)
    connection.execute(pragma)
    return Writer(connection, path, "normal")


def _count(connection: sqlite3.Connection) -> int:
    (found,) = connection.execute("SELECT count(*) FROM document").fetchone()
    return int(found)


@contextmanager
def _statements(connection: sqlite3.Connection) -> Generator[list[str]]:
    told: list[str] = []
    connection.set_trace_callback(told.append)
    yield told
    connection.set_trace_callback(None)


async def test_what_is_settled_is_in_the_file(tmp_path: Path) -> None:
    """Once `settled` returns, another reader of the file sees every row given before."""
    path = tmp_path / "runs.db"
    writer, owner = await _writer(path), Owner()
    for number in range(300):
        writer.add(owner, DOCUMENTS, (f"{number:03}", b"x"))
    await writer.settled(owner)
    reader = await asyncio.to_thread(open_reader, path)
    assert _count(reader) == 300
    reader.close()
    await asyncio.to_thread(writer.close)


async def test_rows_that_nobody_waits_for_are_written_soon(tmp_path: Path) -> None:
    """A row given before a long pause does not wait for the end of the pause."""
    path = tmp_path / "runs.db"
    connection = await asyncio.to_thread(open_store, path)
    loop, committed = asyncio.get_running_loop(), asyncio.Event()

    def hear(statement: str) -> None:
        if statement == "COMMIT":
            loop.call_soon_threadsafe(committed.set)

    connection.set_trace_callback(hear)
    writer = Writer(connection, path, "normal")
    writer.add(Owner(), DOCUMENTS, ("a", b"x"))
    async with asyncio.timeout(10):
        await committed.wait()
    await asyncio.to_thread(writer.close)


async def test_closing_writes_what_is_left(tmp_path: Path) -> None:
    """Nothing that was given is dropped by an orderly end, and nothing is taken after it."""
    path = tmp_path / "runs.db"
    writer = await _writer(path)
    writer.add(Owner(), DOCUMENTS, ("a", b"x"))
    await asyncio.to_thread(writer.close)
    reader = await asyncio.to_thread(open_reader, path)
    assert _count(reader) == 1
    reader.close()
    with pytest.raises(StoreUnavailableError, match="closed"):
        await writer.settled(Owner())


async def test_many_waiters_share_few_commits(tmp_path: Path) -> None:
    """What gathers while a commit is under way goes into the next one together."""
    path = tmp_path / "runs.db"
    connection = await asyncio.to_thread(open_store, path)
    with _statements(connection) as told:
        writer = Writer(connection, path, "full")

        async def one(number: int) -> None:
            owner = Owner()
            writer.add(owner, DOCUMENTS, (str(number), b"x"))
            await writer.settled(owner)

        await asyncio.gather(*map(one, range(200)))
        commits = told.count("COMMIT")
    await asyncio.to_thread(writer.close)
    assert commits <= 20


async def test_a_change_that_is_refused_takes_nothing_else_with_it(tmp_path: Path) -> None:
    """A typed error undoes its own change; the others of the batch are kept."""
    path = tmp_path / "runs.db"
    writer = await _writer(path)

    def first(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO document VALUES ('a', x'00')")

    def last(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO document VALUES ('b', x'00')")

    def refused(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO document VALUES ('refused', x'00')")
        msg = "no"
        raise FishplateError(msg, code="conflict")

    found = await asyncio.gather(
        writer.change(Owner(), first),
        writer.change(Owner(), refused),
        writer.change(Owner(), last),
        return_exceptions=True,
    )
    assert [isinstance(one, FishplateError) for one in found] == [False, True, False]
    kept = await writer.change(
        Owner(), lambda c: [row[0] for row in c.execute("SELECT digest FROM document")]
    )
    assert kept == ["a", "b"]
    await asyncio.to_thread(writer.close)


async def test_a_full_disk_fails_the_batch_and_not_the_service(tmp_path: Path) -> None:
    """Who lost rows hears it at the next wait; once there is room the writer goes on."""
    path = tmp_path / "runs.db"
    connection = await asyncio.to_thread(open_store, path)
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    writer, hit, spared = Writer(connection, path, "normal"), Owner(), Owner()
    writer.add(hit, DOCUMENTS, ("big", b"x" * 100_000))
    with pytest.raises(StoreUnavailableError, match="disk is full") as failed:
        await writer.settled(hit)
    assert failed.value.code == "store_unavailable"
    await writer.settled(spared)
    writer.add(spared, DOCUMENTS, ("small", b"x"))
    await writer.settled(spared)
    with pytest.raises(StoreUnavailableError):
        await writer.settled(hit)
    await asyncio.to_thread(writer.close)


async def test_a_locked_file_fails_its_waiters(tmp_path: Path) -> None:
    """Waiters get an error while another process holds the file, and answers after that."""
    path = tmp_path / "runs.db"
    writer, owner = await _writer(path, "PRAGMA busy_timeout = 1"), Owner()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailableError, match="held it"):
        await writer.change(owner, _count)
    other.execute("ROLLBACK")
    other.close()
    assert await writer.change(owner, _count) == 0
    await asyncio.to_thread(writer.close)


async def test_a_dead_writer_leaves_nobody_waiting(tmp_path: Path) -> None:
    """An error that nobody foresaw ends the writer; those who wait, then and later, are told."""
    path = tmp_path / "runs.db"
    writer, owner = await _writer(path), Owner()

    def broken(_: sqlite3.Connection) -> None:
        raise ZeroDivisionError

    with pytest.raises(StoreUnavailableError, match="ZeroDivisionError"):
        await writer.change(owner, broken)
    writer.add(owner, DOCUMENTS, ("a", b"x"))
    with pytest.raises(StoreUnavailableError, match="has ended"):
        await writer.settled(owner)
    await asyncio.to_thread(writer.close)


async def test_who_stopped_waiting_is_not_answered(tmp_path: Path) -> None:
    """A cancelled waiter's change is kept all the same."""
    path = tmp_path / "runs.db"
    writer = await _writer(path)
    waiting = asyncio.ensure_future(
        writer.change(Owner(), lambda c: c.execute("INSERT INTO document VALUES ('a', x'00')"))
    )
    await asyncio.sleep(0)
    waiting.cancel()
    assert await writer.change(Owner(), _count) == 1
    await asyncio.to_thread(writer.close)


def test_a_precious_change_is_written_through(tmp_path: Path) -> None:
    """A batch with a precious change is synchronous FULL, even where the rest is not.

    Only where power does not fail nothing is.
    """
    connection = open_store(tmp_path / "runs.db")
    levels: list[tuple[Synchronous, bool, Synchronous]] = [
        ("FULL", False, "FULL"),
        ("NORMAL", False, "NORMAL"),
        ("NORMAL", True, "FULL"),
        ("OFF", True, "OFF"),
    ]
    for synchronous, is_precious, level in levels:
        with _statements(connection) as told:
            batch = Batch()
            batch.changes.append(Change(Owner(), _count, is_precious))
            commit(connection, batch, synchronous)
        assert told[0] == f"PRAGMA synchronous = {level}"
    connection.close()


def _batch(*rows: tuple[Table, Values]) -> Batch:
    batch = Batch()
    owner = Owner()
    owner.rows += rows
    batch.take(owner)
    return batch


def test_a_batch_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """Rows of a batch whose transaction fails are not in the file, and the next batch works."""
    connection = open_store(tmp_path / "runs.db")
    row: tuple[Table, Values] = (DOCUMENTS, ("a", b"x"))
    with pytest.raises(sqlite3.IntegrityError):
        commit(connection, _batch(row, row), "NORMAL")
    commit(connection, _batch(row), "NORMAL")
    assert _count(connection) == 1
    connection.close()


def test_what_is_overwritten_in_a_batch_was_added_before(tmp_path: Path) -> None:
    """New values of a row stand at the end of a batch, wherever in it the row was added."""
    connection = open_store(tmp_path / "runs.db")
    overwriting = Overwriting("document", ("digest", "data"))
    commit(connection, _batch((DOCUMENTS, ("old", b"1"))), "NORMAL")
    batch = _batch(
        (overwriting, ("old", b"2")),
        (DOCUMENTS, ("new", b"3")),
        (overwriting, ("new", b"4")),
        (overwriting, ("new", b"5")),
        (DOCUMENTS, ("other", b"6")),
    )
    commit(connection, batch, "NORMAL")
    found = dict(connection.execute("SELECT digest, data FROM document"))
    assert found == {"old": b"2", "new": b"5", "other": b"6"}
    connection.close()


@given(st.integers(min_value=0, max_value=600))
def test_every_number_of_rows_is_inserted_once(number: int) -> None:
    """However many rows a batch has, each of them stands in the table, in any split."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("CREATE TABLE document (digest TEXT, data BLOB)")
    DOCUMENTS.write(connection, [value for index in range(number) for value in (str(index), b"x")])
    found = [row[0] for row in connection.execute("SELECT digest FROM document")]
    assert found == [str(index) for index in range(number)]
    connection.close()
