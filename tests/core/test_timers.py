"""Timers in slots: exact for what ends, and nothing left of what does not."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fishplate.core.errors import UsageError
from fishplate.core.suspension import OutOfTimeError, finish_within
from fishplate.core.timers import SLOT, Slot, TimerWheel
from fishplate.testing import run_in_virtual_time


class Ending:
    """Notes when its end came, by a timer of its own as a time limit's."""

    def __init__(self, end: float, ended: list[tuple[float, float]]) -> None:
        self._end = end
        self._ended = ended

    def set_timer(self) -> None:
        """Note the loop's time at the end."""
        loop = asyncio.get_running_loop()
        loop.call_at(self._end, lambda: self._ended.append((self._end, loop.time())))


def put(
    wheel: TimerWheel, end: float, ended: list[tuple[float, float]]
) -> tuple[Ending, Slot | None]:
    """Put what ends into its slot, or set its timer."""
    timed = Ending(end, ended)
    slot = wheel.slot(asyncio.get_running_loop(), end)
    if slot is None:
        timed.set_timer()
    else:
        slot.add(timed)
    return timed, slot


@given(st.lists(st.tuples(st.floats(0, 400), st.booleans()), max_size=20))
def test_what_is_not_removed_ends_at_its_time(timers: list[tuple[float, bool]]) -> None:
    """A slot is a way to wait; nothing ends earlier or later for it."""
    ended: list[tuple[float, float]] = []

    async def scenario() -> None:
        wheel = TimerWheel()
        slots = [(put(wheel, end, ended), is_kept) for end, is_kept in timers]
        for (timed, slot), is_kept in slots:
            if slot is not None and not is_kept:
                slot.remove(timed)
        await asyncio.sleep(500)

    run_in_virtual_time(scenario())

    expected = [end for end, is_kept in timers if is_kept or end < SLOT]
    assert sorted(end for end, _ in ended) == sorted(expected)
    assert [moment for _, moment in ended] == pytest.approx([end for end, _ in ended], abs=1e-6)


def test_what_ends_together_ends_in_the_order_in_which_it_came() -> None:
    """So a simulation is the same on every machine."""
    order: list[int] = []

    class Numbered:
        def __init__(self, number: int) -> None:
            self._number = number

        def set_timer(self) -> None:
            order.append(self._number)

    async def scenario() -> None:
        wheel = TimerWheel()
        for number in range(50):
            slot = wheel.slot(asyncio.get_running_loop(), 10.5)
            assert slot is not None
            slot.add(Numbered(number))
        await asyncio.sleep(20)

    run_in_virtual_time(scenario())

    assert order == list(range(50))


def test_what_ends_within_one_second_has_one_timer() -> None:
    """And another second has another one."""

    async def scenario() -> tuple[bool, bool, Slot | None]:
        wheel, loop = TimerWheel(), asyncio.get_running_loop()
        first = wheel.slot(loop, 300.1)
        same = wheel.slot(loop, 300.9) is first
        return same, wheel.slot(loop, 301.0) is first, wheel.slot(loop, SLOT / 2)

    assert run_in_virtual_time(scenario()) == (True, False, None)


def test_an_empty_slot_leaves_no_timer() -> None:
    """Or time would go on to it when everything waits for ever."""

    async def scenario() -> None:
        timed, slot = put(TimerWheel(), 300.5, [])
        assert slot is not None
        slot.remove(timed)
        await asyncio.get_running_loop().create_future()

    with pytest.raises(UsageError, match="no timer is set at 0 s"):
        run_in_virtual_time(scenario())


def test_a_wheel_begins_anew_on_another_loop() -> None:
    """What one loop has left behind ends nothing on the next."""
    wheel = TimerWheel()

    async def abandoned() -> None:
        put(wheel, 7.5, [])

    async def scenario() -> float:
        nap = asyncio.sleep(60)
        with pytest.raises(OutOfTimeError):
            await finish_within(7.5, nap, nap.send(None), wheel)
        return asyncio.get_running_loop().time()

    run_in_virtual_time(abandoned())

    assert run_in_virtual_time(scenario()) == 7.5
