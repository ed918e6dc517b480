"""Where a step's arguments come from: projections, constants, structures."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, cast

import pytest
from pydantic import BaseModel, Field, field_validator
from typing_extensions import TypedDict

from fishplate import (
    Cache,
    InputError,
    OutputError,
    Policy,
    agent,
    struct,
    workflow,
)
from fishplate.orchestrator.compile import compile_workflow
from fishplate.orchestrator.effects import CallEffect
from fishplate.orchestrator.machine import Machine
from fishplate.orchestrator.walker import walk
from tests.orchestrator.story import strand_of, told


class Size(Enum):
    """A size."""

    SMALL = "s"
    LARGE = "l"


class Line(BaseModel):
    """A line of an order."""

    text: str
    price: Decimal


class Order(BaseModel):
    """An order whose JSON names differ from the Python names."""

    order_id: str = Field(alias="orderId")
    first: Line
    tags: dict[str, int] = {}


@dataclass
class Point:
    """A place."""

    across: int
    down: int


class Row(TypedDict):
    """A row of a table."""

    name: str
    size: int


@agent(inline=True)
def fetch(number: str) -> Order:
    """An order."""
    return Order(orderId=number, first=Line(text="pen", price=Decimal("1.50")))


@agent(inline=True)
def price(amount: Decimal) -> str:
    """A price as text."""
    return f"{amount} EUR"


@agent(inline=True)
def join(first: str, second: str) -> str:
    """Both texts."""
    return f"{first}+{second}"


def test_fields_are_followed_by_their_python_names() -> None:
    """Fields of fields too, whatever they are called in JSON."""

    @workflow
    async def flow(number: str) -> str:
        order = await fetch(number)
        cost = await price(order.first.price)
        return await join(order.order_id, cost)

    assert told(flow, "W1").lines[1:] == [
        "price: price(Decimal('1.50'))",
        "join: join('W1', '1.50 EUR')",
    ]


def test_plain_json_is_followed_by_its_own_names() -> None:
    """A recorded answer that came as JSON is read by the names that JSON has."""

    @workflow
    async def flow(number: str) -> str:
        order = await fetch(number)
        return await join(order.order_id, order.first.text)

    document = {"orderId": "W2", "first": {"text": "ink", "price": "2"}, "tags": {}}

    assert told(flow, "W1", fetch=document).result == "W2+ink"


def test_parts_of_data_classes_rows_and_tuples_are_followed() -> None:
    """By attribute, by key, by position."""

    @agent(inline=True)
    def place(number: int) -> Point:
        return Point(across=number, down=2)

    @agent(inline=True)
    def row(number: int) -> Row:
        return {"name": "a", "size": number}

    untyped_row: Any = row  # no checker knows the keys of a typed dict as attributes

    @agent(inline=True)
    def pair(number: int) -> tuple[int, str]:
        return number, "b"

    @agent(inline=True)
    def spell(across: int, size: int, name: str, letter: str) -> str:
        return f"{across}{size}{name}{letter}"

    @workflow
    async def flow(number: int) -> str:
        point = await place(number)
        line = await untyped_row(number)
        _, letter = await pair(number)
        return await spell(point.across, line.size, line.name, letter)

    assert told(flow, 7).result == "77ab"


def test_constants_keep_their_types() -> None:
    """Enums, decimals, dates and durations reach the step as what they are."""

    @agent(inline=True)
    def take(size: Size, amount: Decimal, day: date, span: timedelta, number: int = 3) -> str:
        return "taken"

    @workflow
    async def flow(number: str) -> str:
        return await take(Size.LARGE, Decimal("1.10"), date(2026, 1, 2), timedelta(hours=1))

    [(_, effect)] = Machine(strand_of(flow, "x")).take()

    assert isinstance(effect, CallEffect)
    assert effect.arguments == (
        Size.LARGE,
        Decimal("1.10"),
        date(2026, 1, 2),
        timedelta(hours=1),
        3,
    )


def test_no_two_walks_share_a_constant_that_can_be_changed() -> None:
    """A step or a caller that changes what it got does not change the next run."""

    @agent(inline=True)
    def first_of(line: Line, words: list[str]) -> str:
        return words[0]

    @workflow
    async def flow(number: str) -> str:
        return await first_of(Line(text="a", price=Decimal(1)), ["x"])

    @workflow
    async def fixed(number: str) -> list[str]:
        await price(Decimal(1))
        return ["always"]

    program, fixed_program = compile_workflow(flow), compile_workflow(fixed)
    for _ in range(2):
        [(_, effect)] = Machine(walk(program, ("1",))).take()
        assert isinstance(effect, CallEffect)
        line, words = cast("tuple[Line, list[str]]", effect.arguments)
        assert (line, words) == (Line(text="a", price=Decimal(1)), ["x"])
        line.text = "changed"
        words.clear()

        machine = Machine(walk(fixed_program, ("1",)))
        [(token, _)] = machine.take()
        machine.resolve(token, "1 EUR")
        assert machine.result == ["always"]
        cast("list[str]", machine.result).clear()


def test_a_structure_is_built_from_values_and_constants() -> None:
    """Constants among them are typed by their fields, also where the model is strict."""

    class Letter(BaseModel, strict=True):
        name: str
        size: Size
        day: date = Field(alias="on")

    @agent(inline=True)
    def send(letter: Letter) -> str:
        return f"{letter.name} {letter.size} {letter.day}"

    @workflow
    async def flow(number: str) -> str:
        order = await fetch(number)
        letter = struct(Letter, name=order.first.text, size=Size.SMALL, day=date(2026, 1, 2))
        return await send(letter)

    assert told(flow, "W1").result == "pen Size.SMALL 2026-01-02"


def test_a_structure_that_its_model_refuses_is_a_contract_violation() -> None:
    """A rule that no schema tells is found when the object is built, and names the field."""

    class Even(BaseModel):
        number: int

        @field_validator("number")
        @classmethod
        def check(cls, value: int) -> int:
            if value % 2:
                raise ValueError(value)
            return value

    @agent(inline=True)
    def half(even: Even) -> int:
        return even.number // 2

    @workflow
    async def flow(number: int) -> int:
        return await half(struct(Even, number=number))

    failure = told(flow, 3).failure

    assert told(flow, 4).result == 2
    assert isinstance(failure, InputError)
    assert failure.pointer == "/number"


def test_an_argument_is_checked_where_types_differ() -> None:
    """A value of another class with a fitting contract is turned into the class that is taken."""

    class Name(BaseModel):
        text: str

    @agent(inline=True)
    def shout(name: Name) -> str:
        return f"{type(name).__name__} {name.text}"

    @agent(inline=True)
    def line(number: int) -> Line:
        return Line(text=str(number), price=Decimal(1))

    untyped_line: Any = line

    @workflow
    async def flow(number: int) -> str:
        found = await untyped_line(number)
        return await shout(found)

    assert told(flow, 1).result == "Name 1"


def test_a_recorded_answer_that_breaks_the_contract_is_refused() -> None:
    """The next step does not get it, nor does the caller."""

    @workflow
    async def passed_on(number: str) -> str:
        order = await fetch(number)
        return await price(order.first.price)

    @workflow
    async def returned(number: str) -> Line:
        order = await fetch(number)
        return order.first

    bad: dict[str, Any] = {"orderId": "W2", "first": {"text": "ink", "price": "two"}, "tags": {}}

    assert isinstance(told(passed_on, "W1", fetch=bad).failure, InputError)
    assert isinstance(told(returned, "W1", fetch=bad).failure, OutputError)


def test_each_use_of_an_agent_keeps_its_own_policy() -> None:
    """A step under another policy does not change the others of the same agent."""
    quick, cached = Policy(timeout=1), Policy(cache=Cache(ttl=5, scope="orders"))

    @workflow
    async def flow(number: str) -> str:
        first = await fetch.using(quick)(number)
        second = await fetch.using(cached)(first.order_id)
        third = await fetch(second.order_id)
        return await join(first.order_id, third.order_id)

    machine, policies = Machine(strand_of(flow, "W1")), list[Policy]()
    while len(policies) < 3:
        [(token, effect)] = machine.take()
        assert isinstance(effect, CallEffect)
        policies.append(effect.unit.policy)
        machine.resolve(token, fetch.about.function("W1"))

    assert policies == [quick, cached, Policy()]


@pytest.mark.parametrize("number", ["", "W1"])
def test_a_workflow_may_give_its_input(number: str) -> None:
    """No step is needed between the input and the result."""

    @workflow
    async def flow(number: str) -> str:
        await price(Decimal(1))
        return number

    assert told(flow, number).result == number
