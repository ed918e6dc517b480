"""What a batch says of each run."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from fishplate.core.ids import span_hex, trace_hex
from fishplate.traces.capture import Reader, ToldError
from fishplate.traces.counting import NO_TOTALS, Sums
from fishplate.traces.items import Began, Told

_STATES: Final = {
    "ok": "succeeded",
    "degraded": "degraded",
    "error": "failed",
    "cancelled": "cancelled",
}

Row: TypeAlias = tuple[Any, ...]


class OpenRun:
    """A run that has not ended, or has a moment ago.

    Attributes:
        is_new: No block holds spans of it, in whichever process they were told.
    """

    __slots__ = (
        *("agent", "caller_span", "duration_ns", "error", "id", "is_new", "offset_ns"),
        *("principal", "release", "started_ns", "state", "tenant", "trace_id"),
    )

    def __init__(self, began: Began, reader: Reader) -> None:
        context, self.agent, self.offset_ns = began
        caller, principal = context.caller, context.principal
        self.id = context.run_id
        self.is_new = context.is_new
        self.trace_id = trace_hex(context.shown_trace_id)
        span_id = None if caller is None else caller.span_id
        self.caller_span = None if span_id is None else span_hex(span_id)
        self.release = ""
        self.tenant = reader.name(principal.tenant)
        self.principal = reader.name(principal.name)
        self.started_ns = context.began_ns + self.offset_ns
        self.go_on()

    def go_on(self) -> None:
        """Begin, or begin again after a wait."""
        self.state = "running"
        self.duration_ns: int | None = None
        self.error: str | None = None

    def end(self, told: Told, reader: Reader) -> None:
        """Note how it has ended, by the span of what it was started for."""
        (_, _, _, head, _, _, end_ns, status, facts), _, _, outcome = told
        self.release = head[2]
        needs_somebody = isinstance(outcome, ToldError) and outcome.needs_somebody
        self.state = "needs_attention" if needs_somebody else _STATES[status]
        self.duration_ns = end_ns + self.offset_ns - self.started_ns
        error = (facts or {}).get("error") if status == "error" else None
        self.error = reader.name(error) if isinstance(error, str) else None


class Part:
    """What a batch says about a run.

    Attributes:
        run: The run.
        spans: How many of its spans are in the batch, and are written down.
        block: Which of the batch's blocks is the first that holds any; `None`: none does, or an
            earlier batch had the first.
        sums: What it has spent; `None`: nothing.
    """

    __slots__ = ("block", "run", "spans", "sums")

    def __init__(self, run: OpenRun) -> None:
        self.run = run
        self.spans = 0
        self.block: int | None = None
        self.sums: Sums | None = None

    def row(self) -> Row:
        """The run as the table `run` has it, but for its block."""
        run, sums = self.run, self.sums
        return (
            *(run.id, run.trace_id, run.caller_span, run.agent, run.release, run.tenant),
            *(run.principal, run.state, run.started_ns, run.duration_ns, run.error),
            *(self.spans, *(NO_TOTALS if sums is None else sums.totals)),
        )
