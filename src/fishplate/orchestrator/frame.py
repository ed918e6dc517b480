"""The frame of a running call: what `current()` gives, and what answers the calls of its body."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Protocol, TypeVar

from fishplate.agents.agent import AnyAgent
from fishplate.core.call import SCOPE, Deferred
from fishplate.core.current import Current
from fishplate.core.errors import FishplateError, UsageError
from fishplate.core.outcome import DeclaredError
from fishplate.core.run_context import RunContext
from fishplate.orchestrator.effects import Marked, Strand
from fishplate.resilience.retry import is_given_up
from fishplate.workflows.compose import Composition

R_co = TypeVar("R_co", covariant=True)


class Driver(Protocol):
    """What runs strands: the engine."""

    def drive(
        self, run: RunContext, parent_id: int, strand: Strand, task: asyncio.Task[Any] | None
    ) -> Awaitable[object]:
        """Run a strand to its end, in `task`, the running one; its value, `Marked` if degraded."""
        ...

    def child(self, frame: Frame, deferred: Deferred[object], number: int) -> Awaitable[object]:
        """Run a call that a body makes: its `number`-th."""
        ...


class Frame(Current):
    """A running call.

    Attributes:
        task: The task that the call runs in; known only where the call may make calls itself.
        is_over: The call has ended.
        is_root: The call is what the run was started for.
        has_given_up_below: A call that the body made has retried and given up, whatever the body
            makes of its failure.
        has_usual_time: Nothing but a pipeline stands around the behaviour, and it ends the call
            when what its agent's calls usually may take is over.
        before_dispatch: Awaited before each attempt of a tool with an effect, if it is set.
        misuse: How the body called others in a way that no record could hold; the call fails of it,
            whatever the body makes of the error.
    """

    # Defaults stand on the class, and __init__ calls no other: a frame is made for every step.
    is_over = False
    is_root = False
    task: asyncio.Task[Any] | None = None
    misuse: UsageError | None = None
    has_given_up_below = False
    has_usual_time = False
    before_dispatch: Callable[[], Awaitable[None]] | None = None
    _calls = 0
    _busy: Deferred[object] | None = None

    def __init__(
        self, run: RunContext, driver: Driver, unit: AnyAgent, path: str, span_id: int
    ) -> None:
        self.run = run
        self.driver = driver
        self.unit = unit
        self.path = path
        self.span_id = span_id
        # Read at the end of every call, and an object's own is found faster than its class's.
        self.reasons = ()
        self.attributes = None
        if unit.grants:
            self.task = asyncio.current_task()

    def begin_attempt(self, ends: float) -> None:
        """Forget what another attempt of the call has done: its calls are counted anew.

        So the keys of a call's children are those of their places in the body, never of an attempt.

        Args:
            ends: When the attempt has to be over; see `bound`.
        """
        self._calls = 0
        self.reasons = ()
        self.ends = ends  # as `bound`, which would be one more call for every attempt
        unit = self.unit
        if unit.grants or unit.about.kind == "plan":
            self.run = self.run.until(ends)

    def bound(self, ends: float) -> None:
        """Let the call, and all that it calls, know when it has to be over.

        Args:
            ends: In seconds on the monotonic scale of the run's clock.
        """
        self.ends = ends
        unit = self.unit
        if unit.grants or unit.about.kind == "plan":
            self.run = self.run.until(ends)

    @property
    def calls_begun(self) -> int:
        """How many calls the body has begun, in this attempt of it."""
        return self._calls

    @property
    def step_name(self) -> str:
        """Name of the agent."""
        return self.unit.name

    def issue(self, deferred: Deferred[R_co]) -> Generator[object, object, R_co]:
        """Answer a call that the body makes.

        Raises:
            UsageError: The body has ended (code `call_ended`), or another of its calls is still
                running (code `concurrent_child_call`).
            asyncio.CancelledError: The body is being cancelled, whatever the call gave.
        """
        # The answer is of the call's own type, which no checker can follow through a driver.
        return self._answer(deferred).__await__()  # type: ignore[return-value]  # pyright: ignore[reportReturnType] -- see above

    async def _answer(self, deferred: Deferred[object]) -> object:
        if self.is_over:
            msg = (
                f"{deferred!r} was awaited after the body of step {self.path!r} had ended: "
                "await it inside the body"
            )
            raise UsageError(msg, code="call_ended")
        task = self.task
        if task is None:
            if not isinstance(deferred, Composition):  # not granted, and whoever answers says so
                return await self.driver.child(self, deferred, 0)
            # A body needs no grant to wait; it is the one task that has awaited anything so far.
            task = self.task = asyncio.current_task()
            assert task is not None, "a body runs in a task"
        if self._busy is not None or asyncio.current_task() is not task:
            msg = (
                f"{deferred!r} began in step {self.path!r} beside another call or in a task of its "
                "own, so its place in the record would depend on timing: write parallel(...) or "
                "each(...) for calls side by side, and Policy(timeout=) for a time limit"
            )
            self.misuse = UsageError(msg, code="concurrent_child_call")
            raise self.misuse
        number, self._calls = self._calls, self._calls + 1
        self._busy = deferred
        before = task.cancelling()
        try:
            answer = await self.driver.child(self, deferred, number)
        except (FishplateError, DeclaredError) as failure:
            self.has_given_up_below = self.has_given_up_below or is_given_up(failure)
            raise
        finally:
            self._busy = None
            SCOPE.set(self)
        if task.cancelling() > before:
            raise asyncio.CancelledError  # the call answered regardless; nobody wants it any more
        if type(answer) is Marked:
            self.reasons += tuple(reason for reason in answer.reasons if reason not in self.reasons)
            return answer.value
        return answer
