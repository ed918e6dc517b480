"""The fingerprint of what a schema accepts does not depend on how it is spelled."""

import pytest
from hypothesis import given

from fishplate.contracts.identity import accepted_fingerprint
from fishplate.core.errors import JsonValue
from tests.contracts.pairs import INTEGER, NUMBER, STRING, Document, either, record, tree
from tests.contracts.schemas import documents


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (record(a=STRING, b=INTEGER), record(b=INTEGER, a=STRING)),
        (record(a=STRING), {**record(a=STRING), "title": "T", "$comment": "c", "examples": [1]}),
        (
            record(a=record(x=STRING), b=record(x=STRING)),
            {
                "$defs": {"X": record(x=STRING), "Unused": NUMBER},
                **record(a={"$ref": "#/$defs/X"}, b={"$ref": "#/$defs/X"}),
            },
        ),
        (
            {"$defs": {"A": {"$ref": "#/$defs/B"}, "B": STRING}, "items": {"$ref": "#/$defs/A"}},
            {"definitions": {"C": STRING}, "items": {"$ref": "#/definitions/C"}},
        ),
        (either(STRING, INTEGER), either(INTEGER, STRING)),
        ({"enum": ["a", "b"]}, {"enum": ["b", "a"]}),
        ({"type": ["null", "string"]}, {"type": ["string", "null"]}),
        (
            {"$defs": {"A": STRING}, "$ref": "#/$defs/A", "minLength": 1},
            {"$defs": {"B": STRING}, "minLength": 1, "$ref": "#/$defs/B"},
        ),
        (
            {"$defs": {"T": record(t={"$ref": "#/$defs/T"})}, "$ref": "#/$defs/T"},
            {"$defs": {"Node": record(t={"$ref": "#/$defs/Node"})}, "$ref": "#/$defs/Node"},
        ),
    ],
)
def test_spelling_does_not_matter(first: Document, second: Document) -> None:
    """Order, names of definitions, inlining and texts leave the fingerprint alone."""
    assert accepted_fingerprint(first) == accepted_fingerprint(second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (STRING, INTEGER),
        (True, False),
        (record(a=STRING), record(b=STRING)),
        (record(a=STRING), record(optional={"a": STRING})),
        (tree(INTEGER), tree(NUMBER)),
        ({"prefixItems": [STRING, INTEGER]}, {"prefixItems": [INTEGER, STRING]}),
        ({"const": {"title": "a"}}, {"const": {"title": "b"}}),
        ({"const": ["a", "b"]}, {"const": ["b", "a"]}),
        (
            {"$ref": "#/$defs/A", "$defs": {"A": STRING}},
            {"$ref": "#/$defs/A", "$defs": {"A": INTEGER}},
        ),
        ({"$ref": "#first"}, {"$ref": "#second"}),
        (
            record(a=record(b={"$ref": "#"})),
            record(a=record(b={"$ref": "#/properties/a"})),
        ),
    ],
)
def test_what_is_accepted_matters(first: Document, second: Document) -> None:
    """Whatever changes the values that are accepted changes the fingerprint."""
    assert accepted_fingerprint(first) != accepted_fingerprint(second)


@given(documents())
def test_moving_a_schema_into_a_definition_changes_nothing(document: Document) -> None:
    """A schema and a reference to it have one fingerprint."""
    if isinstance(document, dict) and "$defs" in document:
        return
    moved: dict[str, JsonValue] = {"$defs": {"Whole": document}, "$ref": "#/$defs/Whole"}

    assert accepted_fingerprint(moved) == accepted_fingerprint(document)
