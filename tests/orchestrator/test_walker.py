"""What a walk asks for, form by form: keys, arguments, order, decisions."""

import dataclasses
import hashlib
from decimal import Decimal
from enum import Enum
from typing import Literal, NotRequired

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from fishplate import (
    DeclaredError,
    Failure,
    Rejected,
    StepError,
    TimedOut,
    agent,
    approval,
    each,
    parallel,
    repeat,
    route,
    sleep,
    switch,
    tool,
    wait_for,
    when,
    workflow,
)
from fishplate.contracts.json import canonical_json
from fishplate.core.errors import ErrorClass, JsonValue
from fishplate.orchestrator.compile import compile_workflow
from fishplate.orchestrator.effects import Expired, SignalEffect
from fishplate.orchestrator.machine import Machine
from fishplate.orchestrator.walker import walk
from fishplate.workflows.plan import RouteStep
from tests.orchestrator.story import strand_of, told


class Order(BaseModel):
    """An order."""

    kind: Literal["order"] = "order"
    number: str


class Refund(BaseModel):
    """A refund."""

    kind: Literal["refund"] = "refund"
    number: str
    amount: Decimal = Decimal(5)


class Basket(BaseModel):
    """Some orders."""

    orders: list[Order]


class Draft(BaseModel):
    """A text that gets better."""

    text: str
    done: bool = False


class Speed(Enum):
    """How fast."""

    FAST = "fast"
    SLOW = "slow"


@agent(inline=True)
def double(number: int) -> int:
    """Twice the number."""
    return number * 2


@agent(inline=True)
def add(first: int, second: int) -> int:
    """The sum."""
    return first + second


@agent(inline=True)
def show(number: int) -> str:
    """The number as text."""
    return str(number)


@agent(inline=True)
def ship(order: Order) -> str:
    """Ship an order."""
    return f"shipped {order.number}"


@agent(inline=True)
def pay(refund: Refund) -> str:
    """Pay a refund."""
    return f"paid {refund.number}"


@agent(inline=True)
def sort_out(text: str) -> Order | Refund:
    """Tell orders and refunds apart."""
    return Refund(number=text) if text.startswith("R") else Order(number=text)


@agent(inline=True)
def improve(draft: Draft) -> Draft:
    """Add a letter; three are enough."""
    text = draft.text + "x"
    return Draft(text=text, done=len(text) >= 3)


@tool(effect="keyed", key_ttl=60, inline=True)
def charge(number: str, amount: Decimal) -> str:
    """Charge money."""
    return f"charged {amount} for {number}"


def test_calls_run_in_program_order_under_their_names() -> None:
    """A step is keyed by its agent; the second one of a name in a block is `~2`."""

    @workflow
    async def chain(number: int) -> str:
        first = await double(number)
        second = await double(first)
        total = await add(first, second=second)
        return await show.named("spelled")(total)

    story = told(chain, 3)

    assert story.lines == [
        "double: double(3)",
        "double~2: double(6)",
        "add: add(6, 12)",
        "spelled: show(18)",
    ]
    assert story.result == "18"


def test_a_route_takes_the_branch_of_the_members_type() -> None:
    """The decision names the member and the alternatives; the branch gets the member."""

    @workflow
    async def support(text: str) -> str:
        what = await sort_out(text)
        return await route(ship, pay, on=what)

    order, refund = told(support, "W1"), told(support, "R1")

    assert order.lines[1:] == [
        "route: route -> Order",
        "route/ship: ship(Order(kind='order', number='W1'))",
    ]
    assert refund.result == "paid R1"


def test_a_branch_with_when_uses_other_values_too() -> None:
    """`when` binds the member, and reaches what stands outside."""

    @agent(inline=True)
    def note(refund: Refund, text: str) -> str:
        return f"{text}: {refund.number}"

    @workflow
    async def support(text: str) -> str:
        what = await sort_out(text)
        return await route(ship, when(Refund, lambda refund: note(refund, text)), on=what)

    story = told(support, "R2")

    assert story.lines[2].startswith("route/note: note(Refund(")
    assert story.result == "R2: R2"


def test_a_route_knows_members_that_are_no_classes() -> None:
    """Typed dictionaries are told apart by their schemas."""

    class Parcel(TypedDict):
        parcel: str
        weight: NotRequired[int]

    class Letter(TypedDict):
        letter: str

    @agent(inline=True)
    def take(text: str) -> Parcel | Letter:
        return {"letter": text} if text else {"parcel": text}

    @agent(inline=True)
    def carry(parcel: Parcel) -> str:
        return "by van"

    @agent(inline=True)
    def post(letter: Letter) -> str:
        return "by post"

    @workflow
    async def send(text: str) -> str:
        what = await take(text)
        return await route(carry, post, on=what)

    assert told(send, "hello").result == "by post"
    assert told(send, "").result == "by van"


