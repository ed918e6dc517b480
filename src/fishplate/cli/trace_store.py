"""The trace store that a command is about: which it is, and how it is read."""

import sqlite3
from argparse import ArgumentParser, Namespace
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from fishplate.core.errors import UsageError
from fishplate.core.sqlite_file import store_path, told
from fishplate.traces.queries import WholeTrace, runs_beside, whole_trace
from fishplate.traces.store import open_trace_reader


def add_traces(parser: ArgumentParser) -> None:
    """Declare the trace store that a command is about."""
    parser.add_argument("--traces", metavar="URL", help="where traces are kept: sqlite:///FILE.db")


def add_traced_run(parser: ArgumentParser) -> None:
    """Declare the run that a command is about, and its store."""
    parser.add_argument("run", metavar="RUN", help="id of a run; 'fishplate trace' lists them")
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
        UsageError: The store does not know it (code `unknown_run`); else see `reading_traces`.
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


def _found(connection: sqlite3.Connection, arguments: Namespace) -> WholeTrace:
    found = whole_trace(connection, arguments.run)
    if found is None:
        message = (
            f"there is no run {arguments.run!r} among these traces: 'fishplate trace' lists them"
        )
        raise UsageError(message, code="unknown_run")
    return found
