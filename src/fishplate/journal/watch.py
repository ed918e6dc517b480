"""Looking whether another process has put something into the inbox.

A thread looks, by a connection of its own, so that the event loop is woken only when there is
something to do, and virtual time is not moved by looking.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from fishplate.journal.inbox import pending
from fishplate.journal.store import open_reader

INTERVAL: Final = 0.1
"""Seconds from one look to the next."""


class InboxWatch:
    """Looks into the inbox of a store that this process drives, until it is closed.

    Args:
        path: Of the store's file.
        heard: Called on the watching thread, at every look that finds something unanswered.
    """

    def __init__(self, path: Path, heard: Callable[[], object]) -> None:
        self._connection = open_reader(path)
        self._heard = heard
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fishplate-inbox", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look no more; blocks until the last look is over."""
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        seen = -1
        try:
            while not self._end.wait(INTERVAL):
                # Whoever holds the file just now lets go of it; the next look is soon.
                with contextlib.suppress(sqlite3.OperationalError):
                    seen = self._look(seen)
        finally:
            self._connection.close()

    def _look(self, seen: int) -> int:
        # The number moves with every commit of another connection, the writer's too; then one
        # look at an index tells, which is empty but for what nobody has answered.
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        if version != seen and pending(self._connection):
            self._heard()
            return -1  # who could not answer now is told again
        return int(version)
