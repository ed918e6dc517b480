"""The trace store: a SQLite file of its own, written in batches, bounded in age and size.

A trace is worth less than a run: the file is not synchronised with the disk at every commit, as
the journal is, and whatever goes wrong here is told by `Feed` and harms no run.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from fishplate.core.data import dataclass
from fishplate.core.errors import UsageError
from fishplate.core.ids import run_id
from fishplate.core.sqlite_file import (
    BUSY_TIMEOUT,
    StoreUnavailableError,
    open_database,
    open_database_reader,
    store_path,
    told,
)
from fishplate.traces.capture import Capture, Reader
from fishplate.traces.feed import CAPACITY, Taken
from fishplate.traces.items import Item
from fishplate.traces.layout import LAYOUT
from fishplate.traces.lives import untold
from fishplate.traces.packing import Packed, Packer
from fishplate.traces.redaction import Redactor, check_secrets
from fishplate.traces.rows import REFUSED, write, write_each, write_gaps

DAY: Final = 86_400.0
TIDY_AFTER: Final = 60.0
"""Seconds between two looks at what is too old; how much there is, is looked at every batch."""
KEPT_SHARE: Final = 0.9
"""Of the most that a store may have, what is left when it had more."""
AGAIN_AFTER: Final = 1.0
"""Seconds after which a file that could not be opened is tried again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TraceStore:
    """Where an app keeps its traces, and how much of them: `App(traces=TraceStore(url=...))`.

    Attributes:
        url: Of a file of its own, e.g. `sqlite:///traces.db`; never that of the runs.
        capture: How much of inputs, outputs and errors is kept; see `Capture`.
        secrets: Texts that are hidden wherever they stand, beside the values of environment
            variables whose names say that they are secret, and what looks like a secret.
        max_age: Seconds after which a run is taken out; above 0.
        max_bytes: Of the file and its log. It is looked at after every batch, and beyond it the
            oldest runs are taken out, to nine tenths of it. At least a million.
        capacity: Most spans, with their contents, and beginnings of runs that wait to be written;
            at least 1. Contents have the first half of it, and the last eighth is for what is told
            of a run as a whole: so of what does not fit contents are dropped first, then spans.

    Raises:
        UsageError: A setting is out of its range (code `bad_setting`), or the URL is not of a store
            (code `bad_store`).
    """

    url: str
    capture: Capture = "redacted"
    secrets: tuple[str, ...] = ()
    max_age: float = 30 * DAY
    max_bytes: int = 1_000_000_000
    capacity: int = CAPACITY

    def __post_init__(self) -> None:
        store_path(self.url)
        for name, least in (("max_age", 0.001), ("max_bytes", 1_000_000), ("capacity", 1)):
            value = getattr(self, name)
            if not value >= least:
                msg = f"TraceStore({name}={value!r}) is too little: it is at least {least:g}"
                raise UsageError(msg, code="bad_setting")
        if self.capture not in {"off", "metadata", "redacted", "full"}:
            msg = f"TraceStore(capture={self.capture!r}): write off, metadata, redacted or full"
            raise UsageError(msg, code="bad_setting")
        check_secrets("TraceStore", self.secrets)


def check_store(settings: TraceStore) -> None:
    """Refuse a file that is no trace store; one that is unavailable just now passes.

    Raises:
        StoreError: The file is something else (`foreign_store`), damaged (`corrupt_store`), or
            written by a later version (`future_store`).
    """
    try:
        open_database(store_path(settings.url), LAYOUT).close()
    except StoreUnavailableError:
        return  # it may come back; until then what is told is counted as lost


def open_trace_reader(url: str) -> sqlite3.Connection:
    """Open a trace store to read it, beside whoever writes it.

    Raises:
        StoreError: The file is no trace store, damaged, or of another version.
        StoreUnavailableError: There is no such file, or it cannot be read.
    """
    return open_database_reader(store_path(url), LAYOUT)


