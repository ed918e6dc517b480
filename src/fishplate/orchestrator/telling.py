"""What the policies tell, as spans: a decision below the call that it belongs to."""

from __future__ import annotations

from collections.abc import Callable

from fishplate.core.call import SCOPE
from fishplate.orchestrator.frame import Frame
from fishplate.resilience.events import AttemptEnded, ResilienceEvent


def tell(random_id: Callable[[], int], event: ResilienceEvent) -> None:
    """Put an event into the trace of the call that is running; an operator's action has none."""
    frame = SCOPE.get()
    if not isinstance(frame, Frame):
        return
    run, now = frame.run, frame.run.now_ns()
    duration, has_failed = 0, False
    if isinstance(event, AttemptEnded):
        duration, has_failed = round(event.seconds * 1e9), event.error_class is not None
    run.sink(
        (
            run.trace_id,
            random_id(),
            frame.span_id,
            ("decision", event.name, ""),
            frame.path,
            now - duration,
            now,
            "error" if has_failed else "ok",
            event.to_json(),
        )
    )
