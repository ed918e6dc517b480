"""A body waits like a workflow: it ends, and runs again to the place where it was."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fishplate import (
    App,
    Rejected,
    Run,
    TimedOut,
    agent,
    approval,
    parallel,
    sleep,
    wait_for,
)
from fishplate.core.errors import InputError, NeedsAttention, UsageError
from fishplate.journal.waits import Wait
from tests.waiting_cast import CALLS, LEAD, Parcel, Store, find, pay, result, same, waiting


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store, and a fresh list of calls."""
    CALLS.clear()
    return Store(tmp_path)


@agent(agents=[find, same], tools=[pay])
async def clerk(order: str) -> str:
    """Pay what is found and approved, after an hour, when its parcel has come."""
    CALLS.append("begin")
    found = await find(order)
    await sleep(3600)
    parcel = await wait_for("parcel", Parcel, within=60)
    if isinstance(parcel, TimedOut):
        return "no parcel"
    paid = await approval(pay(f"{found}/{parcel.number}"), roles=["lead"], within=3600)
    if isinstance(paid, Rejected):
        return f"{paid.reason}: {paid.note}"
    return await same(f"{paid}!")


@agent
async def dozer(text: str) -> str:
    """Sleep twice, and need no grant for that."""
    await sleep(60)
    await sleep(60)
    return text


@agent(tools=[pay])
async def two_parcels() -> str:
    """Wait for two parcels side by side, then pay."""
    first, second = await parallel(wait_for("left", Parcel), wait_for("right", Parcel))
    assert isinstance(first, Parcel)
    assert isinstance(second, Parcel)
    return await pay(first.number + second.number)


@agent
async def content() -> str:
    """Wait a minute for a parcel, and do without."""
    parcel = await wait_for("parcel", Parcel, within=60, default=Parcel(number="none"))
    return parcel.number


@agent(tools=[pay])
async def payer(order: str) -> str:
    """Pay what somebody approves."""
    paid = await approval(pay(order), roles=["lead"], within=60)
    assert isinstance(paid, str)
    return paid


class Fickle:
    """Code that changes."""

    is_slow = True


class Odd:
    """A wait that makes no sense."""

    wait: Callable[[], Any]


FICKLE = Fickle()
ODD = Odd()


@agent(tools=[pay])
async def fickle() -> str:
    """Pay, at first after a while."""
    if FICKLE.is_slow:
        await sleep(60)
    paid = await pay("#W1")
    await sleep(60)
    return paid


@agent(tools=[pay])
async def odd() -> str:
    """Wait for what makes no sense."""
    await ODD.wait()
    return "done"


async def _asleep(store: Store) -> Run[str]:
    """A run of the clerk in another life, in its sleep."""
    async with store.open(clerk) as app:
        run = app.start(clerk, "#W1")
        await waiting(run)
    return run


async def _until_approval(app: App) -> Run[str]:
    (run,) = app.resumed
    await waiting(run)
    await app.signal(run.id, "parcel", Parcel(number="P1"))
    await waiting(run)
    return run


async def test_a_body_waits_at_each_of_its_places(store: Store) -> None:
    """Time, a signal and a decision: what stands before each is not done again."""
    await _asleep(store)
    store.clock.advance(3600)
    async with store.open(clerk) as app:
        run = await _until_approval(app)
        await app.approve(run.id, "clerk/3.approval", principal=LEAD)
        assert await result(run) == "paid #W1/P1!"

    assert [call for call in CALLS if call != "begin"] == ["find #W1", "pay #W1/P1"]


async def test_a_body_that_has_waited_is_resumed_after_its_effect(store: Store) -> None:
    """Recorded calls behind a wait are answered from their records, and pay once."""
    await _asleep(store)
    store.clock.advance(3600)
    async with store.open(clerk) as app:
        run = await _until_approval(app)
        await app.approve(run.id, "clerk/3.approval", principal=LEAD)
        await result(run)
    await asyncio.to_thread(
        store.change, "UPDATE run SET state = 'running', ended_ms = NULL, outcome = NULL"
    )
    async with store.open(clerk) as app:
        (run,) = app.resumed
        assert await result(run) == "paid #W1/P1!"

    assert [call for call in CALLS if call != "begin"] == ["find #W1", "pay #W1/P1"]


async def test_a_rejection_is_a_value_in_a_body(store: Store) -> None:
    """The body decides what follows from it."""
    await _asleep(store)
    store.clock.advance(3600)
    async with store.open(clerk) as app:
        run = await _until_approval(app)
        await app.reject(run.id, "clerk/3.approval", principal=LEAD, note="too much")
        assert await result(run) == "rejected: too much"

    assert "pay #W1/P1" not in CALLS