class StoreWriter:
    """Writes batches into a trace store; see `feed.Receiver`.

    Args:
        settings: Which store.
        seconds: What tells when to look again, apart from the clock of the runs.
    """

    def __init__(
        self, settings: TraceStore, seconds: Callable[[], float] = time.perf_counter
    ) -> None:
        self._settings = settings
        self._path = store_path(settings.url)
        self._seconds = seconds
        redactor = Redactor(settings.secrets, os.environ)
        self._packer = Packer(Reader(settings.capture, redactor))
        self._connection: sqlite3.Connection | None = None
        # Of the runs, not of the machine: a simulated year is a year to what is kept of it.
        self._latest_ms = 0
        self._opens_at = self._tidies_at = seconds()
        self._shrinks_at = settings.max_bytes
        self._identity: tuple[int, int] | None = None
        self._kept_there = 0
        self._gone: int | None = None  # spans of a file that is there no more, not told of yet

    def take(self, items: Sequence[Item], dropped: int) -> Taken:
        """Write a batch in one transaction; what became of its spans.

        A file that is there no more, or another one by now, takes what is written without a word:
        SQLite goes on with the one that it has opened. So whether it is still there is looked at
        after every batch, and what is not is written again, into a new file.

        Raises:
            StoreUnavailableError: The file cannot be opened or written.
        """
        # Before the file is asked for: what ends here is to be forgotten though it is not written.
        packed = self._packer.pack(items)
        self._latest_ms = packed.latest_ms
        kept = self._write(packed, dropped)
        if not self._is_there():
            self._shut()
            self._opens_at = self._seconds()
            kept = self._write(packed, dropped)
        self._kept_there += kept
        gone, self._gone = self._gone, None
        if gone is None:
            return Taken(kept)
        return Taken(kept, gone=gone, trouble=f"{self._moved(gone)}; another takes the rest")

    def _write(self, packed: Packed, dropped: int) -> int:
        """Write a batch; how many of its spans are kept."""
        connection = self._opened()
        try:
            with told(self._path):
                return packed.spans - self._put(connection, packed, dropped + (self._gone or 0))
        except BaseException:
            self._shut()  # and tried anew: the file may be another one by then
            raise

    def _put(self, connection: sqlite3.Connection, packed: Packed, dropped: int) -> int:
        """Write a batch at once, or row by row if SQLite takes one of them not; spans refused."""
        refused = 0
        try:
            with transaction(connection):
                write(connection, packed)
                lost = packed.lost + _told_no_more(connection, packed)
                self._tell_loss(connection, dropped, lost)
        except REFUSED:
            with transaction(connection):
                refused = write_each(connection, packed)
                lost = packed.lost + refused + _told_no_more(connection, packed)
                self._tell_loss(connection, dropped, lost)
        return refused

    def _tell_loss(self, connection: sqlite3.Connection, dropped: int, lost: int) -> None:
        if dropped or lost:
            row = (self._latest_ms, dropped, lost)
            connection.execute("INSERT INTO loss (at_ms, dropped, lost) VALUES (?, ?, ?)", row)

    def _is_there(self) -> bool:
        return _identity(self._path) == self._identity

    def _moved(self, gone: int) -> str:
        return (
            f"the trace store {str(self._path)!r} was deleted, moved or replaced while it was "
            f"written to, with {gone} spans of this app"
        )

    def rest(self) -> None:
        """Take out what is too old, unless that was done a moment ago, and what is too much.

        Raises:
            StoreUnavailableError: The file cannot be written.
        """
        if self._connection is None:
            return
        now = self._seconds()
        if now >= self._tidies_at:
            self._tidies_at = now + TIDY_AFTER
            with told(self._path):
                tidy(self._connection, self._settings, self._latest_ms)
        if _on_disk(self._path) > self._shrinks_at:
            most = self._settings.max_bytes
            try:
                with told(self._path):
                    shrink(self._connection, round(most * KEPT_SHARE))
            finally:  # what a reader holds back is not tried again at every batch
                size = _on_disk(self._path)
                self._shrinks_at = max(most, size + round(most * (1 - KEPT_SHARE)))

    def close(self) -> None:
        """Close the file.

        Raises:
            StoreUnavailableError: It is not there any more.
        """
        self._shut()
        if self._gone is not None:
            raise StoreUnavailableError(self._moved(self._gone))

    def _shut(self) -> None:
        if self._connection is not None:
            if not self._is_there():
                self._gone = (self._gone or 0) + self._kept_there
                self._kept_there = 0
                # Its log may still stand beside the path, where SQLite would take it for that of
                # whatever stands there now. What is in the log belongs into the file that was
                # moved; without room for it, or beside a reader, it stays where it is.
                with suppress(sqlite3.Error):
                    self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self._connection.close()
            self._connection = None

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            if self._seconds() < self._opens_at:
                msg = f"the trace store {str(self._path)!r} is not available"
                raise StoreUnavailableError(msg)
            self._opens_at = self._seconds() + AGAIN_AFTER
            self._connection = open_database(self._path, LAYOUT)
            self._connection.execute("PRAGMA synchronous = NORMAL")
            found = _identity(self._path)
            if self._identity not in {None, found}:
                self._gone = (self._gone or 0) + self._kept_there
                self._kept_there = 0
            self._identity = found
        return self._connection


