"""Taking up a run of a former life: what is looked at first, and what its spans say then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic_core import from_json

from fishplate.agents.agent import AnyAgent
from fishplate.core.errors import InputError, JsonValue
from fishplate.core.events import Sink, SpanTuple
from fishplate.journal.journal import PROTOCOL, StoredRun
from fishplate.orchestrator.resume_rule import CannotGoOn

MOST_RECOVERIES: Final = 5
"""How often a run is taken up after its process ended; one that ends it each time is poison."""


def check_stored(stored: StoredRun) -> None:
    """Refuse a run of another format, and one that ends its process each time.

    Raises:
        CannotGoOn: It is such a run (`plan_changed`, `recovery_limit`).
    """
    if stored.protocol != PROTOCOL:
        raise CannotGoOn(
            "plan_changed",
            f"the run spells the keys of its steps in format {stored.protocol}, and this version "
            f"of fishplate in {PROTOCOL}: let the version that began it end it",
        )
    if stored.recoveries >= MOST_RECOVERIES:
        raise CannotGoOn(
            "recovery_limit",
            f"the run of {stored.agent!r} was taken up {stored.recoveries} times, and each time "
            "its process ended before the run did: find out what ends the process (memory, a "
            "crash in native code, a limit of its surroundings)",
        )


def arguments_of(stored: StoredRun, unit: AnyAgent) -> tuple[object, ...]:
    """What a run was started with, judged by the contract that its agent has now.

    Raises:
        CannotGoOn: It breaks that (`input_refused`).
    """
    try:
        return unit.signature.decode(from_json(stored.input), subject="the recorded input")
    except InputError as error:
        raise CannotGoOn(
            "input_refused",
            f"the recorded input breaks the contract that {unit.name!r} has now: {error}. Let the "
            "agent take such inputs again",
        ) from None


def telling_releases(sink: Sink, changed: Mapping[str, tuple[str, str]]) -> Sink:
    """A sink that says on the span of each call that ran on another release than the run's."""

    def tell(span: SpanTuple) -> None:
        trace_id, span_id, parent_id, head, path, began, ended, status, facts = span
        labels = changed.get(head[1])
        if labels is not None and head[0] != "decision" and "replayed" not in (facts or {}):
            both: dict[str, JsonValue] = {"before": labels[0], "now": labels[1]}
            told: dict[str, JsonValue] = {**(facts or {}), "release_changed": both}
            span = (trace_id, span_id, parent_id, head, path, began, ended, status, told)
        sink(span)

    return tell
