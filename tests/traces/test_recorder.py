"""Spans in the app's buffer."""

import gc

from fishplate import App, agent
from fishplate.core.events import Span, SpanHead, SpanTuple
from fishplate.traces.recorder import TraceRecorder


@agent
async def greet(name: str) -> str:
    """Say hello."""
    return f"Hello, {name}."


async def test_a_kept_span_is_read_by_name() -> None:
    """A span is read as a `Span` whose head is a `SpanHead`, however it was emitted."""
    async with App(greet) as app:
        await greet("Ada")

    [span] = app.traces.spans()
    assert isinstance(span, Span)
    assert span.head == SpanHead("agent", "greet", greet.label)
    assert (span.kind, span.name, span.release) == ("agent", "greet", greet.label)


async def test_the_garbage_collector_leaves_emitted_spans_alone() -> None:
    """A span without notes holds nothing that the garbage collector has to look at for long."""
    emitted: list[SpanTuple] = []
    traces = TraceRecorder()
    traces.sink = emitted.append
    async with App(greet, traces=traces):
        await greet("Ada")

    gc.collect()  # which finds out that a tuple leads nowhere when it has survived
    gc.collect()
    assert not any(gc.is_tracked(span) for span in emitted)
