"""What a walk asks for: calls in order, and decisions."""

import dataclasses
from typing import Literal, NotRequired

import pytest
from typing_extensions import TypedDict

from fishplate import (
    DeclaredError,
    StepError,
    agent,
    route,
    switch,
    when,
    workflow,
)
from fishplate.core.errors import ErrorClass
from fishplate.workflows.plan import RouteStep
from tests.orchestrator.cast import (
    Draft,
    Order,
    Refund,
    Speed,
    add,
    double,
    pay,
    ship,
    show,
    sort_out,
)
from tests.orchestrator.story import told


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
