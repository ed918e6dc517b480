"""A run that is kept: while it waits it has no task, and its handle is found again by its id."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any, Final, TypeVar
from weakref import WeakValueDictionary

from typing_extensions import override

from fishplate.agents.agent import Agent
from fishplate.core.errors import ErrorClass, StepError
from fishplate.core.run_context import RunContext
from fishplate.core.spending import RunSpending
from fishplate.orchestrator.run import Run, RunState

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Waiting:
    """What the task of a run gives that goes on when it has its answer."""


WAITING: Final = Waiting()


class KeptRun(Run[R_co]):
    """One execution of an agent, in as many tasks as it takes.

    Args:
        agent: What runs.
        context: Of the run.
        task: Its task so far; gives `WAITING` if the run waits.
        cancel_waiting: Ends the run of an id that waits.
        is_ending: Whether the run of an id is over, and its end is being written.
        ended_on: The release that it was of, if it has ended; `None`: the one at hand.
    """

    _ended_on: str | None = None  # on the class: a run that waits holds as little as it can

    def __init__(  # noqa: PLR0913 -- what the handles of an app share, and the run
        self,
        agent: Agent[..., R_co],
        context: RunContext,
        task: asyncio.Future[object],
        cancel_waiting: Callable[[str], None],
        is_ending: Callable[[str], bool],
        *,
        ended_on: str | None = None,
    ) -> None:
        super().__init__(agent, context, task)
        if ended_on is not None:
            self._ended_on = ended_on
        self._cancel_waiting = cancel_waiting
        self._is_ending = is_ending
        self._is_left = False
        self._next: asyncio.Future[None] | None = None

    def go_on(self, task: asyncio.Future[object]) -> None:
        """Hear of the task in which the run goes on."""
        self._task = task
        self._tell()

    def pause(self, task: asyncio.Future[object]) -> None:
        """Hear that a task has ended; if the run waits, hold nothing of it any more."""
        if task is self._task and self.is_waiting:
            self._task = asyncio.get_running_loop().create_future()
            self._task.set_result(WAITING)

    def leave(self) -> None:
        """Hear that the app is left: nobody hears of the run's end here."""
        self._is_left = True
        self._tell()

    @property
    def spending(self) -> RunSpending:
        """What the run has spent so far."""
        return self._context.spending

    @property
    def is_waiting(self) -> bool:
        """The run has no task, and goes on when it has its answer."""
        return (
            self._task.done()
            and not self._task.cancelled()
            and self._task.exception() is None
            and self._task.result() is WAITING
        )

    @property
    @override
    def release(self) -> str:
        """As of any run; if it has ended, what the store says that it was of."""
        return self._ended_on or super().release

    @property
    @override
    def state(self) -> RunState:
        """Where the run is."""
        return "waiting" if self.is_waiting else super().state

    @override
    def cancel(self) -> None:
        if self.is_waiting:
            self._cancel_waiting(self.id)
        elif not self._is_ending(self.id):  # else it has ended, and the store says so in a moment
            super().cancel()

    @override
    async def result(self) -> R_co:
        await self._settle()
        if self.is_waiting:
            raise StepError(
                f"the app was left while run {self.id!r} of {self.agent.name!r} waits: "
                "it goes on in the next app that opens its store",
                step=self.agent.name,
                code="still_waiting",
                error_class=ErrorClass.CANCELLED,
                where=self.agent.about.where,
            )
        return await super().result()

    @override
    def _ahead(self) -> asyncio.Future[object] | asyncio.Future[None] | None:
        if not self.is_waiting or self._is_left:
            return super()._ahead()
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        return self._next

    def _tell(self) -> None:
        if self._next is not None:
            self._next.set_result(None)
            self._next = None


class KeptRuns:
    """The handles of one app's kept runs; one that nobody holds is forgotten while its run waits.

    Args:
        cancel_waiting: Ends the run of an id that waits.
        is_ending: Whether the run of an id is over, and its end is being written.
    """

    def __init__(
        self, cancel_waiting: Callable[[str], None], is_ending: Callable[[str], bool]
    ) -> None:
        self._cancel_waiting = cancel_waiting
        self._is_ending = is_ending
        self._known: WeakValueDictionary[str, KeptRun[Any]] = WeakValueDictionary()
        self._running: dict[asyncio.Future[object], KeptRun[Any]] = {}
        self._unheld: dict[str, asyncio.Future[object]] = {}

    def add(
        self,
        agent: Agent[..., R],
        context: RunContext,
        task: asyncio.Future[object],
        *,
        ended_on: str | None = None,
    ) -> KeptRun[R]:
        """The handle of a run; see `KeptRun`."""
        run = KeptRun(
            agent, context, task, self._cancel_waiting, self._is_ending, ended_on=ended_on
        )
        self._known[run.id] = run
        self._hold(run, task)
        return run

    def find(self, run_id: str) -> KeptRun[Any] | None:
        """The handle of a run, if it is known."""
        return self._known.get(run_id)

    def go_on(self, run_id: str, task: asyncio.Future[object]) -> None:
        """Hear of the task in which a run goes on."""
        run = self._known.get(run_id)
        if run is None:
            self._unheld[run_id] = task
            task.add_done_callback(functools.partial(self._forget, run_id))
        else:
            run.go_on(task)
            self._hold(run, task)

    def task_of(self, run_id: str) -> asyncio.Future[object] | None:
        """The task in which a run goes on that nobody had a handle of."""
        return self._unheld.get(run_id)

    def leave(self) -> None:
        """Hear that the app is left."""
        for run in list(self._known.values()):
            run.leave()

    def _hold(self, run: KeptRun[Any], task: asyncio.Future[object]) -> None:
        """Keep a handle as long as its task runs, so that it is found again."""
        self._running[task] = run
        task.add_done_callback(self._let_go)

    def _forget(self, run_id: str, task: asyncio.Future[object]) -> None:
        if self._unheld.get(run_id) is task:  # else it goes on in another one already
            del self._unheld[run_id]

    def _let_go(self, task: asyncio.Future[object]) -> None:
        run = self._running.pop(task)
        run.pause(task)
