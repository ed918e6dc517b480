"""A case of the suite: the lives of one process, over one store, in one world."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from fishplate.agents.agent import AnyAgent
from fishplate.app import App
from fishplate.core.clock import FixedClock
from fishplate.core.data import dataclass
from fishplate.core.errors import ErrorClass, FishplateError
from fishplate.core.outcome import DeclaredError
from fishplate.orchestrator.run import Run, RunState
from fishplate.testing.conformance.crash import Crash
from fishplate.testing.conformance.world import World

T = TypeVar("T")
A = TypeVar("A", bound=App)
Act: TypeAlias = Callable[[App], Awaitable[T]]
"""What somebody does in a life, with the app that is open in it."""

START: Final = datetime(2026, 1, 1, tzinfo=UTC)


class NotConformingError(FishplateError):
    """An engine or a journal breaks a rule; the message says which one, and by what."""

    code = "not_conforming"
    error_class = ErrorClass.PERMANENT


def expect(*, rule: str, found: object, wanted: object) -> None:
    """Compare what was found with what a rule wants.

    Raises:
        NotConformingError: They are not equal.
    """
    if found != wanted:
        msg = f"{rule}, but: found {found!r}, expected {wanted!r}"
        raise NotConformingError(msg)


class End(NamedTuple):
    """How a run ended.

    Attributes:
        state: Of the run.
        said: Its output, or the code of its failure.
    """

    state: RunState
    said: object


async def end_of(run: Run[Any]) -> End:
    """Wait for the end of a run."""
    try:
        said: object = await run.result()
    except (FishplateError, DeclaredError) as failure:
        said = failure.code
    return End(run.state, said)


@dataclass(frozen=True, kw_only=True, slots=True)
class Life:
    """One life of a process.

    Attributes:
        place: A folder; lives of one folder share one store, which the first of them makes.
        agents: Those of the app.
        clock: The app's clock, which stands still while a life lasts.
        world: What the agents ask for as a resource.
        working_time: Seconds that a run may work.
        crash: When it ends, if not in good order.
    """

    place: Path
    agents: tuple[AnyAgent, ...]
    clock: FixedClock
    world: World
    working_time: float
    crash: Crash

    def app(self, kind: Callable[..., A]) -> A:
        """An app of this kind, e.g. `App`, with all that this life brings; not entered."""
        return kind(
            *self.agents,
            clock=self.clock,
            resources={World: lambda: self.world},
            working_time=self.working_time,
        )


Opened: TypeAlias = Callable[[Life], AbstractAsyncContextManager[App]]


class Case:
    """The lives of one process.

    Args:
        opened: Opens an app.
        place: An empty folder.
        agents: Of the app.
        seconds: How long a life may take.

    Attributes:
        agents: Of the app of the next life.
        world: Where its agents act.
        clock: The wall clock of all lives.
    """

    def __init__(
        self, opened: Opened, place: Path, agents: tuple[AnyAgent, ...], seconds: float
    ) -> None:
        self._opened = opened
        self._place = place
        self._seconds = seconds
        self.agents = agents
        self.world = World()
        self.clock = FixedClock(START)

    def live(self, act: Act[T], *, working_time: float = 300.0) -> T:
        """Open an app, act, and leave it in good order.

        Raises:
            NotConformingError: That did not end.
        """
        return asyncio.run(self._lived(act, Crash(), working_time))

    def crash(self, act: Act[object], *, kept: int | None = None) -> bool:
        """Open an app, and act until the process dies; false if it came to the end of the act.

        Args:
            act: Lets the process die in one of the world's deadly calls, or does not care.
            kept: How many records are kept before it dies; `None`: all of them.
        """
        crash = Crash(kept)
        try:
            asyncio.run(self._lived(act, crash, 300.0))
        except asyncio.CancelledError:
            if not crash.has_happened:
                raise
        return crash.has_happened

    async def _lived(self, act: Act[T], crash: Crash, working_time: float) -> T:
        task = asyncio.current_task()
        assert task is not None, "a loop runs tasks"
        crash.ends(task)
        self.world.begin(crash)
        life = Life(
            place=self._place,
            agents=self.agents,
            clock=self.clock,
            world=self.world,
            working_time=working_time,
            crash=crash,
        )
        try:
            async with asyncio.timeout(self._seconds), self._opened(life) as app:
                return await act(app)
        except TimeoutError:
            msg = (
                f"a life of {[agent.name for agent in self.agents]} did not end in "
                f"{self._seconds:g} seconds; what it called: {self.world.names()}"
            )
            raise NotConformingError(msg) from None


class Conformance(ABC):
    """What all suites share: how an app is opened.

    Attributes:
        seconds: How long the life of an app may take: what takes longer waits for what never comes.
    """

    seconds: float = 10.0

    @abstractmethod
    def opened(self, life: Life) -> AbstractAsyncContextManager[App]:
        """Open an app of the engine and the journal that are to conform, and close it at the end.

        Args:
            life: With `life.app(App)`, and with its store, if there is one, in `life.place`. Once
                `life.crash` has happened nothing more may be kept, but the app is left all the
                same, which may only give back what the system would take back from a process.
        """

    @contextmanager
    def case(self, *agents: AnyAgent) -> Generator[Case]:
        """A case in a folder of its own, which is taken away afterwards."""
        with TemporaryDirectory(prefix="fishplate-") as folder:
            yield Case(self.opened, Path(folder), agents, self.seconds)
