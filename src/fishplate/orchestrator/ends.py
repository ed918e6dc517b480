"""The end of a run: how it is written, and how it is told of a run that the store has."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from pydantic_core import from_json, to_json

from fishplate.agents.agent import AnyAgent
from fishplate.core.errors import FishplateError, NeedsAttention, UsageError
from fishplate.core.outcome import DeclaredError
from fishplate.journal.run_rows import StoredRun, StoredState
from fishplate.journal.waits import forget_open
from fishplate.orchestrator.effects import CallEffect
from fishplate.orchestrator.history import History
from fishplate.orchestrator.kept_run import WAITING
from fishplate.orchestrator.records import (
    failure_from_record,
    failure_to_record,
    value_from_record,
)


def end_of(stored: StoredRun, unit: AnyAgent) -> asyncio.Future[object]:
    """What the task of a run has given, or would have, had it run here.

    Raises:
        UsageError: The run goes on where it was awaited, and has no handle (code `awaited_run`).
    """
    end: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    match stored.state:
        case "succeeded" | "degraded":
            found: dict[str, Any] = from_json(stored.outcome or b"{}")
            reasons = to_json(found["reasons"]) if found["reasons"] else None
            end.set_result(value_from_record(unit, to_json(found["output"]), reasons))
        case "failed":
            _fail(end, failure_from_record(unit, stored.outcome or b"{}"))
        case "cancelled":
            end.cancel()
        case "needs_attention":
            _fail(end, attention_of(stored, unit))
        case "waiting":
            end.set_result(WAITING)
        case "queued" | "running":
            msg = (
                f"run {stored.id!r} is awaited where {stored.agent!r} was called: "
                "start it by app.start(...) to find it again"
            )
            raise UsageError(msg, code="awaited_run")
    return end


def attention_of(stored: StoredRun, unit: AnyAgent | None) -> NeedsAttention:
    """What the caller of a run hears that a person has to decide about."""
    code = stored.attention or "needs_attention"
    return NeedsAttention(
        f"run {stored.id!r} of {stored.agent!r} cannot go on before somebody decides: "
        f"{stored.explanation or code}",
        run_id=stored.id,
        step=stored.agent,
        code=code,
        where="" if unit is None else unit.about.where,
    )


def write_end(
    history: History,
    effect: CallEffect,
    answer: object,
    failure: BaseException | None,
    now_ms: int,
) -> Awaitable[None]:
    """Write how a run ended; awaited until that, and all before it, is kept.

    Args:
        history: Of the run.
        effect: The call that it is.
        answer: What it gave, if it did not fail.
        failure: Why it has no answer.
        now_ms: Wall clock, milliseconds since 1970.
    """
    state: StoredState
    outcome: bytes | None = None
    if history.attention is not None:
        state = "needs_attention"
    elif isinstance(failure, (FishplateError, DeclaredError)):
        state, outcome = "failed", failure_to_record(failure)
    elif failure is not None:
        state = "cancelled"
    else:
        data, reasons = history.answer_to_record(effect.unit, answer)
        state = "degraded" if reasons else "succeeded"
        outcome = b'{"output":' + data + b',"reasons":' + (reasons or b"[]") + b"}"
    run_id = history.log.run_id
    return history.log.enter(
        state,
        ended_ms=now_ms,
        outcome=outcome,
        attention=history.attention,
        explanation=history.explanation or _explanation_in(failure),
        is_given_up=isinstance(failure, asyncio.CancelledError),
        also=(lambda store: forget_open(store, run_id)) if history.has_waited else None,
    )


def _fail(end: asyncio.Future[object], failure: Exception) -> None:
    end.set_exception(failure)
    end.exception()  # who wants it asks the run; nobody asking is no warning


def _explanation_in(failure: BaseException | None) -> str | None:
    return str(failure) if isinstance(failure, NeedsAttention) else None
