"""An output on the wire: what is sent accepts the contract, what comes back is judged by it."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from fishplate.contracts.fits import fits
from fishplate.contracts.schema import Schema
from fishplate.contracts.shape import Shape
from fishplate.contracts.values import BrokenValueError
from fishplate.core.errors import JsonValue
from fishplate.models.model import Features
from fishplate.models.output import RESULT, InexpressibleError, WireOutput, repair_text


class Line(BaseModel):
    """One line of an order."""

    name: str = Field(min_length=1, max_length=20)
    price: Decimal


class Order(BaseModel):
    """An order."""

    kind: Literal["order"] = "order"
    lines: list[Line] = Field(max_length=3)
    note: str | None = None


class Gone(BaseModel):
    """No order."""

    kind: Literal["gone"] = "gone"


TYPES = [
    Order,
    Order | Gone,
    Literal["yes", "no"],
    list[Line],
    int,
    Annotated[int, Field(ge=1, le=5)],
    dict[str, int],
]


@pytest.mark.parametrize("annotation", TYPES)
def test_what_is_sent_accepts_whatever_the_contract_accepts(annotation: Any) -> None:
    """A relaxed schema is proved to hold every value of the contract, bare or in its object."""
    shape = Shape.of(annotation)
    sent = WireOutput(shape).schema

    assert isinstance(sent, dict)
    assert sent["type"] == "object"
    gives = shape.gives.json
    assert isinstance(gives, dict)
    properties = sent.get("properties")
    is_wrapped = isinstance(properties, dict) and list(properties) == [RESULT]
    inner = {name: part for name, part in gives.items() if name != "$defs"}
    whole: dict[str, JsonValue] = {
        "type": "object",
        "properties": {RESULT: inner},
        "required": [RESULT],
        "additionalProperties": False,
        "$defs": gives.get("$defs", {}),
    }
    assert fits(Schema(whole if is_wrapped else gives), Schema(sent)).verdict == "fits"


def test_rules_that_providers_refuse_are_left_out_and_judged_here() -> None:
    """Bounds and patterns are not sent; what breaks them is found in the answer."""
    output = WireOutput(Shape.of(Line))

    assert "maxLength" not in str(output.schema)
    with pytest.raises(BrokenValueError) as broken:
        output.read('{"name": "", "price": "1.50"}')
    assert broken.value.violations[0].pointer == "/name"


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "cup", "price": "1.50"}',
        '```json\n{"name": "cup", "price": "1.50"}\n```',
        '```\n{"name": "cup", "price": "1.50"}```\n',
        'Sure!\n{"name": "cup", "price": "1.50"}',
        'Here is the JSON:\n\n{"name": "cup", "price": "1.50"}\n',
        'Certainly, here\'s the requested JSON object: {"name": "cup", "price": "1.50"}',
        'Of course! This is my final answer:\n```json\n{"name": "cup", "price": "1.50"}\n```',
        'Okay. Here you go! {"name": "cup", "price": "1.50"}',
        'ANSWER: {"name": "cup", "price": "1.50"}',
    ],
)
def test_an_answer_is_read_through_what_stands_around_it(text: str) -> None:
    """Fences and words that announce it are taken off, and it is said that they were."""
    found = WireOutput(Shape.of(Line)).read(text)

    assert found.value == Line(name="cup", price=Decimal("1.50"))
    assert found.is_mended == (not text.startswith("{"))


@pytest.mark.parametrize(
    "text",
    [
        'I will not say {"name": "cup", "price": "1.50"}',
        'Do not use this: {"name": "cup", "price": "1.50"}',
        'Do not use this:\n```json\n{"name": "cup", "price": "1.50"}\n```',
        'Here is an example: {"name": "cup", "price": "1.50"}',
        'Here is the wrong answer: {"name": "cup", "price": "1.50"}',
        'Is this the answer? {"name": "cup", "price": "1.50"}',
        'No. {"name": "cup", "price": "1.50"}',
        '{"name": "cup", "price": "1.50"} is wrong.',
        'Here is the JSON: {"name": "cup", "price": "1.50"} It is not the answer.',
        '```json\n{"name": "cup", "price": "1.50"}\n```\nThis was a joke.',
        '```diff\n{"name": "cup", "price": "1.50"}\n```',
        '{"name": "cup", "price": "1.50"} {"name": "mug", "price": "2.50"}',
        '```\n{"name": "cup", "price": "1.50"}\n```\n```\n{"name": "mug", "price": "2"}\n```',
    ],
)
def test_json_about_which_something_is_said_is_no_answer(text: str) -> None:
    """Words may withdraw what stands beside them, so the model is asked what it means."""
    with pytest.raises(BrokenValueError) as broken:
        WireOutput(Shape.of(Line)).read(text)
    assert broken.value.violations[0].keyword == "json"


def test_a_long_text_is_soon_known_to_be_no_json() -> None:
    """The time grows with the text, and not with its square."""
    blanks = " " * 200_000
    for text in (f"Sure, the answer{blanks}", f"```json{blanks}", "[" * 200_000, f"{{{blanks}}}!"):
        with pytest.raises(BrokenValueError):
            WireOutput(Shape.of(Line)).read(text)


@pytest.mark.parametrize("text", ["", "no", "{", "] [", '{"name": "cup"', "```\n\n```"])
def test_what_is_no_json_is_broken(text: str) -> None:
    """No part of a text is guessed to be an answer."""
    with pytest.raises(BrokenValueError):
        WireOutput(Shape.of(Line)).read(text)


@given(text=st.text(max_size=60))
def test_no_text_is_read_as_what_it_is_not(text: str) -> None:
    """Whatever a model says, it is a value of the contract or it is refused."""
    output = WireOutput(Shape.of(Literal["yes", "no"]))
    try:
        found = output.read(text)
    except BrokenValueError:
        return
    assert found.value in {"yes", "no"}


def test_text_is_an_output_as_it_stands() -> None:
    """An agent that answers in words has no schema, and every text is an answer."""
    output = WireOutput(Shape.of(str))

    assert output.schema is None
    assert output.mode(Features(has_schemas=True)) == "text"
    assert output.read("Hello.").value == "Hello."


def test_a_type_that_says_nothing_cannot_be_asked_for() -> None:
    """Any JSON at all is no contract that a provider could be given."""
    with pytest.raises(InexpressibleError, match="says nothing"):
        WireOutput(Shape.of(Any))


def test_a_repair_names_places_and_rules_in_bounds() -> None:
    """What is said to a model about its mistakes does not grow with them."""
    with pytest.raises(BrokenValueError) as broken:
        WireOutput(Shape.of(list[int])).read(json.dumps({RESULT: ["x"] * 50}))
    text = repair_text(broken.value.violations)

    assert "/result/0" in text
    assert text.count("\n") <= 12


@pytest.mark.parametrize(
    ("annotation", "is_native"),
    [(Order, True), (Order | Gone, True), (int, True), (dict[str, int], False)],
)
def test_an_object_of_any_names_does_not_go_out_natively(annotation: Any, is_native: bool) -> None:
    """Where a provider would allow only `{}`, the schema goes out as a tool, or in words."""
    output = WireOutput(Shape.of(annotation))
    features = Features(has_schemas=True, has_tools=True)

    assert (output.mode(features) == "native") == is_native
    if not is_native:
        assert output.mode(features) == "tool"
        assert output.mode(Features(has_schemas=True)) == "prompted"
