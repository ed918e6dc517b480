"""The scenario that fishplate simulates itself with: an order, from the stock to the parcel.

It has one of everything that can go wrong: reads, a fallback, calls side by side, a keyed effect
with a second way to pay, an effect that must not be repeated, a body that calls agents, is tried
again, and sometimes calls what it was not granted, a pool, and time limits around each other.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Final

from pydantic import BaseModel

from fishplate.agents.agent import AnyAgent
from fishplate.agents.function import agent
from fishplate.agents.tool import tool
from fishplate.core.current import current
from fishplate.core.errors import StepError
from fishplate.resilience.policy import Breaker, Bulkhead, Policy, Retry
from fishplate.testing.simulation.simulate import Scenario
from fishplate.testing.simulation.world import World
from fishplate.workflows.compose import parallel
from fishplate.workflows.declare import workflow

# Short times, so that breakers open, and close again, many times in a simulation.
RETRY: Final = Retry(base=0.1, cap=1.0)
BREAKER: Final = Breaker(open_for=1.0, open_cap=6.0, window=10.0)
BULKHEAD: Final = Bulkhead(12, queued=12, wait=0.5)
USUAL: Final = Policy(
    timeout=8.0, attempt_timeout=3.0, reserve=0.2, retry=RETRY, breaker=BREAKER, bulkhead=BULKHEAD
)
BRISK: Final = replace(USUAL, timeout=2.5, attempt_timeout=1.2)
ONE_IN: Final = 10
"""Of so many orders one comes from somebody who wants what nobody is granted."""


class Order(BaseModel):
    """What is bought."""

    order_id: str
    cents: int
    is_nosy: bool


class Item(BaseModel):
    """What lies in the stock."""

    order_id: str
    shelf: int


class Price(BaseModel):
    """What it costs."""

    cents: int
    is_listed: bool


class Receipt(BaseModel):
    """What was paid."""

    order_id: str
    cents: int


class Parcel(BaseModel):
    """What is on its way."""

    order_id: str
    shelf: int


class Done(BaseModel):
    """What the buyer hears."""

    order_id: str
    cents: int
    shelf: int


def _world() -> World:
    return current().resource(World)


@tool(effect="readonly", target="stock", policy=USUAL, pool="stock")
async def look_up(order: Order) -> Item:
    """Find an order's item."""
    return await _world().call(Item(order_id=order.order_id, shelf=len(order.order_id)))


@tool(effect="readonly", policy=BRISK)
async def quote(order: Order) -> Price:
    """Ask for today's price."""
    return await _world().call(Price(cents=order.cents, is_listed=False))


@agent(inline=True)
def listed(order: Order) -> Price:
    """Take the price of the list."""
    current().degrade("no_quote", source="price list")
    return Price(cents=order.cents, is_listed=True)


@tool(effect="idempotent", policy=BRISK)
async def reserve(order: Order) -> bool:
    """Set the item aside; setting it aside again changes nothing."""
    return await _world().call(bool(order.order_id))


@tool(effect="keyed", key_ttl=86_400, target="bank", policy=USUAL)
async def charge(order: Order, price: Price) -> Receipt:
    """Take the money, once for a key."""
    receipt = Receipt(order_id=order.order_id, cents=price.cents)
    key = current().idempotency_key
    return await _world().call(receipt, acts=("paid", order.order_id), key=key)


@tool(effect="at_most_once", target="cashier", policy=USUAL)
async def charge_by_hand(order: Order, price: Price) -> Receipt:
    """Take the money where nobody keeps keys."""
    receipt = Receipt(order_id=order.order_id, cents=price.cents)
    return await _world().call(receipt, acts=("paid", order.order_id))


@tool(effect="readonly", target="carrier", policy=USUAL)
async def find_route(item: Item) -> int:
    """Ask for a way to the buyer."""
    return await _world().call(item.shelf)


@tool(effect="at_most_once", target="carrier", policy=USUAL)
async def book(item: Item) -> Parcel:
    """Order a van."""
    parcel = Parcel(order_id=item.order_id, shelf=item.shelf)
    return await _world().call(parcel, acts=("sent", item.order_id))


@tool(effect="idempotent", policy=USUAL)
async def wipe(order_id: str) -> bool:
    """Delete an order; nobody is granted this."""
    return await _world().call(bool(order_id), acts=("wiped", order_id))


FORBIDDEN: Final[dict[str, AnyAgent]] = {"wipe": wipe}
"""A body finds it here, where no check of its source does."""


@agent(
    tools=[find_route, book],
    policy=Policy(timeout=15.0, retry=Retry(attempts=2, base=0.1, cap=0.5)),
)
async def ship(order: Order, item: Item) -> Parcel:
    """Send an item; tried again as long as nothing was sent."""
    if order.is_nosy:
        try:
            await FORBIDDEN["wipe"](order.order_id)
        except StepError as denied:
            current().note(denied=denied.code)
    await find_route(item)
    parcel = await book(item)
    await find_route(item)
    return parcel


@agent(inline=True)
def confirm(receipt: Receipt, parcel: Parcel) -> Done:
    """Tell the buyer."""
    return Done(order_id=parcel.order_id, cents=receipt.cents, shelf=parcel.shelf)


@workflow(version="1.0.0", tools=[look_up, quote, reserve, charge, charge_by_hand])
async def fulfil(order: Order) -> Done:
    """Sell one thing."""
    item = await look_up(order)
    price, _ = await parallel(quote.or_else(listed)(order), reserve(order))
    receipt = await charge.or_else(charge_by_hand)(order, price)
    parcel = await ship(order, item)
    return await confirm(receipt, parcel)


def _ordered(number: int, randomness: random.Random) -> tuple[object, ...]:
    is_nosy = randomness.randrange(ONE_IN) == 0
    return (Order(order_id=f"W{number}", cents=randomness.randrange(1, 10_000), is_nosy=is_nosy),)


def _is_right(arguments: tuple[object, ...], output: object) -> bool:
    (order,) = arguments
    assert isinstance(order, Order)
    return isinstance(output, Done) and output == Done(
        order_id=order.order_id, cents=order.cents, shelf=len(order.order_id)
    )


ORDERS: Final = Scenario(agent=fulfil, arguments=_ordered, expected=_is_right, pools={"stock": 20})
