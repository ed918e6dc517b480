"""The two schemas of a Python type: what a consumer of it takes, and what a producer of it gives.

They are pydantic's, with four changes: titles that pydantic makes up are dropped, what is always
written is required, outputs are closed, and durations have the form in which they are written.
"""

from __future__ import annotations

from typing import Any, Final, cast

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import core_schema
from typing_extensions import override

from fishplate.contracts.schema import Schema
from fishplate.core.errors import JsonValue

_NAMED_SUBSCHEMAS: Final = frozenset(
    {"properties", "$defs", "patternProperties", "dependentSchemas"}
)
# The format `duration` (RFC 3339, appendix A) knows no fractions and no sign; pydantic writes both.
_DURATION: Final = r"^-?P(?:\d+D)?(?:T(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d+)?S)?)?$"
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
    """pydantic's schemas with our changes, as far as pydantic lets them be made here."""

    @override
    def field_is_required(self, field: Any, total: bool) -> bool:
        if self.mode == "serialization" and field["type"] != "typed-dict-field":
            return field.get("serialization_exclude_if") is None
        return super().field_is_required(field, total)

    @override
    def timedelta_schema(self, schema: core_schema.TimedeltaSchema) -> JsonSchemaValue:
        found = super().timedelta_schema(schema)
        is_text = found.get("format") == "duration"
        return {"type": "string", "pattern": _DURATION} if is_text else found


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
