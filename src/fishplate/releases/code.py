"""What a function does, as JSON that comments, docstrings and formatting do not change.

The functions, classes and data of the same project that a function mentions are part of it, so
that a prompt kept in a module's table or made by a helper counts. What a library does is not, and
neither is what a function of the project writes to: a running program's memory. Data is read once,
when the release is first asked for.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from pathlib import Path
from types import FunctionType, MethodType, ModuleType
from typing import Any, Final, TypeAlias, cast
from weakref import WeakKeyDictionary

from pydantic import BaseModel

from fishplate.core.errors import JsonValue
from fishplate.core.source import (
    UNKNOWN,
    FunctionSource,
    code_names,
    names_of,
    plain_function,
    read_source,
)
from fishplate.releases.changes import changed_names, kept_state, method_uses
from fishplate.releases.constants import ATOMS, constant, is_made_to_be_written
from fishplate.releases.digest import digest
from fishplate.releases.skeleton import parts, skeleton

Code: TypeAlias = FunctionType | type[Any]

_LIBRARY: Final = __name__.partition(".")[0]
# Reading sources is slow, and every use of an agent under other settings is a release of its own.
_KNOWN: Final[WeakKeyDictionary[Code, JsonValue]] = WeakKeyDictionary()


def code_digest(function: Callable[..., object]) -> JsonValue:
    """What a function does.

    Lambdas, and functions without a readable source, count by their bytecode, which differs
    between versions of Python. Of a bound method's object, attributes that hold data count, see
    `changes.kept_state`. Values are read once, when the function is first asked about.
    """
    found = plain_function(function)
    if found is None:
        return {"opaque": getattr(function, "__qualname__", type(function).__qualname__)}
    if not isinstance(function, MethodType):
        return _code_of(found)
    return {
        "method": _code_of(found),
        "of": _code_of(type(function.__self__)),
        "state": _constants(kept_state(function.__self__)),
    }


def _code_of(start: Code) -> JsonValue:
    if start not in _KNOWN:
        _KNOWN[start] = list[JsonValue](sorted(map(digest, _pieces(start))))
    return _KNOWN[start]


def _pieces(start: Code) -> Iterator[JsonValue]:
    """The pieces of code that make up what one of them does."""
    seen, pending = {start}, [start]
    while pending:
        piece = pending.pop()
        mentioned = dict(_mentions(piece))
        for found in _codes_in(mentioned.values()):
            if found not in seen and _is_of_the_same_project(found, start):
                seen.add(found)
                pending.append(found)
        memory = _memory(mentioned, piece)
        kept = {name: value for name, value in mentioned.items() if name not in memory}
        yield [piece.__qualname__, _own_code(piece), _constants(kept)]


def _constants(values: Mapping[str, object]) -> dict[str, JsonValue]:
    found = {name: constant(value) for name, value in values.items()}
    return {name: value for name, value in found.items() if value is not None}


def _memory(mentioned: Mapping[str, object], piece: Code) -> set[str]:
    """Those mentioned names that may be a running program's memory: its project writes to them.

    A name in capitals is its author's word that it is a constant.
    """
    if isinstance(piece, type):
        written: Container[str] = method_uses(piece)[0]
        home = None
    else:
        written, home = changed_names(piece.__globals__), _home(piece.__globals__)
    return {
        name
        for name, value in mentioned.items()
        if not (own := name.rpartition(".")[2]).isupper()
        and (
            name in written
            or is_made_to_be_written(value)
            or (home is not None and _is_changed_elsewhere(own, value, home))
        )
    }


def _is_changed_elsewhere(name: str, value: object, home: str) -> bool:
    """Whether another module of the project has a value under the same name and writes to it."""
    if value is None or isinstance(value, (bool, type, FunctionType, *ATOMS)):
        return False
    for module in list(sys.modules.values()):
        names: dict[str, object] = getattr(module, "__dict__", {})
        if names.get(name) is value and _home(names) == home and name in changed_names(names):
            return True
    return False


def _own_code(piece: Code) -> JsonValue:
    if isinstance(piece, type):
        return None  # its functions are pieces, its values are constants
    source = read_source(piece)
    if source is not None:
        return digest(skeleton(source.tree))
    code = piece.__code__
    values = [repr(one) for one in code.co_consts if isinstance(one, (bool, *ATOMS))]
    return digest([code.co_code.hex(), *code.co_names, *values])


def _mentions(piece: Code) -> Iterator[tuple[str, object]]:
    """What a piece of code mentions, by name: globals, what it closes over, fields of modules."""
    if isinstance(piece, type):
        yield from _members(piece)
        return
    source = read_source(piece)
    if source is None:
        names = names_of(piece)
        mentioned = ((name, names.get(name, UNKNOWN)) for name in code_names(piece.__code__))
        yield from (found for found in mentioned if found[1] is not UNKNOWN)
        return
    outside = source.outside()
    for node in parts(source.tree):
        if isinstance(node, (ast.Name, ast.Attribute)):
            value = _resolved(node, outside, piece)
            if value is not UNKNOWN and not isinstance(value, ModuleType):
                yield ast.unparse(node), value


def _resolved(
    node: ast.Name | ast.Attribute, source: FunctionSource, piece: FunctionType
) -> object:
    if isinstance(node, ast.Name):
        # What Python sets itself, such as `__name__`, depends on how the program was started.
        return UNKNOWN if node.id.startswith("__") else source.resolve(node)
    owner = source.resolve(node.value)
    if isinstance(owner, ModuleType) and _home(vars(owner)) == _home(piece.__globals__):
        return source.resolve(node)
    return UNKNOWN  # a field of an object that counts itself, or a library's


def _members(cls: type[object]) -> Iterator[tuple[str, object]]:
    """The functions, values and bases of a class; what a library has put there is left out."""
    for position, base in enumerate(cls.__bases__):
        yield f"base {position}", base
    for name, member in list(vars(cls).items()):
        if isinstance(member, (classmethod, staticmethod)):
            yield name, cast("object", member.__func__)
        elif isinstance(member, property):
            yield name, member.fget
        elif isinstance(member, FunctionType) or not name.startswith("_"):
            yield name, member
    if issubclass(cls, BaseModel):
        for name, field in list(cls.model_fields.items()):
            yield f"field {name}", field.default_factory or field.default


def _codes_in(values: Iterable[object]) -> Iterator[Code]:
    """The functions and classes among some values; tables of functions are looked into."""
    pending, seen = list(values), set[int]()
    while pending:
        value = pending.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, FunctionType):
            # What has no file is made by a library, such as the `__init__` of a dataclass.
            if not value.__code__.co_filename.startswith("<"):
                yield value
        elif isinstance(value, type):
            yield value
        elif isinstance(value, Mapping):
            pending.extend(cast("Mapping[object, object]", value).values())
        elif isinstance(value, (list, tuple)):
            pending.extend(cast("list[object]", value))
        elif value is not None and not isinstance(value, ATOMS):
            yield type(value)


def _is_of_the_same_project(found: Code, start: Code) -> bool:
    return found.__module__ == start.__module__ or _home(_names(found)) == _home(_names(start))


def _names(piece: Code) -> Mapping[str, object]:
    """The names of the module of a piece of code."""
    if isinstance(piece, FunctionType):
        return piece.__globals__
    module = sys.modules.get(piece.__module__)
    return {"__name__": piece.__module__} if module is None else vars(module)


def _home(names: Mapping[str, object]) -> str:
    """The project of a module: its top-level package, else the folder that it stands in.

    A module of ours stands alone: which library runs an agent is not what the agent does.
    """
    name, package, file = (names.get(f"__{word}__") for word in ("name", "package", "file"))
    top = str(package or "").partition(".")[0]
    if top:
        return str(name) if top == _LIBRARY else top
    return str(Path(file).parent) if isinstance(file, str) else f"module {name}"
