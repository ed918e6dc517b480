"""The light span recorder: tuples in a bounded buffer, made into trees when somebody looks."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from fishplate.core.data import dataclass
from fishplate.core.events import Sink, Span, SpanTuple


@dataclass(frozen=True, slots=True)
class SpanTree:
    """A span with what happened below it, in order of start."""

    span: Span
    children: tuple[SpanTree, ...]

    def walk(self, depth: int = 0) -> Iterator[tuple[int, Span]]:
        """Every span with its depth, parents first."""
        yield depth, self.span
        for child in self.children:
            yield from child.walk(depth + 1)


class TraceRecorder:
    """Keeps the last spans of an app.

    Args:
        capacity: Most spans kept; the oldest are dropped first.
    """

    def __init__(self, capacity: int = 65_536) -> None:
        self._spans: deque[SpanTuple] = deque(maxlen=capacity)
        self.sink: Sink = self._spans.append

    def spans(self, trace_id: int | None = None) -> list[Span]:
        """The kept spans, of one trace or of all, in the order in which they ended."""
        return [
            Span.of(found)
            for found in tuple(self._spans)
            if trace_id is None or found[0] == trace_id
        ]

    def tree(self, trace_id: int) -> tuple[SpanTree, ...]:
        """The trace's spans as trees; more than one root if the buffer has dropped a parent."""
        return tree_of(self.spans(trace_id))


def tree_of(spans: Sequence[Span]) -> tuple[SpanTree, ...]:
    """Arrange spans by parent; a span whose parent is not among them is a root."""
    known = {span.span_id for span in spans}
    below: dict[int | None, list[Span]] = {}
    for span in sorted(spans, key=lambda found: (found.start_ns, found.path)):
        below.setdefault(span.parent_id if span.parent_id in known else None, []).append(span)

    def build(span: Span) -> SpanTree:
        return SpanTree(span, tuple(build(child) for child in below.get(span.span_id, ())))

    return tuple(build(span) for span in below.get(None, ()))
