"""What is told about a run: one span for the run, each step, each decision and each tool call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, TypeAlias

from fishplate.core.errors import JsonValue

SpanKind: TypeAlias = Literal["agent", "model", "retrieval", "tool", "workflow", "decision"]
SpanStatus: TypeAlias = Literal["ok", "degraded", "error", "cancelled"]


class SpanHead(NamedTuple):
    """What all spans of one agent share.

    Attributes:
        kind: What was done: steps are agents, requests to models, tools and workflows; below them
            stand what bodies have retrieved and what was decided.
        name: Name of the agent, or what was decided.
        release: Version and fingerprint, e.g. `1.2.0+fp.9c3e12ab34cd`; empty for a decision.
    """

    kind: SpanKind
    name: str
    release: str


class Span(NamedTuple):
    """One finished span, as it is read; how it is emitted: `SpanTuple`.

    Times are nanoseconds of the app's monotonic clock; ids are integers, whose text `core.ids`
    gives.
    """

    trace_id: int
    span_id: int
    parent_id: int | None
    head: SpanHead
    path: str
    start_ns: int
    end_ns: int
    status: SpanStatus
    attributes: Mapping[str, JsonValue] | None

    @staticmethod
    def of(found: SpanTuple) -> Span:
        """The span that was emitted as `found`."""
        return Span._make((*found[:3], SpanHead._make(found[3]), *found[4:]))

    @property
    def kind(self) -> SpanKind:
        """What was done; see `SpanHead`."""
        return self.head.kind

    @property
    def name(self) -> str:
        """Name of the agent, or what was decided."""
        return self.head.name

    @property
    def release(self) -> str:
        """Version and fingerprint of the agent; empty for a decision."""
        return self.head.release


HeadTuple: TypeAlias = tuple[SpanKind, str, str]
"""A `SpanHead` as it is emitted."""

SpanTuple: TypeAlias = tuple[
    int, int, int | None, HeadTuple, str, int, int, SpanStatus, Mapping[str, JsonValue] | None
]
"""A `Span` as it is emitted, which costs 0.2 µs.

It is a plain tuple, and so is the head in it: once the garbage collector has seen that nothing in
them leads on it leaves them alone, which it does for no tuple of a class of its own. A buffer of
65,536 spans would else be gone through in every full collection.
"""


class WaitTold(NamedTuple):
    """What a run waits for, as it is told.

    Attributes:
        step: Path of the step that waits.
        kind: `approval`, `signal` or `sleep`.
        name: Of the agent that is to be approved, or of the signal; empty for a sleep.
        roles: Who may decide; empty unless it is an approval.
        since_ms: Since when: wall clock, milliseconds since 1970.
        due_ms: When its time is over; `None` for never.
    """

    step: str
    kind: str
    name: str
    roles: tuple[str, ...]
    since_ms: int
    due_ms: int | None


Retell: TypeAlias = Callable[[SpanTuple], SpanTuple]
"""Says more on a span, e.g. on those of a run that has changed its release."""

Sink: TypeAlias = Callable[[SpanTuple], object]
