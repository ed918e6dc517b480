"""An app with a store: what was recorded is not run again, and what cannot be known is said."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from fishplate import App, DeclaredError, ErrorClass, Failure, Run, agent, each, tool, workflow
from fishplate.core.current import current
from fishplate.core.errors import FishplateError, NeedsAttention, UsageError
from fishplate.journal.lock import StoreLockedError


class World:
    """What happens outside of the runs, and what makes bodies behave.

    Attributes:
        calls: Names of what ran, in order.
        held: Names of what waits for ever.
        way: Which way `wandering` takes.
        fails: What `pay` raises, after it has paid.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.held: set[str] = set()
        self.way = "old"
        self.fails: Exception | None = None
        self.reached = asyncio.Event()

    async def call(self, name: str) -> None:
        """Be called, and wait for ever if the test wants that."""
        self.calls.append(name)
        if name in self.held:
            self.reached.set()
            await asyncio.get_running_loop().create_future()


WORLD = World()


@pytest.fixture(autouse=True)
def _fresh() -> None:
    WORLD.__init__()  # type: ignore[misc]  # a fresh world for the bodies, which know this one


class Order(BaseModel):
    """An order."""

    order_id: str
    total: int


class DeclinedError(DeclaredError):
    """The bank says no."""

    reason: str


@agent
async def lookup(order_id: str) -> Order:
    """Find an order, a little worse than it should be."""
    await WORLD.call("lookup")
    current().degrade("stale", source="cache", age=60)
    return Order(order_id=order_id, total=5)


@tool(effect="keyed", key_ttl=3600, scopes=["payments:write"], errors=[DeclinedError])
async def pay(order: Order) -> str:
    """Pay."""
    await WORLD.call("pay")
    if WORLD.fails is not None:
        raise WORLD.fails
    return current().idempotency_key


@agent
async def compose(receipt: str) -> str:
    """Write the answer."""
    await WORLD.call("compose")
    return f"paid {receipt[:3]}"


@workflow(tools=[pay], errors=[DeclinedError])
async def support(order_id: str) -> str:
    """Refund an order."""
    order = await lookup(order_id)
    receipt = await pay(order)
    return await compose(receipt)


@agent
async def hold() -> None:
    """Do nothing, for as long as the world wants."""
    await WORLD.call("hold")


@agent(agents=[lookup, compose, hold], tools=[pay], errors=[DeclinedError])
async def wandering(order_id: str) -> str:
    """Take the way that the world says."""
    order = await lookup(order_id)
    if WORLD.way == "old":
        await pay(order)
        return await compose("old")
    if WORLD.way == "other":
        return await compose("other")
    if WORLD.way == "less":
        return "less"
    again = await lookup(f"{order_id}!")
    await hold()
    return again.order_id


def _rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    store = sqlite3.connect(path)
    found = store.execute(query).fetchall()
    store.close()
    return found


def _change(path: Path, statement: str) -> None:
    store = sqlite3.connect(path)
    store.execute(statement)
    store.commit()
    store.close()


