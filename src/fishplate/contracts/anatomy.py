"""What a Python type is made of, read from pydantic's core schema once per type.

It answers three questions: which instances need no second look, which fields a value has, and why
a type cannot stand in a contract at all.
"""

from __future__ import annotations

import dataclasses
import enum
import math
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Final, ForwardRef, TypeVar, Union, cast, get_args, get_origin

import typing_extensions
from pydantic import BaseModel, TypeAdapter
from pydantic_core import to_jsonable_python

from fishplate.core.data import dataclass
from fishplate.core.outcome import DeclaredError

_PLAIN: Final = (str, bool, int, NoneType)
# Instances of types that are made of these alone equal what their JSON form gives back, once
# pydantic has made them. What is not listed (validators, `Any`, plain dataclasses) may not.
_LOSSLESS: Final = frozenset(
    {
        "bool",
        "date",
        "datetime",
        "decimal",
        "default",
        "definition-ref",
        "definitions",
        "dict",
        "enum",
        "float",
        "frozenset",
        "int",
        "list",
        "literal",
        "model",
        "model-field",
        "model-fields",
        "none",
        "nullable",
        "set",
        "str",
        "tagged-union",
        "timedelta",
        "tuple",
        "typed-dict",
        "typed-dict-field",
        "union",
        "uuid",
    }
)
# Keys of a core schema whose values are data, which may look like a schema.
_NO_SCHEMAS: Final = frozenset({"default", "expected", "members", "metadata", "serialization"})
_ALIASES: Final = tuple(
    {typing_extensions.TypeAliasType, getattr(typing, "TypeAliasType", NoneType)} - {NoneType}
)


@dataclass(frozen=True, slots=True)
class Member:
    """One field: its annotation with constraints, its name in JSON, whether it is always there."""

    annotation: object
    alias: str
    is_required: bool


def bare(annotation: object) -> object:
    """The type without `Annotated` and without the name that a type alias gives it.

    A type that names itself in quotes, as pydantic's `JsonValue` does, has only its name: taken
    apart, its parts would name what nobody knows.
    """
    if get_origin(annotation) is Annotated:
        return bare(get_args(annotation)[0])
    if isinstance(annotation, _ALIASES):
        value = cast("typing_extensions.TypeAliasType", annotation).__value__
        return annotation if _has_quotes(value) else bare(value)
    return annotation


def _has_quotes(annotation: object) -> bool:
    if isinstance(annotation, (str, ForwardRef)):
        return True
    match get_origin(annotation):
        case typing.Literal:
            return False
        case typing.Annotated:
            return _has_quotes(get_args(annotation)[0])
        case _:
            return any(map(_has_quotes, get_args(annotation)))


def is_union(annotation: object) -> bool:
    """Whether the annotation is `A | B`, also inside `Annotated` or under an alias."""
    return get_origin(bare(annotation)) in {Union, UnionType}


def union_arms(annotation: object) -> tuple[object, ...]:
    """The members of a union, nested unions opened, else the annotation alone."""
    if not is_union(annotation):
        return (annotation,)
    return tuple(arm for member in get_args(bare(annotation)) for arm in union_arms(member))


def union_of(annotations: Sequence[object]) -> object:
    """The type of a value that has one of the given types, at least one."""
    # `|` between two types is not there for every kind of annotation that pydantic takes.
    return Union[tuple(cast("Any", annotations))]  # noqa: UP007


def is_object_type(annotation: object) -> bool:
    """Whether values of the type are JSON objects with fields of their own."""
    found = _class_of(annotation)
    return found is not None and (
        issubclass(found, (BaseModel, DeclaredError))
        or dataclasses.is_dataclass(found)
        or typing_extensions.is_typeddict(found)
    )


def _class_of(annotation: object) -> type[object] | None:
    found = bare(annotation)
    found = get_origin(found) or found  # `Page[int]` is a `Page`
    return cast("type[object]", found) if isinstance(found, type) else None


