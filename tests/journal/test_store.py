"""Opening a store: what is one, what is not, and what is said about it."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from fishplate.core.errors import FishplateError, UsageError
from fishplate.journal.layout import APPLICATION_ID, MIGRATIONS
from fishplate.journal.store import (
    StoreError,
    StoreUnavailableError,
    open_reader,
    open_store,
    store_path,
)


def test_a_store_is_made_where_there_is_none_and_opened_again(tmp_path: Path) -> None:
    """A new store has this version's tables, and opening it again changes nothing."""
    path = tmp_path / "runs.db"
    open_store(path).close()
    again = open_store(path)
    assert again.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    assert again.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert again.execute("SELECT count(*) FROM run").fetchone() == (0,)
    again.close()


def test_a_file_of_something_else_is_refused_unchanged(tmp_path: Path) -> None:
    """A SQLite file of another program is not driven, and not touched."""
    path = tmp_path / "other.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE customers (name TEXT)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="something else") as refused:
        open_store(path)
    assert refused.value.code == "foreign_store"
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_unchanged(tmp_path: Path) -> None:
    """Any other file is named as what it is not."""
    path = tmp_path / "notes.txt"
    path.write_text("buy milk\n" * 500)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="not a SQLite file") as refused:
        open_store(path)
    assert refused.value.code == "foreign_store"
    assert path.read_bytes() == before


def test_a_store_of_a_later_version_is_refused(tmp_path: Path) -> None:
    """A store from the future is not guessed at."""
    path = tmp_path / "runs.db"
    future = open_store(path)
    future.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    future.close()
    with pytest.raises(StoreError, match="later") as refused:
        open_store(path)
    assert refused.value.code == "future_store"


def test_a_damaged_store_is_named_as_damaged(tmp_path: Path) -> None:
    """A store whose pages are overwritten says so when it is opened or first read."""
    path = tmp_path / "runs.db"
    open_store(path).close()
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    content[100:200] = b"\xff" * 100
    path.write_bytes(content)
    with pytest.raises(StoreError) as refused:
        open_store(path)
    assert refused.value.code == "corrupt_store"


def test_a_store_in_a_missing_folder_is_unavailable(tmp_path: Path) -> None:
    """The error says that the folder has to exist."""
    with pytest.raises(StoreUnavailableError, match="folder has to exist"):
        open_store(tmp_path / "nowhere" / "runs.db")


def test_a_reader_refuses_what_it_cannot_read(tmp_path: Path) -> None:
    """Reading neither makes a store, nor brings one up to date, nor writes."""
    with pytest.raises(StoreUnavailableError):
        open_reader(tmp_path / "runs.db")
    assert not (tmp_path / "runs.db").exists()
    old = sqlite3.connect(tmp_path / "old.db")
    old.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    old.execute("PRAGMA user_version = 0")
    old.close()
    with pytest.raises(FishplateError):
        open_reader(tmp_path / "old.db")
    open_store(tmp_path / "runs.db").close()
    reader = open_reader(tmp_path / "runs.db")
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("DELETE FROM run")
    reader.close()


@pytest.mark.parametrize("url", ["runs.db", "sqlite:///", "postgres://host/db", ""])
def test_a_store_is_named_by_a_url(url: str) -> None:
    """What is no URL of a SQLite file is refused with the form to write."""
    with pytest.raises(UsageError, match="sqlite:///path") as refused:
        store_path(url)
    assert refused.value.code == "bad_store"


def test_the_url_holds_a_relative_or_an_absolute_path() -> None:
    """Three slashes and a path; an absolute path begins with a fourth."""
    assert store_path("sqlite:///data/runs.db") == Path("data/runs.db")
    assert store_path("sqlite:////var/runs.db") == Path("/var/runs.db")
