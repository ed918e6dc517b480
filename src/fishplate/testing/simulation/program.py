"""The command that simulates many seeds, for a night: `python -m fishplate.testing.simulation`."""

from __future__ import annotations

import argparse
import importlib
import shlex
from collections.abc import Sequence
from typing import Final, TextIO

from fishplate.core.errors import UsageError
from fishplate.testing.simulation.kept import simulate_kept
from fishplate.testing.simulation.simulate import Report, Scenario, simulate

COMMAND: Final = "python -m fishplate.testing.simulation"
OURS: Final = "fishplate.testing.simulation.orders:ORDERS"


def main(arguments: Sequence[str], out: TextIO) -> int:
    """Simulate seed after seed, and say of each what came of it.

    What is printed follows from the arguments and the code alone, so that two machines, or two
    versions of Python, can be compared by it.

    Args:
        arguments: Of the command line, without its name.
        out: Where the lines go.

    Returns:
        0 if every invariant held, 1 if one was broken; 2, by `SystemExit`, for a wrong argument.
    """
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--seeds", type=_count, default=20, help="how many seeds (default: 20)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default: 0)")
    parser.add_argument("--runs", type=_count, default=500, help="runs of each (default: 500)")
    parser.add_argument(
        "--scenario", default=OURS, metavar="MODULE:NAME", help=f"what runs (default: {OURS})"
    )
    parser.add_argument(
        "--journal", action="store_true", help="keep the runs in a store, and let its process crash"
    )
    chosen = parser.parse_args(arguments)
    try:
        scenario = scenario_of(chosen.scenario)
    except UsageError as error:
        parser.error(error.message)
    failed: list[int] = []
    for seed in range(chosen.first, chosen.first + chosen.seeds):
        simulated = simulate_kept if chosen.journal else simulate
        report = simulated(scenario, seed=seed, runs=chosen.runs)
        out.write(f"{_line(report, tells_crashes=chosen.journal)}\n")
        if report.violations:
            failed.append(seed)
            again = ["--seeds", "1", "--first", str(seed), "--runs", str(chosen.runs)]
            if chosen.scenario != OURS:
                again += ["--scenario", chosen.scenario]
            if chosen.journal:
                again += ["--journal"]
            out.writelines(f"  {violation}\n" for violation in report.violations)
            out.write(f"  again: {COMMAND} {shlex.join(again)}\n")
        out.flush()
    found = f"broken in seeds {', '.join(map(str, failed))}" if failed else "nothing broken"
    out.write(f"{chosen.seeds} seeds of {chosen.runs} runs: {found}\n")
    return int(bool(failed))


def scenario_of(address: str) -> Scenario:
    """The scenario at an address such as `tests.simulated:CHECKOUT`.

    Raises:
        UsageError: There is none (code `no_scenario`).
    """
    module, _, name = address.partition(":")
    try:
        found: object = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        msg = f"there is no scenario {address!r}: {error}; write MODULE:NAME"
        raise UsageError(msg, code="no_scenario") from error
    if not isinstance(found, Scenario):
        msg = f"{address!r} is {type(found).__name__}, not a Scenario: name one"
        raise UsageError(msg, code="no_scenario")
    return found


def _line(report: Report, *, tells_crashes: bool) -> str:
    crashes = f"{report.crashes} crashes; " if tells_crashes else ""
    states = ", ".join(f"{count} {state}" for state, count in report.states.items())
    return (
        f"seed {report.seed}: {states}; {report.calls} calls, {report.fault_rate:.0%} faulted; "
        f"{crashes}{report.seconds:.0f} s; {report.hash[:16]}"
    )


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        msg = f"{text} is below 1"
        raise argparse.ArgumentTypeError(msg)
    return number
