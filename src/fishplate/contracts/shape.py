"""A shape: one Python type at a boundary, with the schema of what it takes and of what it gives.

Inside a process a value travels as a typed object; on every edge of the process it is JSON that
the schema has judged. `accept` keeps both equal: what it hands on is what the JSON form would give
back.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import NoneType
from typing import Any, Final, Generic, TypeVar, cast, get_args, get_origin

import pydantic
from pydantic import TypeAdapter
from pydantic_core import (
    PydanticSerializationError,
    ValidationError,
    to_json,
    to_jsonable_python,
)
from typing_extensions import override

from fishplate.contracts.anatomy import Anatomy, bare, union_arms, union_of
from fishplate.contracts.compose import union as union_of_schemas
from fishplate.contracts.fits import fits, unsatisfiable
from fishplate.contracts.generation import schema_of
from fishplate.contracts.keywords import all_schemas
from fishplate.contracts.parts import arms as arms_of
from fishplate.contracts.parts import opened_reference, part, side_by_side
from fishplate.contracts.schema import Schema
from fishplate.contracts.spelling import spelled
from fishplate.contracts.values import (
    BrokenValueError,
    integral,
    is_surely_portable,
    not_portable,
    plain,
    violations_of,
)
from fishplate.core.data import dataclass
from fishplate.core.errors import DeclarationError, JsonValue, OutputError, Problem, Violation

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Projection:
    """One field of a shape: its own shape, its name in JSON, and whether it is always there."""

    shape: Shape[Any]
    alias: str
    is_required: bool


class Shape(Generic[T]):
    """One type at a boundary.

    Attributes:
        annotation: The Python type; `None` when only a schema is known, and values are JSON.
        takes: Schema of what a consumer of this type accepts (open objects, defaults optional).
        gives: Schema of what a producer of this type emits (closed objects, defaults present).
        exact: Classes whose instances need no look; hot paths ask `type(value) in shape.exact`.
    """

    __slots__ = ("_adapter", "_anatomy", "annotation", "exact", "gives", "takes")

    def __init__(
        self, annotation: object, adapter: TypeAdapter[T] | None, takes: Schema, gives: Schema
    ) -> None:
        self.annotation = annotation
        self.takes = takes
        self.gives = gives
        self._adapter = adapter
        self._anatomy = Anatomy.of(annotation, adapter) if adapter is not None else None
        self.exact: frozenset[type] = (
            self._anatomy.exact if self._anatomy is not None else frozenset()
        )

    @staticmethod
    def of(
        annotation: object, *, subject: str = "the contract", where: str | None = None
    ) -> Shape[Any]:
        """The shape of a Python type.

        Raises:
            DeclarationError: Code `no_contract`; the type has no JSON form, or one that does not
                give back what went in. Code `unsatisfiable`; it has no value at all.
        """
        try:
            return _shape_of(annotation)
        except _NoShapeError as error:
            problem = Problem(code=error.code, message=str(error), where=where)
            raise DeclarationError(subject, [problem]) from error.__cause__

    @staticmethod
    def of_schema(schema: Schema) -> Shape[JsonValue]:
        """The shape of JSON that a schema describes; values stay JSON."""
        return Shape(None, None, schema, schema)

    @staticmethod
    def union(shapes: Sequence[Shape[Any]]) -> Shape[Any]:
        """The shape of a value that has one of the given shapes, at least one."""
        members = [member for shape in shapes for member in shape.arms()]
        distinct = list({member.gives.fingerprint: member for member in members}.values())
        if len(distinct) == 1:
            return distinct[0]
        typed = [member.annotation for member in distinct if member.annotation is not None]
        if len(typed) == len(distinct):
            return _shape_of(union_of(typed))
        return _Mixed(distinct)

    @staticmethod
    def list_of(shape: Shape[Any]) -> Shape[Any]:
        """The shape of a list of values of the given shape."""
        if shape.annotation is not None:
            return _shape_of(list.__class_getitem__(shape.annotation))
        placed, shared = side_by_side({"item": shape.gives.json})
        return Shape.of_schema(
            Schema({"type": "array", "items": placed["item"], **_definitions(shared)})
        )

    @staticmethod
    def tuple_of(shapes: Sequence[Shape[Any]]) -> Shape[Any]:
        """The shape of a fixed tuple."""
        if all(shape.annotation is not None for shape in shapes):
            return _shape_of(tuple.__class_getitem__(tuple(shape.annotation for shape in shapes)))
        placed, shared = side_by_side(
            {f"position{index}": shape.gives.json for index, shape in enumerate(shapes)}
        )
        fixed: dict[str, JsonValue] = {"minItems": len(placed), "maxItems": len(placed)}
        positions: list[JsonValue] = list(placed.values())
        return Shape.of_schema(
            Schema(
                {
                    "type": "array",
                    "prefixItems": positions,
                    "items": False,
                    **fixed,
                    **_definitions(shared),
                }
            )
        )

    @property
    def name(self) -> str:
        """The type as a reader would write it."""
        if self.annotation is not None:
            return spelled(self.annotation)
        title = self.gives.json.get("title") if isinstance(self.gives.json, dict) else None
        return title if isinstance(title, str) else "JSON"

    @property
    def anatomy(self) -> Anatomy | None:
        """What the type is made of; `None` for plain JSON."""
        return self._anatomy

    def arms(self) -> tuple[Shape[Any], ...]:
        """The members of a union, else the shape itself."""
        if self.annotation is not None:
            return tuple(_shape_of(arm) for arm in union_arms(self.annotation))
        found = arms_of(self.gives.json)
        return (self,) if len(found) == 1 else tuple(map(Shape.of_schema, found))

    def fields(self) -> Mapping[str, Projection]:
        """The fields that a value of this shape may have in every case, by their Python name."""
        if self._anatomy is not None:
            return {
                name: Projection(_shape_of(found.annotation), found.alias, found.is_required)
                for name, found in self._anatomy.fields().items()
            }
        tables = [_properties_of(arm.gives) for arm in self.arms()]
        return {
            name: Projection(
                Shape.union([table[name].shape for table in tables]),
                name,
                all(table[name].is_required for table in tables),
            )
            for name in tables[0]
            if all(name in table for table in tables)
        }

    def element(self) -> Shape[Any] | None:
        """The shape of an element, if this is a list or a tuple of any length."""
        if self.annotation is not None:
            found = _element_type(bare(self.annotation))
            return None if found is None else _shape_of(found)
        opened = opened_reference(self.gives.json)
        if opened.get("type") != "array" or "prefixItems" in opened or "items" not in opened:
            return None
        return Shape.of_schema(part(self.gives.json, opened["items"]))

    def positions(self) -> tuple[Shape[Any], ...] | None:
        """The shapes of a fixed tuple's positions; `None` for anything else."""
        if self.annotation is not None:
            found = bare(self.annotation)
            arguments = get_args(found)
            if get_origin(found) is tuple and Ellipsis not in arguments:
                return tuple(_shape_of(argument) for argument in arguments)
            return None
        opened = opened_reference(self.gives.json)
        fixed = opened.get("prefixItems")
        if not isinstance(fixed, list) or opened.get("items") is not False:
            return None
        return tuple(Shape.of_schema(part(self.gives.json, position)) for position in fixed)

    def accept(self, value: object, *, given: bool = False) -> T:
        """Take a value made inside this process; the result equals what its JSON form gives back.

        Args:
            value: The value; an instance of the type is not validated again, only narrowed if
                need be.
            given: A producer of this type made it; judge what is not an instance by `gives`.

        Raises:
            BrokenValueError: The value does not satisfy the schema.
        """
        if type(value) in self.exact:
            return cast("T", value)
        if self._adapter is None or self._anatomy is None:
            found = plain(value, None)
            self._judge(found, given=given)
            return cast("T", found)
        if type(value) in self._anatomy.nominal and self._anatomy.is_settled(value):
            return cast("T", value)
        return self.decode(plain(value, self._adapter), given=given)

    def decode(self, value: JsonValue, *, given: bool = False) -> T:
        """Turn JSON into a typed object, once the schema has judged it.

        Args:
            value: The JSON.
            given: A producer of this type emitted it; judge it by `gives`, not by `takes`.

        Raises:
            BrokenValueError: The value does not satisfy the schema, or the type refuses it.
        """
        if (violation := not_portable(value)) is not None:
            raise BrokenValueError(violation)
        self._judge(value, given=given)
        if self._adapter is None:
            return cast("T", value)
        try:
            return self._adapter.validate_json(to_json(value), strict=True)
        except ValidationError as first:
            # JSON Schema calls 1.0 an integer, pydantic's strict mode does not.
            try:
                return self._adapter.validate_json(to_json(integral(value)), strict=True)
            except ValidationError:
                raise BrokenValueError(*violations_of(first)) from None

    def encode(self, value: T, *, subject: str | None = None) -> JsonValue:
        """The JSON form of a value that this shape has accepted.

        Args:
            value: The value.
            subject: What an error says cannot be written; the JSON form of the type if left out.

        Raises:
            OutputError: Readers of JSON would not agree on it, see `contracts.values`.
        """
        found: object = value
        if self._adapter is not None:
            found = self._adapter.dump_python(value, mode="json", by_alias=True)
        return self._written(found, subject)

    def unjudged(self, value: T) -> object:
        """The JSON form of a value as it is, even where readers of JSON would not agree on it.

        Only for showing what `to_json` refuses: texts may hold lone surrogates, and numbers that
        are not finite stay.
        """
        if self._adapter is None:
            return value
        return self._adapter.dump_python(value, mode="json", by_alias=True, warnings=False)

    def to_json(self, value: T) -> bytes:
        """The JSON text of a value that this shape has accepted.

        Raises:
            OutputError: Readers of JSON would not agree on it, see `contracts.values`.
        """
        if self._adapter is not None:
            try:
                found = self._adapter.serializer.to_json(value, by_alias=True)
            except (PydanticSerializationError, UnicodeEncodeError):
                pass  # what is wrong with it is found below
            else:
                if is_surely_portable(found):
                    return found
        return to_json(self.encode(value))

    def _written(self, found: object, subject: str | None) -> JsonValue:
        if (violation := not_portable(found)) is not None:
            raise OutputError(subject or f"the JSON form of {self.name}", [violation])
        return cast("JsonValue", found)

    def _judge(self, value: JsonValue, *, given: bool) -> None:
        schema = self.gives if given else self.takes
        if violations := schema.violations(value):
            raise BrokenValueError(*violations)

    @override
    def __repr__(self) -> str:
        return f"Shape({self.name})"


