"""An app that drives a store answers what other processes ask for, while its runs go on."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fishplate import App, agent, tool, workflow
from fishplate.core.errors import FishplateError, JsonValue, NeedsAttention, StepError
from fishplate.core.run_context import Principal
from fishplate.journal.inbox import Action, Request, put
from fishplate.journal.sending import NotAnsweredError, send
from fishplate.journal.store import open_store


class World:
    """What happens outside of the runs.

    Attributes:
        calls: Names of what ran, in order.
        is_lost: Whether the answer of a payment gets lost.
        reached: Set when `hold` waits for ever.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.is_lost = False
        self.reached = asyncio.Event()


WORLD = World()
ANN = Principal(name="ann", roles=frozenset({"operator"}))


@pytest.fixture(autouse=True)
def _fresh() -> None:
    WORLD.__init__()  # type: ignore[misc]  # a fresh world for the bodies, which know this one


@tool(effect="at_most_once", scopes=["payments:write"])
async def pay(amount: int) -> str:
    """Pay."""
    WORLD.calls.append("pay")
    if WORLD.is_lost:
        raise ConnectionResetError
    return f"paid {amount}"


@agent
async def compose(receipt: str) -> str:
    """Write the answer."""
    WORLD.calls.append("compose")
    return f"{receipt}!"


@workflow(tools=[pay])
async def refund(amount: int) -> str:
    """Refund."""
    return await compose(await pay(amount))


@agent
async def hold() -> None:
    """Wait for ever."""
    WORLD.reached.set()
    await asyncio.get_running_loop().create_future()


@tool(effect="at_most_once", scopes=["payments:write"])
async def hang() -> None:
    """Pay, and never hear about it."""
    WORLD.reached.set()
    await asyncio.get_running_loop().create_future()


def _app(path: Path) -> App:
    return App(refund, hold, hang, store=f"sqlite:///{path}")


async def _send(
    path: Path, action: Action, subject: str, details: Mapping[str, JsonValue] | None = None
) -> Mapping[str, Any]:
    request = Request(action, subject, ANN, details=details or {})
    return await asyncio.to_thread(send, path, request, now_ms=lambda: 7, pause=time.sleep)


def _rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    store = sqlite3.connect(path)
    found = store.execute(query).fetchall()
    store.close()
    return found


def _rows_at_last(path: Path, query: str) -> list[tuple[Any, ...]]:
    """The rows as soon as there are any: an app writes them within milliseconds."""
    for _ in range(100_000):
        if found := _rows(path, query):
            return found
    message = f"{query!r} finds nothing"
    raise AssertionError(message)


async def _until_kept(path: Path, run_id: str) -> None:
    await asyncio.to_thread(_rows_at_last, path, f"SELECT 1 FROM run WHERE id = '{run_id}'")


async def test_a_running_run_is_cancelled_from_outside(tmp_path: Path) -> None:
    """The request reaches the task that drives the run, and is answered when the end is kept."""
    path = tmp_path / "runs.db"
    async with _app(path) as app:
        run = app.start(hold)
        await _until_kept(path, run.id)
        done = await _send(path, "cancel", run.id)
        assert await run.ended() == "cancelled"

    assert done == {"run": run.id, "state": "cancelled"}
    assert await asyncio.to_thread(_rows, path, "SELECT principal, action, subject FROM audit") == [
        ("ann", "cancel", run.id)
    ]


async def test_a_cancelled_effect_on_its_way_is_unknown(tmp_path: Path) -> None:
    """Cancelled while a payment is on its way, the run needs attention; decided, it is over."""
    path = tmp_path / "runs.db"
    async with _app(path) as app:
        run = app.start(hang)
        await WORLD.reached.wait()
        done = await _send(path, "cancel", run.id)
        assert done["state"] == "needs_attention"
        ((key,),) = await asyncio.to_thread(_rows, path, "SELECT key FROM effect")
        decided = await _send(path, "confirm_done", key, {"outcome": None})

    assert (decided["effect_state"], decided["state"]) == ("succeeded", "cancelled")


async def test_whoever_awaits_a_run_hears_that_it_was_cancelled(tmp_path: Path) -> None:
    """A run that is awaited where it was called fails there; the caller itself goes on."""
    path = tmp_path / "runs.db"

    async def cancel() -> None:
        await WORLD.reached.wait()
        ((run_id,),) = await asyncio.to_thread(_rows_at_last, path, "SELECT id FROM run")
        await _send(path, "cancel", run_id)

    async with _app(path), asyncio.TaskGroup() as tasks:
        asked = tasks.create_task(cancel())
        with pytest.raises(StepError, match="cancelled") as found:
            await hold()
        await asked

    assert found.value.code == "run_cancelled"


