"""Answering a call from its record: its value or failure, and a span that says so."""

from __future__ import annotations

from fishplate.core.errors import FishplateError, JsonValue
from fishplate.core.events import SpanStatus
from fishplate.core.outcome import DeclaredError
from fishplate.core.run_context import RunContext
from fishplate.orchestrator.effects import CallEffect
from fishplate.orchestrator.records import failure_from_record, value_from_record


def answer_from_record(  # noqa: PLR0913 -- a call, and what is recorded of it
    run: RunContext,
    parent_id: int | None,
    span_id: int,
    effect: CallEffect,
    *,
    is_failure: bool,
    data: bytes,
    reasons: bytes | None,
) -> object:
    """Answer a call from its record, and tell that it was not run again.

    Args:
        run: That the call belongs to.
        parent_id: Span below which it stands.
        span_id: Of its own span.
        effect: The call.
        is_failure: Whether it failed.
        data: JSON of the value or of the failure; see `records`.
        reasons: JSON of the reasons why the value is degraded; `None` if it is not.

    Returns:
        The value, `Marked` if it is degraded.

    Raises:
        BrokenValueError: The value breaks the contract that the agent has now; nothing was told.
        FishplateError: The recorded failure.
        DeclaredError: The recorded failure, if it is a declared one.
    """
    unit, now = effect.unit, run.now_ns()
    facts: dict[str, JsonValue] = {"replayed": True}
    status: SpanStatus = "ok"
    failure: FishplateError | DeclaredError | None = None
    answer: object = None
    if is_failure:
        failure = failure_from_record(unit, data)
        status = "error"
        facts["error"] = failure.code
    else:
        answer = value_from_record(unit, data, reasons)
        status = "degraded" if reasons is not None else "ok"
    head = unit.span_head or run.around.heads.head(unit)
    run.sink((run.trace_id, span_id, parent_id, head, effect.key, now, now, status, facts))
    if failure is not None:
        raise failure
    return answer
