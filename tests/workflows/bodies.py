"""Reads declarations from text files and makes them from files, since a source has to be there."""

import itertools
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from textwrap import indent
from types import ModuleType
from typing import Final

HEAD: Final = """\
from __future__ import annotations
from datetime import datetime
from typing import Annotated, Literal
from pydantic import BaseModel, Field, SecretStr, field_serializer
from typing_extensions import TypedDict
from fishplate import *
from fishplate.contracts import Schema
from tests.workflows.cast import *
"""
_NUMBERS: Final = itertools.count()


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """A module that has to be refused.

    Attributes:
        name: What is wrong with it.
        code: Code of the refusal.
        says: Parts of its message.
        step: The step that it names, if it names one.
        pointer: Where in the value, if it says so.
        has_example: Whether it shows a counterexample.
        source: The module.
        line: The line that the refusal has to name; 0 if there is none.
    """

    name: str
    code: str
    says: tuple[str, ...]
    source: str
    line: int
    step: str | None = None
    pointer: str | None = None
    has_example: bool = False


def refused_bodies() -> Iterator[Refused]:
    """What a plan cannot hold: `refused.txt`."""
    for (name, code, *says), text in _sections("refused.txt"):
        body = text
        if "@workflow" not in body and "workflow(" not in body:
            body = "@workflow\nasync def flow(query: Query) -> Reply:\n" + indent(body, "    ")
        source = f"{HEAD}{body}\n"
        yield Refused(
            name=name, code=code, says=tuple(says), source=source, line=_marked_line(source)
        )


def misfits() -> Iterator[Refused]:
    """What does not fit: `misfits.txt`."""
    for (name, code, *rest), text in _sections("misfits.txt"):
        step, pointer, example = (None if part == "-" else part for part in rest[:3])
        source = f"{HEAD}{text}\n"
        yield Refused(
            name=name,
            code=code,
            says=tuple(rest[3:]),
            step=step,
            pointer=pointer,
            has_example=example is not None,
            source=source,
            line=_marked_line(source),
        )


def declared(source: str, folder: Path) -> ModuleType:
    """Import a module from a file of its own; raises what its declarations raise."""
    path = folder / f"declared_{next(_NUMBERS)}.py"
    path.write_text(source, encoding="utf-8")
    name = path.stem
    spec = spec_from_loader(name, SourceFileLoader(name, str(path)))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module  # annotations are looked up there
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[name]
    return module


def _sections(file: str) -> Iterator[tuple[list[str], str]]:
    text = Path(__file__).with_name(file).read_text(encoding="utf-8")
    for section in re.split("^=== ", text, flags=re.MULTILINE)[1:]:
        title, _, rest = section.partition("\n")
        yield title.split(" | "), rest.strip("\n")


def _marked_line(source: str) -> int:
    marked = [number for number, line in enumerate(source.splitlines(), 1) if "# here" in line]
    assert len(marked) <= 1, source
    return sum(marked)
