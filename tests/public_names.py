"""Writes the public names with their signatures, one a line, so that a review sees them change.

Run it as `python -m tests.public_names > tests/public_names.txt`.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import griffe
from typing_extensions import override

SOURCE = Path(__file__).resolve().parent.parent / "src"


class DataClasses(griffe.Extension):
    """Shows fishplate's data classes as the standard ones that they are for every type checker."""

    @override
    def on_module_members(self, *, mod: griffe.Module, **others: object) -> None:
        """Name the decorator as griffe knows it."""
        found = mod.members.get("dataclass")
        if isinstance(found, griffe.Alias) and found.target_path == "fishplate.core.data.dataclass":
            found.target_path = "dataclasses.dataclass"


def public_names() -> str:
    """What `fishplate` exports: functions with signatures, classes with their public members."""
    package = griffe.load(
        "fishplate",
        search_paths=[SOURCE],
        resolve_aliases=True,
        extensions=griffe.load_extensions(DataClasses()),
    )
    assert isinstance(package, griffe.Module)
    return "".join(
        f"{line}\n"
        for name in sorted(map(str, package.exports or []))
        for line in _lines(name, package[name])
    )


def _lines(name: str, found: griffe.Object | griffe.Alias) -> Iterator[str]:
    if found.is_alias:
        assert isinstance(found, griffe.Alias)
        found = found.final_target
    if isinstance(found, griffe.Class):
        bases = f"({', '.join(map(str, found.bases))})" if found.bases else ""
        yield f"class {name}{bases}"
        for member in sorted(found.members.values(), key=lambda member: member.name):
            if not member.name.startswith("_") or member.name == "__init__":
                yield from _lines(f"{name}.{member.name}", member)
    elif isinstance(found, griffe.Function):
        keyword = "async " if "async" in found.labels else ""
        yield f"{keyword}{name}{_signature(found)}"
    elif isinstance(found, griffe.Attribute):
        annotation = f": {found.annotation}" if found.annotation else ""
        is_constant = found.value is not None and found.labels != {"instance-attribute"}
        yield f"{name}{annotation}" + (f" = {found.value}" if is_constant else "")
    else:
        yield name


def _signature(function: griffe.Function) -> str:
    return function.signature().removeprefix(function.name)


if __name__ == "__main__":
    sys.stdout.write(public_names())
