"""How a step's arguments are built from the values that are there."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from types import NoneType
from typing import Any, Final, TypeAlias, cast
from uuid import UUID

from pydantic import BaseModel, ValidationError

from fishplate.contracts.json import pointer_tokens
from fishplate.contracts.shape import Shape
from fishplate.contracts.values import BrokenValueError, violations_of
from fishplate.core.data import dataclass
from fishplate.core.errors import InputError, JsonValue, OutputError
from fishplate.workflows.plan import Ref

Values: TypeAlias = list[Any]
Reader: TypeAlias = Callable[[Values], Any]

_UNCHANGEABLE: Final = (NoneType, str, int, float, Decimal, date, timedelta, UUID, Enum)


@dataclass(frozen=True, slots=True)
class SlotReader:
    """Reads a value as it stands."""

    slot: int

    def __call__(self, values: Values) -> Any:
        """The value."""
        return values[self.slot]


def reader_of_slot(slot: int, ref: Ref) -> Reader:
    """Reads the value of a slot, or what lies below it."""
    if not ref.names:
        return SlotReader(slot)
    steps = tuple(zip(ref.names, pointer_tokens(ref.pointer), strict=True))
    if len(steps) == 1:
        name, key = steps[0]
        return lambda values: _part(values[slot], name, key)

    def read(values: Values) -> Any:
        found = values[slot]
        for name, key in steps:
            found = _part(found, name, key)
        return found

    return read


def _part(value: Any, name: str | int, key: str) -> Any:
    """A field by its Python name, a position of a tuple; in plain JSON a key by its JSON name."""
    if isinstance(name, int):
        return value[name]
    if isinstance(value, Mapping):
        found = cast("Mapping[str, Any]", value)
        return found[name] if name in found else found[key]
    return getattr(value, name)


def reader_of_constant(shape: Shape[Any], value: JsonValue, *, given: bool = False) -> Reader:
    """Gives a constant of the plan; no two steps get the same object if it can be changed."""
    constant = shape.decode(value, given=given)
    if isinstance(constant, _UNCHANGEABLE):
        return lambda values: constant  # noqa: ARG005 -- a constant
    return lambda values: shape.decode(value, given=given)  # noqa: ARG005 -- a constant


def reader_of_json(value: JsonValue) -> Reader:
    """Gives a constant of the plan as JSON."""
    return lambda values: copy.deepcopy(value)  # noqa: ARG005 -- a constant


def reader_of_struct(
    fields: Sequence[tuple[str, Reader]], model: type[BaseModel] | None, subject: str
) -> Reader:
    """Builds an object from other values: of its model, or plain JSON if the plan came without."""
    if model is not None:
        # An edge is proved on JSON, so a date may go into a text: each field takes its own shape.
        known = Shape.of(model).fields()
        fields = [
            (name, converting(read, known[name].shape, f"{subject}, field {name!r}"))
            for name, read in fields
        ]

    def build(values: Values) -> Any:
        found = {name: read(values) for name, read in fields}
        if model is None:
            return found
        try:
            return model.model_validate(found, by_name=True)
        except ValidationError as error:
            raise InputError(subject, violations_of(error)) from None

    return build


def converting(read: Reader, shape: Shape[Any], subject: str, *, as_output: bool = False) -> Reader:
    """Brings what is read into a shape; `subject` is what an error says about it."""
    exact = shape.exact

    def convert(values: Values) -> Any:
        value = read(values)
        if type(value) in exact:
            return value
        try:
            return shape.accept(value, given=as_output)
        except BrokenValueError as error:
            kind = OutputError if as_output else InputError
            raise kind(subject, error.violations) from None

    return convert


def reader_of_arguments(readers: Sequence[Reader]) -> Callable[[Values], tuple[object, ...]]:
    """Builds all arguments of a call.

    The commonest calls, of one or two values as they stand, go without a second function.
    """
    slots = [read.slot for read in readers if isinstance(read, SlotReader)]
    if len(slots) == len(readers) and len(slots) in {1, 2}:
        first, last = slots[0], slots[-1]
        if len(slots) == 1:
            return lambda values: (values[first],)
        return lambda values: (values[first], values[last])
    if len(readers) == 1:
        read = readers[0]
        return lambda values: (read(values),)
    return lambda values: tuple([read(values) for read in readers])
