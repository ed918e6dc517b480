"""Answers from memory: how old, for whom, and when they are forgotten."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel

from fishplate import (
    App,
    Cache,
    DeclaredError,
    Failure,
    Policy,
    Principal,
    agent,
    current,
    tool,
    workflow,
)
from fishplate.testing import FakeClock
from tests.engines.running import in_app


class Order(BaseModel):
    """An order."""

    number: str
    state: str = "open"


class Gone(DeclaredError):  # noqa: N818 -- an outcome
    """It is not there any more."""

    number: str


class Shelf:
    """A shop's shelf with agents that read and write it; counts the reads."""

    def __init__(self, ttl: float = 10) -> None:
        self.state, self.reads = "open", 0
        fresh = Policy(cache=Cache(ttl=ttl, scope="orders"))

        async def read(number: str) -> Order:
            self.reads += 1
            found = Order(number=number, state=self.state)
            if number == "slow":
                await asyncio.sleep(1)
            if number == "stale":
                current().degrade("stale", source="shelf")
            return found

        async def write(number: str, state: str) -> str:
            if state == "refused":
                raise Gone(number=number)
            self.state = state
            if state == "lost":
                raise ConnectionResetError
            return state

        self.read = agent(read, name="read", policy=fresh)
        self.write = tool(effect="idempotent", scopes=["orders:write"], errors=[Gone])(write)
        self.elsewhere = tool(effect="idempotent", scopes=["payments:write"], name="pay")(write)


def test_an_answer_is_remembered_for_its_time() -> None:
    """The trace says whether memory answered, and how old the answer was."""
    shelf, clock = Shelf(), FakeClock(datetime(2026, 1, 1, tzinfo=UTC))

    async def scenario() -> list[Any]:
        facts: list[Any] = []
        async with App(clock=clock) as app:
            for seconds in (4, 5, 1, 0):
                run = app.start(shelf.read, "1")
                await run.result()
                facts.append(dict(app.spans(run)[0].attributes or {}))
                clock.advance(seconds)
        return facts

    assert asyncio.run(scenario()) == [
        {"cache_hit": False},
        {"cache_hit": True, "cache_age": 4.0},
        {"cache_hit": True, "cache_age": 9.0},
        {"cache_hit": False},
    ]
    assert shelf.reads == 2


def test_what_is_remembered_cannot_be_changed_by_its_reader() -> None:
    """Every hit is a fresh object."""
    shelf = Shelf()

    async def scenario(app: App) -> str:
        (await shelf.read("1")).state += "!"
        (await shelf.read("1")).state += "!"
        return (await shelf.read("1")).state

    assert in_app(scenario) == "open"


def test_tenants_do_not_share_answers() -> None:
    """What one tenant asked for is nobody else's."""
    shelf = Shelf()

    async def scenario(app: App) -> int:
        for tenant in ("a", "b", "a"):
            await app.start(shelf.read, "1", principal=Principal(tenant=tenant)).result()
        return shelf.reads

    assert in_app(scenario) == 2


@pytest.mark.parametrize(
    ("change", "reads"),
    [("closed", 2), ("lost", 2), ("refused", 1)],
    ids=["done", "outcome unknown", "refused"],
)
def test_a_change_makes_the_cache_forget(change: str, reads: int) -> None:
    """Also one whose outcome nobody knows; a declared refusal has changed nothing."""
    shelf = Shelf()

    async def scenario(app: App) -> int:
        await shelf.read("1")
        if change == "closed":
            await shelf.write("1", change)
        else:
            with pytest.raises((Gone, Failure)):
                await shelf.write("1", change)
        await shelf.read("1")
        return shelf.reads

    assert in_app(scenario) == reads


def test_a_change_of_something_else_leaves_the_cache() -> None:
    """By the first word of the scope."""
    shelf = Shelf()

    async def scenario(app: App) -> int:
        await shelf.read("1")
        await shelf.elsewhere("1", "paid")
        await shelf.read("1")
        return shelf.reads

    assert in_app(scenario) == 1


def test_a_change_while_an_answer_is_made_keeps_it_from_being_remembered() -> None:
    """It may be from before the change."""
    shelf = Shelf()

    async def scenario(app: App) -> list[str]:
        reading = app.start(shelf.read, "slow")
        await asyncio.sleep(0.5)
        await shelf.write("slow", "closed")
        return [(await reading.result()).state, (await shelf.read("slow")).state]

    assert in_app(scenario) == ["open", "closed"]


def test_a_degraded_answer_is_not_remembered() -> None:
    """The next call may get a better one."""
    shelf = Shelf()

    async def scenario(app: App) -> int:
        await shelf.read("stale")
        await shelf.read("stale")
        return shelf.reads

    assert in_app(scenario) == 2


def test_a_replacement_does_not_get_the_answers_of_what_it_replaces() -> None:
    """The same name and contract, but other code."""
    shelf = Shelf()
    read = shelf.read

    @agent
    async def fake(number: str) -> Order:
        return Order(number=number, state="fake")

    @workflow
    async def flow(number: str) -> str:
        order = await read(number)
        return order.state

    cached_fake = fake.using(Policy(cache=Cache(ttl=10, scope="orders")))

    async def scenario(app: App) -> list[str]:
        variant = flow.replace(read, cached_fake)
        return [await flow("1"), await variant("1"), await flow("1")]

    assert in_app(scenario) == ["open", "fake", "open"]
