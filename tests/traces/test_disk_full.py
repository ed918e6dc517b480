"""A disk that takes no more: runs go on as if nothing was, and what is not kept is counted."""

import json
import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fishplate.core.sqlite_file import store_failure
from fishplate.traces.queries import lost as missing
from fishplate.traces.store import open_trace_reader

PROGRAM = """
import asyncio, json, logging, os, resource, sys
from fishplate import App, agent, workflow
from fishplate.traces.store import TraceStore

@agent
async def look(number: int) -> str:
    return f"{number} {'x' * 2_000}"

@agent
async def count(text: str) -> int:
    return len(text)

@workflow
async def support(number: int) -> int:
    return await count(await look(number))

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

async def main():
    path = sys.argv[1]
    store = TraceStore(url=f"sqlite:///{path}", max_bytes=1_000_000)
    async with App(support, traces=store) as app:
        async def runs(first, count):
            states = [await app.start(support, first + n).ended() for n in range(count)]
            return states, (await app.flush_traces())["store"]

        before, _ = await runs(0, 20)
        limit(os.path.getsize(f"{path}-wal") + 8_192)
        during, full = await runs(100, 300)
        limit(resource.RLIM_INFINITY)
        await asyncio.sleep(1.1)  # a file that could not be opened is not tried at every batch
        after, again = await runs(1_000, 20)
    print(json.dumps({
        "states": sorted({*before, *during, *after}),
        "full": [full.kept, full.lost, full.dropped, full.failure],
        "again": [again.kept, again.lost, again.failure],
    }))

asyncio.run(main())
"""


@pytest.fixture
def told(tmp_path: Path) -> Any:
    """What a process tells whose files stop growing for a while, and grow again."""
    pytest.importorskip("resource", reason="this platform limits no file sizes")
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, program, tmp_path / "traces.db"],
        capture_output=True,
        encoding="utf-8",
        check=True,
        timeout=50,
    )
    return {**json.loads(ended.stdout), "err": ended.stderr}


def test_a_full_disk_harms_no_run_and_is_told(told: Any, tmp_path: Path) -> None:
    """All runs succeed, what is not written is counted and logged; with room it goes on."""
    assert told["states"] == ["succeeded"]
    kept, lost, dropped, failure = told["full"]
    assert lost > 0
    assert dropped == 0
    assert kept + lost == 3 * 320
    assert "traces.db" in failure
    assert "traces cannot be kept" in told["err"]
    assert re.search(r"its disk .*: look at its room.*; so far 0 dropped and \d+ lost", told["err"])
    again_kept, again_lost, again_failure = told["again"]
    assert (again_kept, again_lost, again_failure) == (kept + 60, lost, None)
    assert "traces are not whole" in told["err"]
    connection = open_trace_reader(f"sqlite:///{tmp_path}/traces.db")
    assert missing(connection) == lost
    connection.close()


def test_the_message_promises_nothing(tmp_path: Path) -> None:
    """It says what is not kept and what to do, for a disk that is full by SQLite's own word."""
    connection = sqlite3.connect(tmp_path / "full.db")
    connection.execute("CREATE TABLE t (x)")
    connection.execute("PRAGMA max_page_count = 3")
    with pytest.raises(sqlite3.OperationalError) as full:
        connection.execute("INSERT INTO t VALUES (zeroblob(100000))")
    connection.close()

    message = str(store_failure(full.value, tmp_path / "full.db"))
    assert "its disk is full: make room on it" in message
    assert "What is told until then is not kept" in message
