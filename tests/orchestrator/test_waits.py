"""What a walk waits for: approvals, signals, time."""

import hashlib
from decimal import Decimal

import pytest
from pydantic import BaseModel, Field

from fishplate import (
    Failure,
    Rejected,
    TimedOut,
    agent,
    approval,
    route,
    sleep,
    wait_for,
    workflow,
)
from fishplate.contracts.json import canonical_json
from fishplate.core.errors import ErrorClass, JsonValue
from fishplate.orchestrator.effects import Expired, SignalEffect
from fishplate.orchestrator.machine import Machine
from tests.orchestrator.cast import (
    Order,
    charge,
    ship,
    show,
)
from tests.orchestrator.story import strand_of, told


def test_an_approval_is_bound_to_the_arguments() -> None:
    """The digest is that of the input document; after the approval exactly that call runs."""

    @workflow(tools=[charge])
    async def refund(number: str, amount: Decimal) -> str | Rejected:
        return await approval(charge(number, amount), roles=["lead", "owner"], within=60)

    [(_, asked)] = Machine(strand_of(refund, "W1", Decimal("5.50"))).take()
    document: JsonValue = {"number": "W1", "amount": "5.50"}

    assert told(refund, "W1", Decimal("5.50"), approval="yes").lines == [
        "approval: wait for charge by lead, owner within 60",
        "approval/charge: charge('W1', Decimal('5.50'))",
    ]
    assert isinstance(asked, SignalEffect)
    assert asked.digest == hashlib.sha256(canonical_json(document)).hexdigest()


@pytest.mark.parametrize(
    ("word", "rejection"),
    [
        (Rejected(reason="rejected", by="ann"), Rejected(reason="rejected", by="ann")),
        (Expired(), Rejected(reason="expired")),
    ],
)
def test_an_approval_that_is_not_given_is_a_value(word: object, rejection: Rejected) -> None:
    """The call does not run; the rejection goes on as the step's value."""

    @workflow(tools=[charge])
    async def refund(number: str) -> str | Rejected:
        return await approval(charge(number, Decimal(1)), roles=["lead"], within=60)

    story = told(refund, "W1", approval=word)

    assert len(story.lines) == 1
    assert story.result == rejection


def test_an_approved_call_keeps_its_fallback() -> None:
    """What is configured on the call holds after the approval too."""

    @agent(inline=True)
    def by_hand(number: str, amount: Decimal) -> str:
        return "by hand"

    @workflow(tools=[charge])
    async def refund(number: str) -> str | Rejected:
        call = charge.or_else(by_hand)(number, Decimal(1))
        return await approval(call, roles=["lead"], within=60)

    overload = Failure("busy", error_class=ErrorClass.OVERLOAD)
    story = told(refund, "W1", approval="yes", charge=overload)

    assert story.lines[-1].startswith("approval/charge|by_hand: by_hand('W1'")
    assert story.result == "by hand"


def test_a_signal_gives_what_it_carries() -> None:
    """The wait is named and timed; its value goes on like any other."""

    @workflow
    async def wait(number: int) -> str:
        order = await wait_for("arrived", Order)
        return await ship(order)

    story = told(wait, 1, wait_for=Order(number="W3"))

    assert story.lines[0] == "wait_for: wait for arrived within None"
    assert story.result == "shipped W3"


def test_a_signal_that_does_not_come_is_a_value() -> None:
    """Without a default the union holds `TimedOut`, which is routed."""

    @agent(inline=True)
    def give_up(late: TimedOut) -> str:
        return f"no {late.signal} within {late.within:g}"

    @workflow
    async def wait(number: int) -> str:
        order = await wait_for("arrived", Order, within=30)
        return await route(ship, give_up, on=order)

    assert told(wait, 1, wait_for=Expired()).result == "no arrived within 30"


def test_a_signal_with_a_default_gives_the_default() -> None:
    """The default stands for the signal, typed like it for the next step."""

    class Arrival(BaseModel):
        order_number: str = Field(alias="orderNumber")

    @agent(inline=True)
    def tell(number: str) -> str:
        return f"arrived {number}"

    @workflow
    async def wait(number: int) -> str:
        default = Arrival(orderNumber="none")
        arrival = await wait_for("arrived", Arrival, within=30, default=default)
        return await tell(arrival.order_number)

    assert told(wait, 1, wait_for=Expired()).result == "arrived none"
    assert told(wait, 1, wait_for=Arrival(orderNumber="W7")).result == "arrived W7"


def test_a_sleep_asks_for_its_seconds() -> None:
    """Nothing comes back from it."""

    @workflow
    async def slow(number: int) -> str:
        await sleep(2.5)
        return await show(number)

    assert told(slow, 1).lines == ["sleep: sleep 2.5", "show: show(1)"]
