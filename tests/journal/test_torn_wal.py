"""A file that was cut off or spoiled at its end: what is read back is what stood there once."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from fishplate.journal.batch import Batch, Change, Owner, Table, commit
from fishplate.journal.store import StoreError, open_store, store_failure

STEP = 512
STEPS = Table("step", ("run", "n", "key", "kind", "data", "is_large", "ended_ms"))
DOCUMENTS = Table("document", ("digest", "data"))
TABLES = ("run", "step", "effect", "document", "audit")

Contents = dict[str, list[tuple[object, ...]]]


def _contents(connection: sqlite3.Connection) -> Contents:
    return {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in TABLES}


def _batches() -> Iterator[Batch]:
    """Small and large transactions that belong together only as a whole."""
    for number in range(4):
        run, batch, owner = f"r{number}", Batch(), Owner()
        for n in range(8):
            owner.rows.append((STEPS, (run, n, f"step{n}", "value", b"x" * 400, 0, n)))
        owner.rows.append((DOCUMENTS, (run, b"y" * 6_000 * (number % 2))))
        batch.take(owner)

        def audited(connection: sqlite3.Connection, run: str = run, number: int = number) -> None:
            connection.execute(
                "INSERT INTO audit VALUES (?, 1, 'me', 'done', ?, x'00', '')", (number, run)
            )

        batch.changes.append(Change(Owner(), audited))
        yield batch


@pytest.fixture(scope="module")
def torn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Contents]]:
    """A store as its process left it when it died, and what it held after each commit."""
    folder = tmp_path_factory.mktemp("torn")
    with closing(open_store(folder / "live.db")) as connection:
        # The tables are in the file itself, and all that follows only in the log beside it.
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        held = [_contents(connection)]
        for batch in _batches():
            commit(connection, batch, "FULL")
            held.append(_contents(connection))
        for suffix in ("", "-wal"):
            shutil.copy(folder / f"live.db{suffix}", folder / f"dead.db{suffix}")
    return folder / "dead.db", held


def _left(dead: Path, folder: Path, log: bytes) -> Path:
    """The store with another log beside it."""
    path = folder / "runs.db"
    shutil.copy(dead, path)
    (folder / "runs.db-wal").write_bytes(log)
    return path


@pytest.mark.parametrize("spoiled", ["cut off", "zeros", "noise"])
def test_a_torn_log_gives_back_whole_commits(
    tmp_path: Path, torn: tuple[Path, list[Contents]], spoiled: str
) -> None:
    """Wherever the log is torn, the store holds what it held after one of its commits, and goes on.

    The further it is intact, the later that commit; with all of it, the last one.
    """
    dead, held = torn
    log = Path(f"{dead}-wal").read_bytes()
    seen = [0]
    for size in (*range(0, len(log), STEP), len(log)):
        lost = len(log) - size
        tail = {"cut off": b"", "zeros": bytes(lost), "noise": b"\xa5" * lost}[spoiled]
        path = _left(dead, tmp_path, log[:size] + tail)
        with closing(open_store(path)) as store:
            store.execute("PRAGMA synchronous = OFF")  # nobody waits for this disk
            found = _contents(store)
            assert found in held, f"{spoiled} from byte {size} gives what was never committed"
            seen.append(held.index(found))
            assert seen[-1] >= seen[-2]
            assert store.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            new, owner = Batch(), Owner()
            owner.rows.append((DOCUMENTS, ("new", b"z")))
            new.take(owner)
            commit(store, new, "NORMAL")
            assert ("new", b"z") in _contents(store)["document"]
            store.execute("PRAGMA synchronous = OFF")
        for left in tmp_path.iterdir():
            left.unlink()
    assert set(seen) == set(range(len(held)))


def test_a_torn_file_is_told_or_whole(tmp_path: Path, torn: tuple[Path, list[Contents]]) -> None:
    """A store whose own file is cut off says so, unless nothing is missing of what is asked for."""
    dead, held = torn
    whole = dead.read_bytes()
    told: set[str] = set()
    for size in range(STEP, len(whole), STEP):
        path = tmp_path / "runs.db"
        path.write_bytes(whole[:size])
        try:
            with closing(open_store(path)) as store:
                assert _contents(store) == held[0]
        except StoreError as refused:
            told.add(refused.code)
        except sqlite3.DatabaseError as refused:
            told.add(store_failure(refused, path).code)
        for left in tmp_path.iterdir():
            left.unlink()
    assert told <= {"corrupt_store", "foreign_store"}
    assert told
