"""An app that drives a store takes from other processes what its runs wait for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fishplate.core.errors import FishplateError, InputError, JsonValue
from fishplate.core.run_context import Principal
from fishplate.journal.inbox import Action, Request
from fishplate.journal.sending import send
from tests.waiting_cast import CALLS, LEAD, Store, arrival, beside, later, refund, result, waiting


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store, and a fresh list of calls."""
    CALLS.clear()
    return Store(tmp_path)


async def _send(
    store: Store,
    action: Action,
    run_id: str,
    details: Mapping[str, JsonValue] | None = None,
    principal: Principal = LEAD,
) -> Mapping[str, Any]:
    request = Request(action, run_id, principal, details=details or {})
    return await asyncio.to_thread(send, store.path, request, now_ms=store.now_ms, pause=time.sleep)


async def test_an_approval_from_outside_lets_the_run_go_on(store: Store) -> None:
    """The process that drives the store hears of it, and the run goes on in it."""
    async with store.open() as app:
        run = app.start(refund, "#W1")
        await waiting(run)
        done = await _send(store, "approve", run.id, {"step": None})
        assert await result(run) == "paid #W1"

    assert done == {"run": run.id, "state": "queued", "goes_on": True}


async def test_a_rejection_from_outside_is_a_value(store: Store) -> None:
    """The run learns by whom, and nothing is paid."""
    async with store.open() as app:
        run = app.start(refund, "#W1")
        await waiting(run)
        await _send(store, "reject", run.id, {"step": "approval"})
        assert await result(run) == "rejected by ann: "

    assert CALLS == ["find #W1"]


async def test_a_signal_from_outside_lets_the_run_go_on(store: Store) -> None:
    """The step that waited gets what the signal carries."""
    async with store.open() as app:
        run = app.start(arrival, "#W1")
        await waiting(run)
        await _send(store, "signal", run.id, {"name": "parcel", "value": {"number": "P1"}})
        assert await result(run) == "took P1"


async def test_a_signal_from_outside_may_come_before_its_process(store: Store) -> None:
    """What was answered while nobody drove the store is there when it is opened."""
    async with store.open() as app:
        run = app.start(beside, "#W1")
        await waiting(run)
    await _send(store, "signal", run.id, {"name": "parcel", "value": {"number": "P2"}})
    async with store.open() as app:
        (resumed,) = app.resumed
        assert await result(resumed) == "took P2"


@pytest.mark.parametrize("is_held", [True, False])
async def test_a_waiting_run_is_cancelled_from_outside(store: Store, *, is_held: bool) -> None:
    """It ends without a task, whoever holds it hears that, and its waits are gone."""
    async with store.open() as app:
        run = app.start(later, "#W1")
        await waiting(run)
        run_id = run.id
        if not is_held:
            del run
        done = await _send(store, "cancel", run_id)
        run = await app.run(run_id)
        async with asyncio.timeout(5):
            assert await run.ended() == "cancelled"

    assert done == {"run": run_id, "state": "cancelled"}
    assert await asyncio.to_thread(store.rows, "SELECT * FROM wait") == []


@pytest.mark.parametrize(
    ("action", "details", "principal", "code"),
    [
        ("approve", {"step": None}, Principal(name="eve"), "decision_denied"),
        ("reject", {"step": "pay"}, LEAD, "not_waiting"),
        ("signal", {"name": "parcel", "value": {}}, LEAD, "unknown_signal"),
        (
            "approve",
            {"step": None},
            Principal(name="ann", roles=LEAD.roles, tenant="other"),
            "unknown_run",
        ),
    ],
)
async def test_what_does_not_fit_is_refused_beside_a_driver(
    store: Store, action: Action, details: dict[str, JsonValue], principal: Principal, code: str
) -> None:
    """A wrong answer is refused, and the run still takes the right one."""
    async with store.open() as app:
        run = app.start(refund, "#W1")
        await waiting(run)
        with pytest.raises(FishplateError) as refused:
            await _send(store, action, run.id, details, principal)
        await _send(store, "approve", run.id, {"step": None})
        assert await result(run) == "paid #W1"

    assert refused.value.code == code


async def test_a_signal_of_the_wrong_shape_names_the_place(store: Store) -> None:
    """It is judged by what is kept of the run, without its code, and changes nothing."""
    async with store.open() as app:
        run = app.start(arrival, "#W1")
        await waiting(run)
        with pytest.raises(InputError) as refused:
            await _send(store, "signal", run.id, {"name": "parcel", "value": {"number": 1}})
        assert run.state == "waiting"

    assert [one.pointer for one in refused.value.violations] == ["/number"]


async def test_an_app_that_takes_no_runs_up_answers_for_its_own(store: Store) -> None:
    """A run of another life gets its answer and stays open; one of this life goes on."""
    async with store.open() as app:
        other = app.start(refund, "#W1")
        await waiting(other)
    async with store.open(takes_up=False) as app:
        own = app.start(refund, "#W2")
        await waiting(own)
        await _send(store, "approve", other.id, {"step": None})
        await _send(store, "approve", own.id, {"step": None})
        assert await result(own) == "paid #W2"

    found = await asyncio.to_thread(store.rows, "SELECT id, state FROM run")
    assert dict(found) == {other.id: "queued", own.id: "succeeded"}
