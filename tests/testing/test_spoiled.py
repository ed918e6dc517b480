"""Answers that break their contract: found for every contract that has one, else refused."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, JsonValue, PlainSerializer
from typing_extensions import TypedDict

from fishplate.contracts.schema import Schema
from fishplate.contracts.shape import BrokenValueError, Shape
from fishplate.testing.spoiled import can_be_partial, garbage_for, without_a_field


class Colour(Enum):
    """A colour."""

    RED = "red"


class Parcel(BaseModel):
    """A parcel."""

    parcel_id: str
    where: str = "unknown"


class Lost(BaseModel):
    """No parcel."""

    kind: Literal["lost"] = "lost"


class Table(TypedDict):
    """Counts."""

    rows: int


@dataclass
class Point:
    """A place."""

    x: int


Shouted = Annotated[str, PlainSerializer(lambda text: f"{text}!", return_type=str)]


@pytest.mark.parametrize(
    "annotation",
    [
        None,
        bool,
        int,
        float,
        str,
        date,
        Decimal,
        Colour,
        Annotated[str, Field(pattern="^[a-z]+$")],
        Annotated[int, Field(ge=3)],
        Literal["a", 7],
        list[int],
        tuple[int, str],
        dict[str, int],
        dict[str, JsonValue],
        list[JsonValue],
        JsonValue,
        str | dict[str, JsonValue],
        Parcel,
        Parcel | Lost,
        Parcel | None,
        Table,
        Point,
        Shouted,
        Any,
    ],
)
def test_garbage_is_refused_by_the_contract(annotation: object) -> None:
    """Whatever the output is, what stands for garbage does not pass its check."""
    shape = Shape.of(annotation)
    garbage = garbage_for(shape)

    assert type(garbage) not in shape.exact
    with pytest.raises(BrokenValueError):
        shape.accept(garbage, given=True)


@pytest.mark.parametrize("schema", [{}, {"not": {"const": 5}}, {"type": ["object", "string"]}])
def test_garbage_is_refused_by_a_contract_in_json(schema: dict[str, JsonValue]) -> None:
    """Contracts that take any object and any text refuse a number that is not finite."""
    shape = Shape.of_schema(Schema(schema))

    with pytest.raises(BrokenValueError):
        shape.accept(garbage_for(shape), given=True)


@pytest.mark.parametrize(
    ("annotation", "answer", "missing"),
    [
        (Parcel, Parcel(parcel_id="P1"), "parcel_id"),
        (Parcel | Lost, Lost(), "kind"),
        (Table, {"rows": 3}, "rows"),
        (Point, Point(x=1), "x"),
    ],
)
def test_a_partial_answer_is_refused_by_the_contract(
    annotation: object, answer: object, missing: str
) -> None:
    """The answer without the field does not pass the check, and the field is named."""
    shape = Shape.of(annotation)
    named, rest = without_a_field(shape, answer)

    assert can_be_partial(shape)
    assert named == missing
    assert isinstance(rest, dict)
    assert missing not in rest
    with pytest.raises(BrokenValueError):
        shape.accept(rest, given=True)


@pytest.mark.parametrize("annotation", [str, list[int], Parcel | None, dict[str, int], Any])
def test_what_has_no_required_field_cannot_be_partial(annotation: object) -> None:
    """Every form of the answer has to be an object with a field that cannot be left out."""
    assert not can_be_partial(Shape.of(annotation))


def test_an_answer_that_has_no_field_to_lose_is_told() -> None:
    """A contract may ask for one of two fields: an answer with both can lose either."""
    one_of_two = Schema(
        {"type": "object", "anyOf": [{"required": ["a"]}, {"required": ["b"]}], "required": ["c"]}
    )
    shape = Shape.of_schema(one_of_two)

    assert without_a_field(shape, {"a": 1, "b": 2, "c": 3})[0] == "c"
    with pytest.raises(LookupError, match="without any one of its fields"):
        without_a_field(Shape.of_schema(Schema({})), {"a": 1})


def test_an_answer_that_is_broken_already_is_not_spoiled() -> None:
    """The contract refuses it as it is."""
    with pytest.raises(BrokenValueError):
        without_a_field(Shape.of(Parcel), {"where": "here"})
