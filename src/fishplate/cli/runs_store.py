"""The store that a command is about: which it is, how it is read, how its rows are spelled."""

import sqlite3
from argparse import ArgumentParser, Namespace
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import zip_longest

from fishplate.core.errors import UsageError
from fishplate.journal.store import open_reader, store_path, told


def add_store(parser: ArgumentParser) -> None:
    """Declare the store that a command is about."""
    parser.add_argument("--store", metavar="URL", help="where runs are kept: sqlite:///FILE.db")


def store_of(arguments: Namespace) -> str:
    """The URL of the store that was named.

    Raises:
        UsageError: None was (code `missing_store`), or it is no URL of a store (`bad_store`).
    """
    url: str | None = arguments.store
    if url is None:
        message = "which store? Name it by --store sqlite:///FILE.db"
        raise UsageError(message, code="missing_store")
    store_path(url)
    return url


@contextmanager
def reading(url: str) -> Generator[sqlite3.Connection]:
    """A store to read, beside whoever drives it.

    Raises:
        StoreError: The file is no store, damaged, or of another version.
        StoreUnavailableError: There is no such file, or it cannot be read.
    """
    path = store_path(url)
    connection = open_reader(path)
    try:
        with told(path):
            connection.execute("BEGIN")  # what is read is of one moment
            yield connection
    finally:
        connection.close()


def add_run(parser: ArgumentParser) -> None:
    """Declare the run that a command is about."""
    parser.add_argument("run", metavar="RUN", help="id of a run; 'fishplate runs' lists them")


def unknown_run(run_id: str) -> UsageError:
    """The error of an id that a store does not know."""
    message = f"there is no run {run_id!r} in this store: 'fishplate runs' lists them"
    return UsageError(message, code="unknown_run")


def moment(at_ms: int | None) -> str:
    """A time in UTC as a person reads it; a dash if there is none."""
    if at_ms is None:
        return "-"
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}Z"


def duration(started_ms: int, ended_ms: int | None) -> str:
    """Seconds from one time to another; a dash while the second is open."""
    return "-" if ended_ms is None else f"{(ended_ms - started_ms) / 1000:.3f} s"


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines with aligned columns; the first row holds the names."""
    widths = [max(map(len, column)) for column in zip_longest(*rows, fillvalue="")]
    return [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)).rstrip()
        for row in rows
    ]
