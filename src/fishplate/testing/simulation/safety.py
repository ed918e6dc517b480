"""Safety: what never happens, whatever fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pydantic_core import to_jsonable_python

from fishplate.agents.agent import AnyAgent
from fishplate.core.errors import JsonValue
from fishplate.core.events import Span
from fishplate.testing.simulation.history import History, SimulatedRun
from fishplate.testing.simulation.invariants import AtEnd, Broken, Invariant, invariant
from fishplate.testing.simulation.world import GARBLED, WorldCall
from fishplate.workflows.workflow import Workflow

# Spans hold whole nanoseconds, and the loop's time is a float.
ROUNDING: Final = 1e-8
STATUS_OF_STATE: Final = {
    "succeeded": {"ok", "degraded"},
    "degraded": {"degraded"},
    "failed": {"error"},
    "cancelled": {"cancelled"},
}


@invariant
def effect_once(history: History, broken: Broken) -> AtEnd:
    """What one intent of the business does to the world happens at most once."""

    def at_end() -> None:
        for intent, times in history.world.effects.items():
            if times > 1:
                broken(f"{intent!r} happened {times} times")

    return at_end


@invariant
def run_ends(history: History, broken: Broken) -> AtEnd:
    """Every run that was started has ended, and its trace has one root that says how."""

    def at_end() -> None:
        for run in history.runs:
            if run.state == "running":
                broken(f"{_named(run)} has not ended in time")
                continue
            roots = [span.status for span in run.spans if span.parent_id is None]
            if len(roots) != 1:
                broken(f"{_named(run)} has {len(roots)} root spans")
            elif roots[0] not in STATUS_OF_STATE[run.state]:
                broken(f"{_named(run)} is {run.state}, and its trace says {roots[0]}")

    return at_end


@invariant
def call_recorded(history: History, broken: Broken) -> AtEnd:
    """Every call that reached the world stands in the trace of its run."""

    def at_end() -> None:
        recorded = {span.span_id for run in history.runs for span in run.spans}
        for call in history.world.calls:
            if call.span_id not in recorded:
                broken(f"{_described(call)} is in no trace")

    return at_end


@invariant
def output_checked(history: History, broken: Broken) -> AtEnd:
    """A run succeeds only with an output that its contract allows and its arguments call for."""

    def at_end() -> None:
        schema = history.agent.contract.output
        for run in history.runs:
            if run.state not in {"succeeded", "degraded"}:
                continue
            output: JsonValue = to_jsonable_python(run.output)
            if not schema.is_valid(output) or GARBLED in str(output):
                broken(f"{_named(run)} gave {output!r}, which breaks its contract")
            elif not history.expected(run.arguments, run.output):
                broken(f"{_named(run)} gave {output!r}, which is not its answer")

    return at_end


@invariant
def garbage_refused(history: History, broken: Broken) -> AtEnd:
    """A call whose answer broke its contract has not succeeded."""

    def at_end() -> None:
        statuses = {span.span_id: span.status for run in history.runs for span in run.spans}
        last = {call.span_id: call for call in history.world.calls}
        for span_id, call in last.items():
            if call.fault == "garbles" and call.ending == "answered":
                status = statuses.get(span_id)
                if status in {"ok", "degraded"}:
                    broken(f"{_described(call)} answered garbage, and its step is {status}")

    return at_end


@invariant
def call_granted(history: History, broken: Broken) -> AtEnd:
    """Nothing reaches the world but by a caller that was granted the call."""

    def at_end() -> None:
        spans = {span.span_id: span for run in history.runs for span in run.spans}
        granted: dict[str, set[str]] = {}
        for call in history.world.calls:
            caller = _parent(spans, call.span_id)
            if caller is None:
                continue
            if caller.name not in granted:
                granted[caller.name] = set(_callable_by(history.agents[caller.name]))
            if call.unit.name not in granted[caller.name]:
                broken(f"{_described(call)} was made by {caller.name!r} without a grant")

    return at_end


@invariant
def call_in_time(history: History, broken: Broken) -> AtEnd:
    """No call begins past the time limit of a step around it, or after its run is over."""

    def at_end() -> None:
        spans = {span.span_id: span for run in history.runs for span in run.spans}
        roots = {
            run.number: span for run in history.runs for span in run.spans if span.parent_id is None
        }
        for call in history.world.calls:
            for limit, whose in _limits(history, call, spans, roots.get(call.run)):
                if call.began > limit + ROUNDING:
                    broken(f"{_described(call)} began {call.began - limit:.3f} s after {whose}")

    return at_end


@invariant
def slots_bounded(history: History, broken: Broken) -> AtEnd:
    """A target has never more calls at a time than its bulkhead allows."""

    def began(call: WorldCall) -> None:
        target = history.app.targets.get(call.target)
        if target is None or target.slots is None:
            return
        if history.policy(call.unit).bulkhead is None:
            return
        running = history.world.in_flight[call.target]
        if running > target.slots.limit:
            broken(f"{_described(call)} is call {running} at a time of {target.slots.limit}")

    history.world.watchers.began.append(began)
    return _nothing


SAFETY: Final[tuple[Invariant, ...]] = (
    effect_once,
    run_ends,
    call_recorded,
    output_checked,
    garbage_refused,
    call_granted,
    call_in_time,
    slots_bounded,
)


def _limits(
    history: History, call: WorldCall, spans: dict[int, Span], root: Span | None
) -> Iterator[tuple[float, str]]:
    """Until when a call may begin, and why."""
    yield call.began + call.time_left, "its run's working time"
    given_up = history.runs[call.run].given_up
    if given_up is not None:
        yield given_up, "its run was given up"
    if root is not None:
        yield root.end_ns / 1e9, "its run had ended"
    own = spans.get(call.span_id)
    timeout = history.policy(call.unit).timeout
    if own is not None and timeout is not None:
        yield own.start_ns / 1e9 + timeout, f"the timeout of {own.path!r}"
    around = _parent(spans, call.span_id)
    while around is not None:
        timeout = history.policy(history.agents[around.name]).timeout
        if timeout is not None:
            yield around.start_ns / 1e9 + timeout, f"the timeout of {around.path!r}"
        around = _parent(spans, around.span_id)


def _parent(spans: dict[int, Span], span_id: int) -> Span | None:
    span = spans.get(span_id)
    return None if span is None or span.parent_id is None else spans.get(span.parent_id)


def _callable_by(unit: AnyAgent) -> Iterator[str]:
    """Names of what an agent may call."""
    steps = unit.units.values() if isinstance(unit, Workflow) else ()
    for found in (*steps, *unit.granted):
        yield found.name
        yield from (fallback.name for fallback in found.fallbacks)


def _named(run: SimulatedRun) -> str:
    return f"run {run.number}, started at {run.started:.3f} s,"


def _described(call: WorldCall) -> str:
    return f"call {call.order} of run {call.run} ({call.path!r} at {call.began:.3f} s)"


def _nothing() -> None:
    """Everything was said while it happened."""
