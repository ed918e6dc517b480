"""What was done is undone: by an operator's word, or because its agent failed."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from fishplate import (
    App,
    DeclaredError,
    Policy,
    Principal,
    Retry,
    Run,
    agent,
    current,
    tool,
    workflow,
)
from fishplate.core.clock import SystemClock
from fishplate.core.errors import FishplateError, NeedsAttention, UsageError
from fishplate.journal.inbox import Action, Request
from fishplate.journal.sending import send

ONCE = Policy(retry=Retry(attempts=1))


class World:
    """What happens outside of the runs.

    Attributes:
        done: What was done and undone, in order.
        fails: What undoing the step of that name raises.
        holds: Whether undoing never comes to its end.
        keys: Keys under which something was undone, in order.
    """

    def __init__(self) -> None:
        self.done: list[str] = []
        self.fails: dict[str, Exception] = {}
        self.holds = False
        self.keys: list[str] = []
        self.reached = asyncio.Event()


WORLD = World()


@pytest.fixture(autouse=True)
def _fresh() -> None:
    WORLD.__init__()  # type: ignore[misc]  # a fresh world for the tools, which know this one


class SoldOutError(DeclaredError):
    """There is no room."""


@tool(effect="keyed", key_ttl=3600, policy=ONCE)
async def release(city: str, result: int) -> None:
    """Give a room back: what was booked, and under which number."""
    WORLD.keys.append(current().idempotency_key)
    WORLD.done.append(f"release {city} {result}")
    if WORLD.holds:
        WORLD.reached.set()
        await asyncio.get_running_loop().create_future()
    if city in WORLD.fails:
        raise WORLD.fails[city]


@tool(effect="keyed", key_ttl=3600, compensate=release, errors=[SoldOutError], policy=ONCE)
async def book(city: str, nights: int) -> int:
    """Book a room; its number."""
    if city == "Rome":
        raise SoldOutError
    WORLD.done.append(f"book {city}")
    return nights * 100


@agent(tools=[book], errors=[SoldOutError], on_failure="compensate")
async def tour(cities: list[str]) -> list[int]:
    """Book rooms in several cities, or none."""
    return [await book(city, nights) for nights, city in enumerate(cities, 1)]


@agent
async def both(first: int, second: int) -> int:
    """Take both."""
    return first + second


@workflow(tools=[book], errors=[SoldOutError], on_failure="compensate")
async def trip(first: str, second: str) -> int:
    """Book two rooms, or none."""
    await_first = await book(first, 1)
    return await both(await_first, await book(second, 2))


@workflow(errors=[SoldOutError])
async def around(cities: list[str]) -> list[int]:
    """A tour within a workflow, which has not failed itself."""
    return await tour(cities)


@agent(tools=[book], errors=[SoldOutError])
async def keep(city: str) -> int:
    """Book a room."""
    return await book(city, 1)


@workflow(errors=[SoldOutError])
async def booked(city: str) -> int:
    """Book a room, for good."""
    return await keep(city)


class Lives:
    """The lives of a process that drives one store."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "runs.db"

    def app(self) -> App:
        """An app over the store."""
        return App(tour, trip, around, booked, store=f"sqlite:///{self.path}")

    async def settled(self) -> None:
        """Live until nothing more can be done."""
        async with self.app() as app:
            await app.settled()

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the store holds."""
        return await asyncio.to_thread(self._rows, query)

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        store = sqlite3.connect(self.path)
        found = store.execute(query).fetchall()
        store.close()
        return found

    async def states(self) -> list[str]:
        """States of the effects that were asked for, in the order in which they were completed."""
        query = "SELECT state FROM effect WHERE undoes IS NULL ORDER BY completed"
        return [state for (state,) in await self.rows(query)]

    async def decide(self, action: Action, key: str) -> None:
        """Decide something as `ann`."""
        clock = SystemClock()

        def ask() -> None:
            send(
                self.path,
                Request(action, key, Principal(name="ann"), details={"outcome": None}),
                now_ms=lambda: int(clock.now().timestamp() * 1000),
                pause=time.sleep,
            )

        await asyncio.to_thread(ask)


@pytest.fixture
def lives(tmp_path: Path) -> Lives:
    """The lives of a process."""
    return Lives(tmp_path)


async def _end_of(run: Run[Any]) -> object:
    try:
        return await run.result()
    except (FishplateError, DeclaredError) as error:
        return error


async def test_an_agent_that_fails_undoes_what_it_did_last_first(lives: Lives) -> None:
    """Each effect is undone with its own arguments and its own result."""
    async with lives.app() as app:
        end = await _end_of(app.start(tour, ["Paris", "Oslo", "Rome"]))

    assert isinstance(end, SoldOutError)
    assert WORLD.done == ["book Paris", "book Oslo", "release Oslo 200", "release Paris 100"]
    assert await lives.states() == ["failed", "compensated", "compensated"]
    assert await lives.rows("SELECT state FROM run") == [("failed",)]


async def test_a_workflow_undoes_what_its_steps_did(lives: Lives) -> None:
    """The same for the steps of a plan; a run that succeeds undoes nothing."""
    async with lives.app() as app:
        good = await app.start(trip, "Paris", "Oslo").result()
        end = await _end_of(app.start(trip, "Bern", "Rome"))

    assert good == 300
    assert isinstance(end, SoldOutError)
    assert WORLD.done == ["book Paris", "book Oslo", "book Bern", "release Bern 100"]


async def test_a_step_that_fails_undoes_what_it_did(lives: Lives) -> None:
    """The declaration holds wherever the agent is called, not only for a run of its own."""
    async with lives.app() as app:
        end = await _end_of(app.start(around, ["Paris", "Rome"]))

    assert isinstance(end, SoldOutError)
    assert WORLD.done == ["book Paris", "release Paris 100"]
    assert await lives.rows("SELECT state, attention FROM run") == [("failed", None)]


@pytest.mark.parametrize("start", [tour, around])
async def test_what_cannot_be_undone_needs_attention(lives: Lives, start: Any) -> None:
    """It stops there; when an operator has it tried again, the rest is undone too."""
    WORLD.fails["Oslo"] = ConnectionRefusedError()
    async with lives.app() as app:
        end = await _end_of(app.start(start, ["Paris", "Oslo", "Rome"]))
        before = await lives.states()
        attention = await lives.rows("SELECT state, attention FROM run")
        WORLD.fails.clear()
        [(key,)] = await lives.rows("SELECT key FROM effect WHERE state = 'compensation_failed'")
        await lives.decide("compensate", key)
        await app.settled()
        await app.settled()

    assert isinstance(end, NeedsAttention)
    assert end.code == "compensation_failed"
    assert before == ["failed", "compensating", "compensation_failed"]
    assert attention == [("needs_attention", "compensation_failed")]
    assert await lives.states() == ["failed", "compensated", "compensated"]
    assert await lives.rows("SELECT state, attention FROM run") == [("failed", None)]
    assert await lives.rows("SELECT principal, action FROM audit") == [("ann", "compensate")]


async def test_a_compensation_goes_on_in_the_next_life(lives: Lives) -> None:
    """What was on its way is repeated under its key, and what was to come follows."""
    WORLD.holds = True
    async with lives.app() as app:
        app.start(tour, ["Paris", "Oslo", "Rome"])
        await WORLD.reached.wait()
    WORLD.holds = False
    before = await lives.states()
    await lives.settled()

    assert before == ["failed", "compensating", "compensating"]
    assert WORLD.done[2:] == ["release Oslo 200", "release Oslo 200", "release Paris 100"]
    assert WORLD.keys[0] == WORLD.keys[1] != WORLD.keys[2]
    assert await lives.states() == ["failed", "compensated", "compensated"]
    assert await lives.rows("SELECT state FROM run") == [("failed",)]


async def test_a_lost_answer_of_a_compensation_is_unknown(lives: Lives) -> None:
    """Nobody takes it for done or for failed; what a person finds out brings it to its end."""
    WORLD.fails["Paris"] = ConnectionResetError()
    async with lives.app() as app:
        end = await _end_of(app.start(tour, ["Paris", "Rome"]))
        before = await lives.rows("SELECT state FROM effect ORDER BY state")
        [(key,)] = await lives.rows("SELECT key FROM effect WHERE state = 'unknown'")
        await lives.decide("confirm_done", key)
        await app.settled()

    assert isinstance(end, NeedsAttention)
    assert before == [("compensating",), ("failed",), ("unknown",)]
    assert WORLD.done == ["book Paris", "release Paris 100"]
    assert await lives.states() == ["failed", "compensated"]


async def test_an_operator_undoes_what_a_run_did(lives: Lives) -> None:
    """It really happens, once, as an effect of its own; the run stays what it is."""
    async with lives.app() as app:
        await app.start(booked, "Paris").result()
    [(key,)] = await lives.rows("SELECT key FROM effect")
    await lives.decide("compensate", key)
    await lives.settled()
    await lives.settled()

    assert WORLD.done == ["book Paris", "release Paris 100"]
    assert await lives.rows("SELECT tool, state, undoes IS NULL FROM effect ORDER BY tool") == [
        ("book", "compensated", 1),
        ("release", "succeeded", 0),
    ]
    assert await lives.rows("SELECT state FROM run") == [("succeeded",)]


async def test_what_is_declared_to_be_undone_needs_a_store() -> None:
    """In memory nobody keeps what was done, so that nothing is promised."""
    async with App(booked) as app:
        with pytest.raises(UsageError) as refused:
            app.start(tour, ["Paris"])

    assert refused.value.code == "no_store"
