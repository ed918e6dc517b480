"""When a budget is met."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.budgets import Budget
from bench.measure import Comparison, Spread

MICROS = st.floats(0.1, 1000)


def comparison(*, limit: float, ours: float) -> Comparison:
    """A comparison in which every round was the same."""
    return Comparison(
        limit=Spread(median=limit, best=limit),
        ours=Spread(median=ours, best=ours),
        ratio=ours / limit,
    )


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


def test_both_halves_of_a_budget_have_to_hold() -> None:
    """A cost within the budget is missed all the same if its ratio is not."""
    budget = Budget(most=5.0, limit_there=2.3, times=2.2)

    assert not budget.is_met(comparison(limit=1.0, ours=3.0))
    assert not budget.is_met(comparison(limit=2.3, ours=5.06))
