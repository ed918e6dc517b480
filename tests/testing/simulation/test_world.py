"""The world does to a call what its rates say, and counts what the call has done."""

import asyncio
import random

import pytest

from fishplate import Agent, App, FishplateError, agent, current, tool
from fishplate.app import RunState
from fishplate.testing import VirtualClock, run_in_virtual_time
from fishplate.testing.simulation import FaultRates, World
from fishplate.testing.simulation.world import RUN

Seen = tuple[RunState, World]


@tool(effect="at_most_once", target="post")
async def post(letter: str) -> str:
    """Send a letter, whoever sent it before."""
    return await current().resource(World).call(letter, acts=("posted", letter))


@tool(effect="keyed", key_ttl=60, target="bank")
async def pay(letter: str) -> str:
    """Pay, under a key that is the letter's."""
    return await current().resource(World).call(letter, acts=("paid", letter), key=letter)


@agent(tools=[post, pay])
async def twice(letter: str) -> str:
    """Do everything twice."""
    await post(letter)
    await post(letter)
    await pay(letter)
    return await pay(letter)


def lived(rates: FaultRates, unit: Agent[[str], str] = post, *, is_calm: bool = False) -> Seen:
    """Run an agent in a world with these rates; how the run ended, and the world."""

    async def scenario() -> Seen:
        world = World(random.Random(1), rates)
        world.is_calm = is_calm
        RUN.set(0)
        async with App(
            clock=VirtualClock(), resources={World: lambda: world}, working_time=30
        ) as app:
            started = app.start(unit, "hello")
            return await started.ended(), world

    return run_in_virtual_time(scenario())


def test_a_key_is_acted_on_once() -> None:
    """An effect is counted every time that it happens, and with a key it happens once."""
    state, world = lived(FaultRates(), twice)

    assert state == "succeeded"
    assert world.effects == {("posted", "hello"): 2, ("paid", "hello"): 1}


def test_a_lost_answer_has_acted() -> None:
    """The effect happened, and the call failed."""
    state, world = lived(FaultRates(loses=1))

    assert (state, world.effects) == ("failed", {("posted", "hello"): 1})
    assert [(call.fault, call.ending) for call in world.calls] == [("loses", "failed")]


def test_garbage_has_acted_and_breaks_the_contract() -> None:
    """The effect happened, the target has answered, and the run failed."""
    state, world = lived(FaultRates(garbles=1))

    assert (state, world.effects) == ("failed", {("posted", "hello"): 1})
    assert [(call.fault, call.ending) for call in world.calls] == [("garbles", "answered")]


def test_a_call_that_hangs_ends_when_it_is_cancelled() -> None:
    """It runs until the time of its step is over: ten seconds for a tool with a target."""
    state, world = lived(FaultRates(hangs=1))

    (call,) = world.calls
    assert (state, call.ending, call.ended) == ("failed", "cancelled", 10)


@pytest.mark.parametrize("kind", ["fails", "loses", "hangs", "slows", "garbles", "lingers"])
def test_nothing_goes_wrong_in_calm(kind: str) -> None:
    """Once the world is calm no rate counts."""
    state, world = lived(FaultRates(**{kind: 1.0}), is_calm=True)

    assert state == "succeeded"
    assert [call.fault for call in world.calls] == ["none"]


def test_a_target_is_down_for_its_share_of_the_time() -> None:
    """Outages come and go; what is rated at a fifth fails a fifth of the time, about."""

    async def scenario() -> float:
        world = World(random.Random(3), FaultRates(down=0.2))
        RUN.set(0)
        down = 0
        async with App(
            clock=VirtualClock(), resources={World: lambda: world}, working_time=9_999
        ) as app:
            for number in range(400):
                await asyncio.sleep(1)
                try:
                    await asyncio.wait_for(app.start(post, str(number)).result(), 0.5)
                except (FishplateError, TimeoutError):
                    down += world.calls[-1].fault.startswith("down")
        return down / 400

    assert 0.1 < run_in_virtual_time(scenario()) < 0.3
