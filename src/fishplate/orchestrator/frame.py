"""The frame of a running call: what `current()` gives, and what answers the calls that its body makes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Generator
from typing import Protocol, TypeVar

from fishplate.agents.agent import AnyAgent
from fishplate.core.call import SCOPE, Deferred
from fishplate.core.current import Current, RunContext
from fishplate.core.errors import UsageError
from fishplate.orchestrator.effects import Marked, Strand

R_co = TypeVar("R_co", covariant=True)


class Driver(Protocol):
    """What runs strands: the engine."""

    def drive(self, strand: Strand, run: RunContext, parent_id: int) -> Awaitable[object]:
        """Run a strand to its end; its value, `Marked` if it is degraded."""
        ...

    def child(self, frame: Frame, deferred: Deferred[object], number: int) -> Awaitable[object]:
        """Run a call that a body makes."""
        ...


class Frame(Current):
    """A running call."""

    # Defaults stand on the class, and __init__ calls no other: a frame is made for every step.
    is_over = False
    is_root = False
    _calls = 0
    _busy: Deferred[object] | None = None

    def __init__(self, run: RunContext, driver: Driver, unit: AnyAgent, path: str, span_id: int) -> None:  # pyright: ignore[reportMissingSuperCall] -- see above
        self.run = run
        self.driver = driver
        self.unit = unit
        self.path = path
        self.span_id = span_id
        if unit.grants:
            self._task = asyncio.current_task()

    @property
    def step_name(self) -> str:
        """Name of the agent."""
        return self.unit.name

    def issue(self, deferred: Deferred[R_co]) -> Generator[object, object, R_co]:
        """Answer a call that the body makes.

        Raises:
            UsageError: The body has ended, or another of its calls is still running.
        """
        return self._answer(deferred).__await__()  # type: ignore[return-value]  # the answer is of the call's type

    async def _answer(self, deferred: Deferred[object]) -> object:
        if self.is_over:
            msg = f"{deferred!r} was awaited after the body of step {self.path!r} had ended: await it inside the body"
            raise UsageError(msg, code="call_ended")
        task = asyncio.current_task()
        if self._busy is not None or task is not self._task:
            msg = (
                f"{deferred!r} began in step {self.path!r} beside another call or in a task of its own, so its place "
                "in the record would depend on timing: write parallel(...) or each(...)"
            )
            raise UsageError(msg, code="concurrent_child_call")
        number, self._calls = self._calls, self._calls + 1
        self._busy = deferred
        try:
            answer = await self.driver.child(self, deferred, number)
        finally:
            self._busy = None
            SCOPE.set(self)
        if type(answer) is Marked:
            self.reasons += tuple(reason for reason in answer.reasons if reason not in self.reasons)
            return answer.value
        return answer
