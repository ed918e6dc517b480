"""Objects that a workflow's body builds from constants: do they come out the same every time?"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from types import FunctionType
from typing import Final

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from fishplate.core.data import is_frozen

# What these make is empty, today and tomorrow.
_EMPTY: Final = (dict, frozenset, list, set, tuple)
_BUILDERS: Final = ("__new__", "__init__", "__post_init__", "model_post_init")
_TRUSTED: Final = sys.stdlib_module_names | {"fishplate", "pydantic", "typing_extensions"}


def is_fixed(value: object) -> bool:
    """Whether an object's attributes cannot change: frozen data, or a named tuple."""
    cls = type(value)
    if issubclass(cls, BaseModel):
        return cls.model_config.get("frozen") is True
    if dataclasses.is_dataclass(cls):
        return is_frozen(cls)
    return hasattr(cls, "_fields") and isinstance(value, tuple)


def building_code(cls: type[object]) -> str | None:
    """The function of its author's that runs when a class is called, if there is one.

    Validators are left to the comparison of two recordings: they judge a value, and seldom make
    one up. What libraries and Python itself run is trusted to depend on the arguments alone.
    """
    for owner, names in ((type(cls), ("__call__",)), (cls, _BUILDERS)):
        for base in owner.__mro__:
            for name in names:
                if _is_by_hand(vars(base).get(name)):
                    return name
    return None


def _is_by_hand(found: object) -> bool:
    function = getattr(found, "__func__", found)
    if not isinstance(function, FunctionType) or function.__code__.co_filename.startswith("<"):
        return False  # in C, or made by a decorator
    return function.__module__.partition(".")[0] not in _TRUSTED


def unknown_factory(cls: type[object], given: AbstractSet[str]) -> str | None:
    """A field that a class fills by calling something, and that is not among the given ones."""
    for name, words, factory in _factories(cls):
        if not given & words and factory not in _EMPTY:
            return name
    return None


def _factories(cls: type[object]) -> Iterator[tuple[str, set[str], Callable[..., object]]]:
    """The default factories of a class: field, words under which it may be given, factory."""
    if issubclass(cls, BaseModel):
        for name, field in cls.model_fields.items():
            if field.default is PydanticUndefined and field.default_factory is not None:
                yield name, {name, field.alias or name}, field.default_factory
    elif dataclasses.is_dataclass(cls):
        for own in dataclasses.fields(cls):
            if own.default_factory is not dataclasses.MISSING:
                yield own.name, {own.name} if own.init else set[str](), own.default_factory
