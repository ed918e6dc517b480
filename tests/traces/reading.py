"""Reading a trace store in which a test has kept one run."""

from contextlib import closing

from fishplate.traces.queries import RunFilter, WholeTrace, list_traces, whole_trace
from fishplate.traces.store import open_trace_reader


def only_trace(url: str) -> WholeTrace:
    """The one run in a trace store."""
    with closing(open_trace_reader(url)) as connection:
        [run] = list_traces(connection, RunFilter())
        trace = whole_trace(connection, run.id)
    assert trace is not None
    return trace
