"""Where behaviours run: in pools, in threads, on the loop."""

import asyncio
import threading
from typing import Any

import pytest

from fishplate import (
    App,
    Failure,
    Policy,
    StepError,
    agent,
    current,
    each,
    parallel,
    workflow,
)
from fishplate.resilience.policy import Bulkhead
from tests.engines.running import in_app, now


def test_a_pool_runs_so_many_calls_at_a_time() -> None:
    """All agents of the pool share its slots, first come, first served."""
    begun: list[float] = []

    @agent(pool="carriers")
    async def track(number: int) -> int:
        begun.append(now())
        await asyncio.sleep(1)
        return number

    @agent(pool="carriers")
    async def locate(number: int) -> int:
        return await asyncio.sleep(1, number)

    @workflow
    async def flow(numbers: list[int]) -> tuple[list[int], list[int]]:
        return await parallel(each(track, numbers), each(locate, numbers))

    async def scenario(app: App) -> float:
        await flow([1, 2, 3])
        return now()

    assert in_app(scenario, pools={"carriers": 2}) == 3.0
    assert begun == [0.0, 0.0, 1.0]


def test_waiting_for_a_slot_counts_against_the_time_limit() -> None:
    """And a call that gave up in the queue takes no slot."""
    begun: list[int] = []

    @agent(pool="carriers", policy=Policy(timeout=3))
    async def track(number: int) -> int:
        begun.append(number)
        await asyncio.sleep(2)
        return number

    async def scenario(app: App) -> list[str]:
        runs = [app.start(track, number) for number in range(3)]
        states = [await run.ended() for run in runs]
        return [*states, str(await track(9))]

    assert in_app(scenario, pools={"carriers": 1}) == ["succeeded", "failed", "failed", "9"]
    assert begun == [0, 1, 9]


def test_a_plain_function_runs_beside_the_loop() -> None:
    """In a thread of the app, where `current()` works and no loop runs."""

    @agent
    def plain(text: str) -> str:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        current().note(thread=threading.current_thread().name.partition("_")[0])
        current().degrade("rough", source="here")
        return current().path

    async def scenario() -> tuple[str, Any, Any]:
        async with App() as app:
            run = app.start(plain, "x")
            path = await run.result()
            [span] = app.spans(run)
            return path, (span.attributes or {})["thread"], run.state

    assert asyncio.run(scenario()) == ("plain", "fishplate", "degraded")


def test_a_thread_that_takes_too_long_keeps_its_slot() -> None:
    """A thread cannot be cancelled: the pool stays bounded by what really runs."""
    go_on, begun = threading.Event(), threading.Semaphore(0)

    @agent(pool="files", policy=Policy(timeout=0.05))
    def read(number: int) -> int:
        begun.release()
        if number == 0:
            assert go_on.wait(10)
        return number

    async def scenario() -> list[str]:
        codes: list[str] = []
        async with App(pools={"files": 1}):
            for number in (0, 1):
                with pytest.raises(StepError) as failure:
                    await read(number)
                codes.append(failure.value.code)
            go_on.set()
            while True:  # the slot comes back when the thread has ended
                try:
                    codes.append(str(await read(2)))
                    return codes
                except StepError:
                    continue

    assert asyncio.run(scenario()) == ["step_timeout", "step_timeout", "2"]


def test_a_call_that_gave_up_before_its_thread_began_gives_its_slot_back() -> None:
    """The function does not run later on, when nobody waits for it."""
    begun, go_on, ran = threading.Event(), threading.Event(), list[int]()

    @agent
    def block(number: int) -> int:
        begun.set()
        assert go_on.wait(10)
        return number

    @agent(pool="files", policy=Policy(timeout=0.05))
    def read(number: int) -> int:
        ran.append(number)
        return number

    async def scenario() -> tuple[str, int]:
        async with App(pools={"files": 1}, threads=1) as app:
            blocking = app.start(block, 0)
            assert await asyncio.to_thread(begun.wait, 10)
            with pytest.raises(StepError) as failure:
                await read(1)
            go_on.set()
            await blocking.result()
            return failure.value.code, await read(2)

    assert asyncio.run(scenario()) == ("step_timeout", 2)
    assert ran == [2]


def test_a_thread_that_takes_too_long_keeps_its_place_in_the_bulkhead() -> None:
    """The bound of a target is one of what really runs, too."""
    go_on = threading.Event()

    @agent(policy=Policy(timeout=0.2, bulkhead=Bulkhead(1, queued=0)))
    def read(number: int) -> int:
        if number == 0:
            assert go_on.wait(10)
        return number

    async def scenario() -> list[str]:
        codes: list[str] = []
        async with App():
            for number in (0, 1):
                with pytest.raises((StepError, Failure)) as failure:
                    await read(number)
                assert isinstance(failure.value, (StepError, Failure))
                codes.append(failure.value.code)
            go_on.set()
            while True:  # the place comes back when the thread has ended
                try:
                    codes.append(str(await read(2)))
                    return codes
                except Failure:
                    await asyncio.sleep(0.001)

    assert asyncio.run(scenario()) == ["step_timeout", "bulkhead_full", "2"]


def test_an_inline_function_runs_on_the_loop() -> None:
    """A rule needs no thread."""

    @agent(inline=True)
    def rule(number: int) -> bool:
        return threading.current_thread() is threading.main_thread()

    async def scenario(app: App) -> bool:
        return await rule(1)

    assert in_app(scenario)