async def test_a_signal_that_does_not_come_is_a_value_in_a_body(store: Store) -> None:
    """Its time goes on while no process runs."""
    await _asleep(store)
    store.clock.advance(3600)
    async with store.open(clerk) as app:
        (run,) = app.resumed
        await waiting(run)
    store.clock.advance(61)
    async with store.open(clerk) as app:
        (run,) = app.resumed
        assert await result(run) == "no parcel"


async def test_a_default_takes_the_place_of_a_signal_in_a_body(store: Store) -> None:
    """Past its time the wait gives it, as an object of the model."""
    async with store.open(content) as app:
        await waiting(app.start(content))
    store.clock.advance(60)
    async with store.open(content) as app:
        assert await result(app.resumed[0]) == "none"


async def test_a_signal_for_a_body_is_judged_by_what_it_waits_for(store: Store) -> None:
    """Of another shape, or before the body waits for it, it is refused and changes nothing."""
    await _asleep(store)
    async with store.open(clerk) as app:
        (wait,) = await app.waits()
        with pytest.raises(UsageError) as early:
            await app.signal(wait.run, "parcel", {"number": "P1"})
    store.clock.advance(3600)
    async with store.open(clerk) as app:
        (run,) = app.resumed
        await waiting(run)
        with pytest.raises(InputError):
            await app.signal(run.id, "parcel", {"number": 1})
        assert [wait.kind for wait in await app.waits(run.id)] == ["signal"]

    assert early.value.code == "unknown_signal"


async def test_a_body_needs_no_grant_to_sleep(store: Store) -> None:
    """Each sleep of a body is one of its own."""
    async with store.open(dozer) as app:
        await waiting(app.start(dozer, "x"))
    store.clock.advance(60)
    async with store.open(dozer) as app:
        (run,) = app.resumed
        await waiting(run)
        assert [wait.key for wait in await app.waits()] == ["dozer/1.sleep"]
    store.clock.advance(60)
    async with store.open(dozer) as app:
        (run,) = app.resumed
        assert await result(run) == "x"


async def test_a_body_waits_side_by_side(store: Store) -> None:
    """Signals come in any order, each to its own branch, and what follows is recorded once."""
    async with store.open(two_parcels) as app:
        run = app.start(two_parcels)
        await waiting(run)
        await app.signal(run.id, "right", {"number": "R"})
        await waiting(run)
        await app.signal(run.id, "left", {"number": "L"})
        assert await result(run) == "paid LR"
    await asyncio.to_thread(
        store.change, "UPDATE run SET state = 'running', ended_ms = NULL, outcome = NULL"
    )
    async with store.open(two_parcels) as app:
        (run,) = app.resumed
        assert await result(run) == "paid LR"

    assert CALLS == ["pay LR"]


async def test_whoever_awaits_a_body_waits_with_it(store: Store) -> None:
    """`await agent(x)` gives the answer, however long its body waits."""

    async def answered(app: App) -> None:
        waits: list[Wait] = []
        async with asyncio.timeout(5):
            while not waits:
                waits = await app.waits()
        await app.approve(waits[0].run, waits[0].key, principal=LEAD)

    async with store.open(payer) as app, asyncio.TaskGroup() as group:
        group.create_task(answered(app))
        async with asyncio.timeout(5):
            assert await payer("#W1") == "paid #W1"


async def test_another_way_after_an_effect_behind_a_wait_needs_a_person(store: Store) -> None:
    """A body that no longer waits where it did, and has paid since, is not guessed about."""
    FICKLE.is_slow = True
    async with store.open(fickle) as app:
        await waiting(app.start(fickle))
    store.clock.advance(60)
    async with store.open(fickle) as app:
        await waiting(app.resumed[0])
    FICKLE.is_slow = False
    store.clock.advance(60)
    async with store.open(fickle) as app:
        with pytest.raises(NeedsAttention) as refused:
            await result(app.resumed[0])

    assert refused.value.code == "diverged"
    assert CALLS == ["pay #W1"]


@pytest.mark.parametrize(
    "wait",
    [
        lambda: sleep(0),
        lambda: sleep(float("inf")),
        lambda: wait_for("", Parcel),
        lambda: wait_for("parcel", Parcel, within=-1),
        lambda: approval(pay("#W1"), roles=[], within=60),
        lambda: approval(pay("#W1"), roles=["lead"], within=0),
    ],
)
async def test_a_wait_that_makes_no_sense_is_refused(store: Store, wait: Callable[[], Any]) -> None:
    """The step fails with what to write, and waits for nothing."""
    ODD.wait = wait
    async with store.open(odd) as app:
        run = app.start(odd)
        with pytest.raises(UsageError) as refused:
            await result(run)
        assert await app.waits() == []

    assert refused.value.code == "bad_wait"
