"""Importing the user's module once, under its proper name, and saying plainly why that fails."""

import importlib
import importlib.metadata
import re
import sys
import traceback
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Final

from fishplate.cli.documents import CONTRACT_FILES
from fishplate.core.errors import FishplateError, MissingExtraError, UsageError
from fishplate.core.source import shown_path

_IMPORTS: Final = re.compile(r"^[ \t]*(?:from|import)[ \t]+(\.*)([\w.]*)", re.MULTILINE)
_EXTRA: Final = re.compile(r"([\w.-]+).*;.*\bextra *== *['\"]([\w-]+)['\"]")
_OURS: Final = str(Path(__file__).parents[1])
_PYTHONS: Final = str(Path(importlib.__file__).parents[1])


def load_file(path: Path) -> ModuleType:
    """Import a Python file, with the folder that its own imports start from on `sys.path`.

    In a package, also one without `__init__.py`, the module gets its dotted name, so that
    `from package.module import name` elsewhere means this very module. Any other file is a module
    of its own, and its neighbours can be imported by their names.

    Raises:
        UsageError: There is no such file (`no_such_file`), another module has its name
            (`name_taken`), or importing it failed (`syntax_error`, `missing_module`,
            `import_failed`).
        FishplateError: What the module's own declarations raise.
    """
    if not path.is_file():
        is_folder = path.is_dir()
        message = (
            f"{str(path)!r} is a folder: name a file in it"
            if is_folder
            else (f"there is no file {str(path)!r}")
        )
        raise UsageError(message, code="no_such_file")
    if path.suffix != ".py" or "." in path.stem:
        message = f"{str(path)!r} is no Python module: its name has to be 'name.py'"
        if path.suffix.lower() in CONTRACT_FILES:
            message += ". A contract file is compared by 'fishplate diff OLD NEW'"
        raise UsageError(message, code="no_such_file")
    root, name = _proper_name(path.resolve())
    sys.path.insert(0, str(root))
    importlib.invalidate_caches()
    module = _imported(name, shown_path(str(path.resolve())))
    found = module.__file__ or ""
    if Path(found).resolve() != path.resolve():
        message = (
            f"{str(path)!r} cannot be imported: the module {name!r} is "
            f"{found or 'one of Python'} already. Rename the file"
        )
        raise UsageError(message, code="name_taken")
    return module


def load_module(name: str) -> ModuleType:
    """Import a module by its dotted name, as `python -m` would find it.

    Raises:
        UsageError: There is no such module (`no_such_module`), or importing it failed; see
            `load_file`.
        FishplateError: What the module's own declarations raise.
    """
    sys.path.insert(0, str(Path.cwd()))
    importlib.invalidate_caches()
    try:
        return _imported(name, name)
    except UsageError as error:
        cause = error.__cause__
        missing = cause.name if isinstance(cause, ModuleNotFoundError) else None
        if missing is not None and f"{name}.".startswith(f"{missing}."):
            message = (
                f"there is no module {missing!r}. A module is named from here ({Path.cwd()}) or as "
                "it is installed; a file is named with its '.py'"
            )
            raise UsageError(message, code="no_such_module") from cause
        raise


@contextmanager
def apart() -> Generator[None]:
    """Forget the modules that are loaded meanwhile, so that two files may have the same name.

    What is installed stays: compiled packages cannot be imported twice.
    """
    path, before = list(sys.path), set(sys.modules)
    try:
        yield
    finally:
        # Each load puts one folder in front, also one that is on the path already.
        roots = tuple(sys.path[: len(sys.path) - len(path)])
        added = set(sys.modules) - before
        # All are found before any goes: a package without __init__.py asks its parent for its path.
        for name in [name for name in added if _is_below(sys.modules[name], roots)]:
            del sys.modules[name]
        sys.path[:] = path


def _is_below(module: ModuleType, roots: tuple[str, ...]) -> bool:
    file: str | None = getattr(module, "__file__", None)
    places: list[str] = [file] if file else list(getattr(module, "__path__", ()))
    return any(
        Path(place).is_relative_to(root)
        for place in places
        if not place.startswith((_OURS, sys.prefix)) and "site-packages" not in place
        for root in roots
    )


def _proper_name(path: Path) -> tuple[Path, str]:
    """The folder from which a file is imported, and its name from there."""
    names = [] if path.stem == "__init__" else [path.stem]
    folder = path.parent
    for _ in range(_depth(path)):
        names.insert(0, folder.name)
        folder = folder.parent
    return folder, ".".join(names)


def _depth(path: Path) -> int:
    """How many of the enclosing folders are packages."""
    folders = path.parents
    depth = 0
    while (folders[depth] / "__init__.py").is_file():
        depth += 1
    # A package without __init__.py shows only in how its files import one another.
    for level, name in _imports_beside(path):
        depth = max(depth, level)
        first, _, rest = name.partition(".")
        second = rest.partition(".")[0]
        for above, folder in enumerate(folders[:-1], start=1):
            is_named = not level and second and folder.name == first
            if is_named and ((folder / second).is_dir() or (folder / f"{second}.py").is_file()):
                depth = max(depth, above)
    return depth


def _imports_beside(path: Path) -> Iterator[tuple[int, str]]:
    """What the files of a folder import: dots of a relative import, and the name."""
    for file in sorted(path.parent.glob("*.py")):
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError:  # a neighbour that nobody may read names no package either
            continue
        for dots, name in _IMPORTS.findall(text):
            yield len(dots), name


def _imported(name: str, shown: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (FishplateError, KeyboardInterrupt):
        raise
    except SyntaxError as error:
        where = f"{shown_path(error.filename or shown)}:{error.lineno or 1}"
        raise UsageError(f"{where}: {error.msg}", code="syntax_error") from error
    except ModuleNotFoundError as error:
        raise _missing(error, shown) from error
    except BaseException as error:  # a module may raise anything, and call sys.exit()
        what = f"{type(error).__name__}: {error}"
        if isinstance(error, SystemExit):
            what = f"it calls sys.exit({error.code!r}); put that below: if __name__ == '__main__'"
        message = f"{_place(error, shown)}: the module cannot be imported: {what}"
        raise UsageError(message, code="import_failed") from error


def _missing(error: ModuleNotFoundError, shown: str) -> UsageError:
    module = error.name or str(error)
    if (extra := _extra_with(module)) is not None:
        return MissingExtraError(module, extra)
    message = (
        f"{_place(error, shown)}: the module {module!r} is not installed. Install what brings it, "
        "or name the target from the folder in which its imports start"
    )
    return UsageError(message, code="missing_module")


def _extra_with(module: str) -> str | None:
    """The extra of fishplate that brings a module."""
    try:
        requirements = importlib.metadata.requires("fishplate") or ()
    except importlib.metadata.PackageNotFoundError:  # run from the sources, without its metadata
        return None
    wanted = _normal(module.partition(".")[0])
    for requirement in requirements:
        found = _EXTRA.match(requirement)
        if found and _normal(found[1]) == wanted:
            return found[2]
    return None


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _place(error: BaseException, shown: str) -> str:
    """`file:line` of the user's line that failed."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((_OURS, "<"))
        and not frame.filename.startswith(_PYTHONS)
        and "site-packages" not in frame.filename
    ]
    return f"{shown_path(frames[-1].filename)}:{frames[-1].lineno}" if frames else shown
