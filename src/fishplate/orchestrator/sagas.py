"""Sagas: what an agent has done is undone when it fails, if it was declared so."""

from __future__ import annotations

import functools

from fishplate.agents.agent import AnyAgent
from fishplate.core.errors import FishplateError, NeedsAttention
from fishplate.core.outcome import DeclaredError
from fishplate.core.run_context import RunContext
from fishplate.journal.ledger import Ledger
from fishplate.journal.undoing import end_failed_run, mark_for_undoing
from fishplate.journal.writer import JournalWriter
from fishplate.orchestrator.effects import CallEffect
from fishplate.orchestrator.history import History
from fishplate.orchestrator.records import failure_to_record
from fishplate.orchestrator.roster import all_of
from fishplate.orchestrator.tending import Tending


def is_saga(unit: AnyAgent) -> bool:
    """Whether the effects of an agent's calls are undone when it fails."""
    return unit.about.on_failure == "compensate"


class Sagas:
    """Undoes what failed agents have done.

    Args:
        writer: Of the store.
        ledger: Of the store.
        tending: Makes the calls that undo.
    """

    def __init__(self, writer: JournalWriter, ledger: Ledger, tending: Tending) -> None:
        self._writer = writer
        self._ledger = ledger
        self._tending = tending

    async def end_run(
        self,
        history: History,
        effect: CallEffect,
        failure: FishplateError | DeclaredError,
        ended_ms: int,
    ) -> None:
        """Write that a run has failed, and that its effects are to be undone, in one piece."""
        apply = functools.partial(
            end_failed_run,
            run_id=history.log.run_id,
            outcome=failure_to_record(failure),
            tools=_undoable(effect.unit),
            now_ms=ended_ms,
        )
        await self._writer.change(history.log, apply, is_precious=True)
        await history.log.settled()

    async def undo_run(self, run: RunContext, effect: CallEffect) -> NeedsAttention | None:
        """Undo what a run has done that has ended; what its caller hears if that fails."""
        return await self._undone(run, effect)

    async def undo_step(
        self, history: History, run: RunContext, effect: CallEffect, now_ms: int
    ) -> None:
        """Undo what a step has done that has failed; its failure is recorded already.

        Raises:
            NeedsAttention: Something could not be undone.
        """
        apply = functools.partial(
            mark_for_undoing,
            run_id=history.log.run_id,
            tools=_undoable(effect.unit),
            path=effect.key,
            now_ms=now_ms,
        )
        await self._writer.change(history.log, apply, is_precious=True)
        attention = await self._undone(run, effect)
        if attention is not None:
            history.attention = attention.code
            raise attention

    async def _undone(self, run: RunContext, effect: CallEffect) -> NeedsAttention | None:
        self._tending.wake()
        await self._tending.idle()
        for one in await self._ledger.of_run(run.run_id):
            if one.state in {"compensating", "compensation_failed"}:
                return NeedsAttention(
                    f"{effect.unit.about.subject} has failed, and what {one.tool!r} did in step "
                    f"{one.call!r} could not be undone: see 'fishplate runs attention'",
                    run_id=run.run_id,
                    step=effect.key,
                    code="compensation_failed",
                    where=effect.where,
                )
        return None


def _undoable(unit: AnyAgent) -> list[str]:
    """Names of the tools below an agent that say how they are undone."""
    return sorted({one.name for one in all_of(unit) if one.about.compensate is not None})
