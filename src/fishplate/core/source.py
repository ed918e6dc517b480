"""Reading the source of a function: its syntax tree with real line numbers, and what its names mean."""

from __future__ import annotations

import ast
import builtins
import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType
from typing import Final

UNKNOWN: Final = object()


@dataclass(frozen=True, slots=True)
class FunctionSource:
    """A function's syntax tree.

    Attributes:
        tree: The definition, line numbers as in the file.
        file: The file as it should be shown: relative to the working directory if it lies below.
        names: What the function's free names mean: closure, then globals, then builtins.
    """

    tree: ast.FunctionDef | ast.AsyncFunctionDef
    file: str
    names: Mapping[str, object]

    def where(self, node: ast.AST) -> str:
        """`file:line` of a node."""
        return f"{self.file}:{getattr(node, 'lineno', self.tree.lineno)}"

    def resolve(self, node: ast.AST) -> object:
        """The object that a name or a dotted name means, or `UNKNOWN`."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id, UNKNOWN)
        if isinstance(node, ast.Attribute):
            owner = self.resolve(node.value)
            return UNKNOWN if owner is UNKNOWN else getattr(owner, node.attr, UNKNOWN)
        return UNKNOWN


def plain_function(function: Callable[..., object]) -> FunctionType | None:
    """The Python function behind a function or a bound method; `None` for anything else."""
    found = function.__func__ if inspect.ismethod(function) else function
    return found if isinstance(found, FunctionType) else None


def location(function: Callable[..., object]) -> str:
    """`file:line` where a function is defined."""
    found = plain_function(function)
    return "unknown" if found is None else f"{shown_path(found.__code__.co_filename)}:{found.__code__.co_firstlineno}"


def shown_path(filename: str) -> str:
    """A file's path as a reader would type it: relative if it lies below the working directory."""
    try:
        return str(Path(filename).relative_to(Path.cwd()))
    except (ValueError, OSError):
        return filename


def read_source(function: Callable[..., object]) -> FunctionSource | None:
    """Read a function's source; `None` where there is none (a REPL, `exec`, a C function)."""
    found = plain_function(function)
    if found is None or hasattr(found, "__wrapped__"):
        return None
    try:
        lines, first = inspect.getsourcelines(found)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError, IndentationError):
        return None
    definition = tree.body[0] if tree.body else None
    if not isinstance(definition, (ast.FunctionDef, ast.AsyncFunctionDef)) or definition.name != found.__name__:
        return None
    ast.increment_lineno(tree, first - 1)
    return FunctionSource(definition, shown_path(found.__code__.co_filename), names_of(found))


def names_of(function: FunctionType) -> Mapping[str, object]:
    """What a function's free names mean: builtins, then globals, then its closure."""
    found: dict[str, object] = {**vars(builtins), **function.__globals__}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not assigned yet: the name is defined further down
            found.pop(name, None)
    return found


def code_names(code: CodeType) -> Iterator[str]:
    """Every global or closure name that a function's code mentions, nested functions included."""
    yield from code.co_names
    yield from code.co_freevars
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from code_names(constant)
