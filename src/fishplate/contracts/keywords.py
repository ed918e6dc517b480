"""Where a JSON Schema holds schemas: the one list that every walk over a schema follows.

The words are those of draft 2020-12 and its forerunners, so that an old schema hides nothing.

Source: JSON Schema Core 2020-12, sections 8 and 10; `definitions`, `dependencies`,
`additionalItems` and a list under `items` are of draft 7 and before.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias
from urllib.parse import unquote

from fishplate.contracts.json import resolve_pointer
from fishplate.core.errors import JsonError, JsonValue

SchemaDocument: TypeAlias = dict[str, JsonValue] | bool

# A schema below one of these judges the same value as the schema around it.
IN_PLACE: Final = frozenset(
    {
        "allOf",
        "anyOf",
        "oneOf",
        "not",
        "if",
        "then",
        "else",
        "dependentSchemas",
        "dependencies",
    }
)
REFERENCES: Final = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})
DEFINITIONS: Final = frozenset({"$defs", "definitions"})
# Words that a reader uses and a validator does not.
ANNOTATIONS: Final = frozenset({"title", "description", "examples", "$comment"})

_HOLDS_ONE: Final = frozenset(
    {
        "additionalItems",
        "additionalProperties",
        "contains",
        "contentSchema",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
_HOLDS_LIST: Final = frozenset({"allOf", "anyOf", "items", "oneOf", "prefixItems"})
_HOLDS_NAMED: Final = DEFINITIONS | {
    "dependencies",
    "dependentSchemas",
    "patternProperties",
    "properties",
}


def is_schema(value: JsonValue) -> bool:
    """Whether a value has the type that a schema has."""
    return isinstance(value, dict | bool)


def subschemas(
    schema: Mapping[str, JsonValue],
) -> Iterator[tuple[tuple[str, ...], SchemaDocument]]:
    """Each schema directly inside a schema, with the pointer tokens that lead to it."""
    for keyword, held in schema.items():
        if keyword in _HOLDS_ONE and isinstance(held, dict | bool):
            yield (keyword,), held
        elif keyword in _HOLDS_LIST and isinstance(held, list):
            for position, part in enumerate(held):
                if isinstance(part, dict | bool):
                    yield (keyword, str(position)), part
        elif keyword in _HOLDS_NAMED and isinstance(held, dict):
            for name, part in held.items():
                if isinstance(part, dict | bool):
                    yield (keyword, name), part


def all_schemas(*documents: SchemaDocument) -> Iterator[Mapping[str, JsonValue]]:
    """Each object schema in some documents, the documents included, in no particular order."""
    waiting = list(documents)
    while waiting:
        schema = waiting.pop()
        if isinstance(schema, dict):
            yield schema
            waiting.extend(part for _, part in subschemas(schema))


def reference_pointer(reference: str) -> str:
    """The pointer in a reference that stays inside its document; a URI encodes it by percents.

    Raises:
        JsonError: Code `json_pointer`; the reference is an anchor or leads elsewhere.
    """
    pointer = unquote(reference.removeprefix("#"))
    if not reference.startswith("#") or (pointer and not pointer.startswith("/")):
        raise JsonError(f"reference {reference!r} is no pointer", code="json_pointer")
    return pointer


def referenced(root: JsonValue, reference: str) -> JsonValue:
    """The schema in `root` that a reference names.

    Raises:
        JsonError: Code `json_pointer`; it names none, or is no pointer inside the document.
    """
    return resolve_pointer(root, reference_pointer(reference))


def rewritten(
    schema: Mapping[str, JsonValue], change: Callable[[SchemaDocument], SchemaDocument]
) -> dict[str, JsonValue]:
    """A copy of a schema in which each schema directly inside it went through `change`."""

    def changed(part: JsonValue) -> JsonValue:
        return change(part) if isinstance(part, dict | bool) else part

    copy: dict[str, JsonValue] = {}
    for keyword, held in schema.items():
        if keyword in _HOLDS_ONE and isinstance(held, dict | bool):
            copy[keyword] = change(held)
        elif keyword in _HOLDS_LIST and isinstance(held, list):
            copy[keyword] = [changed(part) for part in held]
        elif keyword in _HOLDS_NAMED and isinstance(held, dict):
            copy[keyword] = {name: changed(part) for name, part in held.items()}
        else:
            copy[keyword] = held
    return copy


def without_annotations(schema: SchemaDocument) -> SchemaDocument:
    """A copy of a schema without titles, descriptions, examples and comments."""
    if isinstance(schema, bool):
        return schema
    kept = {word: held for word, held in schema.items() if word not in ANNOTATIONS}
    return rewritten(kept, without_annotations)
