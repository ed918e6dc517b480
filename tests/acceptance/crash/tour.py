"""A tour that is undone, in a process that dies at a commit of its choice.

Run by `test_compensation_crashes`. Arguments: folder, and `before` or `after` with the number of
the commit at which the process kills itself; or `resume`, which opens the store and waits until
nothing more can be done.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
from pathlib import Path

from fishplate import App, DeclaredError, agent, current, tool
from fishplate.journal import writer as journal_writer
from fishplate.journal.batch import Batch, Synchronous

FOLDER, SIDE, COMMIT = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
STORE = f"sqlite:///{FOLDER / 'runs.db'}"


class SoldOutError(DeclaredError):
    """There is no room."""


def write_down(what: str) -> None:
    """Write into the hotels' books, once under one key; it is on the disk when this returns."""
    with sqlite3.connect(FOLDER / "books.db") as books:
        books.execute("CREATE TABLE IF NOT EXISTS entry (n INTEGER PRIMARY KEY, key UNIQUE, what)")
        books.execute(
            "INSERT OR IGNORE INTO entry (key, what) VALUES (?, ?)",
            (current().idempotency_key, what),
        )
    books.close()


@tool(effect="keyed", key_ttl=3600)
def release(city: str, result: int) -> None:
    """Give a room back."""
    write_down(f"release {city} {result}")


@tool(effect="keyed", key_ttl=3600, compensate=release, errors=[SoldOutError])
def book(city: str, nights: int) -> int:
    """Book a room; its number."""
    if city == "Rome":
        raise SoldOutError
    write_down(f"book {city}")
    return nights * 100


@agent(tools=[book], errors=[SoldOutError], on_failure="compensate")
async def tour(cities: list[str]) -> list[int]:
    """Book rooms in several cities, or none."""
    return [await book(city, nights) for nights, city in enumerate(cities, 1)]


commits = 0
commit = journal_writer.commit


def deadly_commit(
    connection: sqlite3.Connection, batch: Batch, synchronous: Synchronous
) -> list[object]:
    """Commit, and kill the process on one side of the chosen commit."""
    global commits  # noqa: PLW0603 -- one process, one count
    commits += 1
    if SIDE == "before" and commits == COMMIT:
        os.kill(os.getpid(), signal.SIGKILL)
    found = commit(connection, batch, synchronous)
    if SIDE == "after" and commits == COMMIT:
        os.kill(os.getpid(), signal.SIGKILL)
    return found


async def main() -> None:
    """Start a run, or let go on what is left."""
    if SIDE != "resume":
        journal_writer.commit = deadly_commit
    async with App(tour, store=STORE) as app:
        if SIDE != "resume":
            app.start(tour, ["Paris", "Oslo", "Rome"])
        await app.settled()


asyncio.run(main())
