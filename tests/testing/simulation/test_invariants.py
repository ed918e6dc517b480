"""An invariant is a function with a rule; a simulation tells each way in which it is broken."""

from pathlib import Path

import pytest

from fishplate.testing.simulation import INVARIANTS, KEPT_INVARIANTS, History, invariant, simulate
from fishplate.testing.simulation.invariants import AtEnd, Broken
from fishplate.testing.simulation.orders import ORDERS
from fishplate.testing.simulation.simulate import MOST_TOLD
from tests.project import ROOT


@invariant
def nobody_calls_the_bank(history: History, broken: Broken) -> AtEnd:
    """Money is never asked for.

    It always is.
    """

    def at_end() -> None:
        for call in history.world.calls:
            if call.target == "bank":
                broken(f"run {call.run} called the bank")

    return at_end


def test_an_invariant_is_named_after_its_function() -> None:
    """The name is the function's, the rule the first line of its docstring."""
    assert nobody_calls_the_bank.name == "nobody_calls_the_bank"
    assert nobody_calls_the_bank.rule == "Money is never asked for."


def test_an_invariant_says_its_rule() -> None:
    """A function without a docstring is refused."""

    def silent(_history: History, _broken: Broken) -> AtEnd:
        return silent_too

    def silent_too() -> None:
        pass

    with pytest.raises(ValueError, match="'silent' has no docstring"):
        invariant(silent)


def test_an_invariant_of_ones_own_is_checked() -> None:
    """Each way in which it is broken is told with its name, up to a limit."""
    report = simulate(ORDERS, seed=1, runs=60, invariants=[nobody_calls_the_bank])

    assert {violation.name for violation in report.violations} == {"nobody_calls_the_bank"}
    assert len(report.violations) == MOST_TOLD
    assert str(report.violations[0]).startswith("nobody_calls_the_bank: run ")


def test_watching_changes_nothing() -> None:
    """The hash is the same whatever is checked."""
    assert (
        simulate(ORDERS, seed=2, runs=60, invariants=()).hash
        == simulate(ORDERS, seed=2, runs=60).hash
    )


def test_a_breaker_that_the_storm_opens_late_is_no_finding() -> None:
    """Answers of the storm may end in the calm, and open a breaker that nobody calls any more.

    In this seed cashier's slow answers did, after ten calls that had begun in the calm.
    """
    assert simulate(ORDERS, seed=109, runs=500).violations == ()


def test_the_page_lists_every_invariant() -> None:
    """`docs/reference/simulation.md` has a row for each, with its rule."""
    page = Path(ROOT / "docs" / "reference" / "simulation.md").read_text(encoding="utf-8")

    rows = [line for line in page.splitlines() if line.startswith("| `")]
    listed = [*INVARIANTS, *(found for found in KEPT_INVARIANTS if found not in INVARIANTS)]
    assert [row for row in rows if row.count("`") == 2][-len(listed) :] == [
        f"| `{found.name}` | {found.rule} |" for found in listed
    ]
