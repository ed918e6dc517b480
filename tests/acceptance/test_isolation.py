"""P5: one slow or broken dependency stays its own problem."""

import asyncio
import random
import threading
from collections.abc import Callable
from typing import Final

import pytest

from fishplate import App, Bulkhead, FishplateError, Policy, agent, tool, workflow
from fishplate.testing import VirtualClock, run_in_virtual_time

STEPS: Final = 2_000
SLOTS: Final = 10
RATE: Final = 50.0  # calls a second; each takes 20 to 200 ms, so that its own pool is half full


@agent(pool="quick")
async def quick(seconds: float) -> float:
    """A step of a healthy pool."""
    await asyncio.sleep(seconds)
    return seconds


@agent(pool="stuck")
async def stuck(seconds: float) -> float:
    """A step of the pool that is saturated."""
    await asyncio.sleep(seconds)
    return seconds


@tool(effect="readonly", policy=Policy(retry="off", bulkhead=Bulkhead(SLOTS, queued=50, wait=5)))
async def flooded(seconds: float) -> float:
    """A tool whose bulkhead is full."""
    await asyncio.sleep(seconds)
    return seconds


@workflow(tools=[flooded])
async def flow(seconds: float) -> float:
    """A run that needs the flooded tool."""
    return await flooded(seconds)


def p99(durations: list[float]) -> float:
    """The duration that one step in a hundred exceeds."""
    return sorted(durations)[len(durations) * 99 // 100]


def measured(*, floods: float) -> float:
    """The p99 of the healthy pool's steps, from their start to their end, in virtual seconds.

    Args:
        floods: How many calls run or wait at a time in the other pool, and in the bulkhead, as a
            multiple of their slots.
    """
    random_ = random.Random(7)

    async def timed(app: App, durations: list[float]) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        await app.start(quick, random_.uniform(0.02, 0.2)).result()
        durations.append(loop.time() - started)

    async def flood(app: App, started: Callable[[App], object]) -> None:
        while True:
            started(app)
            # A call takes two seconds: that many arrive that so many would be there at a time.
            await asyncio.sleep(2 / (SLOTS * floods))

    async def scenario() -> float:
        durations: list[float] = []
        app = App(clock=VirtualClock(), pools={"quick": SLOTS, "stuck": SLOTS})
        async with app:
            background = asyncio.TaskGroup()
            async with background:
                floods_now = [
                    background.create_task(flood(app, lambda app: app.start(stuck, 2.0))),
                    background.create_task(flood(app, lambda app: app.start(flow, 2.0))),
                ]
                async with asyncio.TaskGroup() as group:
                    for _ in range(STEPS):
                        group.create_task(timed(app, durations))
                        await asyncio.sleep(random_.expovariate(RATE))
                for task in floods_now:
                    task.cancel()
        return p99(durations)

    return run_in_virtual_time(scenario())


def test_a_saturated_pool_does_not_slow_the_others_down() -> None:
    """One pool and one bulkhead at ten times their limit: p99 of other steps rises below 20 %."""
    alone, beside = measured(floods=0.5), measured(floods=10)

    assert beside < 1.2 * alone, f"p99 rose from {alone:.3f} s to {beside:.3f} s"


def test_a_pool_that_is_shared_does_slow_its_own_steps_down() -> None:
    """The measure sees saturation where there is one: in the flooded pool itself."""

    async def scenario() -> float:
        async with App(clock=VirtualClock(), pools={"stuck": SLOTS}) as app:
            runs = [app.start(stuck, 0.2) for _ in range(10 * SLOTS)]
            started = asyncio.get_running_loop().time()
            for run in runs:
                await run.result()
            return asyncio.get_running_loop().time() - started

    assert run_in_virtual_time(scenario()) > 9 * 0.2


def test_an_abandoned_thread_keeps_its_slot_and_is_counted() -> None:
    """A thread cannot be ended: until it ends, its target has one slot less, and says so."""
    may_end, began = threading.Event(), threading.Event()

    @tool(
        effect="readonly",
        policy=Policy(timeout=0.5, retry="off", bulkhead=Bulkhead(1, queued=0), breaker="off"),
    )
    def hang(seconds: float) -> float:
        began.set()
        may_end.wait(10)
        return seconds

    async def scenario() -> None:
        async with App(hang) as app:

            def held() -> tuple[object, object]:
                (target,) = app.targets.report()
                found = target["bulkhead"]
                assert isinstance(found, dict)
                return found["in_flight"], found["abandoned"]

            cut_off = app.start(hang, 1.0)
            await cut_off.ended()
            assert began.is_set()
            assert held() == (1, 1)
            assert "thread.abandoned" in {span.name for span in app.spans(cut_off)}
            with pytest.raises(FishplateError) as rejected:
                await app.start(hang, 1.0).result()
            assert rejected.value.code == "bulkhead_full"

            may_end.set()
            async with asyncio.timeout(5):
                while held() != (0, 0):  # noqa: ASYNC110 -- nothing tells when it is over
                    await asyncio.sleep(0.01)
            assert await app.start(hang, 1.0).ended() == "succeeded"

    asyncio.run(scenario())
