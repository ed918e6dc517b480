"""Stand-ins answer in the place of others, and keep their contracts."""

from decimal import Decimal

import pytest
from pydantic import BaseModel

from fishplate import Agent, App, DeclaredError, OutputError, UsageError, agent, tool, workflow
from fishplate.core.errors import JsonValue
from fishplate.testing import stand_in, with_stand_ins


class Price(BaseModel):
    """What something costs."""

    amount: Decimal
    notes: list[str] = []


@tool(effect="keyed", key_ttl=60, scopes=["payments:write"])
async def pay(price: Price) -> str:
    """Pay."""
    return f"really paid {price.amount}"


@agent
async def price_of(item: str) -> Price:
    """Look a price up."""
    return Price(amount=Decimal(len(item)))


@agent(agents=[price_of], tools=[pay])
async def buy(item: str) -> str:
    """Buy, in plain Python."""
    price = await price_of(item)
    price.notes.append("changed by its taker")
    return await pay(price)


@workflow
async def purchase(item: str) -> str:
    """Buy, as a step of a workflow."""
    return await buy(item)


async def test_a_stand_in_gives_typed_values() -> None:
    """The JSON of a stand-in arrives as the objects that the contract speaks of."""
    double = stand_in(price_of, {"amount": "12.50", "notes": []})

    assert await double("anything") == Price(amount=Decimal("12.50"))


async def test_a_stand_in_gives_a_new_object_each_time() -> None:
    """What one caller does to the answer, the next one does not see."""
    double = stand_in(price_of, {"amount": "1", "notes": []})
    first = await double("a")
    first.notes.append("mine")

    assert (await double("b")).notes == []


async def test_a_stand_in_of_a_tool_has_no_effect() -> None:
    """Outside of an app, where no effect is allowed, the stand-in of a tool still answers."""
    double = stand_in(pay, "as if")

    assert double.about.effect is not None
    assert double.about.effect.is_readonly
    assert await double(Price(amount=Decimal(1))) == "as if"


@pytest.mark.parametrize(
    ("output", "pointer"),
    [({"amount": "x", "notes": []}, "/amount"), ({"amount": "1"}, ""), (5, "")],
)
def test_a_stand_in_keeps_the_contract(output: JsonValue, pointer: str) -> None:
    """What the contract does not promise is refused with its pointer; defaults are written out."""
    with pytest.raises(OutputError) as refused:
        stand_in(price_of, output)

    assert refused.value.pointer == pointer


def test_a_stand_in_is_another_release() -> None:
    """Two stand-ins with different answers do not pass for the same agent."""
    release = price_of.release
    one = stand_in(price_of, {"amount": "1", "notes": []}).release
    two = stand_in(price_of, {"amount": "2", "notes": []}).release

    assert len({release.fingerprint, one.fingerprint, two.fingerprint}) == 3
    assert release.contract == one.contract == two.contract


@pytest.mark.parametrize("target", [buy, purchase])
async def test_stand_ins_reach_what_bodies_call(target: Agent[[str], str]) -> None:
    """A stand-in replaces an agent or tool at any depth, in workflows and in plain agents."""
    exchanged = with_stand_ins(target, {"pay": "as if"})
    async with App() as app:
        assert await app.start_json(exchanged, {"item": "book"}).result() == "as if"


async def test_the_original_stays_as_it_was() -> None:
    """Exchanging makes a new agent."""
    with_stand_ins(buy, {"pay": "as if"})
    async with App():
        assert await buy("book") == "really paid 4"


def test_a_name_that_nobody_calls_is_refused() -> None:
    """A misspelled stand-in would otherwise let the real agent run."""
    with pytest.raises(UsageError, match="does not call 'payy'; it may call: pay, price_of"):
        with_stand_ins(buy, {"payy": "as if"})


def test_a_stand_in_that_is_out_of_reach_is_refused() -> None:
    """A stand-in below another one would never answer."""
    with pytest.raises(UsageError, match="nobody calls 'pay' once its callers have stand-ins"):
        with_stand_ins(purchase, {"buy": "bought", "pay": "as if"})


class SoldOut(DeclaredError):  # noqa: N818 -- it is an outcome too
    """Nothing is left."""

    item: str


def test_a_stand_in_raises_only_what_its_agent_declares() -> None:
    """The contract that a stand-in keeps has errors too."""
    with pytest.raises(UsageError, match="'price_of' does not declare 'SoldOut'") as refused:
        stand_in(price_of, SoldOut(item="pen"))

    assert refused.value.code == "undeclared_error"
