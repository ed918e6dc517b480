"""The handle of a run that is kept: it goes with the run from task to task."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fishplate import App, UsageError, agent, current
from fishplate.core.clock import FixedClock
from fishplate.core.run_context import Principal, RunContext, Surroundings
from fishplate.orchestrator.kept_run import WAITING, KeptRun
from fishplate.orchestrator.releases import Releases
from tests.waiting_cast import same


def _handle(task: asyncio.Future[object]) -> KeptRun[str]:
    around = Surroundings(
        clock=FixedClock(datetime(2026, 1, 1, tzinfo=UTC)),
        sink=lambda _: None,
        resources={},
        working_time=60,
        heads=Releases({}),
    )
    return KeptRun(same, RunContext(around, Principal(), 1), task, lambda _: None, lambda _: False)


async def test_who_looks_at_a_run_follows_it_into_its_next_task() -> None:
    """Answered while its first task ends, the run has neither ended nor does it wait."""
    loop = asyncio.get_running_loop()
    first: asyncio.Future[object] = loop.create_future()
    second: asyncio.Future[object] = loop.create_future()
    run = _handle(first)
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        state = tasks.create_task(run.ended_or_waiting())
        output = tasks.create_task(run.result())
        await asyncio.sleep(0)
        first.set_result(WAITING)
        run.go_on(second)
        for _ in range(5):
            await asyncio.sleep(0)
        assert not state.done()
        assert not output.done()
        second.set_result("done")

    assert (state.result(), output.result()) == ("succeeded", "done")


@agent
async def brief(done: str) -> str:
    """Say that the work is done."""
    current().resource(asyncio.Event).set()
    return done


async def test_a_run_that_is_over_is_not_cancelled_while_its_end_is_written(
    tmp_path: Path,
) -> None:
    """Whoever cancels too late hears how the run ended, as the store says it."""
    over = asyncio.Event()
    store = f"sqlite:///{tmp_path / 'runs.db'}"
    async with App(brief, store=store, resources={asyncio.Event: lambda: over}) as app:
        run = app.start(brief, "done")
        await over.wait()
        run.cancel()

        heard = await run.ended()

    async with App(brief, store=store, resources={asyncio.Event: lambda: over}) as app:
        assert (heard, (await app.run(run.id)).state) == ("succeeded", "succeeded")


async def test_a_principal_that_cannot_be_kept_is_refused(tmp_path: Path) -> None:
    """The error says whose texts they are, and the app goes on."""
    async with App(same, store=f"sqlite:///{tmp_path}/runs.db") as app:
        with pytest.raises(UsageError, match="its texts have no UTF-8 form") as refused:
            await app.start(same, "x", principal=Principal(name="a\ud800b")).result()

        assert refused.value.code == "bad_principal"
        assert await app.start(same, "x").result() == "x"
