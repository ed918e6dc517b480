"""The benchmark as somebody runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import fishplate
from tests.project import ROOT


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the benchmark as `dev.py bench` does."""
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        cwd=ROOT,
        check=False,
        capture_output=True,
        encoding="utf-8",
        env={
            **os.environ,
            "PYTHONPATH": str(Path(fishplate.__file__).parents[1]),
            "PYTHONIOENCODING": "utf-8",
        },
    )


def test_a_row_is_printed_beside_its_limit_and_its_budget() -> None:
    """A chosen row is measured, and no other."""
    answer = bench("--rows", "chain", "--quick", "--no-gate")

    assert answer.returncode == 0, answer.stderr
    rows = [line for line in answer.stdout.splitlines() if "µs/" in line]
    assert len(rows) == 1
    assert rows[0].startswith("chain")
    assert "<= 2.2 x" in rows[0]


def test_a_program_can_read_the_figures() -> None:
    """`--json` prints one JSON object, and nothing beside it."""
    answer = bench("--rows", "child,fan-out", "--quick", "--no-gate", "--json")

    figures = json.loads(answer.stdout)["figures"]
    assert [figure["row"] for figure in figures] == ["child", "fan-out"]
    assert all(figure["fishplate"]["best"] > 0 for figure in figures)


def test_policies_stand_beside_other_libraries() -> None:
    """Each policy is measured on each course, and the pipeline alone has a budget."""
    answer = bench("--rows", "policies,guarded", "--quick", "--no-gate", "--json")

    figures = {figure["row"]: figure for figure in json.loads(answer.stdout)["figures"]}
    for course in ("at once", "waits a turn", "waits for a timer"):
        for name in ("asyncio.timeout", "tenacity", "stamina", "timeout", "retry", "breaker"):
            assert figures[f"{course}: {name}"]["budget"] is None
    assert figures["at once: every policy"]["budget"]["added"] == 1.5
    assert figures["guarded"]["budget"]["most"] == 6.5


def test_model_agents_stand_beside_those_of_others() -> None:
    """Ours has a budget; a peer that is not installed is named, with how to get it."""
    answer = bench("--rows", "model", "--quick", "--no-gate", "--json")

    assert answer.returncode == 0, answer.stderr
    document = json.loads(answer.stdout)
    figures = {figure["row"]: figure for figure in document["figures"]}
    assert figures["model"]["budget"]["added"] == 100
    assert figures["model: pydantic-ai Agent"]["budget"] is None
    assert figures["model: provider adapter"]["budget"] is None
    if "model: OpenAI Agents SDK" not in figures:
        (lack,) = document["lacks"]
        assert "openai-agents" in lack
        assert "dev.py bench" in lack


def test_a_row_that_is_not_there_is_answered_with_the_rows() -> None:
    """A wrong name is a usage error that names every row."""
    answer = bench("--rows", "chain,rout")

    assert answer.returncode == 2
    assert "'rout'" in answer.stderr
    assert "in-flight" in answer.stderr


def test_runs_that_are_kept_stand_beside_a_bare_journal() -> None:
    """Both durabilities are measured with few and many runs at a time, and FULL has a budget."""
    answer = bench("--rows", "journal", "--quick", "--no-gate", "--json")

    assert answer.returncode == 0, answer.stderr
    figures = {figure["row"]: figure for figure in json.loads(answer.stdout)["figures"]}
    assert len(figures) == 8
    for number in (1, 16, 64, 256):
        assert figures[f"journal normal {number}"]["budget"] is None
        assert (figures[f"journal full {number}"]["budget"] is None) == (number in {16, 256})
    assert figures["journal full 64"]["budget"]["times"] == 2


def test_runs_that_wait_and_runs_that_were_left_are_measured() -> None:
    """Opening, memory, a decision, and taking runs up again have a budget each."""
    answer = bench("--rows", "waiting", "--quick", "--no-gate", "--json")

    assert answer.returncode == 0, answer.stderr
    figures = {figure["row"]: figure for figure in json.loads(answer.stdout)["figures"]}
    budgets = {row: figure["budget"]["most"] for row, figure in figures.items()}
    assert budgets == {"waiting open": 2, "waiting memory": 2, "waiting approve": 10, "resume": 5}
