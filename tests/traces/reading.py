"""Trace stores of tests: one in memory, and the one run that a test has kept."""

import sqlite3
from contextlib import closing

from fishplate.traces.layout import LAYOUT
from fishplate.traces.queries import RunFilter, WholeTrace, list_traces, whole_trace
from fishplate.traces.store import open_trace_reader


def empty_store() -> sqlite3.Connection:
    """A trace store in memory."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for migration in LAYOUT.migrations:
        connection.executescript(migration)
    return connection


def only_trace(url: str) -> WholeTrace:
    """The one run in a trace store."""
    with closing(open_trace_reader(url)) as connection:
        [run] = list_traces(connection, RunFilter())
        trace = whole_trace(connection, run.id)
    assert trace is not None
    return trace
