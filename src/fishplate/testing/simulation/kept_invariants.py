"""What holds for kept runs, however often their process crashes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import Final

from pydantic_core import from_json, to_jsonable_python

from fishplate.journal.run_rows import StepRecord
from fishplate.testing.simulation.history import History
from fishplate.testing.simulation.invariants import AtEnd, Broken, Invariant, invariant
from fishplate.testing.simulation.liveness import LIVENESS
from fishplate.testing.simulation.safety import SAFETY, call_recorded, run_ends
from fishplate.testing.simulation.world import WorldCall


@invariant
def run_kept(history: History, broken: Broken) -> AtEnd:
    """A run that the store has known ends once, and as its caller has heard."""

    def at_end() -> None:
        last = history.lives[-1]
        for facts in history.lives:
            for run_id, before in facts.runs.items():
                now = last.runs.get(run_id)
                if now is None:
                    broken(f"run {run_id} is gone from the store")
                elif before.end is not None and now != before:
                    broken(f"run {run_id} was {before.end}, and is {now.end} after a crash")
        for run in history.runs:
            kept = last.runs.get(run.run_id)
            if run.state == "running" or kept is None or kept.end != run.state:
                broken(f"run {run.number} is {run.state}, and the store says {kept}")
            elif kept.output is not None and from_json(kept.output) != to_jsonable_python(
                run.output
            ):
                broken(f"run {run.number} gave {run.output!r}, and the store says {kept.output!r}")

    return at_end


@invariant
def step_once(history: History, broken: Broken) -> AtEnd:
    """A step that was recorded when the process crashed is not run again."""

    def at_end() -> None:
        numbers = {run.number: run.run_id for run in history.runs}
        recorded = [
            {run: _counting(records) for run, records in facts.steps.items()}
            for facts in history.lives
        ]
        last = history.lives[-1]
        for call in history.world.calls:
            run_id = numbers[call.run]
            for kept in recorded[: call.life]:
                record = kept.get(run_id, {}).get(call.path)
                if record is not None and not _dropped(last.steps[run_id], call.path, record.n):
                    broken(f"call {call.order} of run {call.run} ({call.path!r}) was recorded")

    return at_end


@invariant
def ledger_true(history: History, broken: Broken) -> AtEnd:
    """What the ledger says was done has been done, and what it says was not has not."""

    def at_end() -> None:
        acted: Counter[tuple[str, str]] = Counter()
        numbers = {run.number: run.run_id for run in history.runs}
        for call in history.world.calls:
            acted[numbers[call.run], call.path] += call.has_acted
        for effect in history.lives[-1].effects:
            times = acted[effect.run, effect.path]
            if effect.state == "succeeded" and not times:
                broken(f"{effect.path!r} of run {effect.run} is done in the ledger alone")
            if effect.state in {"failed", "reserved"} and times and effect.effect != "idempotent":
                broken(f"{effect.path!r} of run {effect.run} is {effect.state}, and happened")

    return at_end


@invariant
def marked_first(history: History, broken: Broken) -> AtEnd:
    """A call that may change something has its mark on the disk before it begins."""

    def at_end() -> None:
        numbers = {run.number: run.run_id for run in history.runs}
        states = [
            {(effect.run, effect.path): effect.state for effect in facts.effects}
            for facts in history.lives
        ]
        for call in history.world.calls:
            effect = call.unit.about.effect
            if call.ending != "cut_off" or effect is None or effect.is_readonly:
                continue
            state = states[call.life].get((numbers[call.run], call.path), "missing")
            if state in {"missing", "reserved"}:
                broken(f"{call.path!r} of run {call.run} had begun, and its mark is {state}")

    return at_end


@invariant
def unknown_earned(history: History, broken: Broken) -> AtEnd:
    """A crash leaves an effect unknown only if it may not be repeated, or that came to nothing."""

    def at_end() -> None:
        last = history.lives[-1]
        unknown = {effect.run for effect in last.effects if effect.state == "unknown"}
        earned = _failed_by_more_than_a_crash(history)
        for effect in last.effects:
            if effect.state != "unknown" or effect.effect == "at_most_once":
                continue
            if (effect.run, effect.path) not in earned:
                broken(f"{effect.path!r} of run {effect.run} is unknown by a crash alone")
        for run_id, run in last.runs.items():
            if run.end == "needs_attention" and run_id not in unknown:
                broken(f"run {run_id} needs attention ({run.attention}), and nothing is unknown")

    return at_end


@invariant
def driven_once(history: History, broken: Broken) -> AtEnd:
    """No step of a run is under way twice at a time."""
    running: Counter[tuple[int, str]] = Counter()

    def began(call: WorldCall) -> None:
        running[call.run, call.path] += 1
        if running[call.run, call.path] > 1:
            broken(f"{call.path!r} of run {call.run} is under way twice at {call.began:.3f} s")

    def ended(call: WorldCall) -> None:
        running[call.run, call.path] -= 1

    history.world.watchers.began.append(began)
    history.world.watchers.ended.append(ended)
    return _nothing


@invariant
def result_kept(history: History, broken: Broken) -> AtEnd:
    """Every effect that a run has had, and has gone on after, stands among its steps."""

    def at_end() -> None:
        last = history.lives[-1]
        kept = {run: _counting(records) for run, records in last.steps.items()}
        for effect in last.effects:
            has_gone_on = last.runs[effect.run].end in {"succeeded", "degraded"}
            if effect.state == "succeeded" and has_gone_on and effect.path not in kept[effect.run]:
                broken(f"{effect.path!r} of run {effect.run} is done, and no step says so")

    return at_end


KEPT_INVARIANTS: Final[tuple[Invariant, ...]] = (
    *(found for found in SAFETY if found not in {run_ends, call_recorded}),
    *LIVENESS,
    run_kept,
    step_once,
    ledger_true,
    marked_first,
    unknown_earned,
    driven_once,
    result_kept,
)


def _counting(records: Iterable[StepRecord]) -> dict[str, StepRecord]:
    """The records that count, by path: those below a body that began anew do not."""
    found: dict[str, StepRecord] = {}
    for record in records:
        if record.kind == "dropped":
            for key in [key for key in found if key.startswith(f"{record.key}/")]:
                del found[key]
        else:
            found[record.key] = record
    return found


def _failed_by_more_than_a_crash(history: History) -> set[tuple[str, str]]:
    """Runs and paths of calls that failed in the world, or were refused or cancelled on the way."""
    numbers = {run.number: run.run_id for run in history.runs}
    cut_off: dict[tuple[str, str], float] = {}
    failed = set[tuple[str, str]]()
    for call in history.world.calls:
        key = numbers[call.run], call.path
        if call.ending == "cut_off":
            cut_off[key] = call.began
        # One that lingers answers when its attempt is over, and nobody listens any more.
        elif call.ending != "answered" or call.fault in {"garbles", "lingers"}:
            failed.add(key)
    for run in history.runs:
        for span in run.spans:
            key = run.run_id, span.path
            began = span.start_ns / 1e9
            is_refused = span.name == "call.rejected" and began > cut_off.get(key, math.inf)
            if is_refused or span.status == "cancelled":
                failed.add(key)
    return failed


def _dropped(records: Iterable[StepRecord], path: str, after: int) -> bool:
    return any(
        one.kind == "dropped" and one.n > after and path.startswith(f"{one.key}/")
        for one in records
    )


def _nothing() -> None:
    """Everything was said while it happened."""
