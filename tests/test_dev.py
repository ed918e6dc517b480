"""dev.py as a newcomer meets it."""

import subprocess
import sys

import pytest

from tests.peers.servers import NOT_STARTED
from tests.project import ROOT


def dev(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run dev.py in the environment that runs the tests."""
    return subprocess.run(
        [sys.executable, ROOT / "dev.py", *arguments],
        check=False,
        capture_output=True,
        encoding="utf-8",
    )


@pytest.mark.parametrize("arguments", [(), ("serve",)])
def test_a_task_that_is_not_there_is_answered_with_the_tasks(arguments: tuple[str, ...]) -> None:
    """A wrong task is a usage error: the tasks are shown and nothing is installed."""
    answer = dev(*arguments)

    assert answer.returncode == 2
    assert "dev.py demo" in answer.stdout
    assert "installing" not in answer.stdout


def test_help_is_no_error() -> None:
    """Asking for help shows the tasks and succeeds."""
    answer = dev("--help")

    assert answer.returncode == 0
    assert "dev.py check" in answer.stdout


def test_what_is_skipped_among_the_tests_is_a_step_of_ci() -> None:
    """CI allows the tests of the peers to be skipped because it runs them by their own command."""
    command = NOT_STARTED.split("`")[1]

    assert f"\n{command}\n" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