class Lives:
    """The lives of a process that drives one store."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "runs.db"

    def app(self) -> App:
        """An app over the store."""
        return App(support, wandering, fanned, store=f"sqlite:///{self.path}")

    async def end_at(self, name: str, start: Callable[[App], Run[Any]]) -> None:
        """Live until a call of that name waits, then end the process in good order."""
        WORLD.held = {name}
        WORLD.reached.clear()
        async with self.app() as app:
            start(app)
            await WORLD.reached.wait()
        WORLD.held = set()
        WORLD.calls.clear()

    async def resume(self) -> tuple[list[object], App]:
        """Live again: how the open runs end."""
        async with self.app() as app:
            ends = [await _end_of(run) for run in app.resumed]
        return ends, app


async def _end_of(run: Run[Any]) -> object:
    try:
        return await run.result()
    except (FishplateError, DeclaredError) as error:
        return error


@agent(agents=[lookup])
async def fanned(orders: list[str]) -> list[int]:
    """Look several orders up side by side."""
    return [order.total for order in await each(lookup, orders)]


@pytest.fixture
def lives(tmp_path: Path) -> Lives:
    """The lives of a process."""
    return Lives(tmp_path)


async def test_a_run_goes_on_where_it_was(lives: Lives) -> None:
    """A recorded step is not run again; the end is the same as without the interruption."""
    async with lives.app() as app:
        whole = app.start(support, "#W1")
        value = await whole.result()
        assert whole.state == "degraded"
    await lives.end_at("compose", lambda app: app.start(support, "#W1"))
    async with lives.app() as app:
        (run,) = app.resumed
        assert await run.result() == value
        assert (run.state, run.degraded) == (whole.state, whole.degraded)
        replayed = {span.path for span in app.spans(run) if (span.attributes or {}).get("replayed")}
    assert WORLD.calls == ["compose"]
    assert replayed == {"lookup", "pay"}


async def test_a_run_keeps_its_id_and_its_trace(lives: Lives) -> None:
    """After the interruption the same run goes on under the same trace id."""
    first: list[Run[str]] = []
    await lives.end_at("lookup", lambda app: first.append(app.start(support, "#W1")) or first[0])
    _, app = await lives.resume()
    (run,) = app.resumed
    assert (run.id, run.trace_id) == (first[0].id, first[0].trace_id)


async def test_ends_are_kept_and_not_taken_up_again(lives: Lives) -> None:
    """A run that has ended stays as it ended, also when it failed or was cancelled."""
    async with lives.app() as app:
        await app.start(support, "#W1").result()
        WORLD.fails = DeclinedError(reason="poor")
        failed = app.start(support, "#W2")
        await _end_of(failed)
        WORLD.held = {"lookup"}
        cancelled = app.start(support, "#W3")
        await WORLD.reached.wait()
        cancelled.cancel()
        await cancelled.ended()
    assert _rows(lives.path, "SELECT state FROM run ORDER BY id") == [
        ("degraded",),
        ("failed",),
        ("cancelled",),
    ]
    ends, _ = await lives.resume()
    assert ends == []


async def test_calls_of_a_body_are_answered_from_the_record(lives: Lives) -> None:
    """A body runs again, and what it had called is not called again."""
    await lives.end_at("compose", lambda app: app.start(wandering, "#W1"))
    ends, _ = await lives.resume()
    assert ends == ["paid old"]
    assert WORLD.calls == ["compose"]


async def test_calls_side_by_side_are_answered_one_by_one(lives: Lives) -> None:
    """Of calls that ran side by side those that had ended are not made again."""
    await lives.end_at("lookup", lambda app: app.start(fanned, ["#W1", "#W2", "#W3"]))
    ends, _ = await lives.resume()
    assert ends == [[5, 5, 5]]


@pytest.mark.parametrize(("way", "says"), [("other", "compose"), ("less", "has ended")])
async def test_a_body_that_had_an_effect_may_not_take_another_way(
    lives: Lives, way: str, says: str
) -> None:
    """Where an effect had gone out the run waits for a person; the message names both calls."""
    await lives.end_at("compose", lambda app: app.start(wandering, "#W1"))
    WORLD.way = way
    (end,), _ = await lives.resume()
    assert isinstance(end, NeedsAttention)
    assert end.code == "diverged"
    assert "pay" in end.message
    assert says in end.message
    assert _rows(lives.path, "SELECT state, attention FROM run") == [
        ("needs_attention", "diverged")
    ]
    assert "compose" not in WORLD.calls


@pytest.mark.parametrize(
    ("way", "value", "diverges"),
    [("wait", "#W1!", False), ("other", "paid oth", True), ("less", "less", True)],
)
async def test_a_body_without_an_effect_goes_on_live(
    lives: Lives, way: str, value: str, *, diverges: bool
) -> None:
    """Where nothing had gone out the old records are dropped, and a span says so."""
    WORLD.way = "wait"
    await lives.end_at("hold", lambda app: app.start(wandering, "#W1"))
    WORLD.way = way
    (end,), app = await lives.resume()
    assert end == value
    told = [span.name for span in app.spans(app.resumed[0])]
    assert ("diverged" in told) == diverges


async def test_what_nobody_can_know_is_said(lives: Lives) -> None:
    """A lost answer of a keyed effect makes the run wait for a person, with the effect unknown."""
    WORLD.fails = ConnectionResetError("gone")
    async with lives.app() as app:
        run = app.start(support, "#W1")
        with pytest.raises(NeedsAttention, match="not known") as found:
            await run.result()
        assert (found.value.run_id, run.state) == (run.id, "needs_attention")
    assert _rows(lives.path, "SELECT state, attempts FROM effect") == [("unknown", 3)]


@pytest.mark.parametrize(
    ("failure", "state"),
    [
        (DeclinedError(reason="poor"), "failed"),
        (ConnectionRefusedError(), "failed"),
        (Failure("402", error_class=ErrorClass.QUOTA_EXHAUSTED), "failed"),
        (Failure("500", error_class=ErrorClass.TRANSIENT), "unknown"),
        (ValueError("a bug"), "unknown"),
    ],
)
async def test_only_a_proof_lets_an_effect_fail(
    lives: Lives, failure: Exception, state: str
) -> None:
    """An effect has failed only where its failure proves that nothing happened."""
    WORLD.fails = failure
    async with lives.app() as app:
        await _end_of(app.start(support, "#W1"))
    assert [row[0] for row in _rows(lives.path, "SELECT state FROM effect")] == [state]


async def test_a_run_that_ends_its_process_is_not_taken_up_for_ever(lives: Lives) -> None:
    """After so many recoveries a run waits for a person instead of ending one more process."""
    await lives.end_at("lookup", lambda app: app.start(support, "#W1"))
    for _ in range(5):
        await lives.end_at("lookup", lambda app: app.resumed[0])
    ends, _ = await lives.resume()
    assert ends == []
    assert _rows(lives.path, "SELECT state, attention FROM run") == [
        ("needs_attention", "recovery_limit")
    ]


async def test_another_process_is_refused(lives: Lives) -> None:
    """While an app drives a store no other one may."""
    async with lives.app():
        with pytest.raises(StoreLockedError):
            await lives.app().__aenter__()


async def test_an_agent_that_could_not_be_taken_up_is_not_started(lives: Lives) -> None:
    """A run is kept only of agents that the app names, since the next life has no others."""
    async with App(support, store=f"sqlite:///{lives.path}") as app:
        with pytest.raises(UsageError, match="name it in App") as refused:
            app.start(fanned, ["#W1"])
    assert refused.value.code == "unknown_agent"


async def test_a_failed_effect_fails_its_call_again(lives: Lives) -> None:
    """An effect that certainly did not happen answers the resumed call with the same failure."""
    WORLD.fails = ConnectionRefusedError()
    async with lives.app() as app:
        first = await _end_of(app.start(support, "#W1"))
    await asyncio.to_thread(_change, lives.path, "UPDATE run SET state = 'running'")
    await asyncio.to_thread(_change, lives.path, "DELETE FROM step WHERE key = 'pay'")
    WORLD.fails = None
    (again,), _ = await lives.resume()

    assert isinstance(first, FishplateError)
    assert isinstance(again, FishplateError)
    assert (again.code, again.error_class) == (first.code, first.error_class)
