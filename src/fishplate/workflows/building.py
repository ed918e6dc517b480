"""Objects that a workflow's body builds from constants: do they come out the same every time?"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from typing import Any, Final, cast

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

# What these make is empty, today and tomorrow.
_EMPTY: Final = (dict, frozenset, list, set, tuple)


def is_fixed(value: object) -> bool:
    """Whether an object's attributes cannot change: frozen data, or a named tuple."""
    cls = type(value)
    if issubclass(cls, BaseModel):
        return cls.model_config.get("frozen") is True
    if dataclasses.is_dataclass(cls):
        return bool(cast("Any", cls).__dataclass_params__.frozen)
    return hasattr(cls, "_fields") and isinstance(value, tuple)


def unknown_factory(cls: type[object], given: AbstractSet[str]) -> str | None:
    """A field that a class fills by calling something, and that is not among the given ones."""
    for names, factory in _factories(cls):
        if not given & names and factory not in _EMPTY:
            return min(names)
    return None


def _factories(cls: type[object]) -> Iterator[tuple[set[str], Callable[..., object]]]:
    """The default factories of a class, with the names under which a field may be given."""
    if issubclass(cls, BaseModel):
        for name, field in cls.model_fields.items():
            if field.default is PydanticUndefined and field.default_factory is not None:
                yield {name, field.alias or name}, field.default_factory
    elif dataclasses.is_dataclass(cls):
        for own in dataclasses.fields(cls):
            if own.init and own.default_factory is not dataclasses.MISSING:
                yield {own.name}, own.default_factory
