"""Recorded runs, to be replayed: read from the store of the runs, their traces, or both.

A store of runs has what every step gave, in full, the times that bodies were told, and what waits
were answered with. Of what steps were given it has the input of the run, the arguments of effects,
and digests of what bodies called with. Traces have inputs and outputs as far as their capture goes.
So the store decides, and traces beside it add what calls were given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias, cast

from pydantic_core import from_json

from fishplate.core.current import TOLD_NOW
from fishplate.core.errors import JsonValue, UsageError
from fishplate.core.run_context import Principal
from fishplate.journal.queries import WholeRun, whole_run
from fishplate.journal.run_rows import StepRecord
from fishplate.journal.store import open_reader, store_path
from fishplate.journal.waits import Answered, answers_of
from fishplate.orchestrator.choices import choices_of
from fishplate.orchestrator.recording import UNKNOWN, Choice, Outcome, RecordedCall, Recording
from fishplate.orchestrator.records import principal_from_record
from fishplate.traces.blocks import NOTHING
from fishplate.traces.capture import is_measured, is_whole
from fishplate.traces.queries import TracedSpan, WholeTrace, whole_trace
from fishplate.traces.store import open_trace_reader

Calls: TypeAlias = dict[str, RecordedCall]

_ENDED: Final = frozenset({"succeeded", "degraded", "failed"})
_STEPS: Final = frozenset({"agent", "model", "tool", "workflow"})
_ANSWERED: Final = frozenset({"model", "tool"})


def recorded_run(run_id: str, *, store: str | None = None, traces: str | None = None) -> Recording:
    """Read a run that was recorded; blocks.

    Args:
        run_id: Of the run.
        store: URL of the store that has kept the run.
        traces: URL of the store that has its trace. Without `store` the trace has to be whole: its
            capture was `full`, and nothing in it was too long.

    Raises:
        UsageError: Neither store is named (code `missing_store`), one of them does not know the
            run (`unknown_run`), or what is recorded does not suffice (`not_replayable`).
        StoreError: A file is something else, damaged, or of another version.
        StoreUnavailableError: There is no such file, or it cannot be read.
    """
    if store is None and traces is None:
        msg = (
            "which record? Name the store of the run by --store sqlite:///FILE.db, that of its "
            "trace by --traces sqlite:///FILE.db, or both"
        )
        raise UsageError(msg, code="missing_store")
    trace = None if traces is None else _trace(traces, run_id)
    if store is None:
        assert trace is not None, "one of both is there"
        return _of_trace(trace)
    with closing(open_reader(store_path(store))) as connection:
        connection.execute("BEGIN")  # what is read is of one moment
        whole = whole_run(connection, run_id)
        answers = answers_of(connection, run_id)
    if whole is None:
        msg = f"there is no run {run_id!r} in {store}: 'fishplate runs' lists them"
        raise UsageError(msg, code="unknown_run")
    return _of_store(whole, answers, trace)


def _trace(url: str, run_id: str) -> WholeTrace:
    with closing(open_trace_reader(url)) as connection:
        connection.execute("BEGIN")
        found = whole_trace(connection, run_id)
    if found is None:
        msg = f"there is no run {run_id!r} in {url}: 'fishplate trace' lists them"
        raise UsageError(msg, code="unknown_run")
    return found


def _check_ended(run_id: str, state: str) -> None:
    if state not in _ENDED:
        msg = f"run {run_id!r} is {state!r}: only one that succeeded or failed can be replayed"
        raise UsageError(msg, code="not_replayable")


# The store of the runs.


def _of_store(
    whole: WholeRun, answers: Mapping[str, Answered], trace: WholeTrace | None
) -> Recording:
    run = whole.run
    _check_ended(run.id, run.state)
    traced = {} if trace is None else dict(_calls_of(trace))
    arguments = {effect.call: from_json(effect.arguments) for effect in whole.effects}
    calls: Calls = {}
    times: dict[str, str] = {}
    for step in whole.steps:
        if step.kind == "dropped":
            calls = {key: one for key, one in calls.items() if not key.startswith(f"{step.key}/")}
        elif step.kind == "now":
            times[step.key] = from_json(step.data)
        else:
            beside = traced.get(step.key, RecordedCall())
            given = (
                beside.given if beside.given is not UNKNOWN else arguments.get(step.key, UNKNOWN)
            )
            calls[step.key] = beside._replace(
                given=given, arguments=step.arguments, gave=_kept(step)
            )
    assert run.outcome is not None, "it has ended by itself"
    return Recording(
        run_id=run.id,
        agent=run.agent,
        release=run.release,
        trace_id=int(run.trace_id, 16),
        principal=principal_from_record(run.principal),
        started=datetime.fromtimestamp(run.started_ms / 1000, UTC),
        input=from_json(run.input),
        outcome=_end(run.state, from_json(run.outcome)),
        calls=calls,
        times=times,
        told={} if trace is None else _told(trace),
        answers=answers,
        choices=None if trace is None else _choices(trace),
    )


def _kept(step: StepRecord) -> Outcome:
    reasons = () if step.reasons is None else tuple(from_json(step.reasons))
    return Outcome(from_json(step.data), is_failure=step.kind == "failure", reasons=reasons)


def _end(state: str, outcome: dict[str, Any]) -> Outcome:
    if state == "failed":
        return Outcome(outcome, is_failure=True)
    return Outcome(outcome["output"], is_failure=False, reasons=tuple(outcome["reasons"]))


# Their traces.


def _of_trace(trace: WholeTrace) -> Recording:
    run = trace.run
    _check_ended(run.id, run.state)
    roots = [one for one in trace.spans if one.span.path == run.agent and one.span.kind in _STEPS]
    if not roots or not _is_known(roots[-1].given):
        msg = (
            f"what run {run.id!r} was given is not whole in its trace: it was redacted, cut, or "
            "not kept. Replay it from its store (--store), or keep traces with capture='full'"
        )
        raise UsageError(msg, code="not_replayable")
    root = roots[-1]
    if run.missing_spans or run.missing_contents:
        msg = (
            f"the trace of run {run.id!r} is not whole: {run.missing_spans} spans and the contents "
            f"of {run.missing_contents} calls were lost on their way. Replay it from its store "
            "(--store)"
        )
        raise UsageError(msg, code="not_replayable")
    _check_answers(trace)
    calls = dict(_calls_of(trace))
    calls.pop(run.agent, None)
    return Recording(
        run_id=run.id,
        agent=run.agent,
        release=run.release,
        trace_id=int(run.trace_id, 16),
        principal=Principal(name=run.principal, tenant=run.tenant),
        started=_moment(run.started_ns),
        input=cast("JsonValue", root.given),
        outcome=_outcome(root),
        calls=calls,
        times={},
        told=_told(trace),
        answers=None,
        choices=_choices(trace),
    )


def _choices(trace: WholeTrace) -> tuple[Choice, ...] | None:
    """What the run has told of why; `None` if its trace was kept without contents."""
    if not any(one.gave is not NOTHING and not is_measured(one.gave) for one in trace.spans):
        return None
    return choices_of((one.span for one in trace.spans), is_whole)


def _check_answers(trace: WholeTrace) -> None:
    """Refuse a trace in which an answer is not whole that a replay has to give.

    Raises:
        UsageError: There is such a one (code `not_replayable`).
    """
    lacking = [
        one.span for one in _spans(trace) if one.span.kind in _ANSWERED and not _is_known(one.gave)
    ]
    if lacking:
        first = lacking[0]
        msg = (
            f"what {first.kind} {first.name!r} gave in step {first.path!r} is not whole in the "
            f"trace of run {trace.run.id!r}, and so in {len(lacking)} calls: it was redacted, cut, "
            "or not kept. Replay from the run's store (--store), or keep traces with capture='full'"
        )
        raise UsageError(msg, code="not_replayable")


def _calls_of(trace: WholeTrace) -> Iterator[tuple[str, RecordedCall]]:
    for one in _spans(trace):
        yield (
            one.span.path,
            RecordedCall(
                given=one.given if _is_known(one.given) else UNKNOWN,
                gave=_outcome(one),
                began=_moment(one.span.start_ns),
            ),
        )


def _told(trace: WholeTrace) -> dict[str, list[datetime]]:
    """The times that bodies were told, by the paths of their calls."""
    found: dict[str, list[datetime]] = {}
    for one in _spans(trace):
        told = (one.span.attributes or {}).get(TOLD_NOW)
        with suppress(ValueError):  # a body has noted something else under that name
            texts = map(str, told) if isinstance(told, list) else ()
            found[one.span.path] = [datetime.fromisoformat(text) for text in texts]
    return found


def _spans(trace: WholeTrace) -> Iterator[TracedSpan]:
    """The spans of calls that ended in this process, in order of start."""
    for one in trace.spans:
        facts = one.span.attributes or {}
        was_made = one.span.status != "cancelled" and not facts.get("replayed")
        if one.span.kind in _STEPS and was_made:
            yield one


def _outcome(one: TracedSpan) -> Outcome | None:
    if not _is_known(one.gave):
        return None
    if one.span.status != "error":
        reasons = (one.span.attributes or {}).get("degraded")
        found = tuple(cast("list[dict[str, JsonValue]]", reasons)) if reasons else ()
        return Outcome(cast("JsonValue", one.gave), is_failure=False, reasons=found)
    error = cast("dict[str, Any]", one.gave)["error"]
    if "declared" in error:
        return Outcome({"kind": "declared", "data": error["declared"]}, is_failure=True)
    if "code" not in error:  # of a body's own exception, which has only its type
        return None
    facts = {"code": error["code"], "class": error["class"], "message": error["message"]}
    record: dict[str, JsonValue] = {
        "kind": "Failure",
        "facts": facts,
        "has_effect": False,
        "retry_exhausted": False,
        "retry_after": None,
    }
    return Outcome(record, is_failure=True)


def _is_known(content: object) -> bool:
    return content is not NOTHING and is_whole(cast("JsonValue", content))


def _moment(at_ns: int) -> datetime:
    return datetime.fromtimestamp(at_ns / 1e9, UTC)
