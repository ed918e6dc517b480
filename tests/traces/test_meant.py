"""Calculations that do not come out and may be right: who is to be believed, and who is not."""

import pytest

from fishplate.traces.sums import wrong_sums


def judged(text: str) -> list[bool]:
    """Whether each calculation of a text that does not come out is a doubt at most."""
    return [one.is_doubt for one in wrong_sums(text)]


@pytest.mark.parametrize(
    "text",
    [
        *("2 h x 60 = 120 min", "3 Wochen x 7 = 21 Tage", "5 km x 1000 = 5000 m"),
        *("1 Std + 30 Min = 1,5 Std", "2 Tage + 3 Std = 51 Std", "90 min x 400 EUR = 75 EUR"),
        *("100 m / 10 s = 36 km/h", "1 1/2 + 1/2 = 2", "2 ½ x 2 = 5", "\N{MINUS SIGN}3 + 5 = 2"),
        *("√16 + 9 = 13", "2 boxes x 6 = 12 boxes", "3 Nächte x 80 EUR = 240 EUR"),
        *("2 adults x 30 EUR + 1 child x 15 EUR = 75 EUR", "3 x + 1 = 7"),
    ],
)
def test_what_comes_out_in_some_unit_is_right(text: str) -> None:
    """Factors from one unit to another, prices for a time, halves, signs and words."""
    assert judged(text) == []


@pytest.mark.parametrize(
    "text",
    [
        # A dash: days, hours, years, pages, goals.
        *(
            "open 1 - 5 = 5 days",
            "22 - 6 = 8 h",
            "2024 - 2026 = 3 years",
            "Seiten 5 - 9 = 5 Seiten",
        ),
        *("2 - 2 = 1 Punkt", "8 - 12 + 13 - 17 = 8 h", "11/3 - 11/7 = 4 days", "1 - 3 = 50 EUR"),
        # A stroke: shares, ratings, rooms, dates.
        *("1/2 = 6 months", "4/5 = 4 stars", "18 / 20 = 1,3", "Zimmer 3 / 4 = 80 EUR"),
        *("24/7 = 168 h", "120 / 80 = 120 mmHg"),
        # A cross: sizes, relays.
        *("10 x 15 = 0,19 EUR", "30 x 40 cm = 25 EUR", "10 x 15 = 19 ct", "4 x 100 m = 36.84 s"),
        # Numbers that are names.
        *(
            "lines 1 + 2 = 59.80 EUR",
            "Pos. 1 + 2 = 60 EUR",
            "order 5001 + 5002 = 60",
            "§ 5 + 6 = 30",
        ),
        # Units that only the author knows.
        *("2 mio x 3 EUR = 6.000.000 EUR", "50 ct x 4 = 2 EUR", "2 GB x 3 = 6144 MB"),
        *("2 dozen x 3 EUR = 72 EUR", "1 year x 12 EUR = 144 EUR", "200 cm x 300 cm = 6 m²"),
        *("2 n + 1 = 7", "2 pi x 3 = 18.85", "1 m + 20 = 1.20 m"),
        # Clocks, and days of work.
        *(
            "22.30 + 45 min = 23.15",
            "23 h + 3 h = 2 h",
            "2 d - 1 d = 8 h",
            "2 weeks + 3 days = 13 days",
        ),
        # What is about as much, or another number of it.
        *("about 3 x 333 = 1000", "3 x 333 = 1000 (rounded)", "1 + 1 = 10 in binary"),
        *("sqrt 16 + 9 = 5", "the mean of 4 + 6 = 5"),
    ],
)
def test_what_may_mean_something_else_is_a_doubt(text: str) -> None:
    """A range, a date, a size, a name or a unit that nobody knows may make it right."""
    assert judged(text) == [True]


@pytest.mark.parametrize(
    "text",
    [
        *("It is not 2 + 2 = 5, but 4.", "Nicht 2 x 19,90 = 41,80, sondern 39,80."),
        *("You wrote 2 x 19.90 = 41.80; it is 39.80.", "If 2 + 2 = 5, all is true."),
        *("2 + 2 = 5 would be wrong", "2 + 2 = 5 stimmt nicht", "2 + 2 = 5? No, it is 4."),
    ],
)
def test_a_wrong_calculation_that_is_rejected_is_a_doubt(text: str) -> None:
    """Who denies it, or quotes it, has not made it."""
    assert judged(text) == [True]


@pytest.mark.parametrize(
    "text",
    [
        *("3 nights x 80 EUR = 250 EUR", "3 Nächte x 80 EUR = 250 EUR", "3 lamps x 19.90 = 60.70"),
        *("2 people x 3 nights x 80 EUR = 490 EUR", "10 apples - 4 = 7 apples"),
    ],
)
def test_a_wrong_calculation_with_words_of_quantities_is_a_doubt(text: str) -> None:
    """Its words may stand for more than one of each, and it does not come out as it stands."""
    assert judged(text) == [True]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        *(("2 x 19.90 = 41.80 may be too much", [False]), ("2 x 20 = 41 May", [False])),
        *(("2 x 6 = 13 may be right", [False]), ("2 x 19,90 EUR = 41,80 mit Rabatt", [False])),
        *(("28 + 5 = 2 May", [True]), ("5 + 7 = 13. Mai", [True]), ("3/4 = 3 April", [])),
    ],
)
def test_only_a_day_of_a_month_is_a_date(text: str, found: list[bool]) -> None:
    """A month stands behind 1 to 31; `may` is a word like any other."""
    assert judged(text) == found


@pytest.mark.parametrize(
    "text",
    [
        *(
            "2 x 19.90 EUR = 41.80 EUR",
            "100 - 20 = 85 EUR",
            "500 - 120 = 370",
            "20 EUR + 5 = 26 EUR",
        ),
        *("3 boxes x 6 = 19 boxes", "5 Stk + 3 Stk = 9 Stk", "2 Std + 30 Min = 160 Min"),
        *("1200 / 4 = 280", "100 EUR / 4 = 30 EUR", "19.90 / 2 = 9.90", "1000 x 1.05 = 1060"),
        *("2 weeks - 3 days = 12 days", "5 ft + 3 in = 53 in", "2 h x 60 = 130 min"),
        *("5 hours x 20 EUR = 110 EUR", "items 2 x 19.90 = 41.80", "2 kg x 3 EUR = 7 EUR"),
    ],
)
def test_what_can_only_be_wrong_is_wrong(text: str) -> None:
    """Known units, or one unit wherever one may stand, leave no other meaning."""
    assert judged(text) == [False]
