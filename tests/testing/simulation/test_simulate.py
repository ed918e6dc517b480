"""A simulation finds nothing in the code as it is, goes through everything, and repeats itself."""

import os
import subprocess
import sys

import pytest

from fishplate.testing.simulation import FaultRates, simulate
from fishplate.testing.simulation.orders import ORDERS

TENTH = FaultRates(
    fails=0.05,
    loses=0.02,
    hangs=0.01,
    slows=0.02,
    garbles=0.01,
    lingers=0.02,
    down=0.0,  # outages belong to the many seeds; in one long storm they would drown the rest
    cancels=0.15,
    expires=0.15,
)
SEEDS_TOGETHER = 10


def test_a_thousand_faulted_runs_break_nothing() -> None:
    """With faults in a tenth of the calls, and with cancelled runs, every invariant holds."""
    report = simulate(ORDERS, seed=1, runs=1_000, rates=TENTH)

    assert report.violations == ()
    assert report.fault_rate >= 0.1
    assert report.given_up >= 20


@pytest.mark.long
@pytest.mark.timeout(600)
def test_ten_thousand_faulted_runs_break_nothing() -> None:
    """The same with ten thousand runs of four steps."""
    report = simulate(ORDERS, seed=1, runs=10_000, rates=TENTH)

    assert report.violations == ()
    assert report.fault_rate >= 0.1
    assert sum(report.states.values()) >= 10_000


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(0, 200, SEEDS_TOGETHER))
def test_two_hundred_seeds_break_nothing(first: int) -> None:
    """Each seed has faults of its own, and in none of two hundred an invariant is broken."""
    reports = [
        simulate(ORDERS, seed=seed, runs=500) for seed in range(first, first + SEEDS_TOGETHER)
    ]

    assert {report.seed: report.violations for report in reports if report.violations} == {}


def test_a_simulation_goes_through_everything() -> None:
    """Some seeds together bring every fault and every decision that the invariants are about."""
    reports = [simulate(ORDERS, seed=seed, runs=300) for seed in range(4)]

    faults = {fault for report in reports for fault in report.faults}
    decisions = {decision for report in reports for decision in report.decisions}
    states = {state for report in reports for state in report.states}
    assert faults == {
        "down",
        "down_hanging",
        "fails",
        "garbles",
        "hangs",
        "lingers",
        "loses",
        "slows",
    }
    assert decisions >= {
        "attempt.ended",
        "breaker.closed",
        "breaker.half_opened",
        "breaker.opened",
        "call.held",
        "call.rejected",
        "fallback → charge_by_hand",
        "fallback → listed",
        "retry.scheduled",
        "retry.stopped",
    }
    assert states == {"cancelled", "degraded", "failed", "succeeded"}


def test_equal_seeds_give_equal_hashes_and_others_do_not() -> None:
    """The hash follows from the seed."""
    first, again, other = (simulate(ORDERS, seed=seed, runs=50).hash for seed in (5, 5, 6))

    assert first == again
    assert first != other


def test_the_hash_does_not_depend_on_how_python_hashes() -> None:
    """Processes with different `PYTHONHASHSEED` see the same, to the last call."""
    command = [sys.executable, "-m", "fishplate.testing.simulation", "--seeds=2", "--runs=60"]

    seen = {
        subprocess.run(
            command,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            timeout=50,
        ).stdout
        for seed in ("0", "1", "4242")
    }

    assert len(seen) == 1


def test_a_simulation_has_runs() -> None:
    """Nothing cannot be simulated."""
    with pytest.raises(ValueError, match="at least 1"):
        simulate(ORDERS, seed=1, runs=0)