def _told_no_more(connection: sqlite3.Connection, packed: Packed) -> int:
    """Mark the runs that have lost spans with an earlier life; how many, at least."""
    if not packed.replayed:
        return 0
    missing = untold(connection, packed.replayed)
    write_gaps(connection, [(run, count, 0) for run, count in missing.items()])
    return sum(missing.values())


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file stands at a path; `None`: none, or nobody can say."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _on_disk(path: Path) -> int:
    """Bytes of a store and of its log."""
    found = 0
    for one in (path, path.with_name(f"{path.name}-wal")):
        with suppress(OSError):  # the log comes and goes
            found += one.stat().st_size
    return found


@contextmanager
def transaction(connection: sqlite3.Connection) -> Generator[None]:
    """Everything that is done inside, or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.execute("COMMIT")


def tidy(connection: sqlite3.Connection, settings: TraceStore, now_ms: int) -> None:
    """Take out runs that are too old, and the oldest if the file is too large."""
    _take_out(connection, now_ms - round(settings.max_age * 1000))
    if _size_of(connection) > settings.max_bytes:
        shrink(connection, round(settings.max_bytes * KEPT_SHARE))


def shrink(connection: sqlite3.Connection, most_bytes: int) -> None:
    """Take out the oldest runs while the file is larger than it may be, and empty its log."""
    _empty_log(connection)
    while (size := _size_of(connection)) > most_bytes:
        oldest = _after_share(connection, 1 - most_bytes * 0.98 / size)
        if oldest is None:
            return
        with transaction(connection):
            _delete_up_to(connection, oldest)
        _give_back(connection)


def _take_out(connection: sqlite3.Connection, before_ms: int) -> None:
    if before_ms <= 0:
        return
    bound = run_id(before_ms, 0)
    found = connection.execute("SELECT 1 FROM run WHERE id <= ? LIMIT 1", (bound,)).fetchone()
    minute = before_ms // 60_000
    with transaction(connection):
        if found is not None:
            _delete_up_to(connection, bound)
        connection.execute("DELETE FROM rollup_minute WHERE slot < ?", (minute,))
        connection.execute("DELETE FROM rollup_hour WHERE slot < ?", (minute // 60,))
        connection.execute("DELETE FROM loss WHERE at_ms < ?", (before_ms,))
    if found is not None:
        _give_back(connection)


def _give_back(connection: sqlite3.Connection) -> None:
    # A script is run to its end; `execute` stops after the first page that is free.
    connection.executescript("PRAGMA incremental_vacuum;")
    _empty_log(connection)


def _empty_log(connection: sqlite3.Connection) -> None:
    """Bring the log into the file, as far as no reader needs it; waits for nobody."""
    # What is told meanwhile would wait as well, for seconds, while somebody looks at the traces.
    connection.execute("PRAGMA busy_timeout = 0").fetchall()
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT * 1000:.0f}").fetchall()


def _delete_up_to(connection: sqlite3.Connection, bound: str) -> None:
    connection.execute("DELETE FROM block WHERE last_run <= ?", (bound,))
    for table in ("segment", "run_block", "run_cost", "run_gap", "run_wait"):
        connection.execute(f"DELETE FROM {table} WHERE run <= ?", (bound,))  # noqa: S608 -- ours
    connection.execute("DELETE FROM run WHERE id <= ?", (bound,))


def _after_share(connection: sqlite3.Connection, share: float) -> str | None:
    """The run up to which a share of all runs, at least one, was begun."""
    (count,) = connection.execute("SELECT count(*) FROM run").fetchone()
    skipped = min(int(count * share), count - 1)
    query = "SELECT id FROM run ORDER BY id LIMIT 1 OFFSET ?"
    found = connection.execute(query, (max(skipped, 0),)).fetchone()
    return None if found is None else str(found[0])


def _size_of(connection: sqlite3.Connection) -> int:
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    return int((pages - free) * size)
