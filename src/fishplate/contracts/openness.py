"""Open and closed objects: may a value hold properties that nobody declared?

A version is compared with the other one's *declared* fields: what callers were told to send, and
what they were told to expect. Otherwise any new optional field would be a break, since an open
object has always accepted that name with any value.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from fishplate.contracts.json import escape_token
from fishplate.contracts.keywords import (
    SchemaDocument,
    all_schemas,
    referenced,
    rewritten,
)
from fishplate.core.errors import JsonError, JsonValue

# Beside these, closing an object changes more than its undeclared fields.
_ENTANGLED: Final = frozenset(
    {"allOf", "if", "not", "dependentSchemas", "unevaluatedProperties", "unevaluatedItems"}
)
_BESIDE_PROPERTIES: Final = frozenset({"anyOf", "oneOf", "$ref"})
_CLOSING_WORDS: Final = ("additionalProperties", "unevaluatedProperties")
_MOST_PLACES: Final = 500


def closed(document: SchemaDocument) -> SchemaDocument:
    """The schema reduced to its declared fields; unchanged where that cannot be told apart."""
    if any(_is_entangled(schema) for schema in all_schemas(document)):
        return document
    return _close(document)


def opened(document: SchemaDocument) -> SchemaDocument:
    """The schema without any prohibition of undeclared fields: what a tolerant reader accepts.

    `oneOf` becomes `anyOf`, since arms told apart by the fields that they lack would now overlap.
    """
    if isinstance(document, bool):
        return document
    kept = {
        word: held
        for word, held in document.items()
        if not (word in _CLOSING_WORDS and held is False)
    }
    if "anyOf" not in kept and "oneOf" in kept:
        kept["anyOf"] = kept.pop("oneOf")
    return rewritten(kept, opened)


def newly_closed(old: SchemaDocument, new: SchemaDocument) -> Iterator[str]:
    """The places where an object was open and is closed now.

    Yields:
        Pointers into the value; `*` stands for each item of an array.
    """
    before, after = _places(old), _places(new)
    for place, was_open in before.items():
        if was_open and after.get(place) is False:
            yield place


def _is_entangled(schema: Mapping[str, JsonValue]) -> bool:
    if _ENTANGLED & schema.keys():
        return True
    return "properties" in schema and bool(_BESIDE_PROPERTIES & schema.keys())


def _close(schema: SchemaDocument) -> SchemaDocument:
    if isinstance(schema, bool):
        return schema
    copy = rewritten(schema, _close)
    if "properties" in copy and copy.get("additionalProperties", True) is True:
        copy["additionalProperties"] = False
    return copy


def _places(document: SchemaDocument) -> dict[str, bool]:
    """Where a value may hold an object with declared fields, and whether any of them is open."""
    found: dict[str, bool] = {}
    waiting: list[tuple[str, JsonValue, frozenset[int]]] = [("", document, frozenset())]
    while waiting and len(found) < _MOST_PLACES:
        place, schema, above = waiting.pop()
        # A recursive type is entered once: below, it is the same type again.
        if not isinstance(schema, dict) or id(schema) in above:
            continue
        above |= {id(schema)}
        if isinstance(properties := schema.get("properties"), dict):
            is_open = all(schema.get(word, True) is not False for word in _CLOSING_WORDS)
            found[place] = found.get(place, False) or is_open
            for name, part in properties.items():
                waiting.append((f"{place}/{escape_token(name)}", part, above))
        waiting.extend((place, part, above) for part in _same_place(document, schema))
        if "items" in schema:
            waiting.append((f"{place}/*", schema["items"], above))
    return found


def _same_place(root: SchemaDocument, schema: dict[str, JsonValue]) -> Iterator[JsonValue]:
    for word in ("anyOf", "oneOf", "allOf"):
        if isinstance(arms := schema.get(word), list):
            yield from arms
    if isinstance(reference := schema.get("$ref"), str):
        try:
            yield referenced(root, reference)
        except JsonError:
            # An anchor: what it names is compared as part of the whole schema.
            return
