"""Killed before and after every commit, a run ends as it would have, or nobody can know."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
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


@pytest.fixture(scope="module")
def commits(tmp_path_factory: pytest.TempPathFactory) -> int:
    """How many commits the run has when nothing kills it."""
    code, said = _run(tmp_path_factory.mktemp("whole"), "keyed", "never", 0)
    assert code == 0
    assert said[0] == "5 for #W1"
    return int(said[-1])


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_keyed_effect_happens_once_whenever_the_process_dies(
    tmp_path: Path, commits: int, side: str
) -> None:
    """At every crash point the resumed run gives the same answer, with exactly one charge."""
    resumed = 0
    for commit in range(1, commits + 1):
        folder = tmp_path / str(commit)
        folder.mkdir()
        code, _ = _run(folder, "keyed", side, commit)
        assert code == -9, f"the run has no commit {commit}"
        _, said = _run(folder, "keyed", "resume", 0)
        runs = _rows(folder / "runs.db", "SELECT state FROM run")
        if not runs:  # it died before the start was kept, so nothing was reported
            assert _charges(folder) == 0
            continue
        resumed += 1
        assert runs == [("succeeded",)], f"{side} commit {commit}: {said}"
        assert _charges(folder) == 1, f"{side} commit {commit}"
    assert resumed >= 3


@pytest.mark.parametrize("side", ["before", "after"])
def test_an_effect_that_cannot_be_asked_for_is_never_repeated(
    tmp_path: Path, commits: int, side: str
) -> None:
    """At every crash point there is at most one charge; where nobody can know, the run says so."""
    for commit in range(1, commits + 1):
        folder = tmp_path / str(commit)
        folder.mkdir()
        _run(folder, "at_most_once", side, commit)
        _run(folder, "at_most_once", "resume", 0)
        charges = _charges(folder)
        assert charges <= 1, f"{side} commit {commit}"
        for state, attention in _rows(folder / "runs.db", "SELECT state, attention FROM run"):
            if state == "needs_attention":
                assert attention == "unknown_outcome"
                effects = _rows(folder / "runs.db", "SELECT state FROM effect")
                assert effects == [("unknown",)]
            else:
                assert (state, charges) == ("succeeded", 1)