def test_a_route_takes_none_and_plain_types() -> None:
    """An optional value and a union of plain types are routed like any other."""

    @agent(inline=True)
    def find(text: str) -> int | str | None:
        return int(text) if text.isdigit() else text or None

    @agent(inline=True)
    def of_text(text: str) -> str:
        return f"text {text}"

    @agent(inline=True)
    def nothing(gap: None) -> str:
        return "nothing"

    @workflow
    async def describe(text: str) -> str:
        found = await find(text)
        return await route(show, of_text, nothing, on=found)

    assert [told(describe, text).result for text in ("7", "a", "")] == ["7", "text a", "nothing"]


def test_a_caught_error_is_routed_by_its_class() -> None:
    """A declared error that became a value is a member like the others."""

    class NotFound(DeclaredError):  # noqa: N818 -- an outcome
        number: str

    @agent(inline=True, errors=[NotFound])
    def look_up(number: str) -> Order:
        raise NotFound(number=number)

    @agent(inline=True)
    def apologise(error: NotFound) -> str:
        return f"no order {error.number}"

    @workflow
    async def find(number: str) -> str:
        found = await look_up.catching(NotFound)(number)
        return await route(ship, apologise, on=found)

    story = told(find, "W9")

    assert story.lines == [
        "look_up: look_up('W9')",
        "look_up: caught -> not_found",
        "route: route -> NotFound",
        """route/apologise: apologise(NotFound("not_found, number='W9'"))""",
    ]
    assert story.result == "no order W9"


def test_a_value_that_no_branch_takes_is_a_contract_violation() -> None:
    """A recorded answer from another release does not slip through a route or a switch."""

    @workflow
    async def support(text: str) -> str:
        what = await sort_out(text)
        return await route(ship, pay, on=what)

    story = told(support, "W1", sort_out=Draft(text="neither"))

    assert isinstance(story.failure, StepError)
    assert story.failure.code == "no_branch"
    assert story.failure.error_class is ErrorClass.CONTRACT_OUT


def test_a_value_without_a_json_form_is_no_member_of_a_route() -> None:
    """What could not have come from a journal is refused like any other stranger."""

    @workflow
    async def support(text: str) -> str:
        what = await sort_out(text)
        return await route(ship, pay, on=what)

    assert told(support, "W1", sort_out=object()).failure.code == "no_branch"


def test_a_route_without_python_types_goes_by_schemas() -> None:
    """A plan that was read from JSON has only those."""

    @workflow
    async def support(text: str) -> str:
        what = await sort_out(text)
        return await route(ship, pay, on=what)

    step = support.plan.block.steps[1]
    assert isinstance(step, RouteStep)
    branches = tuple(dataclasses.replace(branch, member=None) for branch in step.branches)
    bare = dataclasses.replace(step, branches=branches)
    steps = (support.plan.block.steps[0], bare)
    block = dataclasses.replace(support.plan.block, steps=steps)
    support.plan = dataclasses.replace(support.plan, block=block)

    assert told(support, "R1").result == "paid R1"
    assert told(support, "W1").result == "shipped W1"


def test_a_case_that_no_switch_names_is_a_contract_violation() -> None:
    """A recorded answer that is none of the known values takes no branch."""

    @agent(inline=True)
    def measure(number: int) -> Literal["big", "small"]:
        return "big"

    @workflow
    async def flow(number: int) -> str:
        size = await measure(number)
        return await switch(("big", show(1)), ("small", show(2)), on=size)

    assert told(flow, 1, measure="huge").failure.code == "no_branch"


@pytest.mark.parametrize(
    ("speed", "line"),
    [(Speed.FAST, "switch: switch -> fast"), (Speed.SLOW, "switch: switch -> default")],
)
def test_a_switch_goes_by_the_value_of_an_enum(speed: Speed, line: str) -> None:
    """What no case names goes to the default."""

    @workflow
    async def deliver(speed: Speed, number: int) -> str:
        return await switch((Speed.FAST, show(number)), on=speed, default=show(0))

    story = told(deliver, speed, 4)

    assert story.lines[0] == line
    assert story.result == ("4" if speed is Speed.FAST else "0")


def test_a_switch_tells_booleans_from_numbers() -> None:
    """`True` is no 1: each literal has its own branch."""

    @agent(inline=True)
    def pick(number: int) -> Literal[0, 1]:
        return 1 if number else 0

    @agent(inline=True)
    def ask(number: int) -> bool:
        return number > 0

    @workflow
    async def numbers(number: int) -> str:
        found = await pick(number)
        return await switch((0, show(10)), (1, show(11)), on=found)

    @workflow
    async def booleans(number: int) -> str:
        found = await ask(number)
        return await switch((True, show(21)), (False, show(20)), on=found)

    assert [told(numbers, number).result for number in (0, 1)] == ["10", "11"]
    assert [told(booleans, number).result for number in (0, 1)] == ["20", "21"]


def test_parallel_asks_for_every_branch_at_once() -> None:
    """Branches are issued in order, before any is answered, and give a tuple."""

    @workflow
    async def both(number: int) -> str:
        first, second = await parallel(double(number), double(1))
        total = await add(first, second)
        return await show(total)

    story = told(both, 5)

    assert story.lines == [
        "parallel/double: double(5)",
        "parallel/double~2: double(1)",
        "add: add(10, 2)",
        "show: show(12)",
    ]


