"""Expected intervals come from scipy 1.17, `binomtest(...).proportion_ci(method="wilson")`."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fishplate.core.errors import UsageError
from fishplate.quality import Proportion, wilson

COUNTS = st.integers(1, 10_000).flatmap(
    lambda total: st.tuples(st.integers(0, total), st.just(total))
)


@pytest.mark.parametrize(
    ("successes", "total", "confidence", "lower", "upper"),
    [
        (0, 10, 0.95, 0.0, 0.277532799863),
        (1, 10, 0.95, 0.017876213095, 0.404150026795),
        (9, 10, 0.95, 0.595849973205, 0.982123786905),
        (10, 10, 0.95, 0.722467200137, 1.0),
        (1, 1, 0.95, 0.206549314377, 1.0),
        (3, 7, 0.8, 0.225988111615, 0.658302946379),
        (0, 50, 0.95, 0.0, 0.071347599133),
        (50, 50, 0.9, 0.948666814214, 1.0),
        (81, 100, 0.95, 0.722211546209, 0.874852484902),
        (50, 100, 0.99, 0.375279625045, 0.624720374955),
        (68, 70, 0.95, 0.901677438816, 0.992129388055),
        (950, 1000, 0.95, 0.934686179756, 0.961869737607),
    ],
)
def test_intervals_are_those_of_an_independent_library(
    successes: int, total: int, confidence: float, lower: float, upper: float
) -> None:
    """The interval equals the published formula's, also at none and all."""
    interval = wilson(successes, total, confidence)

    assert (interval.lower, interval.upper) == pytest.approx((lower, upper), abs=1e-11)


@given(COUNTS)
def test_an_interval_holds_the_share(counts: tuple[int, int]) -> None:
    """The observed share lies inside, and both ends lie between 0 and 1."""
    interval = wilson(*counts)

    assert 0 <= interval.lower <= counts[0] / counts[1] <= interval.upper <= 1
    assert interval.lower < interval.upper


@given(COUNTS)
def test_successes_mirror_failures(counts: tuple[int, int]) -> None:
    """Counting the failures instead gives the mirrored interval."""
    successes, total = counts
    right, wrong = wilson(successes, total), wilson(total - successes, total)

    assert (wrong.lower, wrong.upper) == pytest.approx((1 - right.upper, 1 - right.lower))


@given(COUNTS)
def test_more_confidence_is_a_wider_interval(counts: tuple[int, int]) -> None:
    """To be surer is to say less."""
    narrow, wide = wilson(*counts, confidence=0.8), wilson(*counts, confidence=0.99)

    assert wide.lower <= narrow.lower
    assert narrow.upper <= wide.upper


@given(COUNTS)
def test_more_trials_are_a_narrower_interval(counts: tuple[int, int]) -> None:
    """The same share of ten times as many trials is known better."""
    few, many = wilson(*counts), wilson(counts[0] * 10, counts[1] * 10)

    assert many.upper - many.lower < few.upper - few.lower


def test_the_interval_keeps_its_promise_for_few_trials() -> None:
    """At a true share of 0.95 and 20 trials it holds the share 93 % of the time."""
    held = sum(
        math.comb(20, successes) * 0.95**successes * 0.05 ** (20 - successes)
        for successes in range(21)
        if wilson(successes, 20).lower <= 0.95 <= wilson(successes, 20).upper
    )

    assert held == pytest.approx(0.93, abs=0.01)


@pytest.mark.parametrize(("successes", "total"), [(0, 0), (-1, 3), (4, 3), (0, -1)])
def test_impossible_counts_are_refused(successes: int, total: int) -> None:
    """Nothing of nothing has no share, and no interval."""
    with pytest.raises(UsageError, match=f"{successes} of {total}"):
        wilson(successes, total)


@pytest.mark.parametrize("confidence", [0, 1, 95, -0.5, math.nan])
def test_a_confidence_is_a_share(confidence: float) -> None:
    """A confidence in percent is a mistake, not a very wide interval."""
    with pytest.raises(UsageError, match=r"Give 0\.95, not 95"):
        wilson(1, 2, confidence)


def test_a_proportion_prints_with_its_interval() -> None:
    """No share is shown without its counts and its interval."""
    assert Proportion(successes=9, total=10).to_text() == "90.0 % [59.6, 98.2] (9/10)"


def test_a_proportion_is_json() -> None:
    """The JSON form carries counts, share and interval in full precision."""
    found = Proportion(successes=1, total=2).to_json()

    assert found["share"] == 0.5
    assert found["interval"] == wilson(1, 2).to_json()
    assert wilson(1, 2).to_json()["confidence"] == 0.95
