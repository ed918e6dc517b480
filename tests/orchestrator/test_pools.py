"""Pools: bounded, first come first served, and nothing is lost to a cancelled wait."""

import asyncio

import pytest

from fishplate.orchestrator.pools import Pool, Pools


async def test_waiters_are_served_in_the_order_in_which_they_came() -> None:
    """First come, first served."""
    pool, served = Pool(1), list[int]()

    async def hold(number: int) -> None:
        await pool.acquire()
        served.append(number)
        await asyncio.sleep(0)
        pool.release()

    async with asyncio.TaskGroup() as group:
        for number in range(5):
            group.create_task(hold(number))

    assert served == [0, 1, 2, 3, 4]
    assert pool.held == 0


async def test_a_newcomer_does_not_overtake_those_who_wait() -> None:
    """A slot that is given back goes to the longest waiting, even if nobody has run yet."""
    pool, served = Pool(1), list[str]()
    await pool.acquire()

    async def hold(name: str) -> None:
        await pool.acquire()
        served.append(name)
        pool.release()

    async with asyncio.TaskGroup() as group:
        group.create_task(hold("waited"))
        await asyncio.sleep(0)
        pool.release()
        group.create_task(hold("new"))

    assert served == ["waited", "new"]


async def test_a_cancelled_wait_leaves_the_queue() -> None:
    """The next one gets the slot."""
    pool = Pool(1)
    await pool.acquire()
    gone = asyncio.get_running_loop().create_task(pool.acquire())
    next_one = asyncio.get_running_loop().create_task(pool.acquire())
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    pool.release()
    await next_one

    assert pool.held == 1


async def test_a_wait_that_is_cancelled_as_it_is_served_passes_the_slot_on() -> None:
    """A slot that was given to somebody who is gone is not lost."""
    pool = Pool(1)
    await pool.acquire()
    gone = asyncio.get_running_loop().create_task(pool.acquire())
    await asyncio.sleep(0)
    pool.release()
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone

    assert pool.held == 0


async def test_a_wait_that_is_closed_leaves_the_queue() -> None:
    """A call that is given up where it waits takes no slot later on."""
    pool = Pool(1)
    await pool.acquire()
    waiting = pool.acquire()
    waiting.send(None)
    waiting.close()
    pool.release()

    assert pool.held == 0


@pytest.mark.parametrize("limit", [0, -1])
def test_a_pool_without_slots_is_refused(limit: int) -> None:
    """It would run nothing, ever."""
    with pytest.raises(ValueError, match="at least 1"):
        Pools({"tools": limit}, 10)


def test_a_pool_that_nobody_named_has_the_default_size() -> None:
    """One pool for each name."""
    pools = Pools({"tools": 2}, 10)

    assert (pools.get("tools").limit, pools.get("models").limit) == (2, 10)
    assert pools.get("tools") is pools.get("tools")


async def test_the_report_shows_every_pool() -> None:
    """Each pool that was named has a row with the slots that are held."""
    pools = Pools({"tools": 2}, default=10)
    await pools.get("tools").acquire()
    pools.get("models")

    assert pools.report() == [
        {"pool": "tools", "held": 1, "limit": 2},
        {"pool": "models", "held": 0, "limit": 10},
    ]
