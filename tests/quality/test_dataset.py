"""Data sets: what a line may hold, what is refused, and what the digest stands for."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fishplate.core.errors import UsageError
from fishplate.quality import Case, Dataset

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
CASES = st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=6).map(
    lambda pairs: tuple(
        Case(id=f"case {number}", input=given_, expected=expected)
        for number, (given_, expected) in enumerate(pairs)
    )
)


def test_a_line_is_a_case(tmp_path: Path) -> None:
    """Input and expected are any JSON; without an id the line number is it, blank lines counted."""
    path = tmp_path / "cases.jsonl"
    path.write_text(
        '{"id": "first", "input": {"text": "a"}, "expected": null}\n'
        '\n{"input": 1, "expected": [2]}',
        encoding="utf-8",
    )

    assert Dataset.load(path).cases == (
        Case(id="first", input={"text": "a"}, expected=None),
        Case(id="3", input=1, expected=[2]),
    )


@given(CASES)
def test_cases_survive_writing_and_reading(cases: tuple[Case, ...]) -> None:
    """What is written one JSON object a line is read back equal, with an equal digest."""
    lines = [
        json.dumps({"expected": case.expected, "input": case.input, "id": case.id})
        for case in cases
    ]

    read = Dataset.parse(lines)
    assert read.cases == cases
    assert read.digest == Dataset(cases).digest


@given(CASES)
def test_the_order_of_cases_plays_no_part(cases: tuple[Case, ...]) -> None:
    """A data set is a set: shuffled lines are the same data."""
    assert Dataset(cases[::-1]).digest == Dataset(cases).digest


@pytest.mark.parametrize(
    "other",
    [
        Case(id="b", input=1, expected=2),
        Case(id="a", input=2, expected=2),
        Case(id="a", input=1, expected="2"),
    ],
)
def test_every_part_of_a_case_is_in_the_digest(other: Case) -> None:
    """Another id, input or expected value is another data set."""
    assert Dataset((other,)).digest != Dataset((Case(id="a", input=1, expected=2),)).digest


def test_two_cases_with_one_id_are_refused() -> None:
    """A result belongs to one case, so ids are unique, also against line numbers."""
    with pytest.raises(UsageError, match="id '2'"):
        Dataset.parse(['{"id": "2", "input": 1, "expected": 1}', '{"input": 2, "expected": 2}'])


@pytest.mark.parametrize("lines", [[], ["", "  "]])
def test_an_empty_data_set_is_refused(lines: list[str]) -> None:
    """Nothing measured is no result."""
    with pytest.raises(UsageError, match="without cases"):
        Dataset.parse(lines)


@pytest.mark.parametrize(
    "line",
    [
        '{"input": 1}',
        '{"expected": 1}',
        '{"input": 1, "expected": 1, "exepcted": 2}',
        '{"input": 1, "expected": 1, "id": 7}',
        '{"input": 1, "expected": 1, "id": ""}',
        "[1]",
        '{"input": NaN, "expected": 1}',
        '{"input": 1, "input": 2, "expected": 1}',
    ],
)
def test_an_unusable_line_is_told_with_its_number(line: str) -> None:
    """A line that is no case is never passed over: a misspelt member would change the question."""
    with pytest.raises(UsageError, match="mine:2"):
        Dataset.parse(['{"input": 0, "expected": 0}', line], source="mine")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """The error names the path."""
    with pytest.raises(UsageError, match=r"nowhere\.jsonl"):
        Dataset.load(tmp_path / "nowhere.jsonl")


def test_a_line_that_is_no_json_is_told_with_place_and_remedy() -> None:
    """Source, line, pointer and what to write: a data set may have thousands of lines."""
    lines = ['{"input": 1, "expected": 2}', '{"input": {"score": NaN}, "expected": 2}']
    with pytest.raises(UsageError) as caught:
        Dataset.parse(lines, source="cases.jsonl")

    assert caught.value.message == (
        "The case at cases.jsonl:2 is no JSON at /input/score: NaN is no JSON number. "
        "Remedy: write a finite number, or null if there is none"
    )
