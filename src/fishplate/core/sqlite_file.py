"""One SQLite file of ours: opened in WAL mode, of a kind and a version that this code knows."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from fishplate.core.data import dataclass
from fishplate.core.errors import ErrorClass, FishplateError, UsageError

PREFIX: Final = "sqlite:///"
BUSY_TIMEOUT: Final = 5.0
"""Seconds for which a commit waits while another process holds the file."""


class StoreError(FishplateError):
    """A file that is no store, or not one that this version can drive; nothing was changed."""

    code = "foreign_store"
    error_class = ErrorClass.PERMANENT


class StoreUnavailableError(FishplateError):
    """The store cannot keep anything just now: locked, read-only, disk full."""

    code = "store_unavailable"
    error_class = ErrorClass.OVERLOAD


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """What a kind of file holds, version by version.

    Attributes:
        application_id: Marks a SQLite file as one of this kind.
        migrations: What brings it from each version to the next; a version that has been released
            never changes.
        auto_vacuum: What becomes of the space of rows that were taken out.
    """

    application_id: int
    migrations: tuple[str, ...]
    auto_vacuum: Literal["none", "incremental"] = "none"

    @property
    def version(self) -> int:
        """The newest version."""
        return len(self.migrations)


def store_path(url: str) -> Path:
    """The file that a store's URL names: `sqlite:///data/runs.db`, `sqlite:////absolute/path`.

    Raises:
        UsageError: It is another kind of URL (code `bad_store`).
    """
    if not url.startswith(PREFIX) or url == PREFIX:
        msg = f"the store {url!r} is not of the form 'sqlite:///path/to/file.db'"
        raise UsageError(msg, code="bad_store")
    return Path(url.removeprefix(PREFIX))


def open_database(path: Path, layout: Layout) -> sqlite3.Connection:
    """Open a store to write to it; a missing one is made, an older one is brought up to date.

    The connection leaves transactions to its user, and may be used by another thread than this.

    Raises:
        StoreError: The file is something else (`foreign_store`), damaged (`corrupt_store`), or
            written by a later version (`future_store`).
        StoreUnavailableError: It cannot be opened or written to.
    """
    with told(path):
        connection = sqlite3.connect(
            path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
        )
        try:
            version = _version_of(connection, path, layout)
            if not version:  # can be chosen for an empty file alone
                connection.execute(f"PRAGMA auto_vacuum = {layout.auto_vacuum}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA foreign_keys = ON")
            for number in range(version, layout.version):
                _migrate(connection, layout, number)
            if version < layout.version:  # so that no damage to the log can make a new store of it
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            # SQLite opens a file that is read-only without a word, until something is written.
            probe = f"PRAGMA user_version = {layout.version}"
            connection.executescript(f"BEGIN IMMEDIATE; {probe}; ROLLBACK;")
        except BaseException:
            connection.close()
            raise
    return connection


def open_database_reader(path: Path, layout: Layout) -> sqlite3.Connection:
    """Open a store to read it, beside whoever drives it.

    Raises:
        StoreError: As `open_database`, and for an older version, since reading does not migrate.
        StoreUnavailableError: There is no such file, or it cannot be read.
    """
    if not path.exists():
        msg = (
            f"there is no store at {str(path)!r}: an app makes it when it is entered; "
            "look at the path, or run something first"
        )
        raise StoreUnavailableError(msg)
    with told(path):
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro",
            uri=True,
            timeout=BUSY_TIMEOUT,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            _check_current(_version_of(connection, path, layout), path, layout)
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def told(path: Path) -> Generator[None]:
    """Tell what SQLite raises inside as an error of the store at `path`."""
    try:
        yield
    except sqlite3.Error as error:
        raise store_failure(error, path) from error


def store_failure(error: sqlite3.Error, path: Path) -> StoreError | StoreUnavailableError:
    """What an error of SQLite means for the store at `path`."""
    if path.is_dir():
        return StoreError(
            f"{str(path)!r} is a folder: name a file in it, e.g. {f'{path}/runs.db'!r}"
        )
    # Set by the module for errors of the library; not for those it raises itself.
    name: str = getattr(error, "sqlite_errorname", "SQLITE_MISUSE")
    match name.split("_")[1]:
        case "NOTADB":
            msg = f"{str(path)!r} is not a store of fishplate, and not a SQLite file at all"
            return StoreError(msg)
        case "CORRUPT":
            msg = f"the store {str(path)!r} is damaged ({name}): restore it from a backup"
            return StoreError(msg, code="corrupt_store")
        case "FULL":
            what = (
                "its disk is full: make room on it. What is told until then is not kept; what was "
                "kept before still is"
            )
        case "IOERR":
            what = f"its disk fails ({name}): look at its room, its quota and its health"
        case "BUSY" | "LOCKED":
            what = f"another process has held it for more than {BUSY_TIMEOUT:g} seconds"
        case "READONLY" | "PERM":
            what = "it is read-only: give this process the right to write to it and its folder"
        case "CANTOPEN":
            what = "it cannot be opened: the folder has to exist, and this process to be let in"
        case _:
            what = f"SQLite says {name}"
    return StoreUnavailableError(f"the store {str(path)!r} is not available: {what}")


def _version_of(connection: sqlite3.Connection, path: Path, layout: Layout) -> int:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != layout.application_id:
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if application or version or tables:
            msg = f"{str(path)!r} is a SQLite file of something else: name another file"
            raise StoreError(msg)
        return 0
    if not 0 < version <= layout.version:
        msg = (
            f"the store {str(path)!r} has version {version}, and this code knows "
            f"{layout.version}: use the fishplate that wrote it, or a later one"
        )
        raise StoreError(msg, code="future_store")
    return int(version)


def _check_current(version: int, path: Path, layout: Layout) -> None:
    if version == 0:
        msg = f"the store {str(path)!r} is an empty file: no app has been entered with it yet"
        raise StoreError(msg, code="old_store")
    if version < layout.version:
        msg = (
            f"the store {str(path)!r} has version {version}, and this code reads "
            f"{layout.version}: let an app open it once, which brings it up to date"
        )
        raise StoreError(msg, code="old_store")


def _migrate(connection: sqlite3.Connection, layout: Layout, number: int) -> None:
    """Bring the store from version `number` to the next, wholly or not at all."""
    marks = f"PRAGMA application_id = {layout.application_id}; PRAGMA user_version = {number + 1};"
    connection.executescript(f"BEGIN IMMEDIATE; {layout.migrations[number]} {marks} COMMIT;")