async def test_a_decided_run_goes_on_at_once(tmp_path: Path) -> None:
    """Where an app drives the store, a run goes on as soon as its outcome is decided."""
    path = tmp_path / "runs.db"
    async with _app(path) as app:
        WORLD.is_lost = True
        run = app.start(refund, 5)
        with pytest.raises(NeedsAttention):
            await run.result()
        ((key,),) = await asyncio.to_thread(_rows, path, "SELECT key FROM effect")
        done = await _send(path, "confirm_done", key, {"outcome": "paid by hand"})
        assert done["state"] == "running"
        ends = await asyncio.to_thread(
            _rows_at_last, path, "SELECT outcome FROM run WHERE state = 'succeeded'"
        )

    assert ends == [(b'{"output":"paid by hand!","reasons":[]}',)]
    assert WORLD.calls == ["pay", "compose"]


async def test_what_is_about_a_running_run_waits_for_its_end(tmp_path: Path) -> None:
    """An effect is not decided under the feet of the run that it belongs to."""
    path = tmp_path / "runs.db"

    def ask(key: str) -> None:
        store = open_store(path)
        put(store, Request("confirm_done", key, ANN, details={"outcome": None}), 7)
        store.close()

    async with _app(path) as app:
        run = app.start(hang)
        await WORLD.reached.wait()
        ((key,),) = await asyncio.to_thread(_rows_at_last, path, "SELECT key FROM effect")
        await asyncio.to_thread(ask, key)
        run.cancel()
        assert await run.ended() == "needs_attention"
        await asyncio.to_thread(_rows_at_last, path, "SELECT 1 FROM run WHERE state = 'cancelled'")

    assert await asyncio.to_thread(_rows, path, "SELECT state FROM effect") == [("succeeded",)]


async def test_a_refusal_of_the_driver_reaches_who_asked(tmp_path: Path) -> None:
    """What no longer fits when it is answered is refused, and changes nothing."""
    path = tmp_path / "runs.db"
    async with _app(path) as app:
        run = app.start(refund, 5)
        await run.result()
        with pytest.raises(FishplateError) as refused:
            await _send(path, "cancel", run.id)

    assert refused.value.code == "not_allowed"
    assert await asyncio.to_thread(_rows, path, "SELECT 1 FROM audit") == []


async def test_what_was_asked_before_is_done_when_the_store_is_opened(tmp_path: Path) -> None:
    """A request that nobody answered is done by the next app, before it takes up any run."""
    path = tmp_path / "runs.db"
    async with _app(path) as app:
        run = app.start(hold)
        await WORLD.reached.wait()

    def ask() -> None:
        store = open_store(path)
        put(store, Request("cancel", run.id, ANN), 7)
        store.close()

    await asyncio.to_thread(ask)
    async with _app(path) as app:
        assert app.resumed == ()

    assert await asyncio.to_thread(_rows, path, "SELECT state FROM run") == [("cancelled",)]


async def test_a_request_of_a_later_version_is_left_to_it(tmp_path: Path) -> None:
    """What this version does not know stays in the inbox, and keeps nobody from opening."""
    path = tmp_path / "runs.db"
    async with _app(path):
        pass

    def ask() -> None:
        store = open_store(path)
        store.execute("INSERT INTO inbox (at_ms, action, subject, body) VALUES (1, 'x', '', '{}')")
        store.close()

    await asyncio.to_thread(ask)
    async with _app(path) as app:
        assert await app.start(refund, 5).result() == "paid 5!"

    assert await asyncio.to_thread(_rows, path, "SELECT answered_ms FROM inbox") == [(None,)]


async def test_no_answer_in_time_is_said(tmp_path: Path) -> None:
    """Who does not wait any longer hears that the request stays, under its number."""
    path = tmp_path / "runs.db"
    async with _app(path) as app:
        run = app.start(hold)
        await _until_kept(path, run.id)

        def ask() -> None:
            request = Request("cancel", run.id, ANN)
            send(path, request, now_ms=lambda: 7, pause=lambda _: None, patience=0.0)

        with pytest.raises(NotAnsweredError, match="number 1"):
            await asyncio.to_thread(ask)
