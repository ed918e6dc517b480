"""Examples of a schema: full, readable, valid, and the same every time."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any, Final, Literal

import pytest
from pydantic import BaseModel, Field

from fishplate.contracts.example import MOST_EXAMPLES, examples
from fishplate.contracts.schema import Schema
from fishplate.contracts.shape import Shape
from fishplate.core.errors import JsonValue


class Refund(BaseModel):
    """Has fields that not every value keeps."""

    kind: Literal["refund"] = "refund"
    order_id: str = Field(pattern="^#W[0-9]{7}$")
    amount: Decimal = Field(gt=0)
    day: date


class Note(BaseModel):
    """Has bounds on its texts."""

    kind: Literal["note"] = "note"
    text: str = Field(min_length=1, max_length=40)
    word: str = Field(max_length=5)
    letter: str = Field(min_length=1, max_length=1)
    copies: int = Field(gt=0, lt=10)


class Tree(BaseModel):
    """Holds itself."""

    name: str
    parts: list[Tree] = []


class Letter(BaseModel):
    """Has one of everything."""

    text: str
    channel: Literal["email", "chat"] = "chat"
    about: list[Refund | Note]
    counts: dict[str, int]
    pair: tuple[int, str]
    tags: set[str] = Field(min_length=1)
    urgent: bool = False
    answers: str | None = None
    rest: Any = None


TYPES: Final = (Refund, Note, Refund | Note, Tree, Letter, str, int, list[str], dict[str, int])


@pytest.mark.parametrize("kind", TYPES, ids=str)
def test_every_example_is_valid(kind: Any) -> None:
    """There is at least one, none twice, and a second look gives the same."""
    schema = Shape.of(kind).takes
    found = list(examples(schema))

    assert 1 <= len(found) <= MOST_EXAMPLES
    assert all(map(schema.is_valid, found))
    assert len({repr(one) for one in found}) == len(found)
    assert list(examples(schema)) == found


def test_the_first_example_is_full_and_speaks() -> None:
    """Each field is there, a list has an item, and a text is the name of its field."""
    first = next(examples(Shape.of(Letter).takes))

    assert first == {
        "text": "<text>",
        "channel": "email",
        "about": [
            {"kind": "refund", "order_id": "#W0000000", "amount": 1, "day": "2024-02-29"},
        ],
        "counts": {"<counts>": 0},
        "pair": [0, "<pair>"],
        "tags": ["<tags>"],
        "urgent": True,
        "answers": "<answers>",
        "rest": None,
    }


def test_a_text_keeps_its_bounds() -> None:
    """The name without brackets, or any text, stands where the name does not fit."""
    first = next(examples(Shape.of(Note).takes))

    assert first == {"kind": "note", "text": "<text>", "word": "word", "letter": "a", "copies": 1}


def test_the_others_differ_in_one_choice() -> None:
    """Each member of an enum, and the fields that may be left out, have an example."""
    schema = Schema(
        {
            "type": "object",
            "properties": {"to": {"enum": ["a", "b"]}, "loud": {"type": "boolean"}},
            "required": ["to"],
        }
    )

    assert list(examples(schema)) == [
        {"to": "a", "loud": True},
        {"to": "a"},
        {"to": "b", "loud": True},
        {"to": "a", "loud": False},
    ]


def test_an_example_stands_once() -> None:
    """Two members of a union that say the same give one example."""
    schema = Schema({"anyOf": [{"type": "boolean"}, {"enum": [True, "both"]}]})

    assert list(examples(schema)) == [True, False, "both"]


def test_a_part_that_refers_to_its_root_is_left_to_the_others() -> None:
    """It is no schema alone, so there is no example where it has to be there."""
    within: JsonValue = {"type": "integer", "not": {"$ref": "#/properties/other"}}
    document: dict[str, JsonValue] = {
        "type": "object",
        "properties": {"number": within, "other": {"type": "integer", "minimum": 5}},
        "required": ["other"],
    }

    assert list(examples(Schema(document))) == [{"other": 5}]
    assert list(examples(Schema({**document, "required": ["number"]}))) == []


@pytest.mark.parametrize(
    "document",
    [
        False,
        {"type": "integer", "minimum": 8, "maximum": 13, "multipleOf": 7},
        {"$ref": "#/$defs/loop", "$defs": {"loop": {"$ref": "#/$defs/loop"}}},
        {"type": "object", "required": ["a"], "additionalProperties": False},
        {"type": "object", "properties": {"a": False}, "required": ["a"]},
        {"$ref": "#here", "$defs": {"a": {"$anchor": "here", "type": "string"}}},
    ],
)
def test_where_nothing_is_found_there_is_no_example(document: JsonValue) -> None:
    """A schema that accepts nothing, or is hard to meet, gives none, and no error."""
    assert isinstance(document, bool | dict)
    assert list(examples(Schema(document))) == []
