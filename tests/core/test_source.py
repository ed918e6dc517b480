"""Reading sources: the tree of exactly this function, its place, and what its names mean."""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fishplate.core.source import (
    UNKNOWN,
    local_names,
    location,
    raised_at,
    read_source,
    user_location,
    user_names,
)

TEXT = "a constant"


def _plain(one: int, *rest: int, two: int = 2) -> object:
    three: int = one
    four, (five, six) = rest, (1, two)
    return [sorted([eight], key=lambda seven: -seven) for eight in (three, *four, five, six)]


def _with_text_at_the_margin() -> str:
    def inner() -> str:
        return """
at the margin
"""

    return inner()


def _logged(function: Callable[[], str]) -> Callable[[], str]:
    @functools.wraps(function)
    def wrapper() -> str:
        return function()

    return wrapper


@_logged
def _wrapped() -> str:
    return TEXT


class Busy:
    """Whose attributes do something."""

    field = "class"

    def __init__(self) -> None:
        self.own = "own"

    @property
    def changing(self) -> str:
        """Must not run."""
        raise AssertionError

    def method(self) -> str:
        """A method."""
        return self.own


@dataclass(frozen=True, slots=True)
class Slotted:
    """Whose attributes are slots."""

    one: int = 1


BUSY, SLOTTED = Busy(), Slotted()


def _mentions(shadowed: str) -> object:
    return [TEXT, BUSY, SLOTTED, Busy, shadowed, location, len]


def test_a_function_is_read_with_the_lines_of_its_file() -> None:
    """Line numbers are those of the file, wherever the function stands in it."""
    source = read_source(_plain)

    assert source is not None
    assert source.file.endswith("test_source.py")
    assert source.where(source.tree) == location(_plain)
    assert source.where(source.tree.body[-1]).endswith(f":{_plain.__code__.co_firstlineno + 3}")


def test_a_nested_function_is_read_though_a_text_leaves_its_margin() -> None:
    """What stands left of the function, such as the end of a long text, does not matter."""
    source = read_source(_with_text_at_the_margin)

    assert source is not None
    assert [type(node).__name__ for node in source.tree.body] == ["FunctionDef", "Return"]


def test_what_has_no_source_of_its_own_is_not_read() -> None:
    """A wrapper's source says nothing about what it wraps, and executed text has none."""
    names: dict[str, Any] = {}
    exec("def made() -> None:\n    pass", names)

    assert read_source(_wrapped) is None
    assert read_source(names["made"]) is None
    assert read_source(len) is None
    assert read_source(lambda: None) is None


def test_the_place_of_a_wrapper_is_that_of_what_it_wraps() -> None:
    """A reader wants to see the function that was written."""
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()

    file, _, line = location(_wrapped).rpartition(":")
    assert file.endswith("test_source.py")
    assert lines[int(line) - 1] == "@_logged"
    assert location(len) == "unknown"


def test_a_name_means_what_it_means_in_the_function() -> None:
    """Globals, what is closed over, builtins; a name that is assigned later means nothing yet."""
    assert _means("TEXT") == TEXT
    assert _means("len") is len
    assert _means("missing") is UNKNOWN

    later: object

    def closes() -> object:
        return later

    source = read_source(closes)
    assert source is not None
    assert source.resolve(ast.parse("later", mode="eval").body) is UNKNOWN
    later = 1
    assert source.names["later"] is UNKNOWN
    assert closes() == 1


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("BUSY.own", "own"),
        ("BUSY.field", "class"),
        ("Busy.field", "class"),
        ("SLOTTED.one", 1),
        ("BUSY.changing", UNKNOWN),
        ("BUSY.method", UNKNOWN),
        ("BUSY.nothing", UNKNOWN),
        ("missing.own", UNKNOWN),
        ("TEXT[0]", UNKNOWN),
    ],
)
def test_a_dotted_name_is_followed_without_running_anything(text: str, meaning: object) -> None:
    """Properties and methods of objects are left alone; plain attributes are found."""
    assert _means(text) == meaning


def test_the_names_of_the_function_itself_can_be_hidden() -> None:
    """Parameters and assigned names, not those of lambdas, hide globals of the same name."""
    source = read_source(_plain)
    mentions = read_source(_mentions)

    assert source is not None
    assert mentions is not None
    assert local_names(source.tree) == {
        "one", "rest", "two", "three", "four", "five", "six", "eight",
    }  # fmt: skip
    assert mentions.outside().names["shadowed"] is UNKNOWN
    assert mentions.outside().names["TEXT"] == TEXT


def test_the_caller_outside_of_the_package_is_found() -> None:
    """Its place, and the names that an annotation may use there."""
    local = SimpleNamespace()

    assert user_names()["local"] is local
    assert user_location().rpartition(":")[0].endswith("test_source.py")


def test_the_place_where_an_error_left_the_users_code_is_found() -> None:
    """The innermost line outside of the package."""
    with pytest.raises(ZeroDivisionError) as error:
        _divide()

    assert raised_at(error.value).endswith(f":{_divide.__code__.co_firstlineno + 1}")


def _divide() -> float:
    return 1 / 0


def _means(text: str) -> object:
    source = read_source(_mentions)
    assert source is not None
    return source.resolve(ast.parse(text, mode="eval").body)
