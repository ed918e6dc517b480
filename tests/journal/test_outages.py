"""A store that cannot be written to: a clear error, no wrong answer, and on it goes after that."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from fishplate import App, agent, current, tool, workflow
from fishplate.journal.lock import StoreLockedError
from fishplate.journal.store import StoreUnavailableError

NOBODY = 65_534
PAID: list[str] = []


@agent
async def look_up(order_id: str) -> str:
    """Find an order of many words."""
    return f"{order_id} {'x' * 20_000}"


@tool(effect="keyed", key_ttl=3600, scopes=["payments:write"])
async def pay(order: str) -> str:
    """Pay, once for a key."""
    if (key := current().idempotency_key) not in PAID:
        PAID.append(key)
    return order[:3]


@workflow(tools=[pay])
async def support(order_id: str) -> str:
    """Refund an order."""
    order = await look_up(order_id)
    return await pay(order)


@pytest.fixture(autouse=True)
def _nothing_is_paid() -> None:
    PAID.clear()


def _app(path: Path) -> App:
    return App(support, store=f"sqlite:///{path}")


def _ends(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as store:
        return [state for (state,) in store.execute("SELECT state FROM run ORDER BY id")]


def _size(path: str) -> int:
    return Path(path).stat().st_size


@contextmanager
def _no_file_grows_beyond(size: int) -> Generator[None]:
    """A disk that takes no more: writing at a place behind `size` fails."""
    resource = pytest.importorskip("resource", reason="this platform limits no file sizes")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_while_the_disk_takes_nothing_nothing_is_paid(tmp_path: Path) -> None:
    """A run that cannot be kept fails before its effect; with room again the same app goes on."""
    path = tmp_path / "runs.db"
    async with _app(path) as app:
        assert await app.start(support, "#W1").result() == "#W1"
        with _no_file_grows_beyond(_size(f"{path}-wal")):
            for number in range(3):
                with pytest.raises(StoreUnavailableError) as refused:
                    await app.start(support, f"#X{number}").result()
                assert refused.value.code == "store_unavailable"
                assert str(path) in refused.value.message
        assert len(PAID) == 1
        assert await app.start(support, "#W2").result() == "#W2"
    async with _app(path) as app:
        for run in app.resumed:  # one that had begun before the disk was full
            await run.result()
        left = [run.id for run in app.resumed]
    assert _ends(path) == ["succeeded"] * (2 + len(left))
    assert len(PAID) == 2 + len(left)


@pytest.mark.long
async def test_while_another_process_holds_the_file_nothing_is_paid(tmp_path: Path) -> None:
    """A commit waits some seconds for the file, then its run fails; the loop is never held up."""
    path = tmp_path / "runs.db"
    async with _app(path) as app:
        assert await app.start(support, "#W1").result() == "#W1"
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        run = app.start(support, "#X1")
        ended = asyncio.ensure_future(run.ended())
        turns = 0
        while not ended.done():
            await asyncio.wait([ended], timeout=0.05)
            turns += 1
        assert turns > 10
        with pytest.raises(StoreUnavailableError, match="held it"):
            await run.result()
        assert len(PAID) == 1
        other.execute("ROLLBACK")
        other.close()
        assert await app.start(support, "#W2").result() == "#W2"


@contextmanager
def _without_rights() -> Generator[None]:
    """Be somebody whom the rights of files concern, which they do not where tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def shared_folder() -> Generator[Path]:
    """A folder that anybody may enter."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        yield folder


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this platform has other rights")
@pytest.mark.parametrize("what", ["file", "folder"])
async def test_a_store_that_is_read_only_is_told_when_it_is_opened(
    shared_folder: Path, what: str
) -> None:
    """An app over a store it may not write to does not open, and changes nothing."""
    path = shared_folder / "runs.db"
    async with _app(path) as app:
        await app.start(support, "#W1").result()
    before = path.read_bytes()
    target = path if what == "file" else shared_folder
    _make_read_only(shared_folder, target)
    says = "read-only" if what == "file" else "lock"
    with _without_rights(), pytest.raises(StoreUnavailableError, match=says):
        await _app(path).__aenter__()
    assert path.read_bytes() == before
    target.chmod(0o777)
    async with _app(path) as app:
        assert await app.start(support, "#W2").result() == "#W2"


def _make_read_only(folder: Path, target: Path) -> None:
    for found in folder.iterdir():
        if found.suffix == ".lock":
            found.unlink()  # it belongs to who made it
        else:
            found.chmod(0o666)
    target.chmod(0o555 if target == folder else 0o444)


DRIVER = """
import asyncio, sys
from fishplate import App, agent

@agent
async def hold() -> None:
    print("holds", flush=True)
    await asyncio.get_running_loop().create_future()

async def main():
    async with App(hold, store=f"sqlite:///{sys.argv[1]}"):
        await hold()

asyncio.run(main())
"""


async def test_a_second_process_changes_nothing(tmp_path: Path) -> None:
    """While another process drives the store an app does not open; when that is gone, it does."""
    path = tmp_path / "runs.db"
    first = await asyncio.create_subprocess_exec(
        sys.executable, "-c", DRIVER, str(path), stdout=subprocess.PIPE
    )
    assert first.stdout is not None
    assert await first.stdout.readline() == b"holds\n"
    with pytest.raises(StoreLockedError, match=f"process {first.pid}"):
        await _app(path).__aenter__()
    first.kill()
    await first.wait()
    async with _app(path) as app:
        assert await app.start(support, "#W1").result() == "#W1"
