"""Schemas made of schemas: unions and intersections in which every reference still holds."""

from collections.abc import Sequence
from typing import Final

from fishplate.contracts.keywords import (
    SchemaDocument,
    all_schemas,
    reference_pointer,
    rewritten,
)
from fishplate.contracts.schema import Schema, written
from fishplate.core.errors import JsonValue

# Names and resources reach across a document, so two documents cannot stand in one as they are.
_GLOBAL_WORDS: Final = frozenset({"$id", "$anchor", "$dynamicAnchor", "$dynamicRef"})


def union(schemas: Sequence[Schema]) -> Schema:
    """A schema that accepts what at least one of them accepts; of none, nothing at all.

    Raises:
        DeclarationError: Code `invalid_schema`; one of them is no schema.
    """
    distinct = list(dict.fromkeys(schemas))
    if not distinct:
        return Schema(False)  # noqa: FBT003 -- the schema that accepts nothing
    return distinct[0] if len(distinct) == 1 else _combined("anyOf", distinct)


def intersection(schemas: Sequence[Schema]) -> Schema:
    """A schema that accepts what all of them accept; of none, everything.

    Raises:
        DeclarationError: Code `invalid_schema`; one of them is no schema.
    """
    distinct = list(dict.fromkeys(schemas))
    if not distinct:
        return Schema(True)  # noqa: FBT003 -- the schema that accepts everything
    return distinct[0] if len(distinct) == 1 else _combined("allOf", distinct)


def _combined(word: str, schemas: Sequence[Schema]) -> Schema:
    """Put the documents side by side under `$defs` and point at them."""
    parts = [_portable(schema) for schema in schemas]
    if not any("$ref" in schema for schema in all_schemas(*parts)):
        return Schema({word: list(parts)})
    definitions: dict[str, JsonValue] = {
        f"part{number}": _moved(part, f"/$defs/part{number}") for number, part in enumerate(parts)
    }
    references: list[JsonValue] = [{"$ref": f"#/$defs/{name}"} for name in definitions]
    return Schema({word: references, "$defs": definitions})


def _portable(schema: Schema) -> SchemaDocument:
    document = schema.json
    if any(_GLOBAL_WORDS & part.keys() for part in all_schemas(document)):
        # The canonical form has pointers only.
        form = written(schema.canonical)
        document = document if form is None else form
    if isinstance(document, bool):
        return document
    return {word: held for word, held in document.items() if word != "$schema"}


def _moved(document: SchemaDocument, place: str) -> SchemaDocument:
    """A document whose references follow it to a new place."""
    if isinstance(document, bool):
        return document
    copy = rewritten(document, lambda part: _moved(part, place))
    if isinstance(reference := copy.get("$ref"), str):
        # Checks that it is a pointer; its percent-encoding is kept as it is.
        reference_pointer(reference)
        copy["$ref"] = f"#{place}{reference.removeprefix('#')}"
    return copy
