"""`dataclass`: the standard decorator's classes, for a tenth of what they cost to define.

The standard one writes and compiles the source of up to eight methods for each class: 0.4 ms, which
for our hundred classes was more than half of what `import fishplate` cost. Here it collects the
fields and makes the slots. The methods are closures over the fields' names; `__init__` alone is
worth source of its own, which is compiled when the class is first called.
The reasons, and what else was weighed: docs/decisions/data-classes.md.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterable
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar, cast

T = TypeVar("T")
_Method: TypeAlias = Callable[..., Any]
_Reader: TypeAlias = Callable[[object], object]
_WORDS: Final = ("ClassVar", "InitVar", "KW_ONLY")


def _dataclass(
    *,
    eq: bool = True,
    frozen: bool = False,
    kw_only: bool = False,
    repr: bool = True,  # noqa: A002 -- the standard decorator's word
    slots: bool = False,
) -> Callable[[type[T]], type[T]]:
    """Make data classes; a frozen one may also be compared, hashed, copied and pickled."""

    def define(cls: type[T]) -> type[T]:
        # For a class without a docstring the standard decorator would spell its signature.
        cls.__doc__ = cls.__doc__ or cls.__name__
        written = inspect.get_annotations(cls)
        cls.__annotations__ = {name: _opaque(written[name]) for name in written}
        made: Any = dataclasses.dataclass(
            init=False, repr=False, eq=False, kw_only=kw_only, slots=slots
        )(cls)
        made.__annotations__ = written
        fields = dataclasses.fields(made)
        for field in fields:
            if field.type is _Opaque:
                field.type = written[field.name]
        methods: dict[str, object] = {"__init__": _Init(made, is_frozen=frozen)}
        if repr:
            methods["__repr__"] = _shown
        if eq:
            compared = [field.name for field in fields if field.compare]
            hashed = [
                field.name
                for field in fields
                if (field.compare if field.hash is None else field.hash)
            ]
            values = _reader(compared)
            methods["__eq__"] = _eq_of(values)
            if frozen:
                reader = values if hashed == compared else _reader(hashed)
                methods["__hash__"] = _hash_of(reader)
            else:
                methods["__hash__"] = None
        if frozen:
            methods |= _FROZEN
        for name, method in methods.items():
            # Python gives a class that writes its own `__eq__` the hash `None`.
            if cls.__dict__.get(name) is None:
                setattr(made, name, method)
        return cast("type[T]", made)

    return define


if TYPE_CHECKING:
    # To type checkers it is the standard one, so `replace` and `fields` take its classes.
    from dataclasses import dataclass as dataclass  # noqa: PLC0414 -- an explicit re-export
else:
    dataclass = _dataclass


def is_frozen(cls: type[object]) -> bool:
    """Whether the fields of a data class, ours or a standard one, are set once and for all."""
    parameters: Any = getattr(cls, "__dataclass_params__")  # noqa: B009 -- unknown to the stubs
    return cls.__setattr__ is _refuse_to_set or bool(parameters.frozen)


class _Init:
    """The `__init__` of a class, until somebody asks for it."""

    __slots__ = ("_cls", "_is_frozen")

    def __init__(self, cls: Any, *, is_frozen: bool) -> None:
        self._cls = cls
        self._is_frozen = is_frozen

    def __get__(self, instance: object, owner: type[object] | None = None) -> _Method:
        """Put the real one in its own place; two threads that meet here put in the same."""
        init: Any = _compiled_init(self._cls, is_frozen=self._is_frozen)
        self._cls.__init__ = init
        return cast("_Method", init.__get__(instance, owner))


def _compiled_init(cls: Any, *, is_frozen: bool) -> _Method:
    fields = dataclasses.fields(cls)
    scope: dict[str, object] = {"_set": object.__setattr__, "_made": _MADE}
    by_position: list[str] = []
    by_name: list[str] = []
    body: list[str] = []
    for field in fields:
        name = value = parameter = field.name
        if field.default is not dataclasses.MISSING:
            parameter = f"{name}=_of_{name}"
            scope[f"_of_{name}"] = field.default
        elif field.default_factory is not dataclasses.MISSING:
            parameter, value = f"{name}=_made", f"_of_{name}() if {name} is _made else {name}"
            scope[f"_of_{name}"] = field.default_factory
        (by_name if field.kw_only else by_position).append(parameter)
        body.append(f"_set(self, {name!r}, {value})" if is_frozen else f"self.{name} = {value}")
    if hasattr(cls, "__post_init__"):
        body.append("self.__post_init__()")
    parameters = ", ".join(["self", *by_position, *(["*", *by_name] if by_name else [])])
    source = "\n    ".join([f"def __init__({parameters}):", *(body or ["pass"])])
    exec(source, scope)  # noqa: S102 -- made of the names of fields, which Python has parsed
    init: Any = scope["__init__"]
    init.__module__ = cls.__module__
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    init.__annotations__ = {field.name: field.type for field in fields} | {"return": None}
    return cast("_Method", init)


class _Opaque:
    """Stands for the type of a field while the standard decorator looks at a class.

    It looks for special words in every type that is written as text, which is a third of its work.
    """


def _opaque(annotation: object) -> object:
    has_words = not isinstance(annotation, str) or any(word in annotation for word in _WORDS)
    return annotation if has_words else _Opaque


@recursive_repr()
def _shown(self: Any) -> str:
    shown = [field.name for field in dataclasses.fields(self) if field.repr]
    values = ", ".join([f"{name}={getattr(self, name)!r}" for name in shown])
    return f"{type(self).__qualname__}({values})"


def _eq_of(values: _Reader) -> _Method:
    def __eq__(self: object, other: object) -> bool:  # noqa: N807 -- becomes a method
        return values(self) == values(other) if type(other) is type(self) else NotImplemented

    return __eq__


def _hash_of(values: _Reader) -> _Method:
    def __hash__(self: object) -> int:  # noqa: N807 -- becomes a method
        return hash(values(self))

    return __hash__


def _reader(names: Iterable[str]) -> _Reader:
    # With the class among them, one field is read as a tuple too, and none at all is no error.
    return attrgetter("__class__", *names)


def _refuse_to_set(self: object, name: str, value: object) -> None:  # noqa: ARG001 -- a method
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(self: object, name: str) -> None:  # noqa: ARG001 -- a method
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[object]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _restore(self: Any, state: list[object]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)


_MADE: Final = object()  # stands for an argument that is not given, and is made by its factory
_FROZEN: Final[dict[str, object]] = {
    "__setattr__": _refuse_to_set,
    "__delattr__": _refuse_to_delete,
    # A copy cannot set its fields one by one either.
    "__getstate__": _state,
    "__setstate__": _restore,
}
