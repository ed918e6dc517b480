"""A trace store whose file is deleted, moved or replaced while an app writes to it."""

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from fishplate import App, agent
from fishplate.traces.feed import Tally
from fishplate.traces.queries import RunFilter, TracedRun, list_traces, lost
from fishplate.traces.store import open_trace_reader


@agent
async def echo(text: str) -> str:
    """One span."""
    return text


def delete(path: Path) -> None:
    """Take the file away, with what SQLite keeps beside it."""
    for name in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        name.unlink(missing_ok=True)


def delete_alone(path: Path) -> None:
    """Take only the file away."""
    path.unlink()


def move(path: Path) -> None:
    """Give the file another name."""
    path.rename(f"{path}.old")


def replace(path: Path) -> None:
    """Put another trace store in its place."""
    other = path.with_name("other.db")
    shutil.copy(path, other)
    other.replace(path)


async def told(app: App, text: str) -> Tally:
    """Run once; what became of what the app has told."""
    assert await app.start(echo, text).result() == text
    return (await app.flush_traces())["store"]


def found(path: Path) -> tuple[list[TracedRun], int]:
    """The runs that a file has, and how much it knows to be missing."""
    with closing(open_trace_reader(f"sqlite:///{path}")) as connection:
        return list_traces(connection, RunFilter()), lost(connection)


@pytest.mark.skipif(os.name == "nt", reason="Windows lets nobody take away an open file")
@pytest.mark.parametrize("take_away", [delete, delete_alone, move, replace])
async def test_a_new_file_takes_what_comes(
    tmp_path: Path, take_away: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing goes into a file that is not there: it is said, what is gone counts, all else stays.

    What is told after the file was taken away stands in the new one, with the number of what does
    not.
    """
    path = tmp_path / "traces.db"
    async with App(echo, traces=f"sqlite:///{path}") as app:
        await told(app, "1")
        before = await told(app, "2")
        take_away(path)
        moved = await told(app, "3")
        after = await told(app, "4")

    assert (before.kept, before.lost) == (2, 0)
    assert (moved.kept, moved.lost) == (1, 2)
    assert "deleted, moved or replaced" in str(moved.failure)
    assert (after.kept, after.lost, after.failure) == (2, 2, None)
    assert "deleted, moved or replaced" in caplog.text
    runs, missing = await asyncio.to_thread(found, path)
    assert [run.state for run in runs[:2]] == ["succeeded", "succeeded"]
    assert missing == 2
    if take_away is not replace:
        assert len(runs) == 2
    if take_away is move:  # with what stood in the log of SQLite, which was not moved
        runs, _ = await asyncio.to_thread(found, Path(f"{path}.old"))
        assert len(runs) == 3


@pytest.mark.skipif(os.name == "nt", reason="Windows lets nobody take away an open file")
async def test_a_folder_that_is_gone_loses_and_counts(tmp_path: Path) -> None:
    """Where no new file can be made all is lost, and no run fails of it."""
    path = tmp_path / "below" / "traces.db"
    path.parent.mkdir()
    async with App(echo, traces=f"sqlite:///{path}") as app:
        await told(app, "1")
        shutil.rmtree(path.parent)
        gone = await told(app, "2")

    assert gone.lost >= 1
    assert "cannot be opened" in str(gone.failure)


@pytest.mark.skipif(os.name == "nt", reason="Windows lets nobody take away an open file")
async def test_a_file_that_is_gone_in_the_end_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Though nothing more is written to it."""
    path = tmp_path / "traces.db"
    async with App(echo, traces=f"sqlite:///{path}") as app:
        await told(app, "1")
        delete(path)

    assert "deleted, moved or replaced" in caplog.text


@pytest.mark.skipif(os.name == "nt", reason="Windows lets nobody take away an open file")
async def test_a_foreign_file_in_its_place_is_left_alone(tmp_path: Path) -> None:
    """What is no trace store is not written to; what would have been is lost."""
    path, other = tmp_path / "traces.db", tmp_path / "other.db"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE theirs (n)")
    connection.commit()
    connection.close()
    before = other.read_bytes()
    async with App(echo, traces=f"sqlite:///{path}") as app:
        await told(app, "1")
        other.replace(path)
        gone = await told(app, "2")

    assert (gone.kept, gone.lost) == (1, 1)
    assert "something else" in str(gone.failure)
    assert path.read_bytes() == before
