"""Tending: a task that looks unknown outcomes up and undoes what is to be undone.

It is there only while there is something to do. What it has to do stands in the store, so that it
goes on where it was in the next life of the process.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from pydantic_core import from_json

from fishplate.agents.agent import AnyAgent
from fishplate.core.errors import FishplateError
from fishplate.core.outcome import CannotSay
from fishplate.core.run_context import RunContext, Surroundings, UndoingRun
from fishplate.journal.effect_rows import Evidence
from fishplate.journal.journal import Journal
from fishplate.journal.ledger import Ledger
from fishplate.journal.run_rows import StoredRun
from fishplate.orchestrator.compensator import Compensator
from fishplate.orchestrator.effects import CallEffect
from fishplate.orchestrator.history import History
from fishplate.orchestrator.lookup import Finding, finding_of
from fishplate.orchestrator.reconciler import Reconciler
from fishplate.orchestrator.records import principal_from_record


class Tending:
    """Looks after the effects of one store that no run looks after.

    Args:
        journal: Of the store.
        ledger: Of the store.
        tools: The app's, by name.
        around: What the app's runs share.
        histories: Of the runs that are driven here, by trace id.
        work: Makes a call within the working time.
        drives: Whether a run is driven here.
        now_ms: Wall clock, milliseconds since 1970.
        opened: Lets runs go on that a decision has opened again.
    """

    def __init__(  # noqa: PLR0913 -- the parts that the keeper puts together
        self,
        journal: Journal,
        ledger: Ledger,
        tools: Mapping[str, AnyAgent],
        *,
        around: Surroundings,
        histories: dict[int, History],
        work: Callable[[RunContext, CallEffect], Coroutine[Any, Any, object]],
        drives: Callable[[str], bool],
        now_ms: Callable[[], int],
        opened: Callable[[], Awaitable[None]],
    ) -> None:
        self._journal = journal
        self._around = around
        self._histories = histories
        self._work = work
        self._now_ms = now_ms
        self._opened = opened
        self._reconciler = Reconciler(ledger, tools, self._ask, drives, now_ms)
        self._compensator = Compensator(ledger, tools, self._compensate)
        self._asked = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None
        self._is_closed = False

    def wake(self) -> None:
        """Hear that there may be something to do."""
        if self._is_closed:
            return
        self._asked.set()
        self._idle.clear()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._tend())
            self._task.add_done_callback(self._ended)

    async def idle(self) -> None:
        """Wait until nothing more can be done now."""
        await self._idle.wait()

    async def close(self) -> None:
        """Leave what is left to the next life of the process."""
        self._is_closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _tend(self) -> None:
        while True:
            self._asked.clear()
            ended = await self._compensator.work_off()
            found = await self._reconciler.work_off()
            if ended or found.decided:
                await self._opened()
                continue  # what is decided may be what a compensation waited for
            if self._asked.is_set():
                continue
            if found.next_ms is None:
                return
            self._idle.set()
            with contextlib.suppress(TimeoutError):
                wait = max(0.0, (found.next_ms - self._now_ms()) / 1000)
                await asyncio.wait_for(self._asked.wait(), wait)
            self._idle.clear()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled():
            task.exception()  # of a store that cannot be written: the next to wake it tries again
        if self._asked.is_set() and not self._is_closed:
            self.wake()  # somebody asked when it had just decided to end
        else:
            self._idle.set()

    async def _ask(self, effect: Evidence, tool: AnyAgent, lookup: AnyAgent) -> Finding:
        """Ask a lookup what became of an effect."""
        stored = await self._journal.find(effect.run)
        if stored is None:
            return CannotSay()
        context = RunContext(self._around, *_identity(stored)).asking(effect.key)
        path = f"{effect.call}/{lookup.name}"

        async def asked() -> object:
            arguments = tool.signature.decode(
                from_json(effect.arguments), subject="the recorded arguments"
            )
            return await self._work(
                context, CallEffect(path, lookup, arguments, lookup.about.where)
            )

        return await finding_of(asked())

    async def _compensate(self, effect: Evidence, call: CallEffect) -> object:
        """Make the call that undoes an effect, as an effect of the same run."""
        stored = await self._journal.find(effect.run)
        if stored is None:
            msg = f"there is no run {effect.run!r} of effect {effect.key!r} in this store"
            raise FishplateError(msg, code="unknown_run")
        context = UndoingRun(self._around, *_identity(stored), effect.key)
        own = History(self._journal.reopen(stored), self._now_ms)
        self._histories.setdefault(context.trace_id, own)
        try:
            return await self._work(context, call)
        finally:
            if self._histories.get(context.trace_id) is own:
                del self._histories[context.trace_id]


def _identity(stored: StoredRun) -> tuple[Any, int, str]:
    """On whose behalf a run acts, its trace, its id."""
    return principal_from_record(stored.principal), int(stored.trace_id, 16), stored.id
