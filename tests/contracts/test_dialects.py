"""Schemas of older drafts are read as the current one."""

from typing import Final

import jsonschema_rs
import pytest

from fishplate.contracts.dialects import CURRENT_DIALECT, modernised
from fishplate.contracts.fits import fits
from fishplate.contracts.schema import Schema
from fishplate.core.errors import JsonValue

DRAFT_4 = "http://json-schema.org/draft-04/schema#"
DRAFT_7 = "http://json-schema.org/draft-07/schema#"
DRAFT_2019 = "https://json-schema.org/draft/2019-09/schema"


REWRITTEN: Final[list[tuple[dict[str, JsonValue] | bool, JsonValue]]] = [
    ({"$schema": DRAFT_7, "items": [{"type": "null"}]}, {"prefixItems": [{"type": "null"}]}),
    (
        {"$schema": DRAFT_7, "items": [{}], "additionalItems": {"type": "null"}},
        {"prefixItems": [{}], "items": {"type": "null"}},
    ),
    ({"$schema": DRAFT_7, "items": {}, "additionalItems": False}, {"items": {}}),
    (
        {"$schema": DRAFT_7, "dependencies": {"a": ["b"], "c": {"required": ["d"]}}},
        {"dependentRequired": {"a": ["b"]}, "dependentSchemas": {"c": {"required": ["d"]}}},
    ),
    (
        {"$schema": DRAFT_7, "definitions": {"a": {}}, "$ref": "#/definitions/a", "minimum": 1},
        {"definitions": {"a": {}}, "$ref": "#/definitions/a"},
    ),
    ({"$schema": DRAFT_7, "unevaluatedProperties": False, "prefixItems": [False]}, {}),
    (
        {"$schema": DRAFT_7, "properties": {"items": {"items": [False]}}},
        {"properties": {"items": {"prefixItems": [False]}}},
    ),
    (
        {"$schema": DRAFT_2019, "items": [{}], "unevaluatedItems": False},
        {"prefixItems": [{}], "unevaluatedItems": False},
    ),
    (
        {"$schema": DRAFT_2019, "properties": {"a": {"$recursiveRef": "#"}}},
        {"properties": {"a": {"$ref": "#"}}},
    ),
    (
        {"$schema": DRAFT_4, "minimum": 1, "exclusiveMinimum": True},
        {"exclusiveMinimum": 1},
    ),
    ({"$schema": DRAFT_4, "maximum": 1, "exclusiveMaximum": False}, {"maximum": 1}),
    ({"$schema": CURRENT_DIALECT, "prefixItems": [{}]}, {"prefixItems": [{}]}),
    (True, True),
]


@pytest.mark.parametrize(("document", "expected"), REWRITTEN)
def test_rewrites_what_has_changed(
    document: dict[str, JsonValue] | bool, expected: JsonValue
) -> None:
    """Each keyword that was renamed, split or dropped is brought to the current draft."""
    assert modernised(document) == expected


@pytest.mark.parametrize(
    "document",
    [
        {
            "$schema": DRAFT_7,
            "type": "object",
            "properties": {
                "point": {"type": "array", "items": [{"type": "number"}], "additionalItems": False},
                "next": {"$ref": "#", "type": "null"},
            },
            "dependencies": {"point": ["unit"]},
        },
        {
            "$schema": DRAFT_4,
            "type": "object",
            "properties": {"point": {"items": {"minimum": 0, "exclusiveMinimum": True}}},
        },
    ],
)
def test_old_and_new_schema_accept_alike(document: dict[str, JsonValue]) -> None:
    """The rewritten schema gives the verdicts that the old draft gives."""
    old = jsonschema_rs.validator_for(document, offline=True)
    schema = Schema.from_foreign(document)
    values: list[JsonValue] = [
        {},
        {"point": [1]},
        {"point": [1], "unit": "m"},
        {"point": [1, 2], "unit": "m"},
        {"point": [0], "unit": "m"},
        {"point": ["a"], "unit": "m"},
        {"next": {"point": [1]}},
        {"next": {}},
    ]

    assert [schema.is_valid(value) for value in values] == [old.is_valid(v) for v in values]


def test_schemas_of_different_drafts_are_compared() -> None:
    """A draft 7 tool server fits a consumer of today."""
    old = Schema.from_foreign({"$schema": DRAFT_7, "type": "array", "items": [{"type": "integer"}]})
    new = Schema({"type": "array", "prefixItems": [{"type": "number"}]})

    assert fits(old, new).verdict == "fits"
    assert fits(new, old).verdict == "breaks"
