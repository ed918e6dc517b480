"""Bugs of keeping and going on, planted on purpose; the simulation has to find and name each.

See `test_mutations.py`. What a run does between two commits is only seen when the process crashes
there, so these need a few more seeds than those.
"""

import asyncio
from collections.abc import Callable

import pytest

from fishplate.journal.effect_rows import Reserved
from fishplate.journal.ledger import Ledger
from fishplate.orchestrator import outside
from fishplate.orchestrator.effects import CallEffect
from fishplate.orchestrator.history import History
from fishplate.orchestrator.keeper import Keeper, TakenUp
from fishplate.testing.simulation import simulate_kept
from fishplate.testing.simulation.orders import ORDERS

SEEDS = range(12)
RUNS = 300

Plant = Callable[[pytest.MonkeyPatch], None]

MARKS: list[asyncio.Task[Reserved]] = []
"""What nobody waits for, and a loop does not hold by itself."""


def dispatched_before_the_mark(patch: pytest.MonkeyPatch) -> None:
    """An effect goes out while its mark is still on its way to the disk."""
    dispatch = Ledger.dispatch

    async def hasty(ledger: Ledger, reserved: Reserved, lease: float) -> Reserved:
        MARKS.append(asyncio.get_running_loop().create_task(dispatch(ledger, reserved, lease)))
        return reserved._replace(attempts=reserved.attempts + 1, is_open=True)

    patch.setattr(Ledger, "dispatch", hasty)


def result_dropped(patch: pytest.MonkeyPatch) -> None:
    """What a tool gave is in the ledger, and not among the steps."""
    succeeded = History.succeeded

    def forgetful(history: History, effect: CallEffect, answer: object) -> None:
        if effect.unit.name != "reserve":
            succeeded(history, effect, answer)

    patch.setattr(History, "succeeded", forgetful)


def run_resumed_twice(patch: pytest.MonkeyPatch) -> None:
    """What a former life left open goes on in two tasks."""
    take_up = Keeper.take_up

    async def eager(keeper: Keeper) -> list[TakenUp]:
        found = await take_up(keeper)
        return [*found, *found]

    patch.setattr(Keeper, "take_up", eager)


def record_ignored(patch: pytest.MonkeyPatch) -> None:
    """A step that is recorded runs again."""

    def blind(_history: History, _effect: CallEffect) -> None:
        pass

    patch.setattr(History, "take", blind)


def unknown_repeated(patch: pytest.MonkeyPatch) -> None:
    """What may have happened is sent again, whatever its tool declares."""

    def reckless(*_known: object, **_declared: object) -> str:
        return "repeat"

    patch.setattr(outside, "recovery", reckless)


PLANTED: dict[Plant, set[str]] = {
    dispatched_before_the_mark: {"marked_first"},
    result_dropped: {"result_kept"},
    run_resumed_twice: {"driven_once"},
    record_ignored: {"step_once"},
    unknown_repeated: {"effect_once"},
}


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_bug_of_keeping_is_found(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a few seeds the simulation breaks the invariant that the bug is about."""
    plant(monkeypatch)

    found = set[str]()
    for seed in SEEDS:
        report = simulate_kept(ORDERS, seed=seed, runs=RUNS)
        found |= {violation.name for violation in report.violations}
        if found & PLANTED[plant]:
            return

    pytest.fail(f"{plant.__doc__} Nothing of {PLANTED[plant]} in {len(SEEDS)} seeds: {found}")
