"""What a new version means to those who use the old one."""

import pytest

from fishplate.contracts.contract import Contract
from fishplate.contracts.evolution import Mode, compatible, compatible_with_all
from fishplate.core.errors import JsonValue
from tests.contracts.versions_table import (
    BASE,
    SAFETY,
    VERSIONS,
    SafetyVersions,
    Versions,
    failing,
    giving,
    taking,
    tool,
)


def contract(changes: dict[str, JsonValue]) -> Contract:
    """The base contract with some changes."""
    return Contract.parse({**BASE, **changes})


@pytest.mark.parametrize("pair", VERSIONS, ids=[pair.name for pair in VERSIONS])
def test_finds_the_labelled_bump(pair: Versions) -> None:
    """Each labelled change asks for its bump, and only a major one is incompatible."""
    found = compatible(contract(pair.old), contract(pair.new))

    assert found.bump == pair.bump, found.changes
    assert found.compatible is (pair.bump != "major")


@pytest.mark.parametrize("pair", SAFETY, ids=[pair.name for pair in SAFETY])
def test_what_an_agent_may_do_may_only_shrink(pair: SafetyVersions) -> None:
    """More effect, a weaker word or a wider scope is major; the opposite is minor."""
    found = compatible(contract({}), contract({}), old_safety=pair.old, new_safety=pair.new)

    assert found.bump == pair.bump, found.changes
    assert all(change.side == "safety" for change in found.changes)


def test_a_break_comes_with_a_value() -> None:
    """The counterexample is a value that was right and is refused now."""
    old, new = contract(taking({"n": "number"})), contract(taking({"n": "integer"}))

    (change,) = compatible(old, new).changes

    assert change.side == "input"
    assert change.pointer == "/n"
    assert change.has_counterexample
    assert old.input.is_valid(change.counterexample)
    assert not new.input.is_valid(change.counterexample)


def test_changes_are_told_largest_first() -> None:
    """Every side has its change, the worst one first."""
    old = contract({**taking({"a": "int"}), **giving({"b": "int"}), **failing({"late": {}})})
    new = contract({**taking({"a": "number"}), **giving({"b": "number"}), "description": "New."})

    changes = compatible(old, new).changes

    assert [(change.bump, change.side) for change in changes] == [
        ("major", "output"),
        ("minor", "input"),
        ("minor", "errors"),
        ("patch", "text"),
    ]
    assert changes[2].pointer == "/late"


def test_a_closed_input_is_named() -> None:
    """Closing an object is a change of its own, at its place."""
    old = contract(taking({"orders": [{"id": "string"}]}))
    new = contract({**taking({"orders": [{"id": "string"}]}), "strict": True})

    changes = compatible(old, new).changes

    assert {change.pointer for change in changes} == {"", "/orders/*"}
    assert all("undeclared properties" in change.reason for change in changes)


@pytest.mark.parametrize(
    ("mode", "is_compatible"),
    [("replace", False), ("input-only", True), ("output-only", False), ("none", True)],
)
def test_a_mode_chooses_the_sides_that_count(mode: Mode, is_compatible: bool) -> None:
    """The changes are the same in each mode; which of them count is not."""
    old, new = contract(giving({"a": "int"})), contract(giving({"a": "int?"}))

    found = compatible(old, new, mode=mode)

    assert found.compatible is is_compatible
    assert found.bump == "major"


def test_every_version_in_use_is_compared() -> None:
    """A change is as large as for the version that it hurts most."""
    first, second = contract(taking({"a": "int"})), contract(taking({"a": "int?"}))

    found = compatible_with_all([first, second], contract(taking({"a": "int?"})))
    worse = compatible_with_all([first, second], contract(taking({"a": "int"})))

    assert (found.compatible, found.bump) == (True, "minor")
    assert (worse.compatible, worse.bump) == (False, "major")


def test_no_other_version_means_no_change() -> None:
    """The first version is compatible with whatever is in use, which is nothing."""
    assert compatible_with_all([], contract({})).bump == "none"


def test_safety_counts_only_where_versions_replace() -> None:
    """A new effect does not matter to a caller who only looks at the input."""
    found = compatible(contract({}), contract({}), mode="input-only", new_safety=tool("keyed"))

    assert found.compatible
    assert found.bump == "major"
