"""Calls of bodies that were refused: they leave no record, and a run goes on past them."""

import asyncio
from pathlib import Path

import pytest
from pydantic import BaseModel, Field

from fishplate import App, StepError, agent, current, tool
from fishplate.agents.agent import AnyAgent
from fishplate.core.errors import InputError, NeedsAttention


class Parcel(BaseModel):
    """What is sent; it weighs something."""

    grams: int = Field(gt=0)


class Dock:
    """What happens outside of the runs.

    Attributes:
        sent: What has left.
        asks: What `packing` asks for first: `wipe`, `air`, `label`; `nothing`: for nothing.
        is_shut: Whoever waits at the gate does so for ever.
    """

    def __init__(self) -> None:
        self.sent: list[int] = []
        self.asks = "wipe"
        self.is_shut = True
        self.reached = asyncio.Event()


@tool(effect="idempotent")
async def wipe(grams: int) -> bool:
    """Delete everything; nobody is granted this."""
    current().resource(Dock).sent.append(-grams)
    return True


@tool(effect="at_most_once")
async def send(parcel: Parcel) -> int:
    """Send a parcel."""
    current().resource(Dock).sent.append(parcel.grams)
    return parcel.grams


@agent
async def gate() -> bool:
    """Wait until the gate is open."""
    dock = current().resource(Dock)
    dock.reached.set()
    if dock.is_shut:
        await asyncio.get_running_loop().create_future()
    return True


UNCHECKED: dict[str, AnyAgent] = {"wipe": wipe, "send": send}
"""A body finds them here, where no check of its source does."""


@agent(agents=[gate], tools=[send])
async def packing(grams: int) -> str:
    """Ask for something that is refused, then send a parcel, then wait at the gate."""
    asks, refusal = current().resource(Dock).asks, "none"
    try:
        if asks == "wipe":
            await UNCHECKED["wipe"](grams)
        elif asks == "air":
            await UNCHECKED["send"]({"grams": 0})
    except (StepError, InputError) as error:
        refusal = error.code
    await send(Parcel(grams=grams))
    await gate()
    return refusal


class Lives:
    """The lives of a process that drives one store."""

    def __init__(self, folder: Path) -> None:
        self.dock = Dock()
        self._store = f"sqlite:///{folder / 'runs.db'}"

    def app(self) -> App:
        """An app over the store."""
        return App(packing, store=self._store, resources={Dock: lambda: self.dock})

    async def end_at_the_gate(self) -> None:
        """Live until the parcel is sent, and end in good order."""
        async with self.app() as app:
            app.start(packing, 5)
            await self.dock.reached.wait()
        self.dock.is_shut = False


@pytest.fixture
def lives(tmp_path: Path) -> Lives:
    """The lives of a process that drives one store."""
    return Lives(tmp_path)


@pytest.mark.parametrize(("asks", "code"), [("wipe", "not_granted"), ("air", "invalid_input")])
async def test_a_run_goes_on_past_a_refused_call(lives: Lives, asks: str, code: str) -> None:
    """A body that answers a refusal takes the same way again, and nothing is sent twice."""
    lives.dock.asks = asks
    await lives.end_at_the_gate()

    async with lives.app() as app:
        assert await app.resumed[0].result() == code

    assert lives.dock.sent == [5]


async def test_a_refused_call_in_the_place_of_another_is_another_way(lives: Lives) -> None:
    """Where a body had an effect, and now is refused something else, a person decides."""
    lives.dock.asks = "nothing"
    await lives.end_at_the_gate()
    lives.dock.asks = "wipe"

    async with lives.app() as app:
        with pytest.raises(NeedsAttention) as found:
            await app.resumed[0].result()

    assert found.value.code == "diverged"
    assert lives.dock.sent == [5]
