"""What is told of a run beside its spans: what of it is missing, and that it stands still."""

from __future__ import annotations

from typing import Literal, NamedTuple

from fishplate.core.events import WaitTold


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
