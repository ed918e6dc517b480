"""One id in two spellings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fishplate.traces.spelling import (
    Ids,
    bare_numbers_in,
    ids_in,
    is_nobody,
    is_public,
    is_same_id,
    kind_of_id,
)


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


@given(st.lists(st.text("aAbB01-/ ", max_size=6), max_size=6), st.text("aAbB01-/ ", min_size=1))
def test_an_id_is_looked_up_among_others_as_it_is_compared(ids: list[str], found: str) -> None:
    """Looking one up finds the same as comparing it with each, unless it has nothing to compare."""
    has_runs = any(one.isalnum() for one in found)

    assert Ids(ids).hold(found) == (has_runs and any(is_same_id(found, one) for one in ids))


@pytest.mark.parametrize("name", ["A4", "B12", "Q3", "v2", "PS5", "KW12", "RFC-7231", "E500"])
def test_what_the_world_numbers_is_public(name: str) -> None:
    """Paper, roads, vitamins, quarters and versions have short names that everybody knows."""
    assert is_public(name)


@pytest.mark.parametrize("name", ["W3", "A-4", "A1001", "ORD-1", "TIC5"])
def test_what_one_shop_numbers_is_not_public(name: str) -> None:
    """A dash, four digits or letters of its own make a name that somebody has given."""
    assert not is_public(name)


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
