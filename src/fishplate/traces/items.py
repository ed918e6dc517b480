"""What is told of runs: spans, what calls were given and gave, and where a run stands."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, TypeAlias

from fishplate.contracts.signature import Signature
from fishplate.core.events import SpanTuple, WaitTold
from fishplate.core.run_context import RunContext

SPAN_SIZE: Final = 9  # of its tuple, which tells it from a content
CONTENT_SIZE: Final = 5  # and that from what is told of a run


class Began(NamedTuple):
    """A run that begins, or goes on in this process.

    Attributes:
        context: Of the run.
        agent: Name of what runs.
        offset_ns: What added to the run's clock gives nanoseconds since 1970.
    """

    context: RunContext
    agent: str
    offset_ns: int


class Missed(NamedTuple):
    """How much of a run was dropped or lost on its way.

    Attributes:
        trace_id: The run's own.
        spans: How many of them.
        contents: Inputs and outputs of how many calls.
    """

    trace_id: int
    spans: int
    contents: int


class Halted(NamedTuple):
    """A run that stands still without a span that would tell it.

    Attributes:
        trace_id: The run's own.
        state: It waits, or was cancelled while it waited.
        at_ns: When, on the run's clock.
        waits: What it waits for.
    """

    trace_id: int
    state: Literal["waiting", "cancelled"]
    at_ns: int
    waits: tuple[WaitTold, ...]


Content: TypeAlias = tuple[int, int, Signature, tuple[object, ...], object]
"""Trace key and span id of a call, its signature, what it was given, what it gave or raised."""

Item: TypeAlias = SpanTuple | Content | Began | Missed | Halted
