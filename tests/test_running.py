"""What `conftest.py` promises of every test, shown on a small project of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project import ROOT

OUTCOMES = '''
"""Tests whose names say how they have to end."""

import asyncio
import socket
import time

import pytest
from hypothesis import given, settings, strategies

from examples.blocking import wait


async def test_passes_async() -> None:
    await asyncio.sleep(0)


@settings(max_examples=3)
@given(strategies.integers())
async def test_passes_async_property(number: int) -> None:
    await asyncio.sleep(0)
    assert isinstance(number, int)


async def test_passes_blocking_in_a_thread() -> None:
    await asyncio.to_thread(wait)


def test_passes_loopback() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()


async def test_fails_async() -> None:
    assert await asyncio.sleep(0, result=False)


@settings(max_examples=3)
@given(strategies.integers())
async def test_fails_async_property(number: int) -> None:
    assert number is None


async def test_fails_leaving_a_task() -> None:
    task = asyncio.get_running_loop().create_task(asyncio.sleep(5))
    assert not task.done()


async def test_fails_blocking_the_loop() -> None:
    wait()


def test_fails_looking_up_a_host() -> None:
    socket.create_connection(("service.example", 80))


def test_fails_reaching_a_network() -> None:
    with socket.socket() as client:
        client.connect(("192.0.2.1", 80))


def test_skipped_for_now() -> None:
    pytest.skip("for now")
'''


@pytest.fixture
def small_project(tmp_path: Path) -> Path:
    """A checkout with our conftest files, a blocking function and the tests above."""
    ours = ("conftest.py", "pyproject.toml", "tests/conftest.py", "tests/pages.py")
    for name in (*ours, "tests/peers/servers.py"):
        target = tmp_path / name
        target.parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, target)
    for folder in ("docs", "examples"):
        (tmp_path / folder).mkdir()
    (tmp_path / "README.md").write_text("# Small\n", encoding="utf-8")
    (tmp_path / "tests" / "test_outcomes.py").write_text(OUTCOMES, encoding="utf-8")
    (tmp_path / "examples" / "blocking.py").write_text(
        "import time\n\n\ndef wait() -> None:\n    time.sleep(0.001)\n", encoding="utf-8"
    )
    return tmp_path


def run_tests(
    project: Path, *options: str, is_ci: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run pytest in a project, as CI does or as a person does."""
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    if is_ci:
        environment["CI"] = "true"
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider", *options],
        cwd=project,
        env=environment,
        check=False,
        capture_output=True,
        encoding="utf-8",
    )


def test_each_kind_of_test_ends_as_it_should(small_project: Path) -> None:
    """Async tests run; a blocked loop, a task left behind and a reach for the network fail."""
    report = run_tests(small_project).stdout

    for number, line in enumerate(OUTCOMES.splitlines()):
        if "def test_" in line:
            name = line.partition("def ")[2].partition("(")[0]
            outcome = "PASSED" if "passes" in name else "FAILED"
            if "skipped" not in name:
                assert f"{outcome} tests/test_outcomes.py::{name}" in report, (number, report)


def test_a_skipped_test_fails_ci_and_nobody_else(small_project: Path) -> None:
    """In CI a test that did not run is a failure; on a developer's machine it is a skip."""
    at_home = run_tests(small_project, "-k", "skipped or loopback")
    in_ci = run_tests(small_project, "-k", "skipped or loopback", "-n", "2", is_ci=True)

    assert at_home.returncode == 0
    assert in_ci.returncode == 1
    assert "every test has to run: " in in_ci.stdout
