"""What a program changes while it runs, as far as its source tells.

A table that a function of its project writes to is the program's memory, and no part of a release;
one that only the top level of a module fills is as constant as a text.
"""

from __future__ import annotations

import ast
import functools
import linecache
from collections.abc import Iterable, Iterator, Mapping
from types import MemberDescriptorType
from typing import Final, cast

from fishplate.core.source import local_names, plain_function, read_source
from fishplate.releases.constants import is_made_to_be_written

_CHANGING: Final = frozenset(
    {
        *("add", "append", "appendleft", "clear", "difference_update", "discard", "extend"),
        *("insert", "intersection_update", "pop", "popitem", "popleft", "remove", "reverse"),
        *("rotate", "setdefault", "sort", "symmetric_difference_update", "update"),
    }
)
# A change made by these is how an object comes to be what it is.
_BUILDING: Final = frozenset({"__init__", "__new__", "__post_init__", "model_post_init"})


def changed_names(names: Mapping[str, object]) -> frozenset[str]:
    """The names of a module, dotted ones too, that its functions write to.

    Args:
        names: The globals of the module.
    """
    file = names.get("__file__")
    if not isinstance(file, str) or not file.endswith(".py"):
        return frozenset()
    return _changed_in("".join(linecache.getlines(file, dict(names))))


def kept_state(target: object) -> dict[str, object]:
    """The attributes of an object that make its methods behave as they do.

    Those that a method changes are left out, and those with a leading underscore that no method
    reads.
    """
    changed, read = method_uses(type(target))
    return {
        name: value
        for name, value in _attributes(target)
        if name not in changed
        and not is_made_to_be_written(value)
        and (name in read or not name.startswith("_"))
    }


def method_uses(cls: type[object]) -> tuple[set[str], set[str]]:
    """The attributes that the methods of a class change, and those that they read."""
    changed, read = set[str](), set[str]()
    for base in cls.__mro__:
        for name, member in list(vars(base).items()):
            function = plain_function(getattr(member, "__func__", member))
            source = None if function is None or name in _BUILDING else read_source(function)
            if source is None or not source.tree.args.args:
                continue
            owner = f"{source.tree.args.args[0].arg}."
            written = _written_in(source.tree)
            changed |= {one.removeprefix(owner) for one in written if one.startswith(owner)}
            read |= {node.attr for node in ast.walk(source.tree) if isinstance(node, ast.Attribute)}
    return changed, read


# Releases are read on a thread, while the program goes on: what it may write to is copied first.


def _attributes(target: object) -> Iterator[tuple[str, object]]:
    own: dict[str, object] = getattr(target, "__dict__", {})
    yield from list(own.items())
    for cls in type(target).__mro__:
        for name, member in list(vars(cls).items()):
            if isinstance(member, MemberDescriptorType) and hasattr(target, name):
                yield name, cast("object", getattr(target, name))


@functools.lru_cache(maxsize=64)
def _changed_in(text: str) -> frozenset[str]:
    try:
        module = ast.parse(text)
    except SyntaxError:
        return frozenset()
    found = set[str]()
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            shared = {
                name
                for inner in ast.walk(node)
                if isinstance(inner, ast.Global | ast.Nonlocal)
                for name in inner.names
            }
            own = local_names(node) - shared
            found |= {name for name in _written_in(node) if name.partition(".")[0] not in own}
    return frozenset(found)


def _written_in(tree: ast.AST) -> Iterator[str]:
    """The names, and dotted names, that a piece of code stores into or calls a change of."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in _CHANGING:
                yield from _prefixes(node.func.value)
        elif isinstance(node, ast.Name | ast.Attribute | ast.Subscript) and not isinstance(
            node.ctx, ast.Load
        ):
            yield from _prefixes(node)


def _prefixes(node: ast.AST) -> Iterable[str]:
    """`a`, `a.b` of `a.b["c"].d`: what is another after a change there."""
    match node:
        case ast.Name(id=name):
            return [name]
        case ast.Attribute(value=owner, attr=name):
            found = list(_prefixes(owner))
            is_dotted = isinstance(owner, ast.Name | ast.Attribute) and found
            return [*found, f"{found[-1]}.{name}"] if is_dotted else found
        case ast.Subscript(value=owner):
            return _prefixes(owner)
        case _:
            return []