class _Mixed(Shape[Any]):
    """A union of typed objects and plain JSON: each value belongs to the first member it fits."""

    __slots__ = ("_members",)

    def __init__(self, members: Sequence[Shape[Any]]) -> None:
        takes = union_of_schemas([member.takes for member in members])
        super().__init__(None, None, takes, union_of_schemas([member.gives for member in members]))
        # Typed members first: an instance names its member, while JSON may be anything.
        self._members = tuple(sorted(members, key=lambda member: member.annotation is None))
        self.exact = frozenset(cls for member in members for cls in member.exact)

    @property
    @override
    def name(self) -> str:
        return " | ".join(member.name for member in self._members)

    @override
    def arms(self) -> tuple[Shape[Any], ...]:
        return self._members

    @override
    def accept(self, value: object, *, given: bool = False) -> Any:
        if type(value) in self.exact:
            return value
        return self._first(lambda member: member.accept(value, given=given))

    @override
    def decode(self, value: JsonValue, *, given: bool = False) -> Any:
        return self._first(lambda member: member.decode(value, given=given))

    @override
    def encode(self, value: Any, *, subject: str | None = None) -> JsonValue:
        return self._written(self.unjudged(value), subject)

    @override
    def unjudged(self, value: Any) -> object:
        return to_jsonable_python(value, by_alias=True, inf_nan_mode="constants")

    def _first(self, attempt: Callable[[Shape[Any]], Any]) -> Any:
        violations: list[Violation] = []
        for member in self._members:
            try:
                return attempt(member)
            except BrokenValueError as error:
                violations.extend(error.violations)
        raise BrokenValueError(*violations)


