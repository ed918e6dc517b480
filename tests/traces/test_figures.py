"""Numbers in texts: which follow from others, and which calculations are wrong."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fishplate.traces.figures import holds, unexplained
from fishplate.traces.sums import wrong_sums

SMALL = st.integers(min_value=0, max_value=10**6)
PRICES = st.decimals(min_value=0, max_value=10**5, places=2)


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("39.80", "2 at 19.90"),
        ("49.75 in all", "[12.50, 7.25, 30]"),
        ("a mean of 4.33", "[4, 4, 5]"),
        ("you save 36 and pay 204", "240, 15 percent"),
        ("59.50 with tax", "50 and 19"),
        ("1.234,50 EUR", "1234.5"),
        ("1'234.50", "1234.5"),
        ("$1,234.50", "123450 cents"),
        ("5 November 2026", "2026-11-05"),
        ("1.5 hours", "90 minutes"),
        ("75 %", "3 of 4"),
    ],
)
def test_a_number_that_follows_is_explained(text: str, known: str) -> None:
    """Whoever multiplies, adds up, takes a share, rounds or writes otherwise made nothing up."""
    assert unexplained(text, known) == []


def test_a_number_that_follows_from_nothing_is_told() -> None:
    """It is told as it is written, once."""
    assert unexplained("41.80, or 41.80, of 19.90", "2 at 19.90") == ["41.80"]


@given(one=SMALL, other=SMALL)
def test_every_right_calculation_is_right(one: int, other: int) -> None:
    """Sums and products of whole numbers are never called wrong."""
    text = f"{one} x {other} = {one * other} and {one} + {other} = {one + other}"

    assert list(wrong_sums(text)) == []


@given(one=PRICES, count=st.integers(min_value=1, max_value=99), slip=SMALL)
def test_every_wrong_product_is_wrong(one: Decimal, count: int, slip: int) -> None:
    """A product that is written with all its places has no other value."""
    result = one * count + slip + 1

    assert len(list(wrong_sums(f"{count} x {one} = {result}"))) == 1


@pytest.mark.parametrize(
    "text",
    [
        *("10 / 3 = 3.33", "7 / 2 = 3", "2 + 3 x 4 = 14", "5 / 0 = 0", "1.000 x 2 = 2"),
        *("19 % x 50 = 9.50", "on 2026-11-05 = today", "2 x 3 = 4 + 2", "8 x 30 = 4 h"),
        *("8 / 10 = 80 percent", "161 / 2 = 80.5 %", "1200 x 1000 = 1.2 million"),
        *("03/04 = 3 April", "3/4 = 3 April", "1 200 x 3 = 3 600", "1 200 + 300 = 1 500"),
    ],
)
def test_what_may_be_right_is_not_called_wrong(text: str) -> None:
    """Rounding, products before sums, marks that have two readings, and what is no calculation."""
    assert list(wrong_sums(text)) == []


@pytest.mark.parametrize(
    ("text", "is_doubt"),
    [
        *(("the average of 4 + 6 = 5", True), ("half of 30 x 4 = 60", True)),
        *(("the sum of 4 + 6 = 11", False), ("8 x 30 = 5 h", False), ("2 x 3 = 7 nights", False)),
    ],
)
def test_what_is_taken_of_a_calculation_may_be_right(text: str, is_doubt: bool) -> None:
    """Its words may say that the result is another number of it, such as the mean."""
    assert [one.is_doubt for one in wrong_sums(text)] == [is_doubt]


def test_a_number_of_an_account_is_no_figure() -> None:
    """Nobody reckons with twenty digits, and they take no time."""
    assert unexplained("9" * 20, "8" * 20) == []


def test_a_number_is_held_in_any_form() -> None:
    """A text is held as it stands, a number by its value."""
    assert holds("it costs 1799.0", "1,799.00")
    assert not holds("it costs 1799.0", "1,800.00")
    assert not holds("it costs 1799.0", "one")
