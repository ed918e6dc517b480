"""Runs that wait: for a signal, a decision, or time; over a store, without a task."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from fishplate import App, Rejected, approval, each, sleep, wait_for, workflow
from fishplate.core.errors import FishplateError, InputError, StepError, UsageError
from fishplate.core.run_context import Principal
from fishplate.journal.audit import audit_rows
from fishplate.journal.run_rows import UnknownRunError
from fishplate.journal.waits import DecisionDeniedError, NotWaitingError
from tests.waiting_cast import (
    CALLS,
    LEAD,
    Parcel,
    Store,
    arrival,
    beside,
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


async def test_a_run_waits_without_a_task_and_goes_on_when_it_is_approved(store: Store) -> None:
    """What was recorded before the wait is not run again, and the approved call runs once."""
    async with store.open() as app:
        run = app.start(refund, "#W1")
        await waiting(run)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert CALLS == ["find #W1"]
        await app.approve(run.id, "approval", principal=LEAD)
        assert await result(run) == "paid #W1"
        assert run.state == "succeeded"
    assert CALLS == ["find #W1", "pay #W1"]


async def test_a_wait_survives_the_end_of_its_process(store: Store) -> None:
    """Another process opens the store at no cost and takes the run up when its answer comes."""
    async with store.open() as app:
        run = app.start(refund, "#W1")
        await waiting(run)
    with pytest.raises(StepError, match="was left") as left:
        await run.result()
    assert left.value.code == "still_waiting"
    CALLS.clear()
    async with store.open() as app:
        assert app.resumed == ()
        again = await app.run(run.id)
        assert (again.state, again.trace_id) == ("waiting", run.trace_id)
        await app.approve(run.id, "approval", principal=LEAD)
        assert await result(again) == "paid #W1"
    assert CALLS == ["pay #W1"]
    assert store.rows("SELECT state, recoveries FROM run") == [("succeeded", 0)]


async def test_an_answer_that_nobody_could_act_upon_is_not_lost(store: Store) -> None:
    """A run whose process ends right after the answer goes on in the next one."""
    async with store.open() as app:
        run = app.start(refund, "#W1")
        await waiting(run)
        await app.approve(run.id, "approval", principal=LEAD)
    async with store.open() as app:
        assert [await result(one) for one in app.resumed] == ["paid #W1"]


async def test_a_rejection_is_a_value(store: Store) -> None:
    """The call is not made; who said no, and why, goes on as the step's value."""
    async with store.open() as app:
        run = app.start(refund, "#W1")
        await waiting(run)
        await app.reject(run.id, "approval", principal=LEAD, note="too much")
        assert await result(run) == "rejected by ann: too much"
    assert CALLS == ["find #W1"]


@pytest.mark.parametrize(
    ("principal", "error"),
    [
        (Principal(name="bob", roles=frozenset({"clerk"})), DecisionDeniedError),
        (Principal(name="eve", roles=frozenset({"lead"})), DecisionDeniedError),
        (Principal(name="ann", roles=frozenset({"lead"}), tenant="other"), UnknownRunError),
    ],
)
async def test_who_may_not_decide_changes_nothing(
    store: Store, principal: Principal, error: type[FishplateError]
) -> None:
    """It takes a role, and another person than the one who started the run, of the same tenant."""
    async with store.open() as app:
        run = app.start(refund, "#W1", principal=Principal(name="eve"))
        await waiting(run)
        with pytest.raises(error):
            await app.approve(run.id, "approval", principal=principal)
        assert run.state == "waiting"
        assert [wait.key for wait in await app.waits(run.id)] == ["approval"]
    assert store.rows("SELECT count(*) FROM audit") == [(0,)]


async def test_a_decision_is_used_once_and_audited(store: Store) -> None:
    """A second word about a call is refused; the first is in the audit with the call's digest."""
    async with store.open() as app:
        run = app.start(refund, "#W1")
        await waiting(run)
        (wait,) = await app.waits(run.id)
        await app.approve(run.id, "approval", principal=LEAD, note="fine")
        with pytest.raises(NotWaitingError):
            await app.reject(run.id, "approval", principal=LEAD)
        await result(run)
        with pytest.raises(NotWaitingError):
            await app.approve(run.id, "approval", principal=LEAD)
    reader = sqlite3.connect(store.path, check_same_thread=False)
    (row,) = await asyncio.to_thread(audit_rows, reader, run.id)
    reader.close()
    assert (row.principal, row.action) == ("ann", "approve")
    assert row.details == {
        "step": "approval",
        "agent": "pay",
        "digest": wait.digest,
        "roles": ["lead"],
        "note": "fine",
    }
    assert wait.arguments == b'{"order":"#W1"}'


async def test_a_signal_gives_what_it_carries(store: Store) -> None:
    """JSON or an object of the type that is waited for; the run goes on with the object."""
    async with store.open() as app:
        run, other = app.start(arrival, "#W1"), app.start(arrival, "#W2")
        await waiting(run)
        await waiting(other)
        await app.signal(run.id, "parcel", {"number": "P1"})
        await app.signal(other.id, "parcel", Parcel(number="P2"))
        assert await result(run) == "took P1"
        assert await result(other) == "took P2"


@pytest.mark.parametrize("value", [{"number": 5}, {}, "P1", None])
async def test_a_signal_of_the_wrong_shape_changes_nothing(store: Store, value: object) -> None:
    """The value is judged by the wait's contract before anything is written."""
    async with store.open() as app:
        run = app.start(arrival, "#W1")
        await waiting(run)
        with pytest.raises(InputError, match="parcel"):
            await app.signal(run.id, "parcel", value)
        assert run.state == "waiting"
    assert store.rows("SELECT count(*) FROM signal") == [(0,)]


