"""Parts of schemas: taken out or put side by side, every reference still holds."""

from typing import Any

import pytest

from fishplate.contracts.parts import arms, opened_reference, part, side_by_side
from fishplate.contracts.schema import Schema
from fishplate.core.errors import JsonValue

# Refers to itself as a whole, as foreign schemas do.
TREE: dict[str, JsonValue] = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "children": {"type": "array", "items": {"$ref": "#"}},
    },
    "required": ["name"],
}
# Refers to a place that is no definition.
TWICE: dict[str, JsonValue] = {
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b": {"$ref": "#/properties/a"}},
}
SHARED: dict[str, JsonValue] = {
    "$defs": {
        "Name": {"type": "string"},
        "Person": {"properties": {"n": {"$ref": "#/$defs/Name"}}},
    },
    "type": "object",
    "properties": {"person": {"$ref": "#/$defs/Person"}},
}


@pytest.mark.parametrize(
    ("root", "inner", "valid", "broken"),
    [
        (TREE, "children", [{"name": "a", "children": [{"name": "b"}]}], [{"name": 1}]),
        (TWICE, "b", 1, "a"),
        (SHARED, "person", {"n": "a"}, {"n": 1}),
        (TREE, "name", "a", 1),
    ],
)
def test_a_part_stands_alone(
    root: dict[str, JsonValue], inner: str, valid: JsonValue, broken: JsonValue
) -> None:
    """A property that is taken out judges values as it did in its document."""
    properties: Any = root["properties"]
    alone = part(root, properties[inner])

    assert alone.is_valid(valid)
    assert not alone.is_valid(broken)


@pytest.mark.parametrize("first", [TREE, TWICE, SHARED, True])
@pytest.mark.parametrize("second", [TREE, TWICE, SHARED, False])
def test_schemas_side_by_side_mean_what_they_meant(first: Any, second: Any) -> None:
    """Documents of any kind become properties of one document."""
    placed, shared = side_by_side({"first": first, "second": second})
    whole = Schema({"properties": placed, "$defs": shared})
    values: list[JsonValue] = [
        {"name": "a", "children": [{"name": 1}]},
        {"name": "a", "a": 1, "b": "x", "person": {"n": "a"}},
        {"name": "a", "a": 1, "b": 2, "person": {"n": 3}},
        {"name": "a", "a": 1, "b": 2, "person": {"n": "a"}},
        1,
    ]

    for value in values:
        for name, document in (("first", first), ("second", second)):
            assert whole.is_valid({name: value}) == Schema(document).is_valid(value)


def test_definitions_that_agree_are_shared() -> None:
    """A definition stands once if both documents mean the same by it, all the way down."""
    other: dict[str, JsonValue] = {
        **SHARED,
        "$defs": {
            "Name": {"type": "integer"},
            "Person": {"properties": {"n": {"$ref": "#/$defs/Name"}}},
        },
    }

    assert side_by_side({"a": SHARED, "b": SHARED})[1].keys() == {"Name", "Person"}
    placed, shared = side_by_side({"a": SHARED, "b": other})
    whole = Schema({"properties": placed, "$defs": shared})
    assert whole.is_valid({"a": {"person": {"n": "x"}}, "b": {"person": {"n": 1}}})
    assert not whole.is_valid({"b": {"person": {"n": "x"}}})


def test_the_arms_of_a_union_are_documents() -> None:
    """A union that says nothing else beside its arms can be taken apart, by a reference too."""
    union: dict[str, JsonValue] = {
        "$defs": {
            "U": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/N"}]},
            "N": {"type": "null"},
        },
        "$ref": "#/$defs/U",
    }

    found = arms(union)
    assert [arm.is_valid(None) for arm in found] == [False, True]
    assert len(arms({"anyOf": [{}, {}], "required": ["a"]})) == 1


def test_a_reference_is_followed_to_the_end() -> None:
    """What a chain of references stands for is the object at its end; `true` has no words."""
    chain: dict[str, JsonValue] = {
        "$defs": {"A": {"$ref": "#/$defs/B"}, "B": {"type": "null"}},
        "$ref": "#/$defs/A",
    }

    assert opened_reference(chain) == {"type": "null"}
    assert opened_reference(True) == {}