class Anatomy:
    """The parts of one type.

    Attributes:
        nominal: Classes whose instances are taken by their class.
        exact: Those of them whose instances cannot hold anything that JSON would change.
        refusals: Why the type cannot stand in any contract.
        output_refusals: Why it cannot be an output.
    """

    __slots__ = ("_checks", "annotation", "exact", "nominal", "output_refusals", "refusals")

    def __init__(self, annotation: object, core: object) -> None:
        self.annotation = annotation
        self.nominal = frozenset(
            cast("type", arm) for arm in union_arms(annotation) if _is_nominal(arm)
        )
        self._checks = {cls: check for cls in self.nominal if (check := _check_of(cls)) is not None}
        self.exact = self.nominal - self._checks.keys()
        nodes = tuple(_nodes(core))
        self.refusals = tuple(dict.fromkeys(_refusals(nodes)))
        self.output_refusals = tuple(dict.fromkeys(_output_refusals(nodes)))

    @staticmethod
    def of(annotation: object, adapter: TypeAdapter[Any]) -> Anatomy:
        """Read a type."""
        return Anatomy(annotation, adapter.core_schema)

    def is_settled(self, value: object) -> bool:
        """Whether an instance of a nominal class equals what its JSON form would give back."""
        check = self._checks.get(type(value))
        return check is None or check(value)

    def fields(self) -> Mapping[str, Member]:
        """The fields that every member of the type has, by Python name; unions join their types."""
        tables = [_fields_of(arm) for arm in union_arms(self.annotation)]
        return {
            name: _joined([table[name] for table in tables])
            for name, member in tables[0].items()
            if all(name in table and table[name].alias == member.alias for table in tables[1:])
        }

    def unions(self) -> Iterator[tuple[object, ...]]:
        """The members of every union inside the type, its own first; each union once."""
        pending, seen = [self.annotation], set[str]()
        while pending:
            found = pending.pop(0)
            if repr(found) in seen:
                continue
            seen.add(repr(found))
            if is_union(found):
                yield union_arms(found)
            pending.extend(get_args(bare(found)))
            pending.extend(member.annotation for member in _fields_of(found).values())


def _is_nominal(arm: object) -> bool:
    if not isinstance(arm, type) or get_args(arm):
        return False
    return arm in _PLAIN or issubclass(arm, (BaseModel, DeclaredError, enum.Enum))


def _check_of(cls: type[object]) -> Callable[[object], bool] | None:
    """A look at an instance that its class alone does not settle; `None`: the class is enough."""
    if cls in _PLAIN or issubclass(cls, enum.Enum):
        return None
    own: type[object] = cls.model() if issubclass(cls, DeclaredError) else cls
    nodes = tuple(_nodes(TypeAdapter(own).core_schema))
    if not _is_lossless(nodes):
        return lambda _: False
    kinds = {node["type"] for node in nodes}
    is_recursive, has_float = "definition-ref" in kinds, "float" in kinds
    below = tuple({found for found in _classes(nodes) if is_recursive or found is not own})
    if not has_float and not below:
        return None
    floats = _direct_floats(cls) if has_float else None

    def check(value: object) -> bool:
        # A field may hold an instance of a subclass, which JSON narrows to the declared class.
        if any(found.__subclasses__() for found in below):
            return False
        if floats is not None:
            for name in floats:
                number = getattr(value, name)
                if number is not None and not math.isfinite(number):
                    return False
            return True
        return not has_float or _is_finite(to_jsonable_python(value, inf_nan_mode="constants"))

    return check


def _is_lossless(nodes: Sequence[Mapping[str, Any]]) -> bool:
    for node in nodes:
        if node["type"] not in _LOSSLESS:
            return False
        if "serialization" in node or _allows_extra(node):
            return False
    return not any(
        found.__private_attributes__ or any(field.exclude for field in found.model_fields.values())
        for found in _classes(nodes)
    )


def _allows_extra(node: Mapping[str, Any]) -> bool:
    config = cast("Mapping[str, object]", node.get("config") or {})
    return "allow" in {node.get("extra_behavior"), config.get("extra_fields_behavior")}


def _direct_floats(cls: type[object]) -> tuple[str, ...] | None:
    """The fields of a model that are a float, if no other field can hold one."""
    if not issubclass(cls, BaseModel):
        return None
    found: list[str] = []
    for name, field in cls.model_fields.items():
        arms = set(union_arms(field.annotation))
        if float in arms:
            if not arms <= {float, int, NoneType}:
                return None
            found.append(name)
        else:
            core = TypeAdapter[object](cast("Any", field.annotation)).core_schema
            if any(node["type"] == "float" for node in _nodes(core)):
                return None
    return tuple(found)


