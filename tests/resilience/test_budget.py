"""Retries stay a small share of calls."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from fishplate.resilience.budget import SPAN, RetryBudget


def test_a_target_that_is_hardly_called_allows_a_retry() -> None:
    """One a second is free, so that the first failure of the day can be repeated."""
    budget = RetryBudget(0.0)

    assert budget.credit(0.0) == 10
    assert budget.try_spend(1, 0.0)


def test_a_fifth_of_the_first_attempts_may_be_repeated() -> None:
    """A hundred calls in the window allow twenty retries beside the free ones."""
    budget = RetryBudget(0.0)
    for _ in range(100):
        budget.first_attempt(1.0)

    granted = sum(budget.try_spend(1, 1.0) for _ in range(100))

    assert granted == 30


def test_a_retry_after_a_timeout_costs_twice() -> None:
    """It has held the target for its whole time already."""
    budget = RetryBudget(0.0)

    assert sum(budget.try_spend(2, 0.0) for _ in range(100)) == 5
    assert not budget.try_spend(1, 0.0)


def test_credit_comes_back_when_the_window_has_moved_on() -> None:
    """Ten seconds later the spent retries are forgotten."""
    budget = RetryBudget(0.0)
    while budget.try_spend(1, 0.0):
        pass

    assert budget.credit(9.0) == 0
    assert budget.credit(10.1) == 10


class Spending(RuleBasedStateMachine):
    """Any order of calls, retries and pauses, beside a list of what happened."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.budget = RetryBudget(self.now)
        self.firsts: list[float] = []
        self.spent: list[tuple[float, int]] = []

    @rule(seconds=st.floats(0, 15))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    @rule(times=st.integers(1, 30))
    def call(self, times: int) -> None:
        """Make first attempts."""
        for _ in range(times):
            self.budget.first_attempt(self.now)
            self.firsts.append(self.now)

    @rule(cost=st.sampled_from([1, 2]))
    def retry(self, cost: int) -> None:
        """Ask for one retry; the answer follows from the credit."""
        credit = self.budget.credit(self.now)
        is_granted = self.budget.try_spend(cost, self.now)

        assert is_granted == (credit >= cost)
        if is_granted:
            self.spent.append((self.now, cost))
            assert self.budget.credit(self.now) == pytest.approx(credit - cost)

    @invariant()
    def credit_is_never_negative_nor_more_than_was_earned(self) -> None:
        """A fifth of the calls of the last ten seconds plus ten, less what was surely spent."""
        credit = self.budget.credit(self.now)
        calls = sum(self.now - at <= SPAN + 1e-6 for at in self.firsts)
        spent = sum(cost for at, cost in self.spent if self.now - at < SPAN * 0.9 - 1e-6)
        assert credit >= 0
        assert credit <= max(0.2 * calls + 10 - spent, 0) + 1e-6

    @invariant()
    def retries_stay_a_small_share(self) -> None:
        """In no ten seconds is more granted than a fifth of the calls around them and ten."""
        for at, _ in self.spent:
            span = [cost for when, cost in self.spent if at <= when < at + SPAN * 0.9 - 1e-6]
            calls = sum(at - SPAN <= when <= at + SPAN for when in self.firsts)
            assert sum(span) <= 0.2 * calls + 10 + 1e-6


TestSpending = Spending.TestCase
TestSpending.settings = settings(max_examples=60, stateful_step_count=30)
