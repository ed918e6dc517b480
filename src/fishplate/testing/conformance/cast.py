"""What the suite runs: agents that reach the world, and workflows of them."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel

from fishplate.agents.function import agent
from fishplate.agents.tool import tool
from fishplate.core.current import current
from fishplate.core.outcome import TimedOut
from fishplate.resilience.policy import Policy
from fishplate.testing.conformance.world import world
from fishplate.workflows.compose import each, parallel, route, sleep, wait_for
from fishplate.workflows.declare import workflow

WITHIN: Final = 60.0
"""Seconds for which `delivery` waits, and `overnight` sleeps."""


class Parcel(BaseModel):
    """What a signal carries."""

    number: str


@agent
async def look(order: str) -> str:
    """Find an order."""
    await world().call("look", order)
    return order


@tool(effect="keyed", key_ttl=86_400)
async def pay(order: str) -> str:
    """Pay an order."""
    await world().call("pay", order, key=current().idempotency_key)
    return order


@agent
async def write(order: str) -> str:
    """Write the answer."""
    await world().call("write", order)
    return f"paid {order}"


@agent
async def take(parcel: Parcel) -> str:
    """Take a parcel."""
    await world().call("take", parcel.number)
    return f"took {parcel.number}"


@agent
async def give_up(late: TimedOut) -> str:
    """Wait no longer."""
    return f"no {late.signal}"


@agent
async def join(left: str, right: str) -> str:
    """Give two texts as one."""
    await world().call("join", "")
    return f"{left}, {right}"


@agent(agents=[look], tools=[pay])
async def ship(order: str) -> str:
    """Find an order and pay it, in a body."""
    return await pay(await look(order))


@agent(policy=Policy(timeout=0.02))
async def hang(order: str) -> str:
    """Find an order, and come to no end."""
    await world().call("hang", order)
    return order


@workflow(tools=[pay])
async def refund(order: str) -> str:
    """One step after the other."""
    found = await look(order)
    paid = await pay(found)
    return await write(paid)


@workflow
async def hasty(order: str) -> str:
    """A step with a time limit."""
    found = await hang(order)
    return await write(found)


@workflow
async def delivery(order: str) -> str:
    """Wait for a parcel."""
    await look(order)
    parcel = await wait_for("parcel", Parcel, within=WITHIN)
    return await route(take, give_up, on=parcel)


@workflow
async def deliveries(order: str) -> str:
    """Wait for one parcel after the other."""
    await look(order)
    first = await take(await wait_for("parcel", Parcel))
    second = await take(await wait_for("parcel", Parcel))
    return await join(first, second)


@workflow
async def overnight(order: str) -> str:
    """Sleep, then wait."""
    await look(order)
    await sleep(WITHIN)
    parcel = await wait_for("parcel", Parcel, within=WITHIN)
    return await route(take, give_up, on=parcel)


@workflow
async def ship_each(orders: list[str]) -> list[str]:
    """The same for every element."""
    return await each(ship, orders)


@workflow
async def ship_both(left: str, right: str) -> str:
    """Two branches side by side."""
    first, second = await parallel(ship(left), ship(right))
    return await join(first, second)


@agent
async def grow(size: int) -> str:
    """Give a text of that size."""
    await world().call("grow", str(size))
    return "x" * size


@tool(effect="keyed", key_ttl=86_400)
async def bill(text: str) -> int:
    """Send a text somewhere; its size."""
    await world().call("bill", str(len(text)), key=current().idempotency_key)
    return len(text)


@workflow(tools=[bill])
async def sized(size: int) -> int:
    """Hand on a text that may be large."""
    return await bill(await grow(size))


# Two releases of one body, and of the workflow that calls it.


@agent(name="handle", tools=[pay])
async def handle(order: str) -> str:
    """Pay, then finish."""
    paid = await pay(order)
    await world().call("finish", order)
    return paid


@agent(name="handle", tools=[pay])
async def handle_edited(order: str) -> str:
    """Pay, then finish in another way."""
    paid = await pay(order)
    await world().call("edited", order)
    return f"{paid}!"


@workflow(name="handling")
async def handling(order: str) -> str:
    """Call the body."""
    return await handle(order)


@workflow(name="handling")
async def handling_edited(order: str) -> str:
    """Call the edited body."""
    return await handle_edited(order)


@workflow(name="refund", tools=[pay])
async def refund_edited(order: str) -> str:
    """Another plan under the name of `refund`."""
    return await join(await write(order), order)
