"""Many runs that wait hold nothing up: they are rows of the store, and nothing else."""

from __future__ import annotations

import asyncio
from pathlib import Path

from fishplate import App
from fishplate.traces.recorder import TraceRecorder
from tests.waiting_cast import CALLS, LEAD, Store, refund, result

RUNS = 1_000


def _app(store: Store) -> App:
    return App(
        refund,
        store=f"sqlite:///{store.path}",
        clock=store.clock,
        traces=TraceRecorder(capacity=16),
        durability="normal",
    )


async def test_a_thousand_waiting_runs_are_opened_without_a_task(tmp_path: Path) -> None:
    """No run that waits is taken up or has a task, and each of them can be approved."""
    CALLS.clear()
    store = Store(tmp_path)
    async with _app(store) as app:
        runs = [app.start(refund, f"#W{number}") for number in range(RUNS)]
        for run in runs:
            assert await run.ended_or_waiting() == "waiting"

    async with _app(store) as app:
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert app.resumed == ()
        waits = await app.waits()
        for wait in waits[:: RUNS // 50]:
            run = await app.run(wait.run)
            await app.approve(wait.run, wait.key, principal=LEAD)
            assert await result(run)

    assert len(waits) == RUNS
    assert len(CALLS) == RUNS + 50, "each was found once, and the approved ones were paid"
