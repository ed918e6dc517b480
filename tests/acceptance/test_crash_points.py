"""Killed before and after every commit, a run ends as it would have, or nobody can know."""

from __future__ import annotations

import itertools
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "crash" / "refund.py"


def _run(folder: Path, effect: str, side: str, commit: int) -> tuple[int, list[str]]:
    found = subprocess.run(
        [sys.executable, str(SCRIPT), str(folder), effect, side, str(commit)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert found.returncode in {0, -9}, found.stderr
    return found.returncode, found.stdout.splitlines()


def _rows(path: Path, query: str) -> list[tuple[object, ...]]:
    store = sqlite3.connect(path)
    found = store.execute(query).fetchall()
    store.close()
    return found


def _charges(folder: Path) -> int:
    return len(_rows(folder / "bank.db", "SELECT 1 FROM charge"))


def _crashes(folder: Path, effect: str, side: str) -> Iterator[tuple[str, Path, list[str]]]:
    """Kill a run at its first commit, another one at its second, and so on; then resume each.

    How many there are depends on what happens to be written together.

    Yields:
        What was done, the folder of the run, and what its second life said.
    """
    for commit in itertools.count(1):
        place = folder / str(commit)
        place.mkdir()
        code, said = _run(place, effect, side, commit)
        if code == 0:
            assert said[0] == "5 for #W1"
            assert commit > 3, "a refund has more commits than that"
            return
        yield f"{side} commit {commit}", place, _run(place, effect, "resume", 0)[1]


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_keyed_effect_happens_once_whenever_the_process_dies(tmp_path: Path, side: str) -> None:
    """At every crash point the resumed run gives the same answer, with exactly one charge."""
    resumed = 0
    for crash, folder, said in _crashes(tmp_path, "keyed", side):
        runs = _rows(folder / "runs.db", "SELECT state FROM run")
        if not runs:  # it died before the start was kept, so nothing was reported
            assert _charges(folder) == 0
            continue
        resumed += 1
        assert runs == [("succeeded",)], f"{crash}: {said}"
        assert _charges(folder) == 1, crash
    assert resumed >= 3


@pytest.mark.timeout(240)
@pytest.mark.parametrize("unit", ["approved", "approved_body"])
def test_what_was_waited_for_holds_whenever_the_process_dies(tmp_path: Path, unit: str) -> None:
    """A sleep and an approval survive every crash point: approved once, with exactly one charge.

    Before a commit the store is as after the one before it, so one side shows all that can be.
    """
    resumed = 0
    for crash, folder, said in _crashes(tmp_path, unit, "after"):
        runs = _rows(folder / "runs.db", "SELECT state FROM run")
        if not runs:
            assert _charges(folder) == 0
            continue
        resumed += 1
        assert runs == [("succeeded",)], f"{crash}: {said}"
        assert _charges(folder) == 1, crash
        assert _rows(folder / "runs.db", "SELECT action FROM audit") == [("approve",)], crash
    assert resumed >= 6


@pytest.mark.parametrize("side", ["before", "after"])
def test_an_effect_that_cannot_be_asked_for_is_never_repeated(tmp_path: Path, side: str) -> None:
    """At every crash point there is at most one charge; where nobody can know, the run says so."""
    for crash, folder, _ in _crashes(tmp_path, "at_most_once", side):
        charges = _charges(folder)
        assert charges <= 1, crash
        for state, attention in _rows(folder / "runs.db", "SELECT state, attention FROM run"):
            if state == "needs_attention":
                assert attention == "unknown_outcome"
                effects = _rows(folder / "runs.db", "SELECT state FROM effect")
                assert effects == [("unknown",)]
            else:
                assert (state, charges) == ("succeeded", 1)
