"""The local engine over a store: the same strands, with the calls of bodies compared to records."""

from __future__ import annotations

from collections.abc import Callable, Coroutine

from typing_extensions import override

from fishplate.core.call import Deferred
from fishplate.core.errors import FishplateError, NeedsAttention
from fishplate.core.run_context import RunContext
from fishplate.engines.local import LocalEngine
from fishplate.orchestrator.body_waits import place_name
from fishplate.orchestrator.durable import DurableSteps
from fishplate.orchestrator.effects import SignalEffect, SleepEffect
from fishplate.orchestrator.frame import Frame


class DurableEngine(LocalEngine):
    """Drives the walker's strands in this process, for runs that are kept.

    Args:
        steps: Runs the calls.
        random_id: Draws a span id.
    """

    def __init__(self, steps: DurableSteps, random_id: Callable[[], int]) -> None:
        super().__init__(steps, random_id)
        self._durable = steps

    @override
    async def wait(
        self, effect: SignalEffect | SleepEffect, run: RunContext, parent_id: int
    ) -> object:
        return await self._durable.wait(effect, run, parent_id)

    @override
    def child(
        self, frame: Frame, deferred: Deferred[object], number: int
    ) -> Coroutine[object, object, object]:
        name = place_name(deferred)
        try:
            call = super().child(frame, deferred, number)
        except FishplateError:  # not granted, or its input breaks its contract: a body may go on
            self._durable.check_refused(frame, number, name)
            raise
        try:
            self._durable.check_child(frame, number, name)
        except NeedsAttention:
            call.close()
            raise
        return call
