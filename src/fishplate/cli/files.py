"""The Python files of a folder that can hold an agent, told without importing them.

To import a file is to run it, so a folder's files are chosen by what is written in them. Those that
speak of fishplate are taken. Of the others those are that bind a name at their top by what comes,
over any number of files, from one that does: an agent that is declared by the project's own
decorator, or made of one that is declared elsewhere.
"""

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

_NOT_OURS: Final = frozenset({"__pycache__", "node_modules", "site-packages"})
_BINDS: Final = re.compile(rb"^(?:@|\w[^\n=]*=[^\n=]*\()", re.MULTILINE)
"""A decorator, or a name for what a call gives, where neither is within anything."""


def files_below(folder: Path) -> list[Path]:
    """The Python files of a folder that can hold an agent, in order of their paths."""
    spoken = _Spoken()
    return [path for path in _python_files(folder) if spoken.can_declare(path)]


def _python_files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name in _NOT_OURS:
            continue
        if path.is_dir() and not (path / "pyvenv.cfg").exists():
            yield from _python_files(path)
        elif path.suffix == ".py":
            yield path


class _Spoken:
    """Knows which files speak of fishplate, by themselves or through what they import."""

    def __init__(self) -> None:
        self._known: dict[Path, bool] = {}

    def can_declare(self, path: Path) -> bool:
        """Whether a file can hold an agent of its own."""
        text = _text_of(path)
        if text is None or b"fishplate" in text:  # whoever imports it says why nobody can read it
            return True
        if _BINDS.search(text) is None:
            return False
        tree = _parsed(text)
        ours = {name for name, files in _imported(tree, path) if self._any_speaks(files)}
        binders = {name for one in tree.body for name in _binders(one)} if ours else set[str]()
        return not ours.isdisjoint(binders) or ("*" in ours and bool(binders))

    def _any_speaks(self, files: Iterable[Path]) -> bool:
        return any(self._speaks(file) for file in files)

    def _speaks(self, path: Path) -> bool:
        found = self._known.get(path)
        if found is None:
            self._known[path] = False  # for files that import one another
            text = _text_of(path) or b""
            found = b"fishplate" in text or any(
                self._any_speaks(files) for _, files in _imported(_parsed(text), path)
            )
            self._known[path] = found
        return found


def _text_of(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _parsed(text: bytes) -> ast.Module:
    """A file's syntax; nothing if it has none that this Python knows."""
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return ast.Module(body=[], type_ignores=[])


def _imported(tree: ast.Module, path: Path) -> Iterator[tuple[str, list[Path]]]:
    """Each name that a file imports at its top, and the files of the project it may come from."""
    for one in tree.body:
        if isinstance(one, ast.Import):
            for alias in one.names:
                name = alias.asname or alias.name.partition(".")[0]
                yield name, _found(path, 0, alias.name.split("."))
        elif isinstance(one, ast.ImportFrom):
            parts = one.module.split(".") if one.module else []
            for alias in one.names:
                files = _found(path, one.level, parts) + _found(
                    path, one.level, [*parts, alias.name]
                )
                yield alias.asname or alias.name, files


def _found(path: Path, level: int, parts: list[str]) -> list[Path]:
    """The file of a module, seen from a file that imports it; none if it is not the project's."""
    if not level and parts[0] in sys.stdlib_module_names:
        return []
    folders = list(path.resolve().parents)
    for folder in folders[level - 1 : level] if level else folders:
        place = folder.joinpath(*parts)
        modules = [place.with_suffix(".py")] if parts else []
        for file in (*modules, place / "__init__.py"):
            if file.is_file():
                return [file]
    return []


def _binders(statement: ast.stmt) -> set[str]:
    """The names by which a statement binds another one: its decorators, or what it calls."""
    makers: list[ast.expr] = []
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
        makers = statement.decorator_list
    elif isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is not None:
        makers = [one.func for one in ast.walk(statement.value) if isinstance(one, ast.Call)]
    return {one.id for maker in makers for one in ast.walk(maker) if isinstance(one, ast.Name)}
