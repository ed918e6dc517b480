"""The program in a process of its own: pipes, signals, and streams that close early."""

import json
import signal

import pytest

from tests.cli.conftest import SECONDS, SHOP, Program

WAITING = """
import asyncio
import sys
import time
from fishplate import agent

@agent
async def patient() -> str:
    try:
        print("started", flush=True)
        await asyncio.sleep(60)
    finally:
        print("cleaned up", flush=True)
    return "never"

@agent
def busy() -> str:
    print("started", flush=True)
    time.sleep(60)
    return "never"
"""


def test_a_pipe_goes_in_and_out(cli: Program) -> None:
    """Stdin is the input, stdout is the output, and stderr stays empty."""
    process = cli.process("run", f"{SHOP}:support", "--input", "-")
    out, err = process.communicate('{"text": "where is my order?"}', timeout=SECONDS)

    assert (process.returncode, out, err) == (0, '"order W1 is shipped"\n', "")


def test_a_failure_is_an_exit_code(cli: Program) -> None:
    """The exit code of the process is that of the command."""
    process = cli.process("run", f"{SHOP}:support", "--input", "{")
    out, err = process.communicate(timeout=SECONDS)

    assert (process.returncode, out) == (2, "")
    assert err.startswith("error[json_malformed]: --input: ")


@pytest.mark.parametrize(("agent", "has_cleanup"), [("patient", True), ("busy", False)])
def test_an_interrupt_cancels_the_run(cli: Program, agent: str, has_cleanup: bool) -> None:
    """Ctrl-C cancels the run and exits with 130 at once, also while a thread is busy."""
    cli.write("waiting.py", WAITING)
    process = cli.process("run", f"waiting.py:{agent}", "--json")
    assert process.stderr is not None
    assert process.stderr.readline() == "started\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)

    assert process.returncode == 130
    assert json.loads(out)["state"] == "cancelled"
    assert err == ("cleaned up\n" if has_cleanup else "")


def test_a_reader_that_leaves_early_is_no_traceback(cli: Program) -> None:
    """`fishplate graph ... | head -1` ends quietly."""
    with cli.process("contract", f"{SHOP}:support") as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        err = process.stderr.read()
        code = process.wait(timeout=SECONDS)

    assert (code, err) == (1, "")
