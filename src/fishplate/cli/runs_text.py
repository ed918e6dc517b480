"""A kept run in words: what it is, what its steps gave, what it did outside, what can be done."""

import json
from collections.abc import Iterator, Sequence
from typing import Final

from pydantic_core import from_json

from fishplate.cli.problems import one_line
from fishplate.cli.runs_store import duration, moment
from fishplate.journal.effect_rows import Evidence
from fishplate.journal.queries import WholeRun
from fishplate.journal.run_rows import StoredRun
from fishplate.journal.waits import Wait

_REASONS: Final = {
    "unknown_outcome": "nobody knows whether an effect has happened",
    "compensation_failed": "what was to be undone could not be",
    "diverged": "a body took another way than before, after it had changed something",
    "recovery_limit": "its process ended again and again while it ran",
    "plan_changed": "the plan that it carries cannot be followed any more",
    "release_changed": "an agent is another one than when it began, and may not take its place",
    "unknown_agent": "the app that opened the store does not name its agent",
    "input_refused": "its input breaks the contract that its agent has now",
}
_MOST_SHOWN: Final = 400
_REMEDIES: Final = {
    "unknown_outcome": "its effects are decided by now",
    "diverged": "bring the old code back",
    "recovery_limit": "find out what ends the process",
    "plan_changed": "bring back what the plan names",
    "release_changed": "bring the old agents back",
    "unknown_agent": "name its agent in the App",
    "input_refused": "let the agent take such inputs again",
}


def run_lines(whole: WholeRun) -> Iterator[str]:
    """A run with its steps and effects."""
    run = whole.run
    yield from head_lines(run)
    yield f"  input {_shortened(run.input)}"
    for step in whole.steps:
        degraded = "" if step.reasons is None else f"  degraded {_on_one_line(step.reasons)}"
        yield f"  step {step.n} {step.key}: {step.kind} {_shortened(step.data)}{degraded}"
    for effect in whole.effects:
        yield from effect_lines(effect)
    for wait in whole.waits:
        yield _wait_line(wait)
    for row in whole.audit:
        said = json.dumps(dict(row.details), ensure_ascii=False)
        yield f"  decided {moment(row.at_ms)} by {row.principal!r}: {row.action} {said}"
    if run.outcome is not None:
        yield f"  outcome {_shortened(run.outcome)}"


def head_lines(run: StoredRun) -> Iterator[str]:
    """What a run is, and where it stands."""
    yield f"run {run.id} of {run.agent!r} ({run.release}): {run.state}"
    took = duration(run.started_ms, run.ended_ms)
    yield (
        f"  started {moment(run.started_ms)}, took {took}, recovered {run.recoveries} times, "
        f"trace {run.trace_id}"
    )
    if run.attention is not None:
        yield f"  {run.attention}: {_REASONS.get(run.attention, 'somebody has to decide')}"
        if run.explanation is not None:
            yield f"    {run.explanation}"


def effect_lines(effect: Evidence) -> Iterator[str]:
    """What is known about an effect."""
    yield f"  effect {effect.key}: {effect.tool!r} ({effect.effect}) is {effect.state}"
    yield f"    call {effect.call}, arguments {_on_one_line(effect.arguments)}"
    yield (
        f"    dispatched {effect.attempts} times, first {moment(effect.first_dispatch_ms)}, "
        f"last {moment(effect.last_dispatch_ms)}"
    )
    if effect.outcome is not None:
        yield f"    outcome {_on_one_line(effect.outcome)}"
    if effect.late_outcome is not None:
        yield f"    reported too late: {_on_one_line(effect.late_outcome)}"
    if effect.lookups:
        yield f"    looked up {effect.lookups} times, and nobody could say"
    if effect.undoes is not None:
        yield f"    undoes {effect.undoes}"
    if effect.undo_error is not None:
        yield f"    could not be undone: {_on_one_line(effect.undo_error)}"


def _wait_line(wait: Wait) -> str:
    line = f"  waits in step {wait.key} since {moment(wait.since_ms)}"
    if wait.due_ms is not None:
        line += f", until {moment(wait.due_ms)}"
    match wait.kind:
        case "approval":
            what = f"{wait.name!r} with {_on_one_line(wait.arguments)}"
            return f"{line}: for a decision of {' or '.join(wait.roles)} about {what}"
        case "signal":
            return f"{line}: for the signal {wait.name!r}"
        case "sleep":
            return line


def answers_to(waits: Sequence[Wait], url: str) -> list[str]:
    """The commands that answer what a run waits for.

    Args:
        waits: What it waits for.
        url: Of the store.
    """
    where = f"--store {url} --as NAME"
    found = list[str]()
    for wait in waits:
        if wait.kind == "approval":
            roles = "|".join(wait.roles)
            found.append(
                f"fishplate runs approve|reject {wait.run} {wait.key} {where} --role {roles}"
            )
        elif wait.kind == "signal":
            found.append(f"fishplate runs signal {wait.run} {wait.name} JSON {where}")
    return found


def remedies(run: StoredRun, unknown: Sequence[Evidence], url: str) -> list[str]:
    """What a person can do about a run that needs one.

    Args:
        run: The run.
        unknown: Its effects whose outcome is unknown, or that could not be undone.
        url: Of the store.
    """
    where = f"--store {url} --as NAME"
    found = [
        f"find out what {effect.tool!r} did, then: fishplate runs decide {effect.key} "
        f"confirm_done|confirm_not_done|redo {where}"
        if effect.state == "unknown"
        else f"find out why {effect.tool!r} could not be undone, then: fishplate runs decide "
        f"{effect.key} compensate {where}; the rest of the run is undone after it"
        for effect in unknown
    ]
    reason = run.attention
    if reason in _REMEDIES and not unknown:
        found.append(
            f"{_REMEDIES[reason]}, then: fishplate runs reopen {run.id} {where}; "
            "it goes on at the next 'fishplate runs resume'"
        )
    if reason is not None and not unknown:
        found.append(f"or give it up: fishplate runs cancel {run.id} {where}")
    return found


def _on_one_line(data: bytes) -> str:
    return one_line(from_json(data))


def _shortened(data: bytes) -> str:
    """A value that nobody has to decide about."""
    whole = _on_one_line(data)
    if len(whole) <= _MOST_SHOWN:
        return whole
    return f"{whole[:_MOST_SHOWN]}... ({len(whole)} characters; --json prints them all)"
