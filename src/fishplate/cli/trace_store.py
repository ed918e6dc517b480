"""The trace store that a command is about: which it is, and how it is read."""

import sqlite3
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from typing import Final

from fishplate.cli.run_ids import whole_id
from fishplate.core.clock import SystemClock
from fishplate.core.errors import UsageError
from fishplate.core.sqlite_file import store_path, told
from fishplate.traces.queries import WholeTrace, runs_beside, whole_trace
from fishplate.traces.store import open_trace_reader

_MOST: Final = 1_000_000_000
"""Largest number that an option takes, so that a store can compare its nanos."""


def add_traces(parser: ArgumentParser) -> None:
    """Declare the trace store that a command is about."""
    parser.add_argument("--traces", metavar="URL", help="where traces are kept: sqlite:///FILE.db")


def add_traced_run(parser: ArgumentParser) -> None:
    """Declare the run that a command is about, and its store."""
    parser.add_argument(
        "run",
        metavar="RUN",
        help="id of a run, or its first characters, 6 at least; 'fishplate trace' lists them",
    )
    add_traces(parser)


@contextmanager
def reading_traces(arguments: Namespace) -> Generator[sqlite3.Connection]:
    """The trace store that was named, to read it beside whoever writes it.

    Raises:
        UsageError: None was named (code `missing_store`), or it is no URL of one (`bad_store`).
        StoreError: The file is no trace store, damaged, or of another version.
        StoreUnavailableError: There is no such file, or it cannot be read.
    """
    url: str | None = arguments.traces
    if url is None:
        message = "which traces? Name their store by --traces sqlite:///FILE.db"
        raise UsageError(message, code="missing_store")
    connection = open_trace_reader(url)
    try:
        with told(store_path(url)):
            connection.execute("BEGIN")  # what is read is of one moment
            yield connection
    finally:
        connection.close()


def trace_of(arguments: Namespace) -> WholeTrace:
    """The run that was named.

    Raises:
        UsageError: The store does not know it (code `unknown_run`), or several begin so (code
            `ambiguous_run`); else see `reading_traces`.
    """
    with reading_traces(arguments) as connection:
        return _found(connection, arguments)


def trace_and_beside(arguments: Namespace) -> tuple[WholeTrace, Sequence[WholeTrace]]:
    """The run that was named, and those that may have changed what it remembered.

    Raises:
        UsageError: As of `trace_of`.
    """
    with reading_traces(arguments) as connection:
        found = _found(connection, arguments)
        return found, runs_beside(connection, found)


def now_ns() -> int:
    """Wall clock, nanoseconds since 1970."""
    return int(SystemClock().now().timestamp() * 1e9)


def positive(text: str) -> Decimal:
    """A number of at least 0, as an option is given it."""
    try:
        found = Decimal(text)
    except InvalidOperation:
        found = Decimal(-1)
    if not found.is_finite() or not 0 <= found <= _MOST:
        message = f"{text!r} is no number from 0 to {_MOST:,}: write one, e.g. 0.5"
        raise ArgumentTypeError(message)
    return found


def whole_positive(text: str) -> int:
    """A whole number of at least 1, as an option is given it."""
    found = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(_MOST)) else 0
    if not 1 <= found <= _MOST:
        message = f"{text!r} is no whole number from 1 to {_MOST:,}: write one, or leave it out"
        raise ArgumentTypeError(message)
    return found


def _found(connection: sqlite3.Connection, arguments: Namespace) -> WholeTrace:
    found = whole_trace(connection, whole_id(connection, arguments.run))
    if found is None:
        message = (
            f"there is no run {arguments.run!r} among these traces: 'fishplate trace' lists them"
        )
        raise UsageError(message, code="unknown_run")
    return found
