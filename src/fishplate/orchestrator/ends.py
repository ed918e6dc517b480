"""How a run that the store has stands, as the future that its handle looks at."""

from __future__ import annotations

import asyncio
from typing import Any

from pydantic_core import from_json, to_json

from fishplate.agents.agent import AnyAgent
from fishplate.core.errors import NeedsAttention, UsageError
from fishplate.journal.journal import StoredRun
from fishplate.orchestrator.kept_run import WAITING
from fishplate.orchestrator.records import failure_from_record, value_from_record


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


def _fail(end: asyncio.Future[object], failure: Exception) -> None:
    end.set_exception(failure)
    end.exception()  # who wants it asks the run; nobody asking is no warning
