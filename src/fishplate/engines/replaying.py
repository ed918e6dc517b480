"""The local engine for a replay: what a run waited for is answered from its record."""

from __future__ import annotations

from collections.abc import Callable

from typing_extensions import override

from fishplate.core.run_context import RunContext
from fishplate.engines.local import LocalEngine
from fishplate.orchestrator.effects import SignalEffect, SleepEffect
from fishplate.orchestrator.replay import ReplaySteps


class ReplayEngine(LocalEngine):
    """Drives the walker's strands in this process, for a run that has run before.

    Args:
        steps: Runs the calls.
        random_id: Draws a span id.
    """

    def __init__(self, steps: ReplaySteps, random_id: Callable[[], int]) -> None:
        super().__init__(steps, random_id)
        self._replaying = steps

    @override
    async def wait(
        self, effect: SignalEffect | SleepEffect, run: RunContext, parent_id: int
    ) -> object:
        return self._replaying.replay.answer_to_wait(effect)
