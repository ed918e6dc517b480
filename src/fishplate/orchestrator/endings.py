"""How the end of a call is told: its span, and the failure that its caller gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Final, TypeAlias

from fishplate.agents.agent import AnyAgent
from fishplate.contracts.signature import Signature
from fishplate.core.errors import ErrorClass, FishplateError, StepError
from fishplate.core.events import SpanStatus, SpanTuple
from fishplate.core.ids import root_span_id
from fishplate.core.outcome import DeclaredError, Reason
from fishplate.core.run_context import RunContext
from fishplate.core.text import reason_of
from fishplate.orchestrator.effects import CallEffect, Marked, Suspended
from fishplate.orchestrator.failures import failure_of, given_up
from fishplate.orchestrator.frame import Frame

Observe: TypeAlias = Callable[[SpanTuple, Signature, tuple[object, ...], object], None]
"""Hears of a call that has ended: its span, its signature, what it was given, and what it gave or
raised. It stands in for the run's sink."""

_EARLY: Final = 0.001
"""Seconds by which a timer may come before its time as the run's clock tells it."""


def tell_failed(  # noqa: PLR0913, PLR0917 -- what is known where a call ends
    frame: Frame,
    parent_id: int | None,
    started: int,
    where: str,
    error: BaseException,
    observe: Observe | None = None,
    given: tuple[object, ...] = (),
) -> BaseException:
    """Tell the span of a call that did not succeed; the failure that the caller gets.

    Args:
        frame: The call.
        parent_id: Span below which it stands; `None` if it is what the run was started for.
        started: When it began, in nanoseconds of the run's clock.
        where: `file:line` of the step in the workflow's source.
        error: What it ended in.
        observe: Hears of it; `None`: the run's sink does.
        given: What it was given.
    """
    frame.is_over = True
    if isinstance(error, Suspended):
        return error  # the call has not ended: its span is told when it has
    run, unit, path = frame.run, frame.unit, frame.path
    failure = failure_of(error, unit, path, where)
    if frame.has_given_up_below and isinstance(failure, (FishplateError, DeclaredError)):
        failure = given_up(failure)
    status: SpanStatus = "error"
    outcome = error
    if isinstance(failure, (FishplateError, DeclaredError)):
        frame.note(error=failure.code)
        if isinstance(failure, FishplateError) and run.effects:
            failure.has_effect = run.has_effect_below(path)
    else:
        if isinstance(failure, GeneratorExit):
            frame.note(abandoned=True)
        if parent_id is None and run.seconds_left(run.now_ns()) <= _EARLY:
            outcome = out_of_time(unit, run.around.working_time)  # which has cancelled it
            frame.note(error=outcome.code)
        else:
            status = "cancelled"
    if run.around.texts is not None and run.text is not None:
        run.text.withdraw(None if parent_id is None else path, reason_of(failure))
    span: SpanTuple = (
        run.trace_id,
        frame.span_id,
        parent_id,
        unit.span_head or run.around.heads.head(unit),
        path,
        started,
        run.now_ns(),
        status,
        frame.attributes,
    )
    _tell(run, unit, span, observe, given, outcome)
    return failure


def tell_refused(
    run: RunContext, effect: CallEffect, failure: FishplateError, observe: Observe | None
) -> None:
    """Tell of a run that ends before it begins: its one span, with the code of its failure.

    Args:
        run: The run.
        effect: The call that it is.
        failure: Why it does not begin.
        observe: As of `tell_failed`.
    """
    unit, now_ns = effect.unit, run.now_ns()
    if run.around.begin is not None:
        run.around.begin(run, unit.name)
    span: SpanTuple = (
        run.trace_id,
        root_span_id(run.trace_id),
        None,
        unit.span_head or run.around.heads.head(unit),
        effect.key,
        now_ns,
        now_ns,
        "error",
        {"error": failure.code},
    )
    _tell(run, unit, span, observe, effect.arguments, failure)


def out_of_time(unit: AnyAgent, seconds: float) -> StepError:
    """The failure of a run that has worked for longer than its time, in seconds."""
    return StepError(
        f"the run of {unit.name!r} worked longer than its {seconds:g} seconds",
        step=unit.name,
        code="deadline",
        error_class=ErrorClass.DEADLINE,
        where=unit.about.where,
    )


def tell_plan(  # noqa: PLR0913, PLR0917 -- as above
    run: RunContext,
    unit: AnyAgent,
    span_id: int,
    started: int,
    result: object,
    observe: Observe | None,
    given: tuple[object, ...],
) -> object:
    """Tell the span of a run that was the walk of a bare plan; its result."""
    reasons: tuple[Reason, ...] = ()
    value = result
    if type(result) is Marked:
        reasons, value = result.reasons, result.value
    span: SpanTuple = (
        run.trace_id,
        span_id,
        None,
        unit.span_head or run.around.heads.head(unit),
        unit.name,
        started,
        run.now_ns(),
        "degraded" if reasons else "ok",
        {"degraded": [asdict(reason) for reason in reasons]} if reasons else None,
    )
    _tell(run, unit, span, observe, given, value)
    return result


def _tell(  # noqa: PLR0913, PLR0917 -- as above
    run: RunContext,
    unit: AnyAgent,
    span: SpanTuple,
    observe: Observe | None,
    given: tuple[object, ...],
    outcome: object,
) -> None:
    if observe is None:
        run.sink(span)
    else:
        told = span if run.retell is None else run.retell(span)
        observe(told, unit.signature, given, outcome)
