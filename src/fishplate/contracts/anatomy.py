"""What a Python type is made of, read from pydantic's core schema once per type.

It answers three questions: which instances need no second look, which fields a value has, and why a type
cannot stand in a contract at all.
"""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Callable, Iterator, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Final, NamedTuple, Union, cast, get_args, get_origin, get_type_hints, is_typeddict

from pydantic import BaseModel, TypeAdapter
from pydantic_core import to_jsonable_python

from fishplate.core.outcome import DeclaredError

_PLAIN: Final = (str, bool, int, NoneType)
_ANY: Final = frozenset({"any", "float", "dataclass", "typed-dict", "function-plain", "json", "custom-error"})


class Member(NamedTuple):
    """One field of a type: its annotation with constraints, its name in JSON, whether it is always there."""

    annotation: object
    alias: str
    is_required: bool


def is_union(annotation: object) -> bool:
    """Whether the annotation is `A | B`, also inside `Annotated`."""
    return get_origin(_bare(annotation)) in {Union, UnionType}


def union_arms(annotation: object) -> tuple[object, ...]:
    """The members of a union, nested unions opened, else the annotation alone."""
    if not is_union(annotation):
        return (annotation,)
    return tuple(arm for member in get_args(_bare(annotation)) for arm in union_arms(member))


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
        self.refusals = tuple(dict.fromkeys(_refusals(core)))
        self.output_refusals = tuple(dict.fromkeys(_output_refusals(core)))

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
        shared = set(tables[0]).intersection(*tables[1:])
        return {
            name: _joined([table[name] for table in tables]) for name in tables[0] if name in shared
        }


def _bare(annotation: object) -> object:
    return _bare(get_args(annotation)[0]) if get_origin(annotation) is Annotated else annotation


def _is_nominal(arm: object) -> bool:
    if not isinstance(arm, type) or get_args(arm):
        return False
    return arm in _PLAIN or issubclass(arm, (BaseModel, DeclaredError, enum.Enum))


def _check_of(cls: type) -> Callable[[object], bool] | None:
    """A look at an instance that its class alone does not settle; `None` where the class is enough."""
    if cls in _PLAIN or issubclass(cls, enum.Enum):
        return None
    core = TypeAdapter(cls).core_schema
    own = {cls, cls.model()} if issubclass(cls, DeclaredError) else {cls}
    below = tuple({found for found in _classes(core) if found not in own})
    uncertain = sorted({kind for kind in _kinds(core) if kind in _ANY})
    if not uncertain and not below:
        return None
    floats = _direct_floats(cls) if uncertain == ["float"] else None

    def check(value: object) -> bool:
        if any(found.__subclasses__() for found in below):
            return False
        if floats is not None:
            return all(found is None or math.isfinite(found) for found in (getattr(value, name) for name in floats))
        return not uncertain or _is_finite(to_jsonable_python(value, inf_nan_mode="constants"))

    return check


def _direct_floats(cls: type) -> tuple[str, ...] | None:
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
        elif "float" in set(_kinds(TypeAdapter(field.annotation).core_schema)):
            return None
    return tuple(found)


def _is_finite(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    return all(map(_is_finite, value)) if isinstance(value, list) else True


def _nodes(core: object) -> Iterator[dict[str, Any]]:
    """Every node of a core schema that has a type; shared nodes once."""
    stack, seen = [core], set[int]()
    while stack:
        found = stack.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        if isinstance(found, dict):
            if isinstance(found.get("type"), str):
                yield found
            stack.extend(value for key, value in found.items() if key not in {"metadata", "serialization"})
        elif isinstance(found, (list, tuple)):
            stack.extend(found)


def _kinds(core: object) -> Iterator[str]:
    return (node["type"] for node in _nodes(core))


def _classes(core: object) -> Iterator[type]:
    return (node["cls"] for node in _nodes(core) if node["type"] == "model")


def _refusals(core: object) -> Iterator[str]:
    for node in _nodes(core):
        if node["type"] == "datetime" and node.get("tz_constraint") != "aware":
            yield "a naive datetime means another moment on every machine; use pydantic's AwareDatetime"
        if node["type"] == "time":
            yield "a time of day has no zone; use a string with a pattern"
        if node["type"] in {"callable", "generator", "is-instance"} and node.get("cls") is not None:
            cls = node["cls"]
            if not (isinstance(cls, type) and issubclass(cls, (DeclaredError, enum.Enum))):
                yield f"{cls.__name__!r} has no JSON form"


def _output_refusals(core: object) -> Iterator[str]:
    for cls in _classes(core):
        if not issubclass(cls, BaseModel):
            continue
        if excluded := [name for name, field in cls.model_fields.items() if field.exclude]:
            yield f"{cls.__name__!r} excludes {excluded[0]!r} from JSON, so a resumed run would lose it"
        if cls.__private_attributes__:
            name = next(iter(cls.__private_attributes__))
            yield f"{cls.__name__!r} has the private state {name!r}, which JSON does not hold"


def _fields_of(arm: object) -> dict[str, Member]:
    bare = _bare(arm)
    if not isinstance(bare, type):
        return {}
    if issubclass(bare, DeclaredError):
        return {name: found for name, found in _fields_of(bare.model()).items() if name != "error"}
    if issubclass(bare, BaseModel):
        return {
            name: Member(
                Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation,
                field.serialization_alias or field.alias or name,
                True,
            )
            for name, field in bare.model_fields.items()
        }
    if dataclasses.is_dataclass(bare):
        hints = get_type_hints(bare, include_extras=True)
        return {field.name: Member(hints[field.name], field.name, True) for field in dataclasses.fields(bare)}
    if is_typeddict(bare):
        hints = get_type_hints(bare)
        return {name: Member(hint, name, name in bare.__required_keys__) for name, hint in hints.items()}
    return {}


def _joined(members: list[Member]) -> Member:
    if len({repr(member.annotation) for member in members}) == 1:
        annotation = members[0].annotation
    else:
        annotation = Union[tuple(cast("Any", member.annotation) for member in members)]
    return Member(annotation, members[0].alias, all(member.is_required for member in members))
