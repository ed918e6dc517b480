"""What closing and opening the objects of a schema changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fishplate.contracts.openness import closed, newly_closed, opened
from fishplate.contracts.schema import Schema
from fishplate.core.errors import JsonValue
from tests.contracts.pairs import INTEGER, STRING, Document, array, either, record, tree
from tests.contracts.schemas import documents, values


def test_closing_leaves_the_declared_fields() -> None:
    """Undeclared fields are refused at every object that declares some, also behind references."""
    schema = Schema(closed(record(a=record(b=INTEGER), c=array(record(d=INTEGER)))))

    assert schema.is_valid({"a": {"b": 1}, "c": [{"d": 1}]})
    assert not schema.is_valid({"a": {"b": 1, "x": 1}, "c": []})
    assert not schema.is_valid({"a": {"b": 1}, "c": [{"d": 1, "x": 1}]})
    assert not Schema(closed(tree(INTEGER))).is_valid({"value": 1, "children": [], "x": 1})


@pytest.mark.parametrize(
    "document",
    [
        True,
        {"type": "object"},
        {"type": "object", "additionalProperties": INTEGER},
        {**record(a=INTEGER), "additionalProperties": STRING},
        {"allOf": [record(a=INTEGER), record(b=INTEGER)]},
        {**record(a=INTEGER), "anyOf": [record(b=INTEGER), record(c=INTEGER)]},
        {"not": record(a=INTEGER)},
        {"if": record(a=INTEGER), "then": record(b=INTEGER)},
    ],
)
def test_closing_leaves_alone_what_cannot_be_told_apart(document: Document) -> None:
    """Maps, and objects whose fields are declared in several places, stay as they are."""
    assert closed(document) == document


def test_opening_drops_every_prohibition() -> None:
    """A tolerant reader accepts undeclared fields everywhere, and still checks declared ones."""
    document = either(record(a=record(b=INTEGER, is_closed=True), is_closed=True), STRING)

    schema = Schema(opened(document))

    assert schema.is_valid({"a": {"b": 1, "x": 1}, "y": 1})
    assert not schema.is_valid({"a": {"b": "1"}})


def test_opening_keeps_arms_apart_that_lack_different_fields() -> None:
    """Arms of `oneOf` that overlap once they are open do not refuse each other's values."""
    document: Document = {
        "oneOf": [record(a=INTEGER, is_closed=True), record(b=INTEGER, is_closed=True)]
    }

    assert Schema(opened(document)).is_valid({"a": 1, "b": 1})


@given(documents(), st.lists(values, max_size=8))
def test_an_opened_schema_accepts_more(document: Document, samples: list[JsonValue]) -> None:
    """Where nothing is negated, opening loses no value."""
    if any(word in repr(document) for word in ("'not'", "'if'", "'oneOf'")):
        return
    before, after = Schema(document), Schema(opened(document))

    assert all(after.is_valid(value) for value in samples if before.is_valid(value))


@pytest.mark.parametrize(
    ("old", "new", "places"),
    [
        (record(a=INTEGER), record(a=INTEGER, is_closed=True), [""]),
        (record(a=INTEGER), record(b=INTEGER), []),
        (record(a=INTEGER, is_closed=True), record(a=INTEGER), []),
        ({"type": "object"}, record(a=INTEGER, is_closed=True), []),
        (
            record(a=array(record(b=INTEGER))),
            record(a=array(record(b=INTEGER, is_closed=True))),
            ["/a/*"],
        ),
        (record(a=INTEGER), {**record(a=INTEGER), "unevaluatedProperties": False}, [""]),
        (
            {"properties": {"x/y": record(a=INTEGER)}},
            {"properties": {"x/y": record(a=INTEGER, is_closed=True)}},
            ["/x~1y"],
        ),
        (
            either(record(a=INTEGER), STRING),
            either(record(a=INTEGER, is_closed=True), record(b=INTEGER)),
            [],
        ),
        (
            {"$ref": "#/$defs/A", "$defs": {"A": record(a=INTEGER)}},
            {"allOf": [record(a=INTEGER, is_closed=True)]},
            [""],
        ),
        (tree(INTEGER), {**record(value=INTEGER, is_closed=True)}, [""]),
        ({"$ref": "#anchor"}, record(a=INTEGER, is_closed=True), []),
    ],
)
def test_finds_where_an_object_was_closed(old: Document, new: Document, places: list[str]) -> None:
    """An object that was open and is closed at the same place of the value is found."""
    assert list(newly_closed(old, new)) == places


def test_a_type_with_many_references_to_itself_comes_to_an_end() -> None:
    """Recursion is followed once, so that branching does not multiply."""
    fields: dict[str, JsonValue] = {f"f{n}": {"$ref": "#"} for n in range(20)}
    document: Document = {"type": "object", "properties": fields}

    assert list(newly_closed(document, {**document, "additionalProperties": False})) == [""]