def _is_finite(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(_is_finite, cast("dict[str, object]", value).values()))
    return not isinstance(value, list) or all(map(_is_finite, cast("list[object]", value)))


def _nodes(core: object) -> Iterator[dict[str, Any]]:
    """Every node of a core schema that has a type; shared nodes once."""
    stack, seen = [core], set[int]()
    while stack:
        found = stack.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        if isinstance(found, dict):
            node = cast("dict[str, Any]", found)
            if not isinstance(node.get("type"), str):  # a table of fields, by names of the user's
                stack.extend(node.values())
                continue
            yield node
            stack.extend(value for key, value in node.items() if key not in _NO_SCHEMAS)
        elif isinstance(found, (list, tuple)):
            stack.extend(cast("Sequence[object]", found))


def _classes(nodes: Sequence[Mapping[str, Any]]) -> Iterator[type[BaseModel]]:
    return (node["cls"] for node in nodes if node["type"] == "model")


def _refusals(nodes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for node in nodes:
        if node["type"] == "datetime" and node.get("tz_constraint") != "aware":
            yield (
                "a naive datetime means another moment on every machine; "
                "use pydantic's AwareDatetime"
            )
        if node["type"] == "time":
            yield "a time of day has no zone; use a string with a pattern"
        if node["type"] == "generator":
            yield "an iterable can be read once, and a recorded value is read again; use a list"
        if node["type"] == "is-subclass":
            yield "a class is no JSON; use a literal or an enum"


def _output_refusals(nodes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for cls in _classes(nodes):
        for name, field in cls.model_fields.items():
            if field.exclude or getattr(field, "exclude_if", None) is not None:
                yield (
                    f"{cls.__name__!r} excludes {name!r} from JSON, so a resumed run would lose it"
                )
        for name in cls.__private_attributes__:
            yield f"{cls.__name__!r} has the private state {name!r}, which JSON does not hold"


def _fields_of(arm: object) -> dict[str, Member]:
    cls = _class_of(arm)
    if cls is None or not is_object_type(cls):
        return {}
    if issubclass(cls, DeclaredError):
        found = _fields_of(cls.model())
        return {name: member for name, member in found.items() if name != "error"}
    if issubclass(cls, BaseModel):
        return {
            name: Member(
                Annotated[(field.annotation, *field.metadata)]
                if field.metadata
                else field.annotation,
                field.serialization_alias or field.alias or name,
                is_required=True,
            )
            for name, field in cls.model_fields.items()
        }
    variables: tuple[object, ...] = getattr(cls, "__parameters__", ())
    arguments = dict(zip(variables, get_args(bare(arm)), strict=False))  # none: they are not given
    hints = {
        name: _filled(hint, arguments)
        for name, hint in typing_extensions.get_type_hints(cls, include_extras=True).items()
    }
    if dataclasses.is_dataclass(cls):
        names = [field.name for field in dataclasses.fields(cls)]
        return {name: Member(hints[name], name, is_required=True) for name in names}
    always: frozenset[str] = getattr(cls, "__required_keys__", frozenset())
    return {name: _key(name, hint, is_required=name in always) for name, hint in hints.items()}


def _filled(hint: object, arguments: Mapping[object, object]) -> object:
    """What a generic class says of a field, with the arguments in place of its type variables."""
    if isinstance(hint, TypeVar):
        return arguments.get(hint, Any)
    parameters: tuple[object, ...] = getattr(hint, "__parameters__", ())
    if isinstance(hint, type) or not parameters:
        return hint
    generic: Any = hint  # such as `list[T]`
    return generic[tuple(arguments.get(parameter, Any) for parameter in parameters)]


def _key(name: str, hint: object, *, is_required: bool) -> Member:
    """A key of a typed dict, whose annotation may say itself whether it is required."""
    origin = get_origin(hint)
    if origin in {typing_extensions.Required, typing_extensions.NotRequired}:
        return Member(get_args(hint)[0], name, origin is typing_extensions.Required)
    return Member(hint, name, is_required)


def _joined(members: list[Member]) -> Member:
    distinct = list({repr(member.annotation): member.annotation for member in members}.values())
    return Member(
        union_of(distinct), members[0].alias, all(member.is_required for member in members)
    )
