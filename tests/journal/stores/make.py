"""Write a store of the present version: `python -m tests.journal.stores.make FILE`.

A file of a version that has been released is never made anew.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from fishplate.core.errors import NeedsAttention
from tests.journal.stores.cast import charge, give_back, opened, ship


async def write(path: Path) -> None:
    """One run each that has ended, that nobody knows the outcome of, and that waits."""
    async with opened(path, gate_is_open=True) as app:
        await app.start(ship, "#W1").result()
        try:
            await app.start(charge, "#W2").result()
        except NeedsAttention as expected:
            print(expected.code)  # noqa: T201 -- a script
        print(await app.start(give_back, "#W3").ended_or_waiting())  # noqa: T201 -- a script


async def leave(path: Path) -> None:
    """A run whose process ends after the first of its two steps."""
    async with opened(path, gate_is_open=False) as app:
        await app.start(ship, "#W4").result()


if __name__ == "__main__":
    file = Path(sys.argv[1])
    asyncio.run(write(file))
    try:
        asyncio.run(leave(file))
    except KeyboardInterrupt:
        print("left")  # noqa: T201 -- a script
    with closing(sqlite3.connect(file)) as store:
        store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        store.execute("PRAGMA journal_mode = DELETE")
        store.execute("VACUUM")
        print(store.execute("SELECT agent, state, attention FROM run").fetchall())  # noqa: T201
