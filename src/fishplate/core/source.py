"""Reading the source of a function: its syntax tree, its place, and what its names mean."""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
import linecache
import os
import sys
from collections import ChainMap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import CodeType, FrameType, FunctionType, MethodType, ModuleType
from typing import Final, TypeAlias, cast
from weakref import WeakKeyDictionary

from fishplate.core.data import dataclass

FunctionTree: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
UNKNOWN: Final = object()
_PACKAGE: Final = str(Path(__file__).parents[1]) + os.sep


@dataclass(frozen=True, slots=True)
class FunctionSource:
    """A function's syntax tree.

    Attributes:
        tree: The definition, line numbers as in the file; shared, so not to be changed.
        file: The file as it should be shown: relative to the working directory if it lies below.
        names: What the function's free names mean: closure, then globals, then builtins.
    """

    tree: FunctionTree
    file: str
    names: Mapping[str, object]

    def where(self, node: ast.AST) -> str:
        """`file:line` of a node."""
        return f"{self.file}:{getattr(node, 'lineno', self.tree.lineno)}"

    def outside(self) -> FunctionSource:
        """The same source, in whose names those of the function itself are `UNKNOWN`."""
        return self.hiding(local_names(self.tree))

    def hiding(self, names: Iterable[str]) -> FunctionSource:
        """The same source, in which some names are `UNKNOWN`."""
        # A chain asks for mappings that may change; this one is only read.
        outer = cast("dict[str, object]", self.names)
        return replace(self, names=ChainMap(dict.fromkeys(names, UNKNOWN), outer))

    def resolve(self, node: ast.AST) -> object:
        """The object that a name or a dotted name means, or `UNKNOWN`; no code of its owner runs.

        A method of an object is not known: what it means depends on the object.
        """
        if isinstance(node, ast.Name):
            return self.names.get(node.id, UNKNOWN)
        if isinstance(node, ast.Attribute):
            return _attribute(self.resolve(node.value), node.attr)
        return UNKNOWN


def plain_function(function: Callable[..., object]) -> FunctionType | None:
    """The Python function behind a function or a bound method; `None` for anything else."""
    found = function.__func__ if isinstance(function, MethodType) else function
    return found if isinstance(found, FunctionType) else None


def location(function: Callable[..., object]) -> str:
    """`file:line` where a function is defined, `unknown` where that cannot be told.

    Of a wrapper that names what it wraps, it is the place of the wrapped function.
    """
    found = plain_function(inspect.unwrap(function))
    return "unknown" if found is None else _shown(found.__code__, found.__code__.co_firstlineno)


def user_location() -> str:
    """`file:line` of the nearest caller outside of fishplate."""
    frame = _user_frame()
    return "unknown" if frame is None else _shown(frame.f_code, frame.f_lineno)


def user_names() -> Mapping[str, object]:
    """The local names at the nearest caller outside of fishplate; annotations may use them."""
    frame = _user_frame()
    return {} if frame is None else frame.f_locals


def _user_frame() -> FrameType | None:
    # The only way to know where a decorator or a word of a workflow stands.
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] -- a documented function
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return frame


def raised_at(error: BaseException) -> str:
    """`file:line` of the innermost place outside of fishplate that an error passed."""
    place, trace = "unknown", error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if not code.co_filename.startswith(_PACKAGE):
            place = _shown(code, trace.tb_lineno)
        trace = trace.tb_next
    return place


def shown_path(filename: str) -> str:
    """A file's path as a reader would type it: relative if it is below the working directory."""
    path, here = Path(filename), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else filename


def read_source(function: Callable[..., object]) -> FunctionSource | None:
    """Read a function's source.

    Returns:
        `None` where there is none: a REPL, `exec`, a C function, or a wrapper around a function,
        whose own source says nothing about what it wraps.
    """
    found = plain_function(function)
    if found is None or hasattr(found, "__wrapped__"):
        return None
    if found not in _TREES:
        _TREES[found] = _tree_of(found)
    tree = _TREES[found]
    if tree is None:
        return None
    return FunctionSource(tree, shown_path(found.__code__.co_filename), names_of(found))


# What was read at declaration stands: the file may be edited while the function goes on as it was.
_TREES: WeakKeyDictionary[FunctionType, FunctionTree | None] = WeakKeyDictionary()


def _tree_of(function: FunctionType) -> FunctionTree | None:
    code = function.__code__
    linecache.checkcache(code.co_filename)
    text = "".join(linecache.getlines(code.co_filename, function.__globals__))
    return _definitions(text).get((code.co_firstlineno, code.co_name))


def names_of(function: FunctionType) -> Mapping[str, object]:
    """What a function's free names mean: closure, then globals, then builtins."""
    closure: dict[str, object] = {}
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    for name, cell in cells:
        try:
            closure[name] = cell.cell_contents
        except ValueError:  # not assigned yet: it is defined further down
            closure[name] = UNKNOWN
    return ChainMap(closure, function.__globals__, builtins.__dict__)


def local_names(tree: FunctionTree) -> set[str]:
    """The names of a function's own: its parameters, and what it assigns; not those of lambdas."""
    found = set[str]()
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        children = ast.iter_child_nodes(node)
        pending.extend([node.body] if isinstance(node, ast.Lambda) else children)
    return found


def code_names(code: CodeType) -> Iterator[str]:
    """Every global or closure name that a function's code mentions, nested functions included."""
    yield from code.co_names
    yield from code.co_freevars
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from code_names(constant)


def _attribute(owner: object, name: str) -> object:
    if isinstance(owner, ModuleType):
        return vars(owner).get(name, UNKNOWN)
    found = inspect.getattr_static(owner, name, UNKNOWN)
    if isinstance(owner, type):
        return found.__func__ if isinstance(found, staticmethod) else found
    if inspect.ismemberdescriptor(found):  # a slot
        return getattr(owner, name, UNKNOWN)
    return UNKNOWN if hasattr(cast("type[object]", type(found)), "__get__") else found


@functools.lru_cache(maxsize=64)
def _definitions(text: str) -> Mapping[tuple[int, str], FunctionTree]:
    """The functions of a file by first line, decorators counted, and name."""
    try:
        module = ast.parse(text)
    except SyntaxError:
        return {}
    return {
        (min([node.lineno, *(line.lineno for line in node.decorator_list)]), node.name): node
        for node in ast.walk(module)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }


def _shown(code: CodeType, line: int) -> str:
    return f"{shown_path(code.co_filename)}:{line}"
