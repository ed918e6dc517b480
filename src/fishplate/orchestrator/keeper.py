"""The keeper: opens the store of an app, and sees its runs from their beginning to their end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any, Final

from fishplate.agents.agent import AnyAgent
from fishplate.core.errors import FishplateError, UsageError
from fishplate.core.run_context import Principal, RunContext, Surroundings
from fishplate.journal.journal import Journal
from fishplate.journal.ledger import Ledger
from fishplate.journal.lock import DrivingLock
from fishplate.journal.run_rows import OPEN_STATES, READY_STATES, StoredRun, UnknownRunError
from fishplate.journal.starts import StartKey
from fishplate.journal.store import Durability, StoreUnavailableError, open_store, store_path
from fishplate.journal.writer import OpenWriter
from fishplate.orchestrator.answers import Answers
from fishplate.orchestrator.beginnings import Beginnings
from fishplate.orchestrator.desk import Desk
from fishplate.orchestrator.driver import Driver
from fishplate.orchestrator.durable import DurableSteps
from fishplate.orchestrator.effects import CallEffect, Marked
from fishplate.orchestrator.endings import tell_refused
from fishplate.orchestrator.ends import end_of
from fishplate.orchestrator.history import History
from fishplate.orchestrator.kept_run import WAITING, KeptRun, KeptRuns
from fishplate.orchestrator.releases import Releases
from fishplate.orchestrator.resume_rule import CannotGoOn, Resume, ResumeRule
from fishplate.orchestrator.roster import all_of
from fishplate.orchestrator.run import run_cancelled
from fishplate.orchestrator.sagas import Sagas
from fishplate.orchestrator.taking_up import TakenUp, TakingUp
from fishplate.orchestrator.tending import Tending

TAKEN_UP_AT_A_TIME: Final = 500
"""Runs of a former life that are read and written side by side: one commit is for all of them."""


class Keeper:
    """Keeps the runs of one app.

    Args:
        url: Of the store, e.g. `sqlite:///runs.db`.
        durability: What survives a loss of power.
        steps: Runs the calls.
        around: What the app's runs share.
        random_id: Draws a number that no other life of the process has drawn.
        work: Runs the call that a run is, within the working time.
        takes_up: Whether the runs that a former life left open go on here.
        agents: Whose runs can be taken up, by name.
        begin: Begins a task that ends with the app.
        resume: What may have changed since a run began.
        open_writer: Makes the writer.
        releases: Of the app's agents.

    Attributes:
        runs: The handles of runs.
        answers: What runs wait for, once the store is open.
        driver: Drives runs, once the store is open.
        now_ms: Wall clock, milliseconds since 1970.
    """

    def __init__(  # noqa: PLR0913 -- the parts that the app puts together
        self,
        url: str,
        durability: Durability,
        *,
        steps: DurableSteps,
        around: Surroundings,
        random_id: Callable[[], int],
        work: Callable[[RunContext, CallEffect], Coroutine[Any, Any, object]],
        takes_up: bool,
        agents: Mapping[str, AnyAgent],
        begin: Callable[[Coroutine[Any, Any, object]], asyncio.Task[object]],
        resume: Resume,
        open_writer: OpenWriter,
        releases: Releases,
    ) -> None:
        self._takes_up = takes_up
        self._releases = releases
        self._rule = ResumeRule(agents, resume, releases)
        self._open_writer = open_writer
        self._work = work
        self._agents = agents
        self._begin_task = begin
        self.runs = KeptRuns(self._cancel_waiting, self._is_ending)
        self._path = store_path(url)
        self._durability: Durability = durability
        self._steps = steps
        self._around = around
        self._random_id = random_id
        self._tending: Tending | None = None
        self.now_ms = around.wall.now_ms
        self._beginnings = Beginnings(self.now_ms, releases)

    async def open(self) -> None:
        """Take the lock and open the store.

        Raises:
            StoreLockedError: Another process drives it.
            StoreError: The file is something else, damaged, or of a later version.
            StoreUnavailableError: It cannot be opened or written to.
        """
        self._lock = await asyncio.to_thread(DrivingLock, self._path)
        try:
            connection = await asyncio.to_thread(open_store, self._path)
        except BaseException:
            self._lock.release()
            raise
        self._writer = self._open_writer(connection, self._path, self._durability)
        self._journal = Journal(self._writer)
        ledger = Ledger(self._writer, f"{self._random_id():016x}", self.now_ms)
        self._ledger = ledger
        self.answers = Answers(self._writer, self.now_ms, self._begin_task, self._go_on)
        self._around.kept_now = self._steps.told_now
        self._steps.open(ledger, self.now_ms, self.answers.timer.expect)
        self._desk = Desk(self._path, self._journal, self.now_ms)
        self._taking_up = TakingUp(
            self._journal,
            ledger,
            self._steps.histories,
            around=self._around,
            agents=self._agents,
            rule=self._rule,
            beginnings=self._beginnings,
            now_ms=self.now_ms,
        )
        self.driver = Driver(
            self._journal,
            ledger,
            steps=self._steps,
            desk=self._desk,
            taking_up=self._taking_up,
            answers=self.answers,
            agents=self._agents,
            work=self._work,
            now_ms=self.now_ms,
        )
        try:
            await self._desk.answer()
            await self.answers.open()
        except BaseException:
            await self.close()
            raise

    async def listen(self, begin: Callable[[TakenUp], object]) -> None:
        """Answer from now on what other processes ask for.

        Args:
            begin: Starts a run that an answer has opened again.
        """

        async def opened() -> None:
            for taken in await self.take_up():
                if not self._steps.is_closing:  # it stays open, for the next life
                    begin(taken)

        async def answered() -> None:
            await opened()
            tending.wake()

        tending = self._tending = Tending(
            self._journal,
            self._ledger,
            {unit.name: unit for unit in all_of(*self._agents.values())},
            around=self._around,
            histories=self._steps.histories,
            work=self._work,
            drives=self._desk.drives,
            now_ms=self.now_ms,
            opened=opened,
        )
        sagas = self._steps.sagas = Sagas(self._writer, self._ledger, tending)
        self.driver.undo_by(sagas, tending)
        await self._desk.listen(answered, self._go_on, self._cancelled_outside)
        if self._takes_up and await self._ledger.has_unsettled():
            tending.wake()

    async def tended(self) -> None:
        """Wait until nothing more can be found out or undone now."""
        if self._tending is not None:
            await self._tending.idle()

    def prepare_to_close(self) -> None:
        """Hear that what is cancelled from now on goes on in another life of the process."""
        self._steps.is_closing = True
        self.answers.timer.stop()
        self.runs.leave()

    async def close(self) -> None:
        """Write what is left, close the store, give the lock back."""
        self.answers.timer.stop()
        if self._tending is not None:
            await self._tending.close()
        await self._desk.close()
        await asyncio.to_thread(self._writer.close)
        self._lock.release()

    async def run(self, context: RunContext, effect: CallEffect) -> object:
        """Run a call as a run that is kept; its end is reported when it is written.

        Raises:
            InputError: Its input has no JSON form.
            PayloadTooLargeError: Its input is larger than the journal keeps.
            NeedsAttention: A person has to decide before the run can end.
            StoreUnavailableError: Something of the run was not kept: it is still open in the store,
                and goes on when an app opens that again.
        """
        if not self._releases.knows(effect.unit):
            await asyncio.to_thread(self._releases.read, (effect.unit,))
        self._begin(context, effect)
        return await self.driver.go_on(context, effect)

    async def value(self, context: RunContext, effect: CallEffect) -> object:
        """The same in the awaiting task, however long the run waits, without its marks.

        Raises:
            StepError: Somebody else cancelled the run (code `run_cancelled`).
        """
        try:
            found = await self.run(context, effect)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            assert task is not None, "a coroutine runs in a task"
            if not self._desk.has_cancelled(context.run_id) or task.uncancel() > 0:
                raise
            raise run_cancelled(effect.unit) from None
        if found is not WAITING:
            return found.value if type(found) is Marked else found
        waiting: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        waiting.set_result(WAITING)
        run = self.runs.add(effect.unit, context, waiting)
        try:
            return await run.result()
        except asyncio.CancelledError:
            run.cancel()
            raise

    async def take_up(self) -> list[TakenUp]:
        """The runs that a former life left open and that wait for nothing, oldest first.

        They are none if this life takes none up. One that cannot go on is written down as
        `needs_attention`, with the reason.
        """
        found: list[TakenUp] = []
        if not self._takes_up or self._steps.is_closing:
            return found
        left = [one for one in await self._journal.unfinished() if not self._desk.drives(one.id)]
        for start in range(0, len(left), TAKEN_UP_AT_A_TIME):
            some = left[start : start + TAKEN_UP_AT_A_TIME]
            try:
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(self._claimed(one)) for one in some]
            except ExceptionGroup as lost:
                raise lost.exceptions[0] from None  # the store failed them all alike
            found += [run for task in tasks if (run := task.result()) is not None]
        return found

    async def _claimed(self, stored: StoredRun) -> TakenUp | None:
        """A run that a former life left open, if it can go on."""
        self._desk.claim(stored.id)
        run: TakenUp | None = None
        try:
            run = await self._taking_up.taken_up(stored)
        except CannotGoOn as refusal:
            await self._taking_up.refuse(stored, refusal)
        if run is None:
            self._desk.ended(stored.id)
        return run

    async def find(self, run_id: str) -> KeptRun[Any]:
        """The handle of a run.

        Raises:
            UnknownRunError: The store has none of that id.
            UsageError: The app does not name its agent (code `unknown_agent`).
        """
        known = self.runs.find(run_id)
        if known is not None:
            return known
        stored, unit = await self._stored(run_id)
        known = self.runs.find(run_id)  # it may have gone on meanwhile
        if known is not None:
            return known
        task = self.runs.task_of(run_id)
        if task is None and stored.state in READY_STATES and not self._desk.drives(run_id):
            self._desk.claim(run_id)  # it is of a former life
            task = self._begin_task(self._again(run_id))
        context = self._taking_up.context_of(stored)
        if task is not None:
            return self.runs.add(unit, context, task)
        has_ended = stored.state not in OPEN_STATES
        ended_on = stored.release if has_ended else None
        return self.runs.add(unit, context, end_of(stored, unit), ended_on=ended_on)

    async def signal(self, run_id: str, name: str, value: object, by: Principal) -> None:
        """Answer a wait for a signal; see `App.signal`."""
        _, unit = await self._stored(run_id)
        await self.answers.signal(unit, run_id, name, value, by)

    async def claim(self, context: RunContext, effect: CallEffect, key: str) -> str | None:
        """Begin a run under a key, unless one has begun under it; the id of that one.

        Raises:
            StartConflictError: That one was started with another input.
        """
        if not self._releases.knows(effect.unit):
            await asyncio.to_thread(self._releases.read, (effect.unit,))
        principal = context.principal
        start = StartKey(principal.tenant, principal.name, effect.unit.name, key)
        found = await self._journal.claim(self._beginnings.of(context, effect), start)
        if isinstance(found, str):
            return found
        self._steps.histories[context.trace_id] = History(found, self.now_ms)
        return None

    async def _stored(self, run_id: str) -> tuple[StoredRun, AnyAgent]:
        stored = await self._journal.find(run_id)
        if stored is None:
            msg = f"the store {str(self._path)!r} has no run {run_id!r}"
            raise UnknownRunError(msg)
        unit = self._agents.get(stored.agent)
        if unit is None:
            msg = f"run {run_id!r} is one of {stored.agent!r}: name it in App(...)"
            raise UsageError(msg, code="unknown_agent")
        return stored, unit

    def _go_on(self, run_id: str) -> None:
        """Let a run go on in a task of its own, now that it has its answer.

        One that is not of this life stays open if this one takes none up.
        """
        if self._steps.is_closing or not (self._takes_up or self.runs.find(run_id)):
            return
        self._desk.claim(run_id)
        self.runs.go_on(run_id, self._begin_task(self._again(run_id)))

    async def _again(self, run_id: str) -> object:
        context, effect = await self.driver.taken_up_again(run_id)
        known = self.runs.find(run_id)
        if known is not None:
            known.spending.learn(context.spending)
            context.spend_with(known.spending)  # whoever holds the run is told all that it spends
        return await self.driver.go_on(context, effect)

    def _cancelled_outside(self, run_id: str) -> None:
        """Hear that another process has cancelled a run; who holds one that waited hears it too."""
        if self._steps.is_closing:
            return
        known = self.runs.find(run_id)
        if known is not None and known.is_waiting:
            self.runs.go_on(run_id, self._begin_task(self._as_stored(run_id)))
        elif self._around.halt is not None:
            self._begin_task(self._tell_cancelled(run_id))

    async def _tell_cancelled(self, run_id: str) -> None:
        """Tell the trace of a run that it was cancelled: no span is told of what does not work."""
        if self._around.halt is None:
            return
        with suppress(StoreUnavailableError):  # then its trace says what it last knew
            stored = await self._journal.find(run_id)
            if stored is not None and stored.state == "cancelled":
                self._around.halt(self._taking_up.context_of(stored), "cancelled", ())

    async def _as_stored(self, run_id: str) -> object:
        await self._tell_cancelled(run_id)
        stored, unit = await self._stored(run_id)
        return await end_of(stored, unit)

    def _is_ending(self, run_id: str) -> bool:
        return self._desk.is_ending(run_id)  # which comes with the store, later than the handles

    def _cancel_waiting(self, run_id: str) -> None:
        self.runs.go_on(run_id, self._begin_task(self._cancelled(run_id)))

    async def _cancelled(self, run_id: str) -> object:
        if await self.answers.cancel(run_id):
            await self._tell_cancelled(run_id)
            raise asyncio.CancelledError
        # It had its answer, and goes on in another task by now.
        if (run := self.runs.find(run_id)) is not None:
            run.cancel()
        return WAITING

    def _begin(self, context: RunContext, effect: CallEffect) -> None:
        """Write that a run begins; it is not waited for.

        Raises:
            FishplateError: It cannot be kept, which its trace tells to whoever looks it up.
        """
        try:
            log = self._journal.begin(self._beginnings.of(context, effect))
        except FishplateError as refusal:
            tell_refused(context, effect, refusal, self._steps.observe)
            raise
        self._steps.histories[context.trace_id] = History(log, self.now_ms)
