"""What stands between a run that waits and its step: bodies, policies, forks, the working time."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from pathlib import Path

import pytest

from fishplate import (
    App,
    Failure,
    FishplateError,
    Rejected,
    StepError,
    agent,
    approval,
    parallel,
    repeat,
    sleep,
    wait_for,
    workflow,
)
from fishplate.core.errors import ErrorClass, NeedsAttention
from fishplate.resilience.policy import Breaker, Policy, Retry
from fishplate.traces.recorder import TraceRecorder
from tests.waiting_cast import (
    CALLS,
    LEAD,
    Parcel,
    Store,
    arrival,
    find,
    later,
    pay,
    refund,
    result,
    same,
    take,
    waiting,
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store of its own, and a list of calls."""
    CALLS.clear()
    return Store(tmp_path)


@agent(agents=[find, arrival])
async def careful(order: str) -> str:
    """Take every exception for a failure."""
    await find(f"{order}!")
    try:
        return await arrival(order)
    except Exception as error:  # noqa: BLE001 -- bodies do that
        return f"failed with {type(error).__name__}"


async def test_a_body_does_not_take_a_wait_for_a_failure(store: Store) -> None:
    """A body below which something waits ends, and runs again; its calls are not made again."""
    async with store.open(careful) as app:
        run = app.start(careful, "#W1")
        await waiting(run)
        await app.signal(run.id, "parcel", {"number": "P1"})
        assert await result(run) == "took P1"
    assert CALLS == ["find #W1!", "find #W1"]


@workflow(policy=Policy(timeout=60, retry=Retry(attempts=3), breaker=Breaker(consecutive=1)))
async def guarded(order: str) -> str:
    """Wait for a parcel."""
    parcel = await wait_for("parcel", Parcel)
    return await take(parcel)


@agent
async def instead(order: str) -> str:
    """Stand in."""
    return f"no parcel for {order}"


@workflow
async def outer(order: str) -> str:
    """Wait below a step that is protected."""
    return await guarded.or_else(instead)(order)


async def test_no_policy_takes_a_wait_for_a_failure(store: Store) -> None:
    """It is no failed attempt: nothing is tried again, no breaker opens, no fallback answers."""
    async with store.open(outer) as app:
        runs = [app.start(outer, f"#W{number}") for number in range(3)]
        for run in runs:
            await waiting(run)
        assert app.traces.spans() == []
        for run in runs:
            await app.signal(run.id, "parcel", {"number": run.id})
        assert [await result(run) for run in runs] == [f"took {run.id}" for run in runs]
        assert all(span.status == "ok" for span in app.traces.spans())
    assert store.rows("SELECT DISTINCT kind FROM step") == [("value",)]


@agent
async def refuse(order: str) -> str:
    """Fail."""
    raise Failure(f"no {order}", error_class=ErrorClass.TRANSIENT)


@workflow
async def doomed(order: str) -> str:
    """Wait beside a step that fails."""
    parcel, _ = await parallel(wait_for("parcel", Parcel), refuse(order))
    return await take(parcel)


async def test_a_failure_beside_a_wait_is_the_failure(store: Store) -> None:
    """A run whose other branch fails does not wait; what it waited for is taken back."""
    async with store.open(doomed) as app:
        run = app.start(doomed, "#W1")
        with pytest.raises(FishplateError, match="no #W1"):
            await result(run)
        assert run.state == "failed"
        assert await app.waits() == []


@agent(inline=True)
def work(order: str) -> str:
    """Work for some seconds."""
    CLOCK[0].clock.advance(8)
    return order


CLOCK: list[Store] = []


@workflow
async def laborious(order: str) -> str:
    """Work, wait, work."""
    found = await work(order)
    await sleep(3600)
    again = await work(found)
    await sleep(3600)
    last = await work(again)
    return await same(last)


async def test_waiting_uses_no_working_time_and_gives_none_back(store: Store) -> None:
    """What a run had worked before it waited counts; the time that it waited does not."""
    CLOCK[:] = [store]
    url = f"sqlite:///{store.path}"
    async with App(laborious, store=url, clock=store.clock, working_time=20) as app:
        run = app.start(laborious, "#W1")
        await waiting(run)
    left = [row[0] for row in store.rows("SELECT left_ns FROM run")]
    store.clock.advance(3600)
    async with App(laborious, store=url, clock=store.clock, working_time=20) as app:
        again = await app.run(run.id)
        async with asyncio.timeout(5):
            keys = ["sleep"]
            while keys in ([], ["sleep"]):
                keys = [wait.key for wait in await app.waits()]
        await waiting(again)
    left += [row[0] for row in store.rows("SELECT left_ns FROM run")]
    assert left == [12_000_000_000, 4_000_000_000]


