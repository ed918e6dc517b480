"""When a budget is met."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.budgets import Budget
from bench.measure import Comparison

MICROS = st.floats(0.1, 1000)


def comparison(*, limit: float, ours: float) -> Comparison:
    """A comparison in which every round was the same."""
    return Comparison.of([limit], [ours])


@pytest.mark.parametrize(
    ("limit", "ours", "is_met"),
    [
        (2.3, 5.0, True),
        (2.3, 5.1, False),
        (1.0, 5.0, True),
        (4.6, 10.0, True),
        (4.6, 10.1, False),
    ],
)
def test_a_budget_grows_with_a_slower_limit_and_never_shrinks(
    limit: float, ours: float, *, is_met: bool
) -> None:
    """Twice the limit allows twice the cost; half the limit does not allow less."""
    assert Budget(most=5.0, limit_there=2.3).is_met(comparison(limit=limit, ours=ours)) is is_met


@given(limit=MICROS, ours=MICROS)
def test_a_ratio_holds_on_every_machine(limit: float, ours: float) -> None:
    """A budget in multiples of the limit follows the ratio alone."""
    found = comparison(limit=limit, ours=ours)

    assert Budget(times=2.2).is_met(found) is (found.ratio <= 2.2)


@given(limit=MICROS)
def test_memory_is_not_scaled(limit: float) -> None:
    """A budget without a limit of its own machine holds as it stands."""
    budget = Budget(most=5.0)

    assert budget.is_met(comparison(limit=limit, ours=5.0))
    assert not budget.is_met(comparison(limit=limit, ours=5.01))


@pytest.mark.parametrize(
    ("limit", "ours", "is_met"), [(0.1, 1.6, True), (0.1, 1.7, False), (0.2, 3.1, True)]
)
def test_what_is_added_may_be_limited_alone(limit: float, ours: float, *, is_met: bool) -> None:
    """A budget of what is added looks at the difference, and grows with a slower limit."""
    budget = Budget(added=1.55, limit_there=0.1)

    assert budget.is_met(comparison(limit=limit, ours=ours)) is is_met


def test_both_halves_of_a_budget_have_to_hold() -> None:
    """A cost within the budget is missed all the same if its ratio is not."""
    budget = Budget(most=5.0, limit_there=2.3, times=2.2)

    assert not budget.is_met(comparison(limit=1.0, ours=3.0))
    assert not budget.is_met(comparison(limit=2.3, ours=5.06))
