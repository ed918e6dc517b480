"""Parts of a schema taken out, and schemas put side by side, with every reference still holding.

What pydantic writes refers to `#/$defs/Name` alone, and its definitions are carried along by name.
A foreign schema may refer to any place of its document; then the whole document is carried along.
"""

from collections.abc import Callable, Mapping
from typing import Final

from fishplate.contracts.json import escape_token
from fishplate.contracts.keywords import (
    SchemaDocument,
    all_schemas,
    reference_pointer,
    referenced,
    rewritten,
)
from fishplate.contracts.schema import Schema
from fishplate.core.errors import JsonValue

_SHARED: Final = "#/$defs/"
# Beside these words, `anyOf` says all that a schema says.
_SILENT: Final = frozenset(
    {"$comment", "$defs", "$schema", "default", "description", "discriminator", "examples", "title"}
)


def opened_reference(document: SchemaDocument) -> dict[str, JsonValue]:
    """The object schema that a document stands for, its own references followed."""
    found: JsonValue = document
    while isinstance(found, dict) and isinstance(reference := found.get("$ref"), str):
        found = referenced(document, reference)
    return found if isinstance(found, dict) else {}


def part(root: SchemaDocument, inner: JsonValue) -> Schema:
    """A schema that stands inside `root`, as a document of its own."""
    if not isinstance(inner, dict):
        return Schema(inner is not False)
    references = _references(inner)
    if not references:
        return Schema(inner)
    definitions = root.get("$defs") if isinstance(root, dict) else None
    if isinstance(definitions, dict) and all(
        reference.startswith(_SHARED) for reference in _references(root)
    ):
        return Schema({**inner, "$defs": definitions})
    below = _below("#/$defs/whole")
    return Schema({**_object(_moved(inner, below)), "$defs": {"whole": _moved(root, below)}})


def arms(document: SchemaDocument) -> tuple[Schema, ...]:
    """The members of a union, each a document of its own; else the document alone."""
    opened = opened_reference(document)
    for keyword in ("anyOf", "oneOf"):
        members = opened.get(keyword)
        if isinstance(members, list) and opened.keys() <= {keyword, *_SILENT}:
            return tuple(part(document, member) for member in members)
    return (Schema(document),)


def side_by_side(
    documents: Mapping[str, SchemaDocument],
) -> tuple[dict[str, JsonValue], dict[str, JsonValue]]:
    """Schemas as parts of one document, and the definitions that this document has to carry.

    Args:
        documents: Each under a name that is unique; it stands before the names of its definitions
            where two documents mean different things by one name.
    """
    placed: dict[str, JsonValue] = {}
    shared: dict[str, JsonValue] = {}
    for name, document in documents.items():
        if not _references(document):
            placed[name] = document
        elif all(reference.startswith(_SHARED) for reference in _references(document)):
            placed[name] = _hoisted(name, _object(document), shared)
        else:
            place = f"#/$defs/{escape_token(name)}"
            shared[name] = _moved(document, _below(place))
            placed[name] = {"$ref": place}
    return placed, shared


def _hoisted(
    name: str, document: dict[str, JsonValue], shared: dict[str, JsonValue]
) -> SchemaDocument:
    """The document without its definitions, which are added to the shared ones."""
    definitions = _object(document.get("$defs"))
    rest: SchemaDocument = {key: held for key, held in document.items() if key != "$defs"}
    # One clash renames all of them: a definition may be equal and still refer to the other's.
    if any(found in shared and shared[found] != held for found, held in definitions.items()):
        prefix = f"{_SHARED}{escape_token(name)}."

        def renamed(part_of_it: SchemaDocument) -> SchemaDocument:
            return _moved(part_of_it, lambda reference: prefix + reference.removeprefix(_SHARED))

        rest = renamed(rest)
        definitions = {
            f"{name}.{found}": renamed(_schema(held)) for found, held in definitions.items()
        }
    shared.update(definitions)
    return rest


def _below(place: str) -> Callable[[str], str]:
    return lambda reference: place + reference.removeprefix("#")


def _references(document: SchemaDocument) -> list[str]:
    found = (schema.get("$ref") for schema in all_schemas(document))
    return [reference for reference in found if isinstance(reference, str)]


def _moved(document: SchemaDocument, place: Callable[[str], str]) -> SchemaDocument:
    """The document with every reference put through `place`, those of a discriminator too."""
    if isinstance(document, bool):
        return document
    copy = rewritten(document, lambda inner: _moved(inner, place))
    if isinstance(reference := copy.get("$ref"), str):
        reference_pointer(reference)  # refuses what is no pointer into this document
        copy["$ref"] = place(reference)
    discriminator = _object(copy.get("discriminator"))
    if mapping := _object(discriminator.get("mapping")):
        moved: dict[str, JsonValue] = {
            tag: place(reference) if isinstance(reference, str) else reference
            for tag, reference in mapping.items()
        }
        copy["discriminator"] = {**discriminator, "mapping": moved}
    return copy


def _object(value: JsonValue) -> dict[str, JsonValue]:
    return value if isinstance(value, dict) else {}


def _schema(value: JsonValue) -> SchemaDocument:
    return value if isinstance(value, dict | bool) else True
