"""Traces of runs of which an earlier life was killed: what it took with it is unknown, not none."""

import asyncio
import json
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fishplate import App, Rejected, agent, approval, current, workflow
from fishplate.cli import main
from fishplate.core.clock import FixedClock
from fishplate.core.errors import JsonValue
from fishplate.core.run_context import Principal, RunContext, Surroundings
from fishplate.orchestrator.releases import Releases
from fishplate.traces.items import Began, Item, bare
from fishplate.traces.queries import RunFilter, TracedRun, list_traces
from fishplate.traces.store import StoreWriter, TraceStore, open_trace_reader
from fishplate.traces.waterfall import run_cost
from tests.traces.paying import live


def traced(folder: Path) -> TracedRun:
    """The only run of a store."""
    connection = open_trace_reader(f"sqlite:///{folder}/traces.db")
    [run] = list_traces(connection, RunFilter())
    connection.close()
    return run


def killed(folder: Path) -> None:
    """A life that ends in the step after the one that pays."""
    command = [sys.executable, "-m", "tests.traces.paying", str(folder), "die"]
    ended = subprocess.run(command, check=False, timeout=60, cwd=Path(__file__).parents[2])
    assert ended.returncode == -signal.SIGKILL


def test_a_cost_that_was_lost_with_a_killed_process_is_unknown_and_not_zero(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The step is answered from its record, and the span that says what it cost was never kept."""
    killed(tmp_path)
    run = asyncio.run(live(str(tmp_path)))

    found = traced(tmp_path)
    assert (found.id, found.state) == (run.id, "succeeded")
    assert found.missing_spans >= 1
    assert found.whole_costs is None
    assert run_cost(found) == "unknown"

    traces = ["--traces", f"sqlite:///{tmp_path}/traces.db"]
    assert main(["trace", "costs", "--json", *traces]) == 0
    sums = json.loads(capsys.readouterr().out)
    assert sums["lost"] >= 1
    assert sums["whole"]["whole_costs"] is None
    assert main(["trace", "costs", *traces]) == 0
    assert "nothing was spent" not in "".join(capsys.readouterr())


def replayed(path: str, *, is_replayed: bool = True) -> Item:
    """A step that is answered from its record, or was run."""
    facts: dict[str, JsonValue] | None = {"replayed": True} if is_replayed else None
    return bare((1 << 64 | 1, 7, 1, ("agent", path, "1"), path, 1, 5, "ok", facts))


def test_what_a_record_answers_is_missed_once(tmp_path: Path) -> None:
    """A step whose own span is there is not missing, and one that is missing is so in one life."""
    around = Surroundings(
        clock=FixedClock(datetime(2026, 11, 2, tzinfo=UTC)),
        sink=lambda _: None,
        resources={},
        working_time=60,
        heads=Releases({}),
    )
    began = Began(RunContext(around, Principal(), 1 << 64 | 1, "1"), "flow", 0)
    writer = StoreWriter(TraceStore(url=f"sqlite:///{tmp_path}/traces.db"))
    missing: list[int] = []
    for life in (
        [replayed("kept", is_replayed=False)],
        [replayed("kept"), replayed("lost")],
        [replayed("kept"), replayed("lost"), replayed("lost too")],
    ):
        writer.take([began, *life], 0)
        missing.append(traced(tmp_path).missing_spans)
    writer.close()

    assert missing == [0, 1, 2]


HELD: list[asyncio.Event] = []


@agent
async def pays(order_id: str) -> str:
    """Pays, and in its first life does not come to its end."""
    current().spent(cost_nanos=5_000_000, currency="EUR")
    if HELD:
        HELD.pop().set()
        await asyncio.Event().wait()
    return order_id


@workflow
async def pays_at_once(order_id: str) -> str:
    """One step."""
    return await pays(order_id)


@agent
async def asks(order_id: str) -> str:
    """Pays for an answer that in its first life does not come."""
    if HELD:
        HELD.pop().set()
        await asyncio.Event().wait()
    current().spent(cost_nanos=5_000_000, currency="EUR")
    return order_id


@workflow
async def pays_for_an_answer(order_id: str) -> str:
    """One step."""
    return await asks(order_id)


@workflow
async def waits_and_pays(order_id: str) -> str | Rejected:
    """Somebody has to agree to the step."""
    return await approval(pays(order_id), roles=["clerk"], within=60)


def test_what_a_call_had_paid_when_its_process_ended_is_unknown(tmp_path: Path) -> None:
    """It has left no span and no record, so what its second life pays is the least."""
    store = f"sqlite:///{tmp_path}/runs.db"

    async def first() -> str:
        held = asyncio.Event()
        HELD.append(held)
        async with App(pays_at_once, store=store) as app:
            run = app.start(pays_at_once, "W1")
            await held.wait()
            return run.id

    async def second(run_id: str) -> None:
        async with App(pays_at_once, store=store, traces=f"sqlite:///{tmp_path}/traces.db") as app:
            run = await app.run(run_id)
            assert await run.result() == "W1"
            (step,) = (one for one in app.spans(run) if one.path == "pays")
            assert (step.attributes or {})["cut_off_before"] is True

    asyncio.run(second(asyncio.run(first())))

    found = traced(tmp_path)
    assert (found.costs, found.whole_costs) == ({"EUR": 5_000_000}, None)
    assert run_cost(found).startswith(">= ")


def test_what_was_asked_for_when_an_app_closed_may_have_cost_something(tmp_path: Path) -> None:
    """A request that a close cuts off tells no trace what it cost, though that is kept in order."""
    store, traces = f"sqlite:///{tmp_path}/runs.db", f"sqlite:///{tmp_path}/traces.db"

    async def first() -> str:
        held = asyncio.Event()
        HELD.append(held)
        async with App(pays_for_an_answer, store=store, traces=traces) as app:
            run = app.start(pays_for_an_answer, "W1")
            await held.wait()
            return run.id

    async def second(run_id: str) -> None:
        async with App(pays_for_an_answer, store=store, traces=traces) as app:
            assert await (await app.run(run_id)).result() == "W1"

    asyncio.run(second(asyncio.run(first())))

    found = traced(tmp_path)
    assert (found.costs, found.whole_costs) == ({"EUR": 5_000_000}, None)


def test_what_a_run_pays_after_it_has_waited_is_known(tmp_path: Path) -> None:
    """Nothing was on its way while it waited, in whichever process it goes on."""
    store, traces = f"sqlite:///{tmp_path}/runs.db", f"sqlite:///{tmp_path}/traces.db"

    async def first() -> str:
        async with App(waits_and_pays, store=store, traces=traces) as app:
            run = app.start(waits_and_pays, "W1")
            assert await run.ended_or_waiting() == "waiting"
            return run.id

    async def second(run_id: str) -> None:
        async with App(waits_and_pays, store=store, traces=traces) as app:
            run = await app.run(run_id)
            await app.approve(run_id, principal=Principal(name="ada", roles=frozenset({"clerk"})))
            assert await run.result() == "W1"

    asyncio.run(second(asyncio.run(first())))

    assert traced(tmp_path).whole_costs == {"EUR": 5_000_000}


def test_a_run_that_was_never_taken_up_misses_nothing(tmp_path: Path) -> None:
    """What it cost is all there."""
    asyncio.run(live(str(tmp_path)))

    found = traced(tmp_path)
    assert found.missing_spans == 0
    assert found.whole_costs == {"USD": 1_000 * 250_000 + 100 * 2_000_000}
