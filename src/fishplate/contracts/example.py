"""Examples of what a schema accepts, to be read by people and taken by code.

The search for a counterexample (see `witness`) tries the ends of every range. An example is in the
middle: every field is there, a list has an item, a text is the name of its field in brackets. The
others differ from the first in one choice each: another member of a union, another value of an
enum, the optional fields left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Final

from fishplate.contracts.json import canonical_json
from fishplate.contracts.keywords import SchemaDocument, referenced
from fishplate.contracts.schema import Schema
from fishplate.contracts.witness import Hints, in_turn, merged, proposals
from fishplate.core.errors import DeclarationError, JsonError, JsonValue

MOST_EXAMPLES: Final = 8
_MOST_TRIED: Final = 100
_DEEPEST: Final = 8
_NO_HINTS: Final = Hints()


def examples(schema: Schema) -> Iterator[JsonValue]:
    """Values that a schema accepts, the fullest first; the same ones every time.

    Returns:
        At most `MOST_EXAMPLES`; none if none is found, e.g. for a pattern that is hard to match.
    """
    tried = islice(_Maker(schema.json).of(schema.json, "value", 0), _MOST_TRIED)
    return islice(_distinct(value for value in tried if schema.is_valid(value)), MOST_EXAMPLES)


def _accepts(part: Schema, value: JsonValue) -> bool:
    """Whether a part accepts a value on its own; one that refers to its root is nothing alone."""
    try:
        return part.is_valid(value)
    except DeclarationError:
        return False


def _distinct(values: Iterable[JsonValue]) -> Iterator[JsonValue]:
    seen: set[bytes] = set()
    for value in values:
        text = canonical_json(value)
        if text not in seen:
            seen.add(text)
            yield value


class _Maker:
    """Makes examples of the parts of one schema; whether they are valid is asked at the end."""

    def __init__(self, root: SchemaDocument) -> None:
        self._root = root
        shared = root.get("$defs") if isinstance(root, dict) else None
        self._shared: dict[str, JsonValue] = {} if shared is None else {"$defs": shared}

    def of(self, schema: JsonValue, name: str, level: int) -> Iterator[JsonValue]:
        """Examples of a part that is called `name` and stands `level` schemas below the root."""
        if level > _DEEPEST or schema is False:
            return
        if not isinstance(schema, dict):
            yield f"<{name}>"
        elif "const" in schema:
            yield schema["const"]
        elif isinstance(values := schema.get("enum"), list):
            yield from values
        elif isinstance(reference := schema.get("$ref"), str):
            yield from self._referred(reference, schema, name, level)
        elif isinstance(parts := schema.get("allOf"), list):
            yield from self.of(merged(schema, "allOf", parts), name, level + 1)
        elif (arms := schema.get("anyOf", schema.get("oneOf"))) and isinstance(arms, list):
            word = "anyOf" if "anyOf" in schema else "oneOf"
            each = [merged(schema, word, [arm]) for arm in arms]
            # That something is not there says least about what is done with it.
            each.sort(key=lambda arm: isinstance(arm, dict) and arm.get("type") == "null")
            yield from in_turn([self.of(arm, name, level + 1) for arm in each])
        else:
            yield from self._typed(schema, name, level)

    def _typed(self, schema: dict[str, JsonValue], name: str, level: int) -> Iterator[JsonValue]:
        match schema.get("type"):
            case "object":
                yield from self._objects(schema, name, level)
            case "array":
                yield from self._arrays(schema, name, level)
            case "string":
                yield from self._texts(schema, name)
            case "boolean":
                yield from (True, False)
            case _:
                yield from self._any(schema)

    def _referred(
        self, reference: str, schema: Mapping[str, JsonValue], name: str, level: int
    ) -> Iterator[JsonValue]:
        try:
            target = referenced(self._root, reference)
        except JsonError:  # an anchor, or another resource: no example
            return
        yield from self.of(merged(schema, "$ref", [target]), name, level + 1)

    def _texts(self, schema: dict[str, JsonValue], name: str) -> Iterator[JsonValue]:
        part = Schema({**schema, **self._shared})
        is_free = not schema.keys() & {"pattern", "format"}
        named = (text for text in (f"<{name}>", name) if is_free and _accepts(part, text))
        first = next(named, None)
        if first is None:
            yield from self._any(schema)
        else:
            yield first

    def _any(self, schema: dict[str, JsonValue]) -> Iterator[JsonValue]:
        """The first value that is valid on its own."""
        document: dict[str, JsonValue] = {**schema, **self._shared}
        part = Schema(document)
        proposed = islice(proposals(document, _NO_HINTS), _MOST_TRIED)
        yield from islice((value for value in proposed if _accepts(part, value)), 1)

    def _arrays(
        self, schema: Mapping[str, JsonValue], name: str, level: int
    ) -> Iterator[JsonValue]:
        prefix = schema.get("prefixItems")
        if isinstance(prefix, list) and prefix:
            firsts = [next(self.of(part, name, level + 1), None) for part in prefix]
            yield list[JsonValue](firsts)
            return
        least = schema.get("minItems")
        count = least if isinstance(least, int) else 0
        items = list(islice(self.of(schema.get("items", True), name, level + 1), MOST_EXAMPLES))
        if items:
            yield list(items[:count]) if 0 < count <= len(items) else [items[0]] * max(count, 1)
        if not count:
            yield []
        yield from ([item] * max(count, 1) for item in items[1:])

    def _objects(
        self, schema: Mapping[str, JsonValue], name: str, level: int
    ) -> Iterator[JsonValue]:
        found, wanted = schema.get("properties"), schema.get("required")
        parts = dict(found) if isinstance(found, dict) else {}
        required = [str(one) for one in wanted] if isinstance(wanted, list) else []
        rest = schema.get("additionalProperties", True)
        if not parts and rest is not False and "additionalProperties" in schema:
            parts = {f"<{name}>": rest}  # a mapping: its keys are named too
        parts |= {one: rest for one in required if one not in parts}
        choices = {
            one: list(islice(self.of(part, one.strip("<>"), level + 1), MOST_EXAMPLES))
            for one, part in parts.items()
        }
        full = {one: values[0] for one, values in choices.items() if values}
        if not full.keys() >= set(required):
            return
        yield full
        if len(required) < len(full):
            yield {one: value for one, value in full.items() if one in required}
        yield from in_turn(_varied(full, one, values[1:]) for one, values in choices.items())


def _varied(
    full: Mapping[str, JsonValue], name: str, values: Iterable[JsonValue]
) -> Iterator[JsonValue]:
    for value in values:
        yield {**full, name: value}
