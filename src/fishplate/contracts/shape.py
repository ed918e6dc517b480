"""A shape: one Python type at a boundary, with the schema of what it takes and of what it gives.

Inside a process a value travels as a typed object; on every edge of the process it is JSON that the schema
has judged. `accept` keeps both equal: what it hands on is what the JSON form would give back.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Mapping, Sequence
from types import NoneType
from typing import Any, Final, Generic, NamedTuple, TypeVar, Union, cast, get_args, get_origin

import pydantic
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode
from pydantic_core import PydanticSerializationError, ValidationError, to_json, to_jsonable_python

from fishplate.contracts.anatomy import Anatomy, is_union, union_arms
from fishplate.contracts.json import to_pointer
from fishplate.contracts.schema import Schema
from fishplate.core.errors import DeclarationError, JsonValue, Problem, Violation

T = TypeVar("T")


class Projection(NamedTuple):
    """One field of a shape: its own shape, its name in JSON, and whether it is always there."""

    shape: Shape[object]
    alias: str
    is_required: bool


class BrokenValueError(Exception):
    """A value that a shape does not take; its caller says whose fault that is."""

    def __init__(self, violations: Sequence[Violation]) -> None:
        super().__init__(violations[0].message)
        self.violations = tuple(violations)


class Shape(Generic[T]):
    """One type at a boundary.

    Attributes:
        annotation: The Python type; `None` when only a schema is known, and values are JSON.
        takes: Schema of what a consumer of this type accepts (open objects, defaults optional).
        gives: Schema of what a producer of this type emits (closed objects, defaults present).
        exact: Classes whose instances need no look at all; hot paths test `type(value) in shape.exact`.
    """

    __slots__ = ("_anatomy", "_adapter", "annotation", "exact", "gives", "takes")

    def __init__(self, annotation: object, adapter: TypeAdapter[T] | None, takes: Schema, gives: Schema) -> None:
        self.annotation = annotation
        self.takes = takes
        self.gives = gives
        self._adapter = adapter
        self._anatomy = Anatomy.of(annotation, adapter) if adapter is not None else None
        self.exact: frozenset[type] = self._anatomy.exact if self._anatomy is not None else frozenset()

    @staticmethod
    def of(annotation: object, *, subject: str = "the contract", where: str | None = None) -> Shape[Any]:
        """The shape of a Python type.

        Raises:
            DeclarationError: The type has no JSON form, or one that does not give back what went in.
        """
        try:
            return _shape_of(annotation)
        except _NoShapeError as error:
            problem = Problem(code="no_contract", message=str(error), where=where)
            raise DeclarationError(subject, [problem]) from error.__cause__

    @staticmethod
    def of_schema(schema: Schema) -> Shape[JsonValue]:
        """The shape of JSON that a schema describes; values stay JSON."""
        return Shape(None, None, schema, schema)

    @staticmethod
    def union(shapes: Sequence[Shape[Any]]) -> Shape[Any]:
        """The shape of a value that has one of the given shapes."""
        distinct = list({shape.gives.fingerprint: shape for shape in shapes}.values())
        if len(distinct) == 1:
            return distinct[0]
        if all(shape.annotation is not None for shape in distinct):
            return _shape_of(functools.reduce(operator.or_, (_as_type(shape.annotation) for shape in distinct)))
        return Shape.of_schema(Schema({"anyOf": [shape.gives.json for shape in distinct]}))

    @staticmethod
    def list_of(shape: Shape[Any]) -> Shape[Any]:
        """The shape of a list of values of the given shape."""
        if shape.annotation is not None:
            return _shape_of(list.__class_getitem__(shape.annotation))
        return Shape.of_schema(Schema({"type": "array", "items": shape.gives.json}))

    @staticmethod
    def tuple_of(shapes: Sequence[Shape[Any]]) -> Shape[Any]:
        """The shape of a fixed tuple."""
        if all(shape.annotation is not None for shape in shapes):
            return _shape_of(tuple.__class_getitem__(tuple(shape.annotation for shape in shapes)))
        positions: list[JsonValue] = [shape.gives.json for shape in shapes]
        count = len(positions)
        return Shape.of_schema(
            Schema({"type": "array", "prefixItems": positions, "items": False, "minItems": count, "maxItems": count})
        )

    @property
    def name(self) -> str:
        """The type as a reader would write it."""
        if self.annotation is None:
            title = self.gives.json.get("title") if isinstance(self.gives.json, dict) else None
            return title if isinstance(title, str) else "JSON"
        return _spell(self.annotation)

    @property
    def anatomy(self) -> Anatomy | None:
        """What the type is made of; `None` for plain JSON."""
        return self._anatomy

    def arms(self) -> tuple[Shape[Any], ...]:
        """The members of a union, else the shape itself."""
        if self.annotation is not None:
            return tuple(_shape_of(arm) for arm in union_arms(self.annotation))
        document = self.gives.json
        if isinstance(document, dict):
            for keyword in ("anyOf", "oneOf"):
                if isinstance(found := document.get(keyword), list):
                    rest = {key: value for key, value in document.items() if key == "$defs"}
                    return tuple(
                        Shape.of_schema(Schema({**rest, **arm})) for arm in found if isinstance(arm, dict)
                    )
        return (self,)

    def fields(self) -> Mapping[str, Projection]:
        """The fields that a value of this shape has in every case, by their Python name."""
        if self._anatomy is None:
            return _schema_fields(self.gives.json)
        return {
            name: Projection(_shape_of(found.annotation), found.alias, found.is_required)
            for name, found in self._anatomy.fields().items()
        }

    def element(self) -> Shape[Any] | None:
        """The shape of an element, if this is a list or a tuple of any length."""
        if self.annotation is not None:
            return None if (found := _element_type(self.annotation)) is None else _shape_of(found)
        document = self.gives.json
        if isinstance(document, dict) and document.get("type") == "array" and "items" in document:
            items = document["items"]
            if isinstance(items, (dict, bool)):
                return Shape.of_schema(Schema(items))
        return None

    def positions(self) -> tuple[Shape[Any], ...] | None:
        """The shapes of a fixed tuple's positions."""
        if self.annotation is not None:
            arguments = get_args(self.annotation)
            if get_origin(self.annotation) is tuple and Ellipsis not in arguments:
                return tuple(_shape_of(argument) for argument in arguments)
            return None
        document = self.gives.json
        if isinstance(document, dict) and isinstance(found := document.get("prefixItems"), list):
            return tuple(Shape.of_schema(Schema(item)) for item in found if isinstance(item, (dict, bool)))
        return None

    def accept(self, value: object, *, given: bool = False) -> T:
        """Take a value made inside this process; what is returned equals what its JSON form gives back.

        Args:
            value: The value; an instance of the type is not validated again, only narrowed if need be.
            given: A producer of this type made it; judge what is not an instance by `gives`.

        Raises:
            BrokenValueError: The value does not satisfy the schema.
        """
        if type(value) in self.exact:
            return cast("T", value)
        if self._adapter is None or self._anatomy is None:
            plain = _plain(value, None)
            self._judge(plain, self.gives if given else self.takes)
            return cast("T", plain)
        if type(value) in self._anatomy.nominal and self._anatomy.is_settled(value):
            return cast("T", value)
        return self._revive(_plain(value, self._adapter), self.gives if given else self.takes)

    def decode(self, value: JsonValue, *, given: bool = False) -> T:
        """Turn JSON from outside into a typed object, once the schema has judged it.

        Args:
            value: The JSON.
            given: The JSON was emitted by a producer of this type; judge it by `gives`, not by `takes`.

        Raises:
            BrokenValueError: The value does not satisfy the schema, or the type refuses it.
        """
        schema = self.gives if given else self.takes
        if self._adapter is None:
            self._judge(value, schema)
            return cast("T", value)
        return self._revive(value, schema)

    def encode(self, value: T) -> JsonValue:
        """The JSON form of a value that this shape has accepted."""
        if self._adapter is None:
            return cast("JsonValue", value)
        return cast("JsonValue", self._adapter.dump_python(value, mode="json", by_alias=True))

    def _judge(self, value: JsonValue, schema: Schema) -> None:
        if violations := schema.violations(value):
            raise BrokenValueError(violations)

    def _revive(self, value: JsonValue, schema: Schema) -> T:
        self._judge(value, schema)
        adapter = cast("TypeAdapter[T]", self._adapter)
        try:
            return adapter.validate_json(to_json(value), strict=True)
        except ValidationError as first:
            # JSON Schema calls 1.0 an integer, pydantic's strict mode does not.
            try:
                return adapter.validate_json(to_json(_integral(value)), strict=True)
            except ValidationError:
                raise BrokenValueError(_violations_of(first)) from None

    def __repr__(self) -> str:
        return f"Shape({self.name})"


