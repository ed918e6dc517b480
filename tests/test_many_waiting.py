"""Ten thousand runs that wait: the store is opened, and one of them approved, at once."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from statistics import median

import pytest

from fishplate import App
from fishplate.traces.recorder import TraceRecorder
from tests.waiting_cast import CALLS, LEAD, Store, refund, result

RUNS = 10_000


def _app(store: Store) -> App:
    return App(
        refund,
        store=f"sqlite:///{store.path}",
        clock=store.clock,
        traces=TraceRecorder(capacity=16),
        durability="normal",
    )


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_ten_thousand_waiting_runs_hold_nothing_up(tmp_path: Path) -> None:
    """They are opened in less than 2 s, and approving one of them takes less than 10 ms."""
    CALLS.clear()
    store = Store(tmp_path)
    async with _app(store) as app:
        for start in range(0, RUNS, 500):
            runs = [app.start(refund, f"#W{start + number}") for number in range(500)]
            for run in runs:
                assert await run.ended_or_waiting() == "waiting"

    began = time.perf_counter()
    async with _app(store) as app:
        opened = time.perf_counter() - began
        assert asyncio.all_tasks() == {asyncio.current_task()}
        waits = await app.waits()
        took = list[float]()
        for wait in waits[:: RUNS // 50]:
            run = await app.run(wait.run)
            began = time.perf_counter()
            await app.approve(wait.run, wait.key, principal=LEAD)
            took.append(time.perf_counter() - began)
            await result(run)

    assert len(waits) == RUNS
    print(f"opened in {opened * 1000:.0f} ms, approved in {median(took) * 1000:.1f} ms")  # noqa: T201 -- the figures
    assert opened < 2
    assert median(took) < 0.01
