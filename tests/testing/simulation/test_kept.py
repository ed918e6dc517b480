"""A simulation over a store whose process crashes finds nothing, and repeats itself."""

import os
import subprocess
import sys
from collections import Counter

import pytest

from fishplate.testing.simulation import (
    KEPT_INVARIANTS,
    History,
    invariant,
    simulate,
    simulate_kept,
)
from fishplate.testing.simulation.invariants import AtEnd, Broken
from fishplate.testing.simulation.orders import ORDERS

SEEDS_TOGETHER = 10


@pytest.mark.parametrize("seed", range(3))
def test_crashes_break_nothing(seed: int) -> None:
    """Whatever fails, and wherever the process crashes, every invariant holds."""
    report = simulate_kept(ORDERS, seed=seed, runs=500)

    assert report.violations == ()
    assert report.fault_rate >= 0.1
    assert report.crashes >= 3


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(0, 200, SEEDS_TOGETHER))
def test_two_hundred_seeds_with_crashes_break_nothing(first: int) -> None:
    """Each seed has faults and crashes of its own, and in none an invariant is broken."""
    reports = [
        simulate_kept(ORDERS, seed=seed, runs=500) for seed in range(first, first + SEEDS_TOGETHER)
    ]

    assert {report.seed: report.violations for report in reports if report.violations} == {}


def test_crashes_meet_every_part_of_a_run() -> None:
    """Some seeds crash in calls, take steps from the record, repeat effects, and leave some open.

    Open are those that nobody may repeat; their runs wait for a person.
    """
    seen = Counter[str]()

    @invariant
    def observed(history: History, _broken: Broken) -> AtEnd:
        """Nothing is asked; it looks."""

        def at_end() -> None:
            seen.update(call.ending for call in history.world.calls)
            seen.update(effect.state for effect in history.lives[-1].effects)
            for run in history.runs:
                seen.update(word for span in run.spans for word in (span.attributes or {}))
                seen.update(
                    f"recovery: {span.attributes['recovery']}"
                    for span in run.spans
                    if span.attributes and "recovery" in span.attributes
                )

        return at_end

    reports = [
        simulate_kept(ORDERS, seed=seed, runs=300, invariants=[observed]) for seed in (1, 7, 8)
    ]

    states = {state for report in reports for state in report.states}
    assert states == {"cancelled", "degraded", "failed", "needs_attention", "succeeded"}
    assert min(
        seen[word]
        for word in (
            "cut_off",
            "replayed",
            "recovery: repeat",
            "recovery: unknown",
            "succeeded",
            "failed",
            "unknown",
        )
    )


def test_equal_seeds_crash_at_equal_places() -> None:
    """The hash follows from the seed; another seed, or no store, gives another."""
    first, again, other = (simulate_kept(ORDERS, seed=seed, runs=150) for seed in (5, 5, 6))

    assert first.crashes > 0
    assert (first.hash, first.seconds) == (again.hash, again.seconds)
    assert first.hash not in {other.hash, simulate(ORDERS, seed=5, runs=150).hash}


def test_the_hash_with_crashes_does_not_depend_on_how_python_hashes() -> None:
    """Processes with different `PYTHONHASHSEED` crash at the same places, and see the same."""
    command = [sys.executable, "-m", "fishplate.testing.simulation", "--journal", "--seeds=2"]

    seen = {
        subprocess.run(
            [*command, "--runs=80"],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            timeout=50,
        ).stdout
        for seed in ("0", "4242")
    }

    assert len(seen) == 1


def test_watching_changes_nothing() -> None:
    """The hash is the same whatever is checked."""
    watched = simulate_kept(ORDERS, seed=2, runs=100, invariants=KEPT_INVARIANTS)

    assert simulate_kept(ORDERS, seed=2, runs=100, invariants=()).hash == watched.hash


def test_a_simulation_over_a_store_has_runs() -> None:
    """Nothing cannot be simulated."""
    with pytest.raises(ValueError, match="at least 1"):
        simulate_kept(ORDERS, seed=1, runs=0)
