"""What a strand waits for: as a row of the store, and the answer that the strand is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, cast

from pydantic_core import from_json, to_json

from fishplate.agents.agent import AnyAgent
from fishplate.contracts.json import canonical_json
from fishplate.contracts.shape import Shape
from fishplate.contracts.values import BrokenValueError
from fishplate.core.errors import InputError, JsonValue, Violation
from fishplate.core.ids import step_span_id
from fishplate.core.outcome import Rejected
from fishplate.core.run_context import RunContext
from fishplate.journal.waits import EXPIRED, Answered, Wait
from fishplate.orchestrator.compile import carried_by
from fishplate.orchestrator.effects import Expired, SignalEffect, SleepEffect
from fishplate.orchestrator.roster import all_of
from fishplate.workflows.plan import WaitStep
from fishplate.workflows.workflow import Workflow

LONGEST_TIMER: Final = 30.0
"""Seconds after which the wall clock is looked at again: it may be set, and machines sleep."""


def wait_of(run_id: str, effect: SignalEffect | SleepEffect, now_ms: int) -> Wait:
    """The row of a wait that begins now."""
    if isinstance(effect, SleepEffect):
        ends_ms = now_ms + round(effect.seconds * 1000)
        return Wait(run_id, effect.key, "sleep", "", "", (), "", b"null", b"null", now_ms, ends_ms)
    due = None if effect.within is None else now_ms + round(effect.within * 1000)
    if effect.carried is None:
        return Wait(
            run_id,
            effect.key,
            "approval",
            effect.name,
            "",
            effect.roles,
            effect.digest,
            effect.arguments,
            b"null",
            now_ms,
            due,
        )
    carried = effect.carried.takes
    return Wait(
        run_id,
        effect.key,
        "signal",
        effect.name,
        carried.fingerprint,
        (),
        "",
        b"null",
        to_json(carried.json),
        now_ms,
        due,
    )


def answer_to(effect: SignalEffect | SleepEffect, answer: bytes) -> object:
    """What a strand is sent for the answer that the store has.

    Raises:
        InputError: The signal breaks the contract that the wait has now.
    """
    if isinstance(effect, SleepEffect):
        return None
    if answer == EXPIRED:
        return Expired()
    found = cast("dict[str, Any]", from_json(answer))
    if effect.carried is not None:
        try:
            return cast("object", effect.carried.decode(found["value"]))
        except BrokenValueError as error:
            subject = f"the signal {effect.name!r} of step {effect.key!r}"
            raise InputError(subject, error.violations) from None
    if "rejected" in found:
        said: dict[str, str] = found["rejected"]
        return Rejected(reason="rejected", by=said["by"], note=said["note"])
    return True


def tell_answer(
    run: RunContext, parent_id: int, effect: SignalEffect, answered: Answered, now_ms: int
) -> None:
    """Tell what somebody has decided, or what has come, as a decision that took as long as it did.

    A life of the run that goes on with it once more says that it is replayed, as of a step.

    Args:
        run: That has waited.
        parent_id: Span below which the step stands.
        effect: The wait.
        answered: What it was answered with.
        now_ms: Wall clock, milliseconds since 1970.
    """
    kind = "signal" if effect.carried is not None else "approval"
    facts: dict[str, JsonValue] = {"kind": kind, "waited": answered.waited_ms / 1000}
    chosen = "expired"
    if answered.answer != EXPIRED:
        found = cast("dict[str, dict[str, str]]", from_json(answered.answer))
        chosen = "received" if kind == "signal" else next(iter(found))
        if kind == "approval":
            facts["by"] = found[chosen]["by"]
            if note := found[chosen]["note"]:
                facts["reason"] = note
    facts |= {"chosen": chosen, "of": effect.name}
    place = f"{effect.key}|answer"
    if answered.is_old:
        facts["replayed"] = True
        place += f"/{now_ms}"
    ended_ns = run.now_ns() - (now_ms - answered.answered_ms) * 1_000_000
    run.sink(
        (
            run.trace_id,
            step_span_id(run.trace_id, place),
            parent_id,
            ("decision", f"{kind} → {chosen}", ""),
            effect.key,
            ended_ns - answered.waited_ms * 1_000_000,
            ended_ns,
            "ok",
            facts,
        )
    )


def read_signal(unit: AnyAgent, name: str, value: object) -> tuple[bytes, list[str]] | None:
    """Judge a signal by what the workflows of a run wait for.

    Args:
        unit: What runs.
        name: Of the signal.
        value: JSON, or an object of the type that is waited for.

    Returns:
        The answer as the store keeps it, and the fingerprints of the contracts that it satisfies;
        `None` if no workflow of the run ever waits for a signal of that name.

    Raises:
        InputError: The value breaks every contract under that name.
    """
    shapes = _carried(unit, name)
    if not shapes:
        return None
    answer, contracts, violations = b"", list[str](), list[Violation]()
    for fingerprint, shape in shapes.items():
        try:
            document: JsonValue = shape.encode(shape.accept(value))
        except BrokenValueError as error:
            violations.extend(error.violations)
        else:
            contracts.append(fingerprint)
            answer = answer or canonical_json({"value": document})
    if not contracts:
        raise InputError(f"the signal {name!r}", violations)
    return answer, contracts


def _carried(unit: AnyAgent, name: str) -> dict[str, Shape[Any]]:
    steps = (
        step
        for one in all_of(unit)
        if isinstance(one, Workflow) and one.waiting
        for _, step in one.plan.steps()
        if isinstance(step, WaitStep) and step.signal == name
    )
    shapes = map(carried_by, steps)
    return {shape.takes.fingerprint: shape for shape in shapes}


class DueTimer:
    """One timer of the loop for the wait of a store that is due first.

    Args:
        now_ms: Wall clock, milliseconds since 1970.
        on_due: Called when the time of the earliest wait has come; expects the next one itself.
    """

    def __init__(self, now_ms: Callable[[], int], on_due: Callable[[], None]) -> None:
        self._now_ms = now_ms
        self._on_due = on_due
        self._due_ms: int | None = None
        self._handle: asyncio.TimerHandle | None = None

    def expect(self, due_ms: int | None) -> None:
        """Hear when a wait is due; `None` for never."""
        if due_ms is not None and (self._due_ms is None or due_ms < self._due_ms):
            self._due_ms = due_ms
            self._set()

    def stop(self) -> None:
        """Expect nothing any more."""
        self._due_ms = None
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _set(self) -> None:
        assert self._due_ms is not None, "a timer is set for something"
        if self._handle is not None:
            self._handle.cancel()
        seconds = min(max((self._due_ms - self._now_ms()) / 1000, 0.0), LONGEST_TIMER)
        self._handle = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        assert self._due_ms is not None, "a timer that is stopped does not look"
        if self._now_ms() < self._due_ms:
            self._set()
            return
        self.stop()
        self._on_due()
