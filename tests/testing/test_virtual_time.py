"""Virtual time: waiting takes none, order is that of the timers, a deadlock is told."""

import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from fishplate import App, Policy, UsageError, agent
from fishplate.testing import FakeClock, VirtualClock, VirtualLoop, run_in_virtual_time


def test_time_jumps_to_the_next_timer() -> None:
    """A day of waiting takes a moment, and the loop's time says that it was a day."""

    async def wait() -> float:
        await asyncio.sleep(86_400)
        return asyncio.get_running_loop().time()

    started = time.monotonic()

    assert run_in_virtual_time(wait()) == 86_400
    assert time.monotonic() - started < 10


def test_timers_go_off_in_their_order() -> None:
    """What waits shorter is done first, however it was started."""

    async def order() -> list[float]:
        woken: list[float] = []

        async def nap(seconds: float) -> None:
            await asyncio.sleep(seconds)
            woken.append(seconds)

        async with asyncio.TaskGroup() as group:
            for seconds in (3.0, 1.0, 2.0, 0.0):
                group.create_task(nap(seconds))
        return woken

    assert run_in_virtual_time(order()) == [0.0, 1.0, 2.0, 3.0]


def test_waiting_for_ever_is_told() -> None:
    """Nothing is ready and no timer is set: the error names who waits, and when."""

    async def deadlock() -> None:
        await asyncio.sleep(5)
        await asyncio.get_running_loop().create_future()

    with pytest.raises(UsageError) as refusal:
        run_in_virtual_time(deadlock())

    assert refusal.value.code == "deadlock"
    assert "at 5 s" in refusal.value.message
    assert f"{__file__}:" in refusal.value.message


def test_what_would_run_in_a_thread_runs_at_once() -> None:
    """It sees no running loop, as in a thread, and takes no time; its exception is passed on."""

    def blocking(number: int) -> tuple[int, bool]:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return number, threading.current_thread() is threading.main_thread()
        raise AssertionError

    def failing() -> None:
        raise LookupError

    async def run() -> tuple[int, bool]:
        with pytest.raises(LookupError):
            await asyncio.to_thread(failing)
        return await asyncio.to_thread(blocking, 7)

    assert run_in_virtual_time(run()) == (7, True)


def test_plain_agents_run_in_virtual_time() -> None:
    """An agent that would take a thread takes no time."""

    @agent
    def plain(number: int) -> int:
        return number + 1

    @agent(policy=Policy(timeout=5), pool="tools")
    def bounded(number: int) -> int:
        return number + 2

    async def run() -> tuple[int, int, float]:
        async with App():
            return await plain(1), await bounded(1), asyncio.get_running_loop().time()

    assert run_in_virtual_time(run()) == (2, 3, 0.0)


def test_a_virtual_clock_goes_with_the_loop() -> None:
    """Spans, cache ages and deadlines of an app are in virtual time too."""

    @agent
    async def slow(seconds: float) -> float:
        await asyncio.sleep(seconds)
        return seconds

    start = datetime(2026, 5, 1, tzinfo=UTC)

    async def run() -> tuple[float, datetime]:
        clock = VirtualClock(start)
        async with App(clock=clock) as app:
            ended = app.start(slow, 90.0)
            await ended.result()
            [span] = app.spans(ended)
            return (span.end_ns - span.start_ns) / 1e9, clock.now()

    assert run_in_virtual_time(run()) == (90.0, start + timedelta(seconds=90))


def test_a_virtual_loop_goes_on_where_another_ended() -> None:
    """Its time starts as said, and a clock of it is read where no loop runs."""
    loop = VirtualLoop(40.0)
    start = datetime(2026, 5, 1, tzinfo=UTC)
    clock = VirtualClock(start, loop)
    loop.run_until_complete(asyncio.sleep(2))
    loop.close()

    assert clock.now() == start + timedelta(seconds=42)
    assert clock.monotonic_ns() == 42_000_000_000


@pytest.mark.parametrize("clock", [VirtualClock, FakeClock])
def test_a_clock_needs_a_zone(clock: type[VirtualClock | FakeClock]) -> None:
    """A naive time means another moment on every machine."""
    with pytest.raises(ValueError, match="add a tzinfo"):
        clock(datetime(2026, 5, 1))  # noqa: DTZ001 -- what is refused


def test_a_fake_clock_stands_still_until_it_is_moved() -> None:
    """It goes forward only."""
    start = datetime(2026, 5, 1, tzinfo=UTC)
    clock = FakeClock(start)
    before = clock.now(), clock.monotonic_ns()
    clock.advance(1.5)

    assert before == (start, 0)
    assert (clock.now(), clock.monotonic_ns()) == (start + timedelta(seconds=1.5), 1_500_000_000)
    with pytest.raises(ValueError, match="does not go back"):
        clock.advance(-1)
