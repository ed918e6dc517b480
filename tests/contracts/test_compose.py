"""Unions and intersections of schemas."""

from hypothesis import given
from hypothesis import strategies as st

from fishplate.contracts.compose import intersection, union
from fishplate.contracts.schema import Schema
from fishplate.core.errors import JsonValue
from tests.contracts.pairs import INTEGER, STRING, Document, record, tree
from tests.contracts.schemas import documents, values


@given(st.lists(documents(), max_size=3), st.lists(values, max_size=8))
def test_compositions_accept_what_their_parts_accept(
    parts: list[Document], samples: list[JsonValue]
) -> None:
    """A union accepts what any part does, an intersection what all do; definitions stay apart."""
    schemas = [Schema(part) for part in parts]

    either, both = union(schemas), intersection(schemas)

    for value in samples:
        verdicts = [schema.is_valid(value) for schema in schemas]
        assert either.is_valid(value) is any(verdicts)
        assert both.is_valid(value) is all(verdicts)


def test_equal_parts_are_taken_once() -> None:
    """A union of one schema is that schema."""
    assert union([Schema(STRING), Schema(STRING)]) == Schema(STRING)


def test_anchors_and_root_references_still_hold() -> None:
    """References by name, to the root and with escapes lead to their own part."""
    named = Schema(
        {"$defs": {"x": {"$anchor": "word", "type": "string"}}, "items": {"$ref": "#word"}}
    )
    rooted = Schema(record(optional={"next": {"$ref": "#"}}, is_closed=True))
    escaped = Schema(
        {"type": "array", "$defs": {"a/b %": INTEGER}, "items": {"$ref": "#/$defs/a~1b%20%25"}}
    )

    found = intersection([named, union([rooted, escaped, Schema(tree(INTEGER))])])

    assert found.is_valid({"next": {"next": {}}})
    assert found.is_valid([])
    assert not found.is_valid([1])
    assert not found.is_valid(["a"])
    assert not found.is_valid({"next": {"other": 1}})
