"""The two schemas of a Python type: what a consumer of it takes, and what a producer of it gives.

They are pydantic's, with three changes: titles that pydantic makes up are dropped, what is always
written is required, and outputs are closed.
"""

from __future__ import annotations

from typing import Any, Final, cast

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode
from typing_extensions import override

from fishplate.contracts.schema import Schema
from fishplate.core.errors import JsonValue

_NAMED_SUBSCHEMAS: Final = frozenset(
    {"properties", "$defs", "patternProperties", "dependentSchemas"}
)
_DATA: Final = frozenset({"const", "default", "enum", "examples"})


def schema_of(adapter: TypeAdapter[Any], *, closed: bool) -> Schema:
    """The schema of what a type gives (`closed`), or of what it takes.

    Raises:
        pydantic.PydanticUserError: The type has no JSON Schema, or names a type that is not known.
    """
    mode: JsonSchemaMode = "serialization" if closed else "validation"
    document = adapter.json_schema(mode=mode, schema_generator=_Generator, by_alias=True)
    return Schema(cast("dict[str, JsonValue]", _tidy(document, is_closed=closed)))


class _Generator(GenerateJsonSchema):
    """pydantic's schemas, but what is always emitted is required."""

    @override
    def field_is_required(self, field: Any, total: bool) -> bool:
        if self.mode == "serialization" and field["type"] != "typed-dict-field":
            return field.get("serialization_exclude_if") is None
        return super().field_is_required(field, total)


def _tidy(node: object, *, is_closed: bool, is_map: bool = False) -> object:
    if isinstance(node, list):
        return [_tidy(item, is_closed=is_closed) for item in cast("list[object]", node)]
    if not isinstance(node, dict):
        return node
    entries = cast("dict[str, object]", node)
    if is_map:
        return {key: _tidy(value, is_closed=is_closed) for key, value in entries.items()}
    kept: dict[str, object] = {}
    for key, value in entries.items():
        if key in _DATA:
            kept[key] = value
        elif key != "title":
            kept[key] = _tidy(value, is_closed=is_closed, is_map=key in _NAMED_SUBSCHEMAS)
    if is_closed:
        kept.pop("default", None)
        if "properties" in kept:
            kept.setdefault("additionalProperties", False)
    return kept