class _NoShapeError(Exception):
    """Why a type cannot stand at a boundary."""

    def __init__(self, message: str, code: str = "no_contract") -> None:
        super().__init__(message)
        self.code = code


def _shape_of(annotation: object) -> Shape[Any]:
    annotation = NoneType if annotation is None else annotation
    try:
        hash(annotation)
    except TypeError:
        return _made_shape(annotation)
    return _cached_shape(annotation)


@functools.lru_cache(maxsize=4096)
def _cached_shape(annotation: object) -> Shape[Any]:
    return _made_shape(annotation)


def _made_shape(annotation: object) -> Shape[Any]:
    name = spelled(annotation)
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(cast("Any", annotation))
        takes, gives = schema_of(adapter, closed=False), schema_of(adapter, closed=True)
    except (pydantic.PydanticUserError, ValueError, NameError, TypeError) as error:
        raise _NoShapeError(f"{name!r} {_why_none(error)}") from error
    shape: Shape[Any] = Shape(annotation, adapter, takes, gives)
    for reason in _refusals(shape):
        raise _NoShapeError(f"{name!r} cannot stand in a contract: {reason}")
    for pointer, reason in unsatisfiable(takes).items():
        place = f" at {pointer!r}" if pointer else ""
        message = f"{name!r} has a part{place} that no value has: {reason}"
        raise _NoShapeError(message, "unsatisfiable")
    return shape


