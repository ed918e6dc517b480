"""Older drafts of JSON Schema, read as draft 2020-12.

Schemas of tool servers often declare draft 7. Two drafts cannot be compared, so a foreign schema is
rewritten once, when it comes in; from then on there is one dialect.

Source: the migration notes in the release documents of JSON Schema 2020-12 and 2019-09. One
difference stays: draft 4 did not call `1.0` an integer, and here it is one.
"""

from collections.abc import Mapping
from typing import Final

from fishplate.contracts.keywords import SchemaDocument, rewritten
from fishplate.core.errors import JsonValue

CURRENT_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_DRAFT_2019: Final = "https://json-schema.org/draft/2019-09/schema"
KNOWN_DIALECTS: Final = frozenset(
    {
        CURRENT_DIALECT,
        _DRAFT_2019,
        "http://json-schema.org/draft-07/schema",
        "http://json-schema.org/draft-06/schema",
        "http://json-schema.org/draft-04/schema",
    }
)
# An older draft ignores the words it does not know, so they must not come to life. `$defs` is new
# too, but judges nothing, and references may lead into it.
_NEW_IN_2020: Final = frozenset({"prefixItems", "$dynamicRef", "$dynamicAnchor"})
_NEW_IN_2019: Final = frozenset(
    {
        "$anchor",
        "$recursiveAnchor",
        "$recursiveRef",
        "dependentRequired",
        "dependentSchemas",
        "maxContains",
        "minContains",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)


def modernised(document: SchemaDocument) -> SchemaDocument:
    """The same schema in draft 2020-12, without `$schema`; unchanged if it is of that draft.

    The document has passed the lint: `$schema` stands at the top only and is a known one.
    """
    if isinstance(document, bool):
        return document
    dialect = str(document.get("$schema", CURRENT_DIALECT)).removesuffix("#")
    stripped = {word: held for word, held in document.items() if word != "$schema"}
    if dialect == CURRENT_DIALECT:
        return stripped
    return _rewrite(stripped, is_before_2019=dialect != _DRAFT_2019)


def _rewrite(schema: SchemaDocument, *, is_before_2019: bool) -> SchemaDocument:
    if isinstance(schema, bool):
        return schema
    unknown = _NEW_IN_2020 | _NEW_IN_2019 if is_before_2019 else _NEW_IN_2020
    if is_before_2019 and "$ref" in schema:
        # A reference hid everything beside it, except as a place for definitions.
        kept = {"$ref", "definitions", "$defs"}
        known = {word: held for word, held in schema.items() if word in kept}
    else:
        known = {word: held for word, held in schema.items() if word not in unknown}
    below = rewritten(known, lambda part: _rewrite(part, is_before_2019=is_before_2019))
    return {**_bounds(_dependencies(_items(_recursion(below))))}


def _items(schema: dict[str, JsonValue]) -> dict[str, JsonValue]:
    rest = schema.pop("additionalItems", None)
    if isinstance(positions := schema.get("items"), list):
        del schema["items"]
        schema["prefixItems"] = positions
        if rest is not None:
            schema["items"] = rest
    return schema


def _dependencies(schema: dict[str, JsonValue]) -> dict[str, JsonValue]:
    found = schema.pop("dependencies", None)
    if isinstance(found, Mapping):
        names: dict[str, JsonValue] = {k: v for k, v in found.items() if isinstance(v, list)}
        schemas: dict[str, JsonValue] = {k: v for k, v in found.items() if k not in names}
        schema |= {"dependentRequired": names} if names else {}
        schema |= {"dependentSchemas": schemas} if schemas else {}
    return schema


def _recursion(schema: dict[str, JsonValue]) -> dict[str, JsonValue]:
    if (target := schema.pop("$recursiveRef", None)) is not None:
        schema["$ref"] = target
    return schema


def _bounds(schema: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """In draft 4 an exclusive bound is a flag beside the bound."""
    for word, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        flag = schema.get(exclusive)
        if isinstance(flag, bool):
            del schema[exclusive]
            if flag and word in schema:
                schema[exclusive] = schema.pop(word)
    return schema
