"""Time limits: what ends in time costs no timer, and what does not want to end is ended."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from fishplate.core.suspension import CANCEL_GRACE, OutOfTimeError, within
from fishplate.testing import VirtualClock, run_in_virtual_time


async def limited(seconds: float, coroutine: Coroutine[Any, Any, object]) -> object:
    """A coroutine under a limit that begins now."""
    clock = VirtualClock()
    return await within(seconds, coroutine, clock.monotonic_ns, clock.monotonic_ns())


def now() -> float:
    """The running loop's time."""
    return asyncio.get_running_loop().time()


async def nap(seconds: float) -> str:
    """Sleep."""
    await asyncio.sleep(seconds)
    return "slept"


def test_a_coroutine_that_never_suspends_needs_no_loop() -> None:
    """No task, no timer: it is one `send`."""

    async def at_once() -> str:
        return "done"

    limit = within(1, at_once(), lambda: 0, 0)
    with pytest.raises(StopIteration) as stop:
        limit.send(None)

    assert stop.value.value == "done"


def test_what_ends_in_time_gives_its_value() -> None:
    """And leaves no timer behind, or time would go on to it."""

    async def scenario() -> tuple[object, float]:
        found = await limited(5, nap(2))
        return found, now()

    assert run_in_virtual_time(scenario()) == ("slept", 2.0)


def test_what_takes_longer_is_cancelled_in_time() -> None:
    """The coroutine has ended when the limit says so."""
    cleaned: list[float] = []

    async def slow() -> None:
        try:
            await nap(60)
        finally:
            cleaned.append(now())

    async def scenario() -> float:
        with pytest.raises(OutOfTimeError):
            await limited(5, slow())
        return now()

    assert run_in_virtual_time(scenario()) == 5.0
    assert cleaned == [5.0]


def test_time_runs_from_the_beginning_and_not_from_the_first_wait() -> None:
    """What a call computed before it waited counts."""

    async def scenario() -> float:
        started = -3_000_000_000  # three seconds ago
        with pytest.raises(OutOfTimeError):
            await within(5, nap(60), VirtualClock().monotonic_ns, started)
        return now()

    assert run_in_virtual_time(scenario()) == 2.0


@pytest.mark.parametrize("answer", ["value", "error", "late"])
def test_an_answer_after_the_time_is_over_is_dropped(answer: str) -> None:
    """Swallowing the cancellation is no way around the limit."""

    async def stubborn() -> str:
        try:
            await nap(60)
        except asyncio.CancelledError:
            if answer == "error":
                raise LookupError from None
            if answer == "late":
                await nap(CANCEL_GRACE / 2)
        return "too late"

    async def scenario() -> tuple[str, float]:
        with pytest.raises(OutOfTimeError) as over:
            await limited(5, stubborn())
        return type(over.value.__cause__).__name__, now()

    cause, ended = run_in_virtual_time(scenario())

    assert cause == ("LookupError" if answer == "error" else "NoneType")
    assert ended == (5 + CANCEL_GRACE / 2 if answer == "late" else 5)


def test_what_goes_on_regardless_is_closed_where_it_stands() -> None:
    """After a moment of grace nothing that the coroutine catches can hold it."""
    ended: list[float] = []

    async def deaf() -> None:
        try:
            while True:
                try:
                    await nap(60)
                except asyncio.CancelledError:
                    continue
        finally:
            ended.append(now())

    async def scenario() -> int:
        with pytest.raises(OutOfTimeError):
            await limited(5, deaf())
        task = asyncio.current_task()
        assert task is not None
        return task.cancelling()

    assert run_in_virtual_time(scenario()) == 0
    assert ended == [5 + CANCEL_GRACE]


def test_somebody_elses_cancellation_goes_on() -> None:
    """A limit takes back its own request alone."""

    async def scenario() -> tuple[bool, float]:
        task = asyncio.get_running_loop().create_task(limited(5, nap(60)))
        await asyncio.sleep(2)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled(), now()

    assert run_in_virtual_time(scenario()) == (True, 2.0)


def test_a_cancellation_as_the_time_runs_out_goes_on() -> None:
    """Both at the same moment: the one who asked for the end gets the end."""

    async def scenario() -> bool:
        loop = asyncio.get_running_loop()
        task = loop.create_task(limited(5, nap(60)))
        loop.call_at(5, task.cancel)
        await asyncio.wait([task])
        return task.cancelled()

    assert run_in_virtual_time(scenario())


def test_a_cancellation_that_is_swallowed_is_raised_at_the_end() -> None:
    """What a cancelled coroutine still answers is dropped."""

    async def deaf() -> str:
        try:
            await nap(60)
        except asyncio.CancelledError:
            return "anyway"
        return "never"

    async def scenario() -> bool:
        task = asyncio.get_running_loop().create_task(limited(5, deaf()))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    assert run_in_virtual_time(scenario())


@pytest.mark.parametrize(("inner", "outer", "told"), [(2, 5, "inner 2"), (5, 2, "outer 2")])
def test_the_limit_that_passes_first_is_the_one_that_is_told(
    inner: float, outer: float, told: str
) -> None:
    """Limits within limits do not take each other's end for their own."""

    async def inside() -> str:
        try:
            await limited(inner, nap(60))
        except OutOfTimeError:
            return f"inner {now():g}"
        return "never"

    async def scenario() -> object:
        try:
            return await limited(outer, inside())
        except OutOfTimeError:
            return f"outer {now():g}"

    assert run_in_virtual_time(scenario()) == told


def test_limits_that_pass_together_count_as_the_outer_one() -> None:
    """Whoever stands around the inner call has no time left to do anything about it."""

    async def inside() -> None:
        with pytest.raises(asyncio.CancelledError):
            await limited(5, nap(60))
        raise asyncio.CancelledError

    async def scenario() -> float:
        with pytest.raises(OutOfTimeError):
            await limited(5, inside())
        return now()

    assert run_in_virtual_time(scenario()) == 5.0


def test_asyncios_own_limits_work_inside_and_outside() -> None:
    """`asyncio.timeout` in the coroutine or around the limit keeps its meaning."""

    async def scenario() -> list[str]:
        found: list[str] = []
        try:
            async with asyncio.timeout(2):
                await limited(5, nap(60))
        except TimeoutError:
            found.append(f"outside {now():g}")

        async def inside() -> None:
            async with asyncio.timeout(1):
                await nap(60)

        try:
            await limited(5, inside())
        except TimeoutError:
            found.append(f"inside {now():g}")
        return found

    assert run_in_virtual_time(scenario()) == ["outside 2", "inside 3"]


def test_a_limit_that_is_closed_closes_its_coroutine() -> None:
    """At the end of a loop nothing can be awaited any more; what is held is let go."""
    closed: list[str] = []

    async def holding() -> None:
        try:
            await nap(60)
        finally:
            closed.append("closed")

    async def scenario() -> None:
        waiting = limited(5, holding())
        waiting.send(None)
        waiting.close()

    run_in_virtual_time(scenario())

    assert closed == ["closed"]
