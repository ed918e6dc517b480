"""Killed before and after every commit, a tour that fails is undone, last room first."""

from __future__ import annotations

import itertools
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "crash" / "tour.py"
UNDONE = ["book Paris", "book Oslo", "release Oslo 200", "release Paris 100"]


def _run(folder: Path, side: str, commit: int) -> int:
    found = subprocess.run(
        [sys.executable, str(SCRIPT), str(folder), side, str(commit)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert found.returncode in {0, -9}, found.stderr
    return found.returncode


def _rows(path: Path, query: str) -> list[tuple[object, ...]]:
    store = sqlite3.connect(path)
    found = store.execute(query).fetchall()
    store.close()
    return found


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "every", [7, pytest.param(1, marks=pytest.mark.long)], ids=["some", "each"]
)
@pytest.mark.parametrize("side", ["before", "after"])
def test_compensation_goes_on_whenever_the_process_dies(
    tmp_path: Path, side: str, every: int
) -> None:
    """The books hold each booking and each release once, in the order of the uncrashed run."""
    for commit in itertools.count(every, every):
        folder = tmp_path / str(commit)
        folder.mkdir()
        is_whole = _run(folder, side, commit) == 0
        if not is_whole:
            _run(folder, "resume", 0)
        runs = _rows(folder / "runs.db", "SELECT state FROM run")
        if runs or is_whole:  # else it was killed before the start was written
            entries = [what for (what,) in _rows(folder / "books.db", "SELECT what FROM entry")]
            assert entries == UNDONE, f"{side} commit {commit}"
            assert runs == [("failed",)], f"{side} commit {commit}"
        if is_whole:
            assert commit > 8, "a tour that is undone has more commits than that"
            return
