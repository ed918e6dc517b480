"""The command prints a line for each seed, and how to see a violation again."""

import io
import random
import shlex

import pytest

from fishplate import agent, current, tool
from fishplate.testing.simulation import Scenario, World
from fishplate.testing.simulation.program import COMMAND, main

HERE = f"{__name__}:TWICE"


@tool(effect="at_most_once")
async def post(letter: int) -> int:
    """Send a letter."""
    return await current().resource(World).call(letter, acts=("posted", letter))


@agent(tools=[post])
async def careless(letter: int) -> int:
    """Send a letter, and then again, for safety."""
    await post(letter)
    return await post(letter)


def numbered(number: int, _randomness: random.Random) -> tuple[object, ...]:
    """Give each run a letter of its own."""
    return (number,)


TWICE = Scenario(agent=careless, arguments=numbered)


def printed(*arguments: str) -> tuple[int, list[str]]:
    """What the command prints, and its exit code."""
    out = io.StringIO()
    code = main(arguments, out)
    return code, out.getvalue().splitlines()


def test_a_seed_in_which_nothing_breaks_is_one_line() -> None:
    """The command counts runs and calls, and ends with 0."""
    code, lines = printed("--seeds", "1", "--first", "3", "--runs", "20")

    assert code == 0
    assert lines[0].startswith("seed 3: ")
    assert lines[1:] == ["1 seeds of 20 runs: nothing broken"]


def test_a_violation_comes_with_the_command_that_repeats_it() -> None:
    """The command tells which invariant broke, and its last words reproduce it."""
    code, lines = printed("--seeds", "1", "--first", "7", "--runs", "5", "--scenario", HERE)
    (again,) = (line.strip() for line in lines if line.startswith("  again: "))
    words = shlex.split(again.removeprefix(f"again: {COMMAND}"))

    assert code == 1
    assert any(line.startswith("  effect_once: ('posted', ") for line in lines)
    assert printed(*words) == (1, lines)


def test_runs_are_kept_on_demand() -> None:
    """With `--journal` a line tells crashes, and a violation is repeated in a store again."""
    calm = printed("--seeds", "1", "--first", "3", "--runs", "100", "--journal")
    code, lines = printed(
        "--seeds", "1", "--first", "7", "--runs", "5", "--scenario", HERE, "--journal"
    )
    (again,) = (line.strip() for line in lines if line.startswith("  again: "))
    words = shlex.split(again.removeprefix(f"again: {COMMAND}"))

    assert calm[0] == 0
    assert " 2 crashes; " in calm[1][0]
    assert code == 1
    assert printed(*words) == (1, lines)


@pytest.mark.parametrize("address", ["nowhere", "no.such.module:X", f"{__name__}:careless"])
def test_a_scenario_that_is_none_is_refused(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An address has to name a scenario; anything else is a wrong argument."""
    with pytest.raises(SystemExit) as stopped:
        main(["--scenario", address], io.StringIO())

    assert stopped.value.code == 2
    assert repr(address) in capsys.readouterr().err
