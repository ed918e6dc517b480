"""Workflows that wait, and a store for their runs."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from fishplate import (
    Agent,
    App,
    Rejected,
    Run,
    TimedOut,
    agent,
    approval,
    parallel,
    route,
    sleep,
    tool,
    wait_for,
    workflow,
)
from fishplate.core.clock import FixedClock
from fishplate.core.run_context import Principal

LEAD = Principal(name="ann", roles=frozenset({"lead"}))
CALLS: list[str] = []


class Parcel(BaseModel):
    """What has arrived."""

    number: str
    is_last: bool = True


@tool(effect="keyed", key_ttl=3600, scopes=["payments:write"])
async def pay(order: str) -> str:
    """Pay."""
    CALLS.append(f"pay {order}")
    return f"paid {order}"


@agent
async def find(order: str) -> str:
    """Find an order."""
    CALLS.append(f"find {order}")
    return order


@agent
async def say_no(rejected: Rejected) -> str:
    """Tell why nothing was paid."""
    return f"{rejected.reason} by {rejected.by}: {rejected.note}"


@agent
async def take(parcel: Parcel) -> str:
    """Take a parcel."""
    return f"took {parcel.number}"


@agent
async def give_up(late: TimedOut) -> str:
    """Wait no longer."""
    return f"no {late.signal} within {late.within:g}"


@agent
async def same(text: str) -> str:
    """Say the same."""
    return text


@workflow(tools=[pay])
async def refund(order: str) -> str:
    """Pay when somebody has approved it."""
    found = await find(order)
    paid = await approval(pay(found), roles=["lead"], within=3600)
    return await route(same, say_no, on=paid)


@workflow
async def arrival(order: str) -> str:
    """Wait for a parcel."""
    await find(order)
    parcel = await wait_for("parcel", Parcel, within=60)
    return await route(take, give_up, on=parcel)


@workflow
async def later(order: str) -> str:
    """Wait an hour."""
    found = await find(order)
    await sleep(3600)
    return await same(found)


@workflow
async def beside(order: str) -> str:
    """Wait for a parcel, and meanwhile find the order."""
    parcel, _ = await parallel(wait_for("parcel", Parcel), find(order))
    return await take(parcel)


AGENTS: tuple[Agent[..., Any], ...] = (refund, arrival, later, beside)


class Store:
    """A store on the disk, and the wall clock of whoever opens it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "runs.db"
        self.clock = FixedClock(datetime(2026, 1, 1, tzinfo=UTC))

    @asynccontextmanager
    async def open(self, *agents: Agent[..., Any], takes_up: bool = True) -> AsyncGenerator[App]:
        """An app over the store."""
        app = App(*(agents or AGENTS), clock=self.clock)
        app.keep_in(f"sqlite:///{self.path}", takes_up=takes_up)
        async with app:
            yield app

    def change(self, statement: str) -> None:
        """Change what the store holds."""
        store = sqlite3.connect(self.path)
        store.execute(statement)
        store.commit()
        store.close()

    def now_ms(self) -> int:
        """The wall clock, milliseconds since 1970."""
        return int(self.clock.now().timestamp() * 1000)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the store holds."""
        store = sqlite3.connect(self.path)
        found = store.execute(query).fetchall()
        store.close()
        return found


async def waiting(run: Run[Any]) -> None:
    """Wait until a run waits."""
    async with asyncio.timeout(5):
        assert await run.ended_or_waiting() == "waiting"


async def result(run: Run[Any]) -> object:
    """The output of a run, which comes soon."""
    async with asyncio.timeout(5):
        return await run.result()
