"""The local engine: drives strands on one event loop. Sequential steps run in the task that awaits them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from fishplate.agents.agent import Call
from fishplate.core.call import Deferred
from fishplate.core.current import RunContext
from fishplate.core.errors import FishplateError, UsageError
from fishplate.core.events import SpanHead
from fishplate.core.outcome import DeclaredError
from fishplate.orchestrator.bodies import granted, strand_of
from fishplate.orchestrator.effects import CallEffect, DecisionEffect, ForkEffect, Strand
from fishplate.orchestrator.frame import Frame
from fishplate.orchestrator.steps import Steps


class LocalEngine:
    """Drives the walker's strands in this process.

    Args:
        steps: Runs the calls.
        random_id: Draws a span id.
    """

    def __init__(self, steps: Steps, random_id: Callable[[], int]) -> None:
        self._steps = steps
        self._random_id = random_id

    def call(self, run: RunContext, effect: CallEffect) -> Coroutine[object, object, object]:
        """Run the call that a run is; see `Steps.perform`."""
        return self._steps.perform(self, run, None, effect)

    async def drive(self, strand: Strand, run: RunContext, parent_id: int) -> object:
        """Run a strand to its end; its value, `Marked` if it is degraded."""
        perform, send = self._steps.perform, strand.send
        answer: object = None
        try:
            effect = send(None)
            while True:
                try:
                    if type(effect) is CallEffect:
                        answer = await perform(self, run, parent_id, effect)
                    elif type(effect) is DecisionEffect:
                        answer = self._decided(effect, run, parent_id)
                    elif type(effect) is ForkEffect:
                        answer = await self._fork(effect, run, parent_id)
                    else:
                        raise UsageError(
                            f"step {effect.key!r} waits, and runs in memory do not: give the app a store", code="no_store"
                        )
                except (FishplateError, DeclaredError) as error:
                    effect = strand.throw(error)
                else:
                    effect = send(answer)
        except StopIteration as stop:
            return stop.value

    def child(self, frame: Frame, deferred: Deferred[object], number: int) -> Coroutine[object, object, object]:
        """Run a call that a body makes: its `number`-th."""
        if type(deferred) is Call and deferred.agent.is_single:
            unit = granted(frame.unit, deferred.agent, frame.path)
            arguments = deferred.arguments
            if not unit.signature.is_exact(arguments):
                subject = f"{unit.about.subject} in step {frame.path!r}"
                arguments = unit.signature.accept(arguments, subject=subject)
            effect = CallEffect(f"{frame.path}/{number}.{unit.name}", unit, arguments, frame.unit.about.where)
            return self._steps.perform(self, frame.run, frame.span_id, effect)
        return self.drive(strand_of(deferred, frame.unit, frame.path, str(number)), frame.run, frame.span_id)

    def _decided(self, effect: DecisionEffect, run: RunContext, parent_id: int) -> None:
        now = run.now_ns()
        facts = {"kind": effect.kind, "chosen": effect.chosen, "reason": effect.reason, **effect.facts}
        run.sink(
            (
                run.trace_id,
                self._random_id(),
                parent_id,
                SpanHead("decision", f"{effect.kind} → {effect.chosen}", ""),
                effect.key,
                now,
                now,
                "ok",
                facts,
            )
        )

    async def _fork(self, effect: ForkEffect, run: RunContext, parent_id: int) -> list[object]:
        if effect.count == 0:
            return []
        return await _Fork(self, effect, run, parent_id).join()


class _Fork:
    """Strands side by side, each in a task of its own from its first line.

    Tasks are kept here rather than in a TaskGroup, which costs half as much again for every element; `join`
    gives the same guarantee: when it ends, no task of the fork is left.
    """

    __slots__ = ("_answers", "_effect", "_engine", "_failures", "_left", "_loop", "_next", "_parent_id", "_run", "_tasks", "_wake")

    def __init__(self, engine: LocalEngine, effect: ForkEffect, run: RunContext, parent_id: int) -> None:
        self._engine = engine
        self._effect = effect
        self._run = run
        self._parent_id = parent_id
        self._loop = asyncio.get_running_loop()
        self._answers: list[object] = [None] * effect.count
        self._failures: dict[int, BaseException] = {}
        self._left = effect.count
        self._next = 0
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._wake = self._loop.create_future()

    async def join(self) -> list[object]:
        """The answers in order; the first failure, the lowest branch's if several fail at once."""
        width = self._effect.concurrency or self._effect.count
        for _ in range(min(width, self._effect.count)):
            self._start()
        try:
            await self._wake
        finally:
            if self._tasks:
                await self._end_all()
        if self._failures:
            raise self._failures[min(self._failures)]
        return self._answers

    def _start(self) -> None:
        index, self._next = self._next, self._next + 1
        self._tasks[index] = self._loop.create_task(self._branch(index))

    async def _branch(self, index: int) -> None:
        try:
            strand = self._effect.open_strand(index)
            self._answers[index] = await self._engine.drive(strand, self._run, self._parent_id)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 -- handed to the strand that forked
            self._failures[index] = error
            self._finish()
            return
        del self._tasks[index]
        self._left -= 1
        if self._left == 0:
            self._finish()
        elif self._next < self._effect.count and not self._failures:
            self._start()

    def _finish(self) -> None:
        if not self._wake.done():
            self._wake.set_result(None)

    async def _end_all(self) -> None:
        """Cancel what still runs and wait until it has ended, even if we are cancelled meanwhile."""
        left = set(self._tasks.values())
        for task in left:
            task.cancel()
        interrupted: asyncio.CancelledError | None = None
        while left:
            try:
                _, left = await asyncio.wait(left)
            except asyncio.CancelledError as error:
                interrupted = error
                left = {task for task in left if not task.done()}
        self._tasks.clear()
        if interrupted is not None:
            raise interrupted
