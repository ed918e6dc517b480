"""Symbols: what a workflow's body holds in place of values while it is recorded."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NoReturn, Protocol, cast

from typing_extensions import is_typeddict

from fishplate.contracts.json import escape_token
from fishplate.contracts.shape import Shape
from fishplate.workflows.plan import Const, Expression, Ref, Struct


class Misuses(Protocol):
    """Hears of a symbol that is used as if it were a value."""

    def misuse(self, message: str, *, code: str = "not_recordable") -> NoReturn:
        """Refuse the declaration; the first refusal counts even if the body catches it."""
        ...


class Facts:
    """What is known about a symbol.

    Attributes:
        shape: What its value will be.
        expression: Where the value will come from.
        listener: Hears of misuse.
        may_be_absent: The value may not be there, as an optional key of a typed dict.
    """

    __slots__ = ("expression", "listener", "may_be_absent", "shape")

    def __init__(
        self,
        shape: Shape[Any],
        expression: Expression,
        listener: Misuses,
        *,
        may_be_absent: bool = False,
    ) -> None:
        self.shape = shape
        self.expression = expression
        self.listener = listener
        self.may_be_absent = may_be_absent


class Symbol:
    """Stands for a value that a run will have.

    It has one mangled slot, since the fields of a model may have any name. Its fields are checked
    projections; everything else that Python can do with a value is refused.
    """

    __slots__ = ("__facts",)

    def __init__(self, facts: Facts) -> None:
        object.__setattr__(self, "_Symbol__facts", facts)

    def __getattr__(self, name: str) -> Symbol:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return _project(facts_of(self), name)

    def __getitem__(self, key: object) -> Symbol:
        facts = facts_of(self)
        if not isinstance(key, str) or not is_typeddict(facts.shape.annotation):
            facts.listener.misuse(
                f"{spelled(facts)} is indexed, and only a typed dict has keys that a plan can "
                "follow. Unpack a fixed tuple, or write an agent"
            )
        return _project(facts, key)

    def __iter__(self) -> Iterator[Symbol]:
        facts = facts_of(self)
        positions = facts.shape.positions()
        if positions is None:
            facts.listener.misuse(
                f"{spelled(facts)} cannot be unpacked or looped over: only a fixed tuple can. "
                "Write each"
            )
        return iter(
            [
                Symbol(_below(facts, shape, index, str(index)))
                for index, shape in enumerate(positions)
            ]
        )


_ARITHMETIC: Final = [
    "add",
    "sub",
    "mul",
    "truediv",
    "floordiv",
    "mod",
    "pow",
    "matmul",
    "divmod",
    "lshift",
    "rshift",
    "and",
    "or",
    "xor",
]
_REFUSED_OPERATIONS: Final[Mapping[str, str]] = {
    "is compared": "eq ne lt le gt ge",
    "is used as a condition": "bool",
    "is searched": "contains",
    "is changed": "setattr delattr setitem delitem",
    "is measured": "len length_hint",
    "is turned into text": "str repr format bytes fspath",
    "is turned into a number": "int float complex index round trunc floor ceil",
    "is used in arithmetic": " ".join(
        ["abs neg pos invert", *(side + word for word in _ARITHMETIC for side in ("", "r", "i"))]
    ),
    "is hashed": "hash",
    "is called": "call",
    "is awaited, though it is a value already": "await",
    "is entered": "enter exit aenter aexit",
    "is looped over": "aiter next anext reversed",
    "is copied": "copy deepcopy reduce reduce_ex",
}


def _refusing(what: str) -> Callable[..., NoReturn]:
    def refuse(self: Symbol, *_: object, **__: object) -> NoReturn:
        facts = facts_of(self)
        facts.listener.misuse(
            f"{spelled(facts)} {what}, and its value is not known at declaration. "
            "Write route, switch, or an agent that does it"
        )

    return refuse


for _what, _words in _REFUSED_OPERATIONS.items():
    for _word in _words.split():
        setattr(Symbol, f"__{_word}__", _refusing(_what))


def facts_of(symbol: Symbol) -> Facts:
    """What is known about a symbol."""
    found: Facts = object.__getattribute__(symbol, "_Symbol__facts")
    return found


def spelled(facts: Facts) -> str:
    """A recorded value as the author would write it."""
    match facts.expression:
        case Ref(source=source, names=names):
            return repr(".".join([source.partition(".")[2], *map(str, names)]))
        case Struct(type_name=type_name):
            return repr(type_name)
        case Const(value=value):
            return repr(value)


def _project(facts: Facts, name: str) -> Symbol:
    fields = facts.shape.fields()
    if name not in fields and _is_worked_out(facts.shape.annotation, name):
        facts.listener.misuse(
            f"{name!r} of {spelled(facts)} is worked out by Python code of {facts.shape.name}, and "
            "a plan follows fields only. Make it a field that the step before fills, or write an "
            "agent that gives it",
            code="unknown_field",
        )
    if name not in fields:
        has = ", ".join(sorted(fields)) or "no fields that are there in every case"
        facts.listener.misuse(
            f"{spelled(facts)} is {facts.shape.name} and has no field {name!r}; it has: {has}",
            code="unknown_field",
        )
    found = fields[name]
    below = _below(facts, found.shape, name, found.alias)
    below.may_be_absent = facts.may_be_absent or not found.is_required
    return Symbol(below)


def _is_worked_out(annotation: object, name: str) -> bool:
    """Whether a class has a property or a method of that name, computed fields of models too."""
    if not isinstance(annotation, type):
        return False
    found = inspect.getattr_static(annotation, name, None)
    return hasattr(cast("type[object]", type(found)), "__get__")


def _below(facts: Facts, shape: Shape[Any], name: str | int, alias: str) -> Facts:
    expression = facts.expression
    if not isinstance(expression, Ref):
        facts.listener.misuse(
            f"{spelled(facts)} was built here: use the values that it was built from"
        )
    ref = Ref(
        source=expression.source,
        names=(*expression.names, name),
        pointer=f"{expression.pointer}/{escape_token(alias)}",
    )
    return Facts(shape, ref, facts.listener, may_be_absent=facts.may_be_absent)
