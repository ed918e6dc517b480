"""What a run holds while a step of it waits."""

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable

from pydantic import BaseModel

from fishplate import App, agent, workflow

RUNS = 200
MOST = 12
"""Objects that a run may hold beside those of asyncio and of the body; one is the test's own."""


class Order(BaseModel):
    """What is waited with."""

    number: str


def objects_looked_at() -> int:
    """Objects that the garbage collector has to look at, without the nodes of context variables.

    How many nodes a context has depends on the hashes of its variables, and those on addresses:
    in one process of some dozens it is one more for every run.
    """
    return sum(not type(one).__name__.startswith("hamt") for one in gc.get_objects())


async def objects_held(begin: Callable[[], Awaitable[object]], gate: asyncio.Event) -> float:
    """Objects that the garbage collector has to look at for each of many that wait at a gate."""
    gc.collect()
    before = objects_looked_at()
    begun = [begin() for _ in range(RUNS)]
    await asyncio.sleep(0)
    gc.collect()
    held = objects_looked_at() - before
    gate.set()
    for one in begun:
        await one
    gate.clear()
    return held / RUNS


@agent
async def forget(order: Order) -> bool:
    """Let the input go, and wait; whether it was freed."""
    known = weakref.ref(order)
    del order
    await asyncio.sleep(0)
    return known() is None


def test_a_waiting_run_holds_few_objects() -> None:
    """Each is looked at again and again, which is most of what ten thousand waiting runs cost."""
    gate, order = asyncio.Event(), Order(number="1")

    async def wait_here(order: Order) -> Order:
        await gate.wait()
        return order

    wait = agent(wait_here, name="wait")

    @workflow
    async def waiting(order: Order) -> Order:
        return await wait.named("last")(await wait.named("first")(order))

    async def beyond_the_body() -> float:
        async with App(waiting) as app:
            bare = await objects_held(lambda: asyncio.ensure_future(wait_here(order)), gate)
            held = await objects_held(lambda: app.start(waiting, order).ended(), gate)
            return held - bare

    assert asyncio.run(beyond_the_body()) <= MOST


async def test_nothing_keeps_the_arguments_of_a_call_that_waits() -> None:
    """An input that a body has let go of is freed while the body goes on."""
    async with App(forget) as app:
        assert await forget(Order(number="1"))
        assert await app.start(forget, Order(number="2")).result()