async def test_a_run_that_waits_can_be_cancelled(store: Store) -> None:
    """It ends at once, for all who look at it, and cannot be answered any more."""
    async with store.open() as app:
        run = app.start(arrival, "#W1")
        await waiting(run)
        run.cancel()
        with pytest.raises(StepError) as cancelled:
            await result(run)
        assert (cancelled.value.code, run.state) == ("run_cancelled", "cancelled")
        assert await app.waits() == []
    assert store.rows("SELECT state FROM run") == [("cancelled",)]
    async with store.open() as app:
        assert (await app.run(run.id)).state == "cancelled"


async def test_whoever_awaits_a_call_waits_with_it(store: Store) -> None:
    """`await agent(x)` goes on when the run has its answer; cancelled, it cancels the run."""
    async with store.open() as app, asyncio.TaskGroup() as tasks:
        first = tasks.create_task(_call("#W1"))
        (one,) = await _runs(app, 1)
        second = tasks.create_task(_call("#W2"))
        (two,) = await _runs(app, 2) - {one}
        await app.signal(one, "parcel", {"number": "P1"})
        second.cancel()
        assert await first == "took P1"
        assert (await app.run(two)).state in {"waiting", "cancelled"}
        assert await (await app.run(two)).ended() == "cancelled"


async def _call(order: str) -> str:
    return await arrival(order)


async def _runs(app: App, count: int) -> set[str]:
    """The runs that have announced that they wait, when there are so many."""
    found = set[str]()
    async with asyncio.timeout(5):
        while len(found) < count:
            found = {wait.run for wait in await app.waits()}
    return found


@workflow
async def next_parcel(parcel: Parcel) -> Parcel:
    """Wait for one more."""
    return await wait_for("parcel", Parcel)


@workflow
async def again_and_again(parcel: Parcel) -> str:
    """Wait until the last parcel is there."""
    last = await repeat(next_parcel, parcel, until="is_last", at_most=5)
    return await take(last)


async def test_each_turn_waits_for_a_signal_of_its_own(store: Store) -> None:
    """Signals of one name are taken in the order in which they came, one for each wait."""
    async with store.open(again_and_again) as app:
        run = app.start(again_and_again, Parcel(number="P0"))
        await waiting(run)
        await app.signal(run.id, "parcel", {"number": "P1", "is_last": False})
        await app.signal(run.id, "parcel", {"number": "P2", "is_last": False})
        await app.signal(run.id, "parcel", {"number": "P3", "is_last": True})
        assert await result(run) == "took P3"


@workflow(name="refund", tools=[pay])
async def other_refund(order: str) -> str | Rejected:
    """Pay at once what was to be approved first."""
    return await approval(pay(order), roles=["lead"], within=3600)


async def test_a_run_that_nobody_can_go_on_with_asks_for_a_person(store: Store) -> None:
    """An answer to a run whose workflow is another by now is kept, and the run needs attention."""
    async with store.open() as app:
        run = app.start(refund, "#W1")
        await waiting(run)
    async with store.open(other_refund) as app:
        again = await app.run(run.id)
        await app.approve(run.id, "approval", principal=LEAD)
        with pytest.raises(NeedsAttention) as found:
            await result(again)
        assert found.value.code == "unknown_agent"
    assert store.rows("SELECT state, attention FROM run") == [("needs_attention", "unknown_agent")]


def _untraced(store: Store) -> App:
    return App(
        later, store=f"sqlite:///{store.path}", clock=store.clock, traces=TraceRecorder(capacity=16)
    )


async def _let_wait(app: App, count: int) -> None:
    """Start so many runs, and forget them when they wait."""
    for run in [app.start(later, f"#W{number}") for number in range(count)]:
        await waiting(run)


async def test_a_waiting_run_costs_next_to_nothing(store: Store) -> None:
    """A run that waits holds less than 2 kB, and no task, whoever may have started it."""
    async with _untraced(store) as app:
        await _let_wait(app, 100)
        gc.collect()
        tracemalloc.start()
        await _let_wait(app, 1000)
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert held / 1000 < 2_000, held


async def test_a_handle_of_a_waiting_run_costs_little(store: Store) -> None:
    """Less than 2 kB also for those who keep the handle."""
    async with _untraced(store) as app:
        await _let_wait(app, 100)
        gc.collect()
        tracemalloc.start()
        runs = [app.start(later, f"#W{number}") for number in range(1000)]
        for run in runs:
            await waiting(run)
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert held / len(runs) < 2_000, held
