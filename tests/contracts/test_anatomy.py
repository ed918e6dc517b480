"""Anatomy: what a type is made of decides what may be taken as it is, and what is refused."""

from __future__ import annotations

import math
from datetime import datetime, time
from typing import Any

import pytest
from pydantic import BaseModel, Field, PrivateAttr, SecretStr, computed_field, field_serializer

from fishplate import DeclarationError
from fishplate.contracts.shape import BrokenValueError, Shape
from tests.contracts.shapes_table import Cat, Dog, Line, Named, Node, Order, Pet, Point


class Awkward(BaseModel):
    """Fields whose names mean something in a schema."""

    type: str = ""
    default: float = 0.0
    metadata: list[Line] = []
    serialization: float | None = None
    members: dict[str, float] = {}


class Private(BaseModel):
    """Holds what JSON does not."""

    name: str = ""
    _seen: int = PrivateAttr(default=0)


class Excluded(BaseModel):
    """Holds what its JSON leaves out."""

    name: str = ""
    secret: str = Field(default="", exclude=True)


class Sometimes(BaseModel):
    """Leaves out what is empty."""

    name: str = Field(default="", exclude_if=lambda name: not name)


class Computed(BaseModel):
    """Says more than it holds; what is computed is overlooked when it is read."""

    number: int

    @computed_field
    @property
    def double(self) -> int:
        """Twice the number."""
        return self.number * 2


class Spelled(BaseModel):
    """Writes a number as a text, and reads a number."""

    cents: int

    @field_serializer("cents")
    def _as_text(self, value: int) -> str:
        return str(value)


class TwoNames(BaseModel):
    """Has one name on the way in and another on the way out."""

    name: str = Field(validation_alias="in", serialization_alias="out")


class Endless(BaseModel):
    """Cannot end."""

    next: Endless


@pytest.mark.parametrize("number", [math.nan, math.inf])
@pytest.mark.parametrize("name", ["default", "serialization", "members"])
def test_a_field_may_have_the_name_of_a_part_of_a_schema(name: str, number: float) -> None:
    """No field is overlooked for its name when a type is read."""
    value: Any = {"a": number} if name == "members" else number

    with pytest.raises(BrokenValueError, match="not finite"):
        Shape.of(Awkward).accept(Awkward.model_validate({name: value}))


@pytest.mark.parametrize(
    ("annotation", "says"),
    [
        (datetime, "naive datetime"),
        (list[dict[str, datetime]], "naive datetime"),
        (time, "time of day has no zone"),
        (SecretStr, "a secret is masked in JSON"),
        (type[int], "a class is no JSON"),
        (object(), "has no JSON Schema"),
        (complex, None),
        (Spelled, "what it writes as JSON it does not read back"),
        (TwoNames, "one alias= for both ways"),
        (Endless, "that no value has"),
    ],
)
def test_a_type_that_json_would_change_is_refused(annotation: object, says: str | None) -> None:
    """A type has to give back what went in, on every machine and in every process."""
    if says is None:
        assert Shape.of(annotation).name == "complex"
        return
    with pytest.raises(DeclarationError, match=says):
        Shape.of(annotation)


@pytest.mark.parametrize(
    ("annotation", "says"),
    [
        (Private, "private state '_seen'"),
        (list[Private], "private state '_seen'"),
        (Excluded, "excludes 'secret'"),
        (Sometimes, "excludes 'name'"),
    ],
)
def test_what_json_leaves_out_cannot_be_an_output(annotation: object, says: str) -> None:
    """A resumed run would lose it; as an input it is lost at once, and not later."""
    anatomy = Shape.of(annotation).anatomy

    assert anatomy is not None
    assert any(says in reason for reason in anatomy.output_refusals)


def test_what_json_leaves_out_does_not_reach_a_body() -> None:
    """A body sees what a resumed run would see, from the first time on."""
    value = Excluded(name="a", secret="b")

    assert Shape.of(Excluded).accept(value) == Excluded(name="a")


def test_what_is_computed_is_written_and_overlooked() -> None:
    """A computed field is part of the output's contract, and does not hinder reading."""
    shape = Shape.of(Computed)

    assert shape.encode(Computed(number=2)) == {"number": 2, "double": 4}
    assert shape.decode({"number": 2, "double": 4}, given=True) == Computed(number=2)


@pytest.mark.parametrize(
    ("annotation", "unions"),
    [
        (Cat | Dog, [("Cat", "Dog")]),
        (list[Pet], [("Cat", "Dog")]),
        (dict[str, Named], [("Cat", "Dog")]),
        (Order, [("Line", "None"), ("float", "None")]),
        (Node, []),
        (Point, []),
    ],
)
def test_every_union_inside_a_type_is_found(
    annotation: object, unions: list[tuple[str, ...]]
) -> None:
    """Under lists, tables, names and fields, also of recursive types."""
    anatomy = Shape.of(annotation).anatomy

    assert anatomy is not None
    found = [tuple(Shape.of(arm).name for arm in arms) for arms in anatomy.unions()]
    assert found == unions