class _NoShapeError(Exception):
    """Why a type cannot stand at a boundary."""


class _Generator(GenerateJsonSchema):
    """pydantic's schemas, but what is always emitted is required."""

    def field_is_required(self, field: Any, total: bool) -> bool:  # noqa: FBT001, ANN401 -- pydantic's own signature
        if self.mode == "serialization" and field["type"] != "typed-dict-field":
            return field.get("serialization_exclude_if") is None
        return super().field_is_required(field, total)


@functools.lru_cache(maxsize=4096)
def _cached_shape(annotation: object) -> Shape[Any]:
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(annotation)
        takes = _schema(adapter, "validation")
        gives = _schema(adapter, "serialization")
    except (pydantic.PydanticUserError, PydanticSerializationError, ValueError, NameError, TypeError) as error:
        raise _NoShapeError(
            f"{_spell(annotation)!r} has no JSON Schema: use pydantic models, dataclasses, enums, "
            "literals, lists, dicts and the plain types"
        ) from error
    shape: Shape[Any] = Shape(annotation, adapter, takes, gives)
    if shape.anatomy is not None and (reasons := shape.anatomy.refusals):
        raise _NoShapeError(f"{_spell(annotation)!r} cannot stand in a contract: {reasons[0]}")
    return shape


def _shape_of(annotation: object) -> Shape[Any]:
    annotation = NoneType if annotation is None else annotation
    try:
        hash(annotation)
    except TypeError:
        return _cached_shape.__wrapped__(annotation)
    return _cached_shape(annotation)


