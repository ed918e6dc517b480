"""The local engine: drives strands on one event loop.

Steps that follow one another run in the task that awaits them; only forks make tasks.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any

from fishplate.agents.agent import AnyAgent, Call
from fishplate.core.call import Deferred
from fishplate.core.errors import FishplateError, UsageError
from fishplate.core.ids import root_span_id
from fishplate.core.outcome import DeclaredError
from fishplate.core.run_context import RunContext
from fishplate.engines.fork import Fork
from fishplate.orchestrator.bodies import granted, strand_of
from fishplate.orchestrator.effects import (
    Branch,
    CallEffect,
    DecisionEffect,
    ForkEffect,
    SignalEffect,
    SleepEffect,
    Strand,
)
from fishplate.orchestrator.endings import tell_failed, tell_plan
from fishplate.orchestrator.frame import Frame
from fishplate.orchestrator.steps import Steps
from fishplate.orchestrator.walker import walk
from fishplate.workflows.workflow import Workflow


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
        unit = effect.unit
        steps = self._steps
        if not (unit.is_bare_plan and isinstance(unit, Workflow) and steps.is_lean):
            return steps.perform(self, run, None, effect, root_span_id(run.trace_id))
        # It has no body that could ask for `current()`, so nothing of the call is needed but its
        # strand and its span: what else `perform` has would be held for as long as the run waits.
        strand = walk(steps.program(unit), effect.arguments)
        given = () if steps.observe is None else effect.arguments
        return self.drive(run, root_span_id(run.trace_id), strand, None, unit, given)

    async def drive(  # noqa: C901, PLR0912, PLR0913, PLR0917 -- the hot loop: more calls would cost a tenth
        self,
        run: RunContext,
        parent_id: int,
        strand: Strand,
        task: asyncio.Task[Any] | None,
        whole: AnyAgent | None = None,
        given: tuple[object, ...] = (),
    ) -> object:
        """Run a strand to its end; its value, `Marked` if it is degraded.

        Args:
            run: The run that it belongs to.
            parent_id: Span below which its steps stand.
            strand: Not begun yet.
            task: The running task, or `None` if the caller does not know it.
            whole: The agent whose plan it is, if it is all of the run; then the span `parent_id`
                is told here.
            given: What `whole` was given, if somebody hears of that.

        Raises:
            FishplateError: A step failed, and nothing in the strand answers its failure.
            DeclaredError: The same, with an error that a contract declares.
            Suspended: It waits, and whoever has started the run walks it again.
            asyncio.CancelledError: The task was cancelled. What a step still answers is dropped,
                so that no step begins after that.
        """
        if task is None:
            task = asyncio.current_task()
            assert task is not None, "a strand is driven in a task"
        # No bound methods are kept: each would be an object that is held while a step waits.
        before = task.cancelling()
        answer: object = None
        started = 0 if whole is None else run.now_ns()
        try:
            effect = strand.send(None)
            while True:
                try:
                    if type(effect) is CallEffect:
                        call = self._steps.perform(self, run, parent_id, effect)
                        del effect  # and nothing that is used up, such as a call's arguments
                        answer = await call
                    elif type(effect) is DecisionEffect:
                        self._tell(effect, run, parent_id)
                        answer = None
                    elif type(effect) is ForkEffect:
                        answer = await self._fork(effect, run, parent_id)
                    elif isinstance(effect, CallEffect):  # a degraded one, which is rare
                        answer = await self._steps.perform(self, run, parent_id, effect)
                    else:
                        assert isinstance(effect, (SignalEffect, SleepEffect)), "no other is left"
                        answer = await self.wait(effect, run, parent_id)
                except (FishplateError, DeclaredError) as error:
                    if task.cancelling() > before:
                        raise  # no fallback for a call that nobody waits for any more
                    effect = strand.throw(error)
                else:
                    if task.cancelling() > before:
                        raise asyncio.CancelledError
                    effect = strand.send(answer)
        except StopIteration as stop:
            # A coroutine cannot raise StopIteration, so this one is the strand's own end.
            if whole is None:
                return stop.value
            return tell_plan(run, whole, parent_id, started, stop.value, self._steps.observe, given)
        except BaseException as error:
            if whole is None:
                raise
            frame = Frame(run, self, whole, whole.name, parent_id)
            observe, where = self._steps.observe, whole.about.where
            failure = tell_failed(frame, None, started, where, error, observe, given)
            if failure is error:
                raise
            raise failure from error

    async def wait(
        self,
        effect: SignalEffect | SleepEffect,
        run: RunContext,  # noqa: ARG002 -- a run that is kept answers
        parent_id: int,  # noqa: ARG002 -- and tells so below this span
    ) -> object:
        """The answer that a step waits for.

        Raises:
            UsageError: A run in memory does not wait (code `no_store`).
        """
        msg = f"step {effect.key!r} waits, and runs in memory do not: give the app a store"
        raise UsageError(msg, code="no_store")

    def child(
        self, frame: Frame, deferred: Deferred[object], number: int
    ) -> Coroutine[object, object, object]:
        """Run a call that a body makes: its `number`-th."""
        if isinstance(deferred, Call) and deferred.agent.is_single:
            unit, arguments = deferred.agent, deferred.arguments
            found = frame.unit.grants.get(unit.name)
            if found is None or found.about is not unit.about:
                unit = granted(frame.unit, unit, frame.path)
            if not unit.signature.is_exact(arguments):
                subject = f"{unit.about.subject} in step {frame.path!r}"
                arguments = unit.signature.accept(arguments, subject=subject)
            path = f"{frame.path}/{number}.{unit.name}"
            effect = CallEffect(path, unit, arguments, frame.unit.about.where)
            return self._steps.perform(self, frame.run, frame.span_id, effect)
        strand = strand_of(deferred, frame.unit, frame.path, str(number))
        return self.drive(frame.run, frame.span_id, strand, frame.task)

    def _tell(self, effect: DecisionEffect, run: RunContext, parent_id: int) -> None:
        """Tell a decision's span."""
        now = run.now_ns()
        facts = {
            "kind": effect.kind,
            "chosen": effect.chosen,
            "reason": effect.reason,
            **effect.facts,
        }
        run.sink(
            (
                run.trace_id,
                self._random_id(),
                parent_id,
                ("decision", f"{effect.kind} → {effect.chosen}", ""),
                effect.key,
                now,
                now,
                "ok",
                facts,
            )
        )

    async def _fork(self, effect: ForkEffect, run: RunContext, parent_id: int) -> list[object]:
        if effect.size == 0:
            return []
        drive = functools.partial(self._drive_branch, run, parent_id)
        return await Fork(effect.size, effect.concurrency, effect.open_branch, drive).join()

    def _drive_branch(
        self, run: RunContext, parent_id: int, branch: Branch, task: asyncio.Task[Any]
    ) -> Coroutine[object, object, object]:
        if isinstance(branch, CallEffect):
            return self._steps.perform(self, run, parent_id, branch)
        return self.drive(run, parent_id, branch, task)
