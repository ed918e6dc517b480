"""Runs that have used up their working time."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from fishplate import App, StepError, agent, workflow
from fishplate.traces.explain import explain
from fishplate.traces.queries import RunFilter, list_traces, whole_trace
from fishplate.traces.store import open_trace_reader


@agent
async def nap(number: str) -> str:
    """Does not come to an end."""
    await asyncio.Event().wait()
    return number


@workflow
async def naps(number: str) -> str:
    """A plan without a body."""
    return await nap(number)


@pytest.mark.parametrize("what", [nap, naps])
def test_a_run_that_is_out_of_time_has_failed(tmp_path: Path, what: Any) -> None:
    """It is found as failed, with its code and why; what was cut off below it is cancelled."""
    url = f"sqlite:///{tmp_path}/traces.db"

    async def main() -> None:
        async with App(what, traces=url, working_time=0.05) as app:
            with pytest.raises(StepError, match="longer than its"):
                await app.start(what, "1").result()

    asyncio.run(main())
    with open_trace_reader(url) as connection:
        (run,) = list_traces(connection, RunFilter(states=["failed"], error="deadline"))
        trace = whole_trace(connection, run.id)
    assert trace is not None
    found = explain(trace)

    assert "longer than its 0.05 seconds" in str(trace.spans[0].gave)
    assert [one.span.status for one in trace.spans[1:]] == ["cancelled"] * (what is naps)
    assert found.verdict == "policy"


def test_a_run_that_somebody_cancels_is_cancelled(tmp_path: Path) -> None:
    """It has time left, and has not failed."""
    url = f"sqlite:///{tmp_path}/traces.db"

    async def main() -> None:
        async with App(naps, traces=url) as app:
            run = app.start(naps, "1")
            await asyncio.sleep(0)
            run.cancel()
            await run.ended()

    asyncio.run(main())
    with open_trace_reader(url) as connection:
        (found,) = list_traces(connection, RunFilter())
    assert (found.state, found.error) == ("cancelled", None)
