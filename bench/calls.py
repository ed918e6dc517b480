"""The rows `fan-out` and `child`: many calls of one agent, side by side and one after the other."""

import asyncio
from typing import Final

from pydantic import BaseModel

from bench.budgets import Budget
from bench.orders import DOCUMENT, ORDER, Order, pack, pass_on
from bench.row import step_row
from fishplate import agent, each, workflow

ITEMS: Final = 1000
CALLS: Final = 100


class Orders(BaseModel):
    """A morning's orders."""

    orders: list[Order]


MORNING: Final = Orders(orders=[ORDER] * ITEMS)


@workflow
async def fanning(morning: Orders) -> list[Order]:
    """One agent for every item, all at the same time."""
    return await each(pack, morning.orders)


async def fan_in_fishplate(runs: int) -> None:
    """So many runs of `fanning`."""
    for _ in range(runs):
        await fanning(MORNING)


async def validated(document: dict[str, object]) -> Order:
    """One item by hand: validate it, and give it."""
    return Order.model_validate(document)


async def fan_barely(runs: int) -> None:
    """The same by hand: a task for every item."""
    for _ in range(runs):
        await asyncio.gather(*[validated(DOCUMENT) for _ in range(ITEMS)])


@agent(agents=[pack])
async def packing(order: Order) -> Order:
    """A body that calls another agent, many times."""
    for _ in range(CALLS):
        order = await pack(order)
    return order


async def call_in_fishplate(runs: int) -> None:
    """So many runs of `packing`."""
    for _ in range(runs):
        await packing(ORDER)


async def call_barely(runs: int) -> None:
    """The same by hand: validate what goes in, await the call."""
    for _ in range(runs):
        for _ in range(CALLS):
            Order.model_validate(DOCUMENT)
            await pass_on(DOCUMENT)


FAN_OUT: Final = step_row(
    "fan-out",
    fanning,
    limit=fan_barely,
    ours=fan_in_fishplate,
    runs=2,
    operations=ITEMS,
    unit="µs/item",
    budget=Budget(most=10.0, limit_there=5.5),
)
CHILD: Final = step_row(
    "child",
    packing,
    limit=call_barely,
    ours=call_in_fishplate,
    runs=20,
    operations=CALLS,
    unit="µs/call",
    budget=Budget(most=5.0, limit_there=1.2),
)
