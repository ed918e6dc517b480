"""The short notation of contracts: `{"order_id": "string", "reason": "enum[damaged, late]"}`.

    type   := prim | "enum[" v {"," v} "]" | type "[]" | "array[" type "]" | "map[" type "]"
            | {object} | [type]
    prim   := string integer number boolean object any null date datetime uuid
    suffix := "?" on a key: optional; "?" on a type: nullable

`int`, `float`, `bool` and `list[...]` are accepted as other names. Each listed key is required
unless it is marked; the values of an enum are strings.
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Final

from fishplate.contracts.json import escape_token
from fishplate.contracts.keywords import SchemaDocument
from fishplate.core.data import dataclass
from fishplate.core.errors import JsonValue, Problem

_PRIMITIVES: Final[Mapping[str, dict[str, JsonValue]]] = {
    "string": {"type": "string"},
    "integer": {"type": "integer"},
    "int": {"type": "integer"},
    "number": {"type": "number"},
    "float": {"type": "number"},
    "boolean": {"type": "boolean"},
    "bool": {"type": "boolean"},
    "object": {"type": "object"},
    "any": {},
    "null": {"type": "null"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
    "uuid": {"type": "string", "format": "uuid"},
}
_FORMS: Final = ("enum", "array", "list", "map")
_WORDS: Final = (*_PRIMITIVES, *(f"{form}[...]" for form in _FORMS))
_DEEPEST: Final = 32


def read_notation(
    notation: JsonValue, *, is_closed: bool, pointer: str = ""
) -> tuple[SchemaDocument, list[Problem]]:
    """The schema that a notation stands for, and what is wrong with it.

    Args:
        notation: A type in the short notation.
        is_closed: Whether objects refuse the keys that they do not list.
        pointer: Where the notation stands, put before the place in each message.

    Returns:
        The schema, and every problem, with code `invalid_notation`; with problems the schema is of
        no use.
    """
    reader = _Reader(is_closed=is_closed)
    schema = reader.type_of(notation, pointer, 0)
    return schema, reader.problems


@dataclass(eq=False, kw_only=True, repr=False, slots=True)
class _Reader:
    is_closed: bool
    problems: list[Problem] = field(default_factory=list)

    def type_of(  # noqa: PLR0911 -- one return for each kind of notation
        self, notation: JsonValue, pointer: str, level: int
    ) -> dict[str, JsonValue]:
        """The schema of one type; what is wrong is added to the problems."""
        if level > _DEEPEST:
            return self._wrong(pointer, f"types are nested deeper than {_DEEPEST} levels")
        match notation:
            case str():
                return self._word(notation.strip(), pointer, level)
            case dict():
                return self._object(notation, pointer, level)
            case [item]:
                return _array_of(self.type_of(item, f"{pointer}/0", level + 1))
            case list():
                return self._wrong(
                    pointer, f"a list of {len(notation)} is no type: write a list of exactly one"
                )
            case None:
                return self._wrong(pointer, "an empty value is no type: write 'null' in quotes")
            case _:
                return self._wrong(
                    pointer, f"{notation!r} is no type: write a word, an object or a list of one"
                )

    def _object(
        self, notation: Mapping[str, JsonValue], pointer: str, level: int
    ) -> dict[str, JsonValue]:
        properties: dict[str, JsonValue] = {}
        required: list[JsonValue] = []
        for key, held in notation.items():
            name = key.removesuffix("?")
            below = f"{pointer}/{escape_token(key)}"
            if not name:
                self._wrong(below, "a key without a name")
            elif name in properties:
                self._wrong(below, f"{name!r} is listed twice, with and without '?'")
            properties[name] = self.type_of(held, below, level + 1)
            if name == key:
                required.append(name)
        schema: dict[str, JsonValue] = {"type": "object", "properties": properties}
        if required:
            schema["required"] = required
        if self.is_closed:
            schema["additionalProperties"] = False
        return schema

    def _word(self, text: str, pointer: str, level: int) -> dict[str, JsonValue]:
        if level > _DEEPEST:
            return self._wrong(pointer, f"types are nested deeper than {_DEEPEST} levels")
        if text.endswith("?"):
            return _nullable(self._word(text[:-1].rstrip(), pointer, level + 1))
        if (primitive := _PRIMITIVES.get(text)) is not None:
            return dict(primitive)
        form, bracket, rest = text.partition("[")
        form = form.rstrip()
        if bracket and form in _FORMS and rest.endswith("]") and _is_one_group(rest):
            return self._form(form, rest[:-1].strip(), pointer, level)
        if text.endswith("[]"):
            return _array_of(self._word(text[:-2].rstrip(), pointer, level + 1))
        return self._wrong(pointer, f"{text!r} is no type{_suggestion(form if bracket else text)}")

    def _form(self, form: str, inner: str, pointer: str, level: int) -> dict[str, JsonValue]:
        if form == "enum":
            return self._enum(inner, pointer)
        if not inner:
            return self._wrong(pointer, f"{form}[] names no type: write for example {form}[string]")
        held = self._word(inner, pointer, level + 1)
        return (
            {"type": "object", "additionalProperties": held} if form == "map" else _array_of(held)
        )

    def _enum(self, inner: str, pointer: str) -> dict[str, JsonValue]:
        values = [value.strip() for value in inner.split(",")]
        if not all(values):
            return self._wrong(pointer, f"enum[{inner}] lists an empty value")
        repeated = sorted({value for value in values if values.count(value) > 1})
        if repeated:
            return self._wrong(pointer, f"enum lists {', '.join(map(repr, repeated))} twice")
        return {"type": "string", "enum": list(values)}

    def _wrong(self, pointer: str, message: str) -> dict[str, JsonValue]:
        place = f"at {pointer!r}: " if pointer else ""
        self.problems.append(
            Problem(code="invalid_notation", message=f"{place}{message}", pointer=pointer)
        )
        return {}


def _is_one_group(rest: str) -> bool:
    """Whether the bracket that was opened before `rest` is closed by its last sign only."""
    depth = 1
    for position, sign in enumerate(rest):
        depth += {"[": 1, "]": -1}.get(sign, 0)
        if depth == 0:
            return position == len(rest) - 1
    return False


def _array_of(item: dict[str, JsonValue]) -> dict[str, JsonValue]:
    return {"type": "array", "items": item}


def _nullable(schema: dict[str, JsonValue]) -> dict[str, JsonValue]:
    return {"anyOf": [schema, {"type": "null"}]}


def _suggestion(word: str) -> str:
    # Half a millisecond of every import of fishplate, for a word that nobody knows.
    from difflib import get_close_matches  # noqa: PLC0415 -- as said

    names = {name.removesuffix("[...]"): name for name in _WORDS}
    near = get_close_matches(word.lower(), names, n=1)
    if near:
        return f": did you mean {names[near[0]]!r}?"
    return f": use one of {', '.join(_WORDS)}"
