"""Driving a run: from a call to its end or its wait, what has to be in the store by then."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeGuard

from fishplate.agents.agent import AnyAgent
from fishplate.core.errors import FishplateError, NeedsAttention
from fishplate.core.events import WaitTold
from fishplate.core.outcome import DeclaredError
from fishplate.core.run_context import RunContext
from fishplate.journal.journal import Journal
from fishplate.journal.ledger import Ledger
from fishplate.journal.waits import Wait, open_waits, suspend
from fishplate.orchestrator.answers import Answers
from fishplate.orchestrator.desk import Desk
from fishplate.orchestrator.durable import DurableSteps
from fishplate.orchestrator.effects import CallEffect, Suspended
from fishplate.orchestrator.ends import attention_of, write_end
from fishplate.orchestrator.history import History
from fishplate.orchestrator.kept_run import WAITING
from fishplate.orchestrator.resume_rule import CannotGoOn
from fishplate.orchestrator.sagas import Sagas, is_saga
from fishplate.orchestrator.taking_up import TakenUp, TakingUp
from fishplate.orchestrator.tending import Tending


class Driver:
    """Drives the runs of one open store.

    Args:
        journal: Of the store.
        ledger: Of the store.
        steps: Runs the calls.
        desk: Knows which runs are driven.
        taking_up: Finds out how a run that waited goes on.
        answers: What runs wait for.
        agents: Whose runs can be taken up, by name.
        work: Runs the call that a run is, within the working time.
        now_ms: Wall clock, milliseconds since 1970.
    """

    def __init__(  # noqa: PLR0913 -- the parts that the keeper puts together
        self,
        journal: Journal,
        ledger: Ledger,
        *,
        steps: DurableSteps,
        desk: Desk,
        taking_up: TakingUp,
        answers: Answers,
        agents: Mapping[str, AnyAgent],
        work: Callable[[RunContext, CallEffect], Coroutine[Any, Any, object]],
        now_ms: Callable[[], int],
    ) -> None:
        self._journal = journal
        self._ledger = ledger
        self._steps = steps
        self._desk = desk
        self._taking_up = taking_up
        self._answers = answers
        self._agents = agents
        self._work = work
        self._now_ms = now_ms
        self._tending: Tending | None = None

    def undo_by(self, sagas: Sagas, tending: Tending) -> None:
        """Hear who undoes what a failed run has done, and who looks after unknown outcomes."""
        self._sagas = sagas
        self._tending = tending

    async def go_on(self, context: RunContext, effect: CallEffect) -> object:
        """Run a call whose run has begun; its end is reported when it is written.

        Returns:
            Its answer, or `WAITING`: the run goes on in another task when it has what it waits for.

        Raises:
            NeedsAttention: A person has to decide before the run can end.
            StoreUnavailableError: Something of the run was not kept: it is still open in the store,
                and goes on when an app opens that again.
        """
        while True:
            try:
                return await self._ended(context, effect)
            except Suspended as suspended:
                if await self._is_waiting(context, suspended):
                    return WAITING
            spending = context.spending
            context, effect = await self.taken_up_again(context.run_id)
            context.spend_with(spending)

    async def _ended(self, context: RunContext, effect: CallEffect) -> object:
        """Run a call to its end, and write that."""
        answer: object = None
        failure: BaseException | None = None
        run_id = context.run_id
        self._desk.begins(run_id)
        try:
            answer = await self._work(context, effect)
        except (FishplateError, DeclaredError, asyncio.CancelledError) as error:
            failure = error
        finally:
            self._desk.ends(run_id)
        if isinstance(failure, asyncio.CancelledError) and self._steps.is_closing:
            del self._steps.histories[context.trace_id]  # it stays open, for the next life
            self._desk.ended(run_id)
            raise failure
        # A cancellation meanwhile loses nothing: what is written is given before it is waited for.
        attention = await self._end(context, effect, answer, failure)
        if attention is None and _is_failed_saga(failure, effect):
            attention = await self._sagas.undo_run(context, effect)
        if attention is not None:
            raise attention from failure
        if failure is not None:
            raise failure
        return answer

    async def _is_waiting(self, context: RunContext, suspended: Suspended) -> bool:
        """Write that a run waits; false if it has an answer by now."""
        history = self._steps.histories.pop(context.trace_id)
        left_ns = round(context.seconds_left(context.now_ns()) * 1e9)
        halt = context.around.halt

        def suspended_for(connection: sqlite3.Connection) -> tuple[bool, Sequence[Wait]]:
            is_waiting = suspend(connection, context.run_id, suspended.keys, left_ns)
            is_told = is_waiting and halt is not None
            return is_waiting, open_waits(connection, context.run_id) if is_told else ()

        is_waiting = True
        try:
            is_waiting, waits = await history.log.change(suspended_for)
            if halt is not None and is_waiting:
                halt(context, "waiting", [*map(_told, waits)])
        except asyncio.CancelledError:
            if not self._steps.is_closing:
                await self._answers.cancel(context.run_id)  # after what was asked for above
            raise
        finally:
            if is_waiting:
                self._desk.ended(context.run_id)
        return is_waiting

    async def taken_up_again(self, run_id: str) -> TakenUp:
        """A run that is driven here and has its answer.

        Raises:
            NeedsAttention: It cannot go on.
        """
        run: TakenUp | None = None
        try:
            stored = await self._journal.find(run_id)
            assert stored is not None, "it was written that this run waits"
            try:
                run = await self._taking_up.taken_up(stored)
            except CannotGoOn as refusal:
                await self._taking_up.refuse(stored, refusal)
                found = stored._replace(attention=refusal.reason, explanation=refusal.explanation)
                raise attention_of(found, self._agents.get(stored.agent)) from None
            if run is None:
                raise asyncio.CancelledError  # between its answer and now
            return run
        finally:
            if run is None:
                self._desk.ended(run_id)

    async def _end(
        self,
        context: RunContext,
        effect: CallEffect,
        answer: object,
        failure: BaseException | None,
    ) -> NeedsAttention | None:
        """Write how a run ended, and wait until that, and all before it, is kept.

        Returns:
            What its caller has to hear if the run has not ended: a person has to decide.
        """
        history = self._steps.histories.pop(context.trace_id)
        try:
            if history.is_resumed and (left := history.open_calls()):
                await self._give_up(history, left)
            if history.attention is None and _is_failed_saga(failure, effect):
                await self._sagas.end_run(history, effect, failure, self._now_ms())
            else:
                await write_end(history, effect, answer, failure, self._now_ms())
        finally:
            self._desk.ended(history.log.run_id)
        if history.attention is not None and self._tending is not None:
            self._tending.wake()
        if history.attention is None:
            return None
        if isinstance(failure, NeedsAttention):
            return failure
        return NeedsAttention(
            f"run {context.run_id!r} of {effect.unit.name!r} cannot end before somebody decides: "
            f"{history.attention}",
            run_id=context.run_id,
            step=effect.key,
            code=history.attention,
            where=effect.where,
        )

    async def _give_up(self, history: History, calls: Sequence[str]) -> None:
        """Leave to a person what a former life had sent, and this one did not ask for again."""
        await self._ledger.give_up(history.log.run_id, calls)
        if history.attention is None:
            history.attention = "unknown_outcome"
            history.explanation = (
                f"call {calls[0]!r} was cut off when its process ended, and its effect may have "
                "happened; the run has ended without making it again"
            )


def _told(wait: Wait) -> WaitTold:
    return WaitTold(
        step=wait.key,
        kind=wait.kind,
        name="" if wait.kind == "sleep" else wait.name,
        roles=wait.roles,
        since_ms=wait.since_ms,
        due_ms=wait.due_ms,
    )


def _is_failed_saga(
    failure: BaseException | None, effect: CallEffect
) -> TypeGuard[FishplateError | DeclaredError]:
    """Whether what a run has done is to be undone."""
    return isinstance(failure, (FishplateError, DeclaredError)) and is_saga(effect.unit)
