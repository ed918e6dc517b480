"""What is told of runs: spans, what calls were given and gave, and where a run stands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias, TypeGuard

from fishplate.contracts.signature import Signature
from fishplate.core.events import SpanTuple, WaitTold
from fishplate.core.run_context import RunContext


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


Told: TypeAlias = tuple[SpanTuple, Signature | None, tuple[object, ...], object]
"""A span with its content: its call's signature, what that was given, and what it gave or raised.

`None` for the signature of a span without content. Of all items only this is a plain tuple.
"""

Observe: TypeAlias = Callable[[SpanTuple, Signature, tuple[object, ...], object], None]
"""Hears of a span that has ended, and of its content, as in `Told`."""

Item: TypeAlias = Told | Began | Missed | Halted


def bare(span: SpanTuple) -> Told:
    """A span without content."""
    return span, None, (), None


def is_span(item: Item) -> TypeGuard[Told]:
    """Whether it is a span, with content or without."""
    return type(item) is tuple
