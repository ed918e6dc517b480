"""The official test-suite of JSON Schema 2020-12, run through our own compiled validators."""

import json
from pathlib import Path
from typing import Final, TypedDict, cast

import pytest

from fishplate.contracts.keywords import SchemaDocument
from fishplate.contracts.schema import compiled
from fishplate.core.errors import JsonValue

SUITE: Final = Path(__file__).parents[1] / "data" / "json_schema_test_suite"
FILES: Final = sorted((SUITE / "tests" / "draft2020-12").glob("*.json"))
ADDRESS: Final = "http://localhost:1234/"
CASES: Final = 1299
# The suite takes formats for annotations, which the specification allows to be switched to checks.
# We switch, so that we have to refuse exactly the values of the cases with this name.
UNCHECKED_FORMAT: Final = "is only an annotation by default"


class Case(TypedDict):
    """One value and whether it is valid."""

    description: str
    data: JsonValue
    valid: bool


class Group(TypedDict):
    """One schema and its cases."""

    description: str
    schema: SchemaDocument
    tests: list[Case]


def read_groups(path: Path) -> list[Group]:
    """The groups of one file of the suite."""
    return cast("list[Group]", json.loads(path.read_text(encoding="utf-8")))


def remote(uri: str) -> dict[str, JsonValue]:
    """The schema that the suite expects under an address."""
    path = SUITE / "remotes" / uri.removeprefix(ADDRESS)
    return cast("dict[str, JsonValue]", json.loads(path.read_text(encoding="utf-8")))


def expected(case: Case) -> bool:
    """Whether the value of a case is valid where formats are checked."""
    return case["valid"] and UNCHECKED_FORMAT not in case["description"]


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_agrees_with_the_official_suite(path: Path) -> None:
    """Each value gets the verdict of the suite, except that a wrong format is refused."""
    wrong: list[str] = []
    for group in read_groups(path):
        validator = compiled(group["schema"], retriever=remote)
        wrong.extend(
            f"{group['description']}: {case['description']}"
            for case in group["tests"]
            if validator.is_valid(case["data"]) is not expected(case)
        )

    assert wrong == []


def test_runs_every_case() -> None:
    """The suite here is complete."""
    assert sum(len(group["tests"]) for path in FILES for group in read_groups(path)) == CASES
