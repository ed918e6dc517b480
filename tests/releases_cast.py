"""Agents and workflows of several releases, under the same names; see `test_releases_change`."""

from __future__ import annotations

import asyncio
from typing import Literal

from pydantic import BaseModel, Field

from fishplate import agent, current, route, struct, tool, workflow


class World:
    """What happens outside of the runs.

    Attributes:
        calls: What ran, in order.
        held: Names of what waits for ever.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.held: set[str] = set()
        self.reached = asyncio.Event()

    async def call(self, name: str) -> None:
        """Be called, and wait for ever if the test wants that."""
        self.calls.append(name)
        if name in self.held:
            self.reached.set()
            await asyncio.get_running_loop().create_future()


WORLD = World()


class Small(BaseModel):
    """An order that anybody may refund."""

    kind: Literal["small"] = "small"
    order_id: str = Field(alias="orderId")
    cents: int


class Large(BaseModel):
    """An order that is looked at first."""

    kind: Literal["large"] = "large"
    order_id: str = Field(alias="orderId")


class Note(BaseModel):
    """What the answer is written from."""

    order: str
    text: str


@agent
async def look(order_id: str) -> Small | Large:
    """Find an order."""
    await WORLD.call("look")
    return Small(orderId=order_id, cents=5)


@tool(effect="keyed", key_ttl=3600, scopes=["payments:write"])
async def pay(order_id: str, cents: int) -> str:
    """Pay."""
    await WORLD.call("pay")
    return f"{cents} for {order_id}"


@agent(tools=[pay])
async def refund(order: Small) -> str:
    """Refund an order."""
    paid = await pay(order.order_id, order.cents)
    await WORLD.call("refund")
    return paid


@agent
async def review(order: Large) -> str:
    """Hand an order to somebody."""
    await WORLD.call("review")
    return f"looking at {order.order_id}"


@agent
async def write(note: Note) -> str:
    """Write the answer."""
    await WORLD.call("write")
    return f"{note.order}: {note.text}"


@workflow(name="answer")
async def answer(order_id: str) -> str:
    """Answer about an order."""
    order = await look(order_id)
    text = await route(refund, review, on=order)
    return await write(struct(Note, order=order.order_id, text=text))


@workflow(name="support")
async def support(order_id: str) -> str:
    """Answer by another workflow."""
    return await answer(order_id)


# The next release: other steps in another order; the agents are the same ones.


@agent
async def greet(order_id: str) -> str:
    """Be friendly."""
    await WORLD.call("greet")
    return f"Dear {order_id}"


@workflow(name="answer")
async def short_answer(order_id: str) -> str:
    """Do no more than greet."""
    return await greet(order_id)


@workflow(name="support")
async def short_support(order_id: str) -> str:
    """Greet by another workflow, then greet again."""
    greeting = await short_answer(order_id)
    return await greet.named("again")(greeting)


# Agents that have changed in a way that nobody has to know of.


@agent(name="look", version="1.1.0")
async def look_longer(order_id: str) -> Small | Large:
    """Find an order with more care."""
    await WORLD.call("look")
    await asyncio.sleep(0)
    return Small(orderId=order_id, cents=5)


@agent(name="write", version="1.1.0")
async def write_better(note: Note) -> str:
    """Write a better answer."""
    await WORLD.call("write")
    return f"About {note.order}: {note.text}"


@workflow(name="answer")
async def better_answer(order_id: str) -> str:
    """Greet, and answer about an order."""
    greeting = await greet(order_id)
    order = await look_longer(greeting)
    text = await route(refund, review, on=order)
    return await write_better(struct(Note, order=order.order_id, text=text))


# Agents that have changed in a way that lets no old run go on.


class Signed(BaseModel):
    """What the answer is written from, with a signature."""

    order: str
    text: str
    signed: str


@agent(name="write", version="2.0.0")
async def write_signed(note: Signed) -> str:
    """Write an answer that somebody signs."""
    await WORLD.call("write")
    return f"{note.order}: {note.text}, {note.signed}"


@workflow(name="answer")
async def signed_answer(order_id: str) -> str:
    """Answer with a signature."""
    order = await look(order_id)
    text = await route(refund, review, on=order)
    return await write_signed(struct(Signed, order=order.order_id, text=text, signed="Ann"))


@tool(name="pay", effect="keyed", key_ttl=3600, scopes=["payments:write", "books:write"])
async def pay_and_book(order_id: str, cents: int) -> str:
    """Pay, and write into the books."""
    await WORLD.call("pay")
    return f"{cents} for {order_id}"


@agent(name="refund", tools=[pay_and_book])
async def refund_booked(order: Small) -> str:
    """Refund an order by a tool that may do more."""
    paid = await pay_and_book(order.order_id, order.cents)
    await WORLD.call("refund")
    return paid


@workflow(name="answer")
async def booked_answer(order_id: str) -> str:
    """Answer, and write into the books."""
    order = await look(order_id)
    text = await route(refund_booked, review, on=order)
    return await write(struct(Note, order=order.order_id, text=text))


@agent(name="refund", tools=[pay])
async def refund_otherwise(order: Small) -> str:
    """Refund an order by the same call in another body."""
    paid = await pay(order.order_id, order.cents)
    await WORLD.call("refund")
    return f"{paid}."


@workflow(name="answer")
async def otherwise_answer(order_id: str) -> str:
    """Answer by another body."""
    order = await look(order_id)
    text = await route(refund_otherwise, review, on=order)
    return await write(struct(Note, order=order.order_id, text=text))


@agent(agents=[greet])
async def telling(order_id: str) -> list[str]:
    """Ask for the time, an id and a number before, between and after calls."""
    first = current().now()
    again = current().now()
    await greet(order_id)
    between = current().now()
    await greet.named("again")(order_id)
    await WORLD.call("telling")
    last = current().now()
    ids = [current().uuid().hex, str(current().random.random())]
    return [first.isoformat(), again.isoformat(), between.isoformat(), last.isoformat(), *ids]