async def test_a_signal_has_to_be_one_that_the_run_may_wait_for(store: Store) -> None:
    """An unknown signal and an unknown run are told as such."""
    async with store.open() as app:
        run = app.start(arrival, "#W1")
        await waiting(run)
        with pytest.raises(UsageError) as unknown:
            await app.signal(run.id, "parsel", {"number": "P1"})
        assert unknown.value.code == "unknown_signal"
        with pytest.raises(UnknownRunError):
            await app.signal("nobody", "parcel", {"number": "P1"})
        stranger = Principal(name="x", tenant="other")
        with pytest.raises(UnknownRunError):
            await app.signal(run.id, "parcel", {"number": "P1"}, principal=stranger)
        with pytest.raises(UnknownRunError):
            await app.run("nobody")


@workflow
async def patient(order: str) -> str:
    """Sleep, then wait for a parcel."""
    await sleep(10)
    parcel = await wait_for("parcel", Parcel)
    return await take(parcel)


async def test_an_early_signal_is_kept_and_a_second_one_does_no_harm(store: Store) -> None:
    """What comes before its wait answers it when it begins, also in another process."""
    async with store.open(patient) as app:
        run = app.start(patient, "#W1")
        await waiting(run)
        await app.signal(run.id, "parcel", {"number": "P1"})
        await app.signal(run.id, "parcel", {"number": "P2"})
    store.clock.advance(10)
    async with store.open(patient) as app:
        assert await result(await app.run(run.id)) == "took P1"
        with pytest.raises(NotWaitingError):
            await app.signal(run.id, "parcel", {"number": "P3"})
    assert store.rows("SELECT count(*) FROM signal") == [(0,)]


async def test_a_signal_that_does_not_come_is_a_value(store: Store) -> None:
    """Past its time by the wall clock the wait gives `TimedOut`; a later signal does not count."""
    async with store.open() as app:
        run = app.start(arrival, "#W1")
        await waiting(run)
        store.clock.advance(60)
        await app.signal(run.id, "parcel", {"number": "P1"})
        assert run.state == "waiting"
    async with store.open() as app:
        assert await result(await app.run(run.id)) == "no parcel within 60"


async def test_an_approval_that_nobody_gives_expires(store: Store) -> None:
    """Past its time it counts as rejected, and can no more be given."""
    async with store.open() as app:
        run = app.start(refund, "#W1")
        await waiting(run)
        store.clock.advance(3600)
        with pytest.raises(NotWaitingError):
            await app.approve(run.id, "approval", principal=LEAD)
    async with store.open() as app:
        assert await result(await app.run(run.id)) == "expired by None: "


async def test_time_goes_on_while_no_process_runs(store: Store) -> None:
    """A sleep ends at its wall clock time; what is due is taken up as soon as the store is open."""
    async with store.open() as app:
        run = app.start(later, "#W1")
        await waiting(run)
    store.clock.advance(3599)
    async with store.open() as app:
        assert (await app.run(run.id)).state == "waiting"
    store.clock.advance(1)
    CALLS.clear()
    async with store.open() as app:
        assert await result(await app.run(run.id)) == "#W1"
    assert CALLS == []


@workflow
async def short(order: str) -> str:
    """Wait a moment."""
    await sleep(0.02)
    return await same(order)


@workflow
async def at_once(order: str) -> str:
    """Wait less than the wall clock tells apart."""
    await sleep(0.0001)
    return await same(order)


async def test_time_ends_a_wait_while_the_process_runs(tmp_path: Path) -> None:
    """One timer of the loop lets each run go on when its own time has come."""
    async with App(short, at_once, later, store=f"sqlite:///{tmp_path / 'runs.db'}") as app:
        app.start(later, "#W0")
        runs = [app.start(short, f"#W{number}") for number in range(3)]
        assert [await result(run) for run in runs] == ["#W0", "#W1", "#W2"]
        async with asyncio.timeout(5):
            assert await short("#W3") == "#W3"
        assert await result(app.start(at_once, "#W4")) == "#W4"


async def test_other_branches_end_before_the_run_waits(store: Store) -> None:
    """A branch that waits does not end its siblings, and what they gave is kept."""
    async with store.open() as app:
        run = app.start(beside, "#W1")
        await waiting(run)
        assert CALLS == ["find #W1"]
        await app.signal(run.id, "parcel", {"number": "P1"})
        assert await result(run) == "took P1"
    assert CALLS == ["find #W1"]


@workflow(tools=[pay])
async def many(orders: list[str]) -> list[str | Rejected]:
    """Pay each when it is approved."""
    return await each(lambda order: approval(pay(order), roles=["lead"], within=60), orders)


async def test_branches_wait_side_by_side(store: Store) -> None:
    """All waits are announced; each answer lets the run go on as far as it can."""
    async with store.open(many) as app:
        run = app.start(many, ["#W1", "#W2", "#W3"])
        await waiting(run)
        keys = [wait.key for wait in await app.waits(run.id)]
        assert len(keys) == 3
        await app.approve(run.id, keys[1], principal=LEAD)
        await waiting(run)
        assert CALLS == ["pay #W2"]
        await app.reject(run.id, keys[0], principal=LEAD)
        await app.approve(run.id, keys[2], principal=LEAD)
        assert await result(run) == [
            Rejected(reason="rejected", by="ann"),
            "paid #W2",
            "paid #W3",
        ]
    assert CALLS == ["pay #W2", "pay #W3"]
    assert store.rows("SELECT recoveries FROM run") == [(0,)]