def _why_none(error: Exception) -> str:
    code = getattr(error, "code", None)
    if code in {"class-not-fully-defined", "undefined-annotation"} or isinstance(error, NameError):
        return "names a type that is not known here: define it above, at the top of its module"
    if code == "typed-dict-version":
        return "is a TypedDict of 'typing': import TypedDict from 'typing_extensions'"
    return (
        "has no JSON Schema: use pydantic models, dataclasses, enums, literals, lists, dicts "
        "and the plain types"
    )


def _refusals(shape: Shape[Any]) -> Iterator[str]:
    if shape.anatomy is not None:
        yield from shape.anatomy.refusals
    if any(schema.get("writeOnly") for schema in all_schemas(shape.gives.json)):
        yield "a secret is masked in JSON, so nobody could read it back; keep it in a resource"
    verdict = fits(shape.gives, shape.takes)
    if verdict.verdict == "breaks":
        yield (
            f"what it writes as JSON it does not read back, {verdict.reason}. Give its fields one "
            "alias= for both ways, and no serializer of another type"
        )


def _properties_of(schema: Schema) -> dict[str, Projection]:
    opened = opened_reference(schema.json)
    properties, required = opened.get("properties"), opened.get("required")
    if not isinstance(properties, dict):
        return {}
    always = required if isinstance(required, list) else []
    return {
        name: Projection(Shape.of_schema(part(schema.json, found)), name, name in always)
        for name, found in properties.items()
    }


def _definitions(shared: dict[str, JsonValue]) -> dict[str, JsonValue]:
    return {"$defs": shared} if shared else {}


_ORDERED: Final = frozenset({list, Sequence})


def _element_type(annotation: object) -> object | None:
    """The type of an element; a set has no order that a resumed run could rely on."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in _ORDERED and arguments:
        return cast("object", arguments[0])
    if origin is tuple and arguments[-1:] == (Ellipsis,):
        return cast("object", arguments[0])
    return None


__all__ = ["BrokenValueError", "Projection", "Shape"]