def test_each_names_its_elements_by_position_or_by_key() -> None:
    """A key keeps an element's name when the list is ordered anew; what a path means is escaped."""

    @workflow
    async def by_position(basket: Basket) -> list[str]:
        return await each(ship, basket.orders)

    @workflow
    async def by_key(basket: Basket) -> list[str]:
        return await each(lambda order: ship(order=order), basket.orders, key="number")

    basket = Basket(orders=[Order(number="a/b.c"), Order(number="d e")])

    assert [line.partition(":")[0] for line in told(by_position, basket).lines] == [
        "each.0/ship",
        "each.1/ship",
    ]
    assert [line.partition(":")[0] for line in told(by_key, basket).lines] == [
        "each.a%2Fb%2Ec/ship",
        "each.d%20e/ship",
    ]


def test_elements_of_plain_json_have_keys_too() -> None:
    """A typed dictionary is named by one of its keys."""

    class Row(TypedDict):
        name: str

    @agent(inline=True)
    def read(row: Row) -> str:
        return row["name"]

    @workflow
    async def flow(rows: list[Row]) -> list[str]:
        return await each(read, rows, key="name")

    assert told(flow, [{"name": "a"}, {"name": "b"}]).lines == [
        "each.a/read: read({'name': 'a'})",
        "each.b/read: read({'name': 'b'})",
    ]


def test_each_refuses_two_elements_of_one_key() -> None:
    """Two elements of one name would share their keys, and so their effects."""

    @workflow
    async def by_key(basket: Basket) -> list[str]:
        return await each(ship, basket.orders, key="number")

    story = told(by_key, Basket(orders=[Order(number="1"), Order(number="1")]))

    assert story.lines == []
    assert (story.failure.code, story.failure.step) == ("repeated_key", "each")


def test_each_refuses_a_list_that_is_too_long() -> None:
    """Ten thousand elements are the most."""

    @workflow
    async def all_of(numbers: list[int]) -> list[int]:
        return await each(double, numbers)

    assert told(all_of, list(range(10_001))).failure.code == "too_wide"


def test_each_of_nothing_gives_an_empty_list() -> None:
    """No element, no effect."""

    @workflow
    async def all_of(numbers: list[int]) -> list[int]:
        return await each(double, numbers)

    story = told(all_of, [])

    assert (story.lines, story.result) == ([], [])


def test_each_keeps_its_bound() -> None:
    """With `concurrency=2` the third element is issued when one of the first two is answered."""

    @workflow
    async def all_of(numbers: list[int]) -> list[int]:
        return await each(double, numbers, concurrency=2)

    story = told(all_of, [1, 2, 3, 4, 5])

    assert [line.partition("/")[0] for line in story.lines] == [f"each.{n}" for n in range(5)]
    assert story.result == [2, 4, 6, 8, 10]


def test_an_each_of_empty_lists_needs_no_deep_stack() -> None:
    """Elements that end at once do not pile up, however many they are."""

    @workflow
    async def inner(numbers: list[int]) -> list[int]:
        return await each(double, numbers)

    @workflow
    async def outer(lists: list[list[int]]) -> list[list[int]]:
        return await each(lambda numbers: inner(numbers=numbers), lists)

    lists: list[list[int]] = [[]] * 3_000

    assert told(outer, lists, inner=[]).result == lists


def test_repeat_runs_on_its_own_output_until_it_is_done() -> None:
    """Each turn has a key of its own; the decision says how many it took."""

    @workflow
    async def polish(draft: Draft) -> Draft:
        return await repeat(improve, draft, until="done", at_most=5)

    story = told(polish, Draft(text="x"))

    assert story.lines == [
        "repeat.0/improve: improve(Draft(text='x', done=False))",
        "repeat.1/improve: improve(Draft(text='xx', done=False))",
        "repeat: repeat -> done",
    ]
    assert story.result == Draft(text="xxx", done=True)


def test_repeat_that_never_ends_fails_with_the_last_value() -> None:
    """Reaching the limit is a failure, which shows how far it came."""

    @workflow
    async def polish(draft: Draft) -> Draft:
        return await repeat(improve, draft, until="done", at_most=2)

    failure = told(polish, Draft(text="")).failure

    assert (failure.code, failure.step) == ("limit_reached", "repeat")
    assert failure.details == {"at_most": 2, "last": {"text": "xx", "done": False}}


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


def test_the_keys_of_a_nested_workflow_stand_below_its_step() -> None:
    """Whoever runs the nested workflow gives its walk the step's key as a prefix."""

    @workflow
    async def lists(numbers: list[int]) -> list[int]:
        return await each(double, numbers, key=None)

    machine = Machine(walk(compile_workflow(lists), ([7],), "outer/each.3/inner/"))

    assert [effect.key for _, effect in machine.take()] == ["outer/each.3/inner/each.0/double"]
