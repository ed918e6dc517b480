"""Running an agent's behaviour once: its slot in a pool, its thread, what it may have changed."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Executor, Future
from typing import Any, TypeAlias

from fishplate.agents.agent import AnyAgent
from fishplate.core.call import SCOPE
from fishplate.orchestrator.frame import Frame
from fishplate.orchestrator.injection import Injector
from fishplate.orchestrator.pools import Pools
from fishplate.orchestrator.threads import in_thread
from fishplate.resilience.classify import did_nothing

Walk: TypeAlias = Callable[[Frame, AnyAgent, tuple[object, ...]], Awaitable[object]]
OnLeft: TypeAlias = Callable[[Future[None]], None]


def nothing(*_: object) -> None:
    """What happens at the end of a thread that holds nothing."""


class Behaviours:
    """Runs behaviours.

    Args:
        pools: Bulkheads by name.
        threads: Where plain functions run.
        walk: Runs a workflow's plan.
    """

    def __init__(self, pools: Pools, threads: Callable[[], Executor], walk: Walk) -> None:
        self._pools = pools
        self._threads = threads
        self._walk = walk
        self._injector: Injector | None = None
        self._opened_ns = 0

    def inject(self, injector: Injector, opened_ns: int) -> None:
        """Let attempts go wrong from now on.

        Args:
            injector: Says which ones, and how.
            opened_ns: When the app was opened, on the clock of its runs.
        """
        self._injector, self._opened_ns = injector, opened_ns

    def run(
        self, frame: Frame, unit: AnyAgent, arguments: tuple[object, ...], on_left: OnLeft = nothing
    ) -> Coroutine[Any, Any, object]:
        """The coroutine that runs a behaviour, in a slot of its pool if it has one.

        Args:
            frame: The call.
            unit: The agent.
            arguments: In the order of its parameters.
            on_left: Called when the call ends while its thread runs on, with what is done when the
                thread has ended.
        """
        if unit.about.pool is not None:
            return self._in_pool(frame, unit, arguments, unit.about.pool, on_left)
        act = self._accounted if self._injector is None else self._disturbed
        return act(frame, unit, arguments, nothing, on_left)

    async def _in_pool(
        self,
        frame: Frame,
        unit: AnyAgent,
        arguments: tuple[object, ...],
        name: str,
        on_left: OnLeft,
    ) -> object:
        act = self._accounted if self._injector is None else self._disturbed
        pool = self._pools.get(name)
        await pool.acquire()
        if unit.about.kind == "thread":  # which gives its slot back itself, when it has ended
            return await act(frame, unit, arguments, pool.release, on_left)
        try:
            return await act(frame, unit, arguments, nothing, on_left)
        finally:
            pool.release()

    async def _disturbed(
        self,
        frame: Frame,
        unit: AnyAgent,
        arguments: tuple[object, ...],
        on_end: Callable[[], None],
        on_left: OnLeft,
    ) -> object:
        """Run a behaviour, with what is to go wrong with this attempt."""
        assert self._injector is not None
        elapsed = (frame.run.now_ns() - self._opened_ns) / 1e9
        tell = functools.partial(_tell_injected, frame)
        injection = self._injector.injection(unit, elapsed, tell)
        if injection is None:
            return await self._accounted(frame, unit, arguments, on_end, on_left)
        try:
            await injection.before()
        except BaseException:
            on_end()  # nobody else gives the slot of a thread back that never begins
            raise
        answer = await self._accounted(frame, unit, arguments, on_end, on_left)
        # Outside of the account: a lost answer takes nothing back of what the behaviour has done.
        return await injection.after(answer)

    def _accounted(
        self,
        frame: Frame,
        unit: AnyAgent,
        arguments: tuple[object, ...],
        on_end: Callable[[], None],
        on_left: OnLeft,
    ) -> Coroutine[Any, Any, object]:
        effect = unit.about.effect
        if effect is None or effect.is_readonly:
            return self._behave(frame, unit, arguments, on_end, on_left)
        return self._recorded(frame, unit, arguments, on_end, on_left)

    async def _recorded(
        self,
        frame: Frame,
        unit: AnyAgent,
        arguments: tuple[object, ...],
        on_end: Callable[[], None],
        on_left: OnLeft,
    ) -> object:
        """Run a behaviour that may change something, so that its run knows."""
        if frame.before_dispatch is not None:
            await frame.before_dispatch()
        # One entry for each attempt: that the second surely did nothing says nothing of the first.
        frame.run.add_effect(frame.path)
        try:
            return await self._behave(frame, unit, arguments, on_end, on_left)
        except Exception as error:
            # After any other end, also one that nobody waited for, the effect may have happened.
            if type(error) in unit.about.errors or did_nothing(error, unit.about.error_classes):
                frame.run.drop_effect(frame.path)
            raise

    async def _behave(
        self,
        frame: Frame,
        unit: AnyAgent,
        arguments: tuple[object, ...],
        on_end: Callable[[], None],
        on_left: OnLeft,
    ) -> object:
        function = unit.about.function
        match unit.about.kind:
            case "async":
                return await function(*arguments)
            case "inline" | "static" | "stale":
                return function(*arguments)
            case "thread":
                return await in_thread(self._threads(), function, arguments, on_end, on_left)
            case "model":
                return await function(unit, arguments)
            case "plan":
                try:
                    return await self._walk(frame, unit, arguments)
                finally:
                    SCOPE.set(frame)  # what the policies tell belongs to this call


def _tell_injected(frame: Frame, fault: str) -> None:
    """Put a fault on the span of its call, behind those of earlier attempts."""
    told = (frame.attributes or {}).get("injected")
    frame.note(injected=[*(told if isinstance(told, list) else ()), fault])
