"""What a batch says of each run: its row, the cells of its spans, and their contents."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from fishplate.contracts.signature import Signature
from fishplate.core.ids import span_hex, trace_hex
from fishplate.traces.capture import Reader, ToldError
from fishplate.traces.counting import NO_TOTALS, Plain, Sums
from fishplate.traces.items import Began, Told

CELLS: Final = 10
"""What a segment says of a span, one after another in one flat list: id, parent, [kind, name,
release], path, start, duration, status, attributes, and where its input and its output stand in the
content; `null` for what it has not.

A list for each span would take twice as long to make and to write.
"""
_STATES: Final = {
    "ok": "succeeded",
    "degraded": "degraded",
    "error": "failed",
    "cancelled": "cancelled",
}

Row: TypeAlias = tuple[Any, ...]


class OpenRun:
    """A run that has not ended, or has a moment ago."""

    __slots__ = (
        *("agent", "caller_span", "duration_ns", "error", "id", "offset_ns", "principal"),
        *("release", "started_ns", "state", "tenant", "trace_id"),
    )

    def __init__(self, began: Began, reader: Reader) -> None:
        context, self.agent, self.offset_ns = began
        caller, principal = context.caller, context.principal
        self.id = context.run_id
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
        cells: Of its spans, `CELLS` each; see there.
        content: Of the batch's values those that its spans point to, each with where it stands
            among them.
        seen: The same by the ids of objects.
        plain: Where its calls are counted that have spent nothing and went well.
        sums: What it has spent; `None`: nothing.
    """

    __slots__ = ("cells", "content", "plain", "run", "seen", "sums")

    def __init__(self, run: OpenRun, plain: Plain) -> None:
        self.run = run
        self.plain = plain
        self.cells: list[object] = []
        self.content: dict[int, int] = {}
        self.seen: dict[int, int] = {}
        self.sums: Sums | None = None

    def given(self, values: Values, signature: Signature, arguments: tuple[object, ...]) -> int:
        """Where the input of a call stands, which was not seen before."""
        at = self._at(values.given(signature, arguments))
        self.seen[id(arguments[0] if signature.is_whole else arguments)] = at
        return at

    def gave(self, values: Values, signature: Signature, outcome: object) -> int:
        """Where the output of a call stands, likewise."""
        at = self.seen[id(outcome)] = self._at(values.gave(signature, outcome))
        return at

    def _at(self, value: int) -> int:
        return self.content.setdefault(value, len(self.content))

    def row(self) -> Row:
        """The run as the table `run` has it."""
        run, sums = self.run, self.sums
        return (
            *(run.id, run.trace_id, run.caller_span, run.agent, run.release, run.tenant),
            *(run.principal, run.state, run.started_ns, run.duration_ns, run.error),
            *(len(self.cells) // CELLS, *(NO_TOTALS if sums is None else sums.totals)),
        )


class Values:
    """The contents of a batch, each once."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.found: list[bytes] = []
        self._by_text: dict[bytes, int] = {}
        self._by_object: dict[int, int] = {}

    def given(self, signature: Signature, arguments: tuple[object, ...]) -> int:
        """Where the input of a call stands."""
        if not signature.is_whole:
            return self._at(self._reader.arguments(signature, arguments))
        same = id(arguments[0])  # as in a run, with which others may share it
        at = self._by_object.get(same)
        if at is None:
            at = self._by_object[same] = self._at(self._reader.arguments(signature, arguments))
        return at

    def gave(self, signature: Signature, outcome: object) -> int:
        """Where the output of a call stands."""
        same = id(outcome)
        at = self._by_object.get(same)
        if at is None:
            at = self._by_object[same] = self._at(self._reader.outcome(signature, outcome))
        return at

    def _at(self, text: bytes) -> int:
        at = self._by_text.get(text)
        if at is None:
            at = self._by_text[text] = len(self.found)
            self.found.append(text)
        return at