def _schema(adapter: TypeAdapter[Any], mode: JsonSchemaMode) -> Schema:
    document = adapter.json_schema(mode=mode, schema_generator=_Generator, by_alias=True)
    return Schema(cast("dict[str, JsonValue]", _tidy(document, close=mode == "serialization")))


_NAMED_SUBSCHEMAS: Final = frozenset({"properties", "$defs", "patternProperties", "dependentSchemas"})


def _tidy(node: object, *, close: bool, is_map: bool = False) -> object:
    """Drop the titles that pydantic makes up; close the objects of an output."""
    if isinstance(node, list):
        return [_tidy(item, close=close) for item in node]
    if not isinstance(node, dict):
        return node
    if is_map:
        return {key: _tidy(value, close=close) for key, value in node.items()}
    kept: dict[str, object] = {}
    for key, value in node.items():
        if key == "title":
            continue
        if key in {"const", "enum", "default", "examples"}:
            kept[key] = value
        else:
            kept[key] = _tidy(value, close=close, is_map=key in _NAMED_SUBSCHEMAS)
    if close and "properties" in kept and "additionalProperties" not in kept:
        kept["additionalProperties"] = False
    if close and kept.get("type") == "object" and "properties" not in kept and "additionalProperties" not in kept:
        if set(kept) <= {"type", "description"}:
            kept["additionalProperties"] = False
    if "default" in kept and close:
        del kept["default"]
    return kept


def _plain(value: object, adapter: TypeAdapter[Any] | None) -> JsonValue:
    """The JSON form of a value, narrowed to the declared types; numbers stay as they are."""
    try:
        plain = to_jsonable_python(value, by_alias=True, inf_nan_mode="constants")
        if (pointer := not_finite(plain)) is not None:
            message = "the number is not finite; JSON holds no NaN and no Infinity"
            raise BrokenValueError([Violation(pointer=pointer, message=message, keyword="type")])
        if adapter is not None:
            plain = adapter.dump_python(value, mode="json", by_alias=True, warnings=False)
    except (PydanticSerializationError, ValueError, UnicodeError) as error:
        message = f"{type(value).__name__!r} has no JSON form ({type(error).__name__})"
        raise BrokenValueError([Violation(pointer="", message=message, keyword="type")]) from None
    return cast("JsonValue", plain)


def not_finite(value: object) -> str | None:
    """Pointer to the first number that is not finite, or `None`."""
    stack: list[tuple[tuple[str | int, ...], object]] = [((), value)]
    while stack:
        path, found = stack.pop()
        if isinstance(found, float) and not math.isfinite(found):
            return to_pointer(path)
        if isinstance(found, dict):
            stack.extend(((*path, str(key)), item) for key, item in found.items())
        elif isinstance(found, list):
            stack.extend(((*path, index), item) for index, item in enumerate(found))
    return None


def _integral(value: JsonValue) -> JsonValue:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_integral(item) for item in value]
    if isinstance(value, dict):
        return {key: _integral(item) for key, item in value.items()}
    return value


def _violations_of(error: ValidationError) -> list[Violation]:
    return [
        Violation(pointer=to_pointer(found["loc"]), message=found["msg"], keyword=found["type"])
        for found in error.errors(include_url=False, include_context=False, include_input=False)
    ]


def _schema_fields(document: JsonValue) -> dict[str, Projection]:
    if not isinstance(document, dict) or not isinstance(properties := document.get("properties"), dict):
        return {}
    required = document.get("required")
    always = set(required) if isinstance(required, list) else set()
    shared = {"$defs": document["$defs"]} if "$defs" in document else {}
    return {
        name: Projection(
            Shape.of_schema(Schema({**shared, **found} if isinstance(found, dict) else bool(found))),
            name,
            name in always,
        )
        for name, found in properties.items()
        if isinstance(found, (dict, bool))
    }


def _element_type(annotation: object) -> object | None:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in {list, Sequence, set, frozenset} and arguments:
        return cast("object", arguments[0])
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:  # noqa: PLR2004 -- tuple[T, ...]
        return cast("object", arguments[0])
    return None


def _as_type(annotation: object) -> Any:  # noqa: ANN401 -- types are joined with |
    return Union[annotation, NoneType] if annotation is NoneType else annotation  # noqa: UP007


def _spell(annotation: object) -> str:
    if is_union(annotation):
        return " | ".join(_spell(arm) for arm in get_args(annotation))
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation.__name__
    return str(annotation).replace("typing.", "")


__all__ = ["BrokenValueError", "Projection", "Shape", "not_finite"]
