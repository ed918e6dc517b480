"""One id in two spellings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fishplate.traces.spelling import bare_numbers_in, ids_in, is_nobody, is_same_id, kind_of_id


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(("tic-17", "TIC-000017"), ("#w1", "W1"), ("INV0017", 17), ("17", "people/17")),
        *(
            ("de89 3704", "DE893704"),
            ("Ann@Example.COM ", "ann@example.com"),
            ("\uff37\uff11", "W1"),
        ),
    ],
)
def test_one_id_may_be_spelled_in_many_ways(one: str, other: str | int) -> None:
    """Capitals, zeros, marks, width and a prefix before the only number do not count."""
    assert is_same_id(one, other)
    assert is_same_id(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [("W1", "W10"), ("W1", "V1"), ("A1-B2", "2"), ("ann", "bob"), ("", "W1"), ("-", "+")],
)
def test_different_ids_stay_different(one: str, other: str) -> None:
    """Another number or other letters are another thing."""
    assert not is_same_id(one, other)
    assert not is_same_id(other, one)


@given(st.text())
def test_an_id_is_itself_in_capitals(text: str) -> None:
    """Whatever the characters are, an id is the same as itself."""
    assert is_same_id(text, text)


def test_ids_are_found_by_kind() -> None:
    """Letters, then digits; the letters are the kind."""
    assert ids_in("Orders #W1, TIC-17 and 5 lamps") == ["#W1", "TIC-17"]
    assert [kind_of_id(one) for one in ("#W1", "TIC-17", "17")] == ["w", "tic", ""]


@pytest.mark.parametrize("value", ["", "-", "n/a", "NOT_FOUND", "Unknown", "0", "W-0000", 0, -1])
def test_an_id_may_be_that_of_nothing(value: str | int) -> None:
    """What stands where there is no such thing is no other thing."""
    assert is_nobody(value)


@pytest.mark.parametrize("value", ["W-1", "W-100", "ann", 1, "0-7"])
def test_an_id_of_something_is_one(value: str | int) -> None:
    """Letters that say nothing of the kind, or a number, are an id."""
    assert not is_nobody(value)


def test_a_bare_number_may_be_an_id() -> None:
    """Three digits and more, that stand in no id, date, amount or time."""
    text = "Where is 9999, #123, W-1001, 12, 2026-11-05, 1,999.00, 18:300 or W 777?"

    assert bare_numbers_in(text) == ["9999", "123", "777"]
