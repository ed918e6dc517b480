"""`fishplate crashtest`: whether a run that is killed, wherever it is, ends as it would have."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from fishplate.cli.command import Command, ExitCode, add_target
from fishplate.cli.mocks import read_mocks
from fishplate.cli.run import add_input, add_mocks, check_stdin, input_of
from fishplate.cli.screen import Screen
from fishplate.cli.targets import load_agent
from fishplate.core.errors import JsonValue, UsageError
from fishplate.testing.crashtest import CrashReport, Trial, crash_test
from fishplate.testing.crashtest.trials import SECONDS
from fishplate.testing.doubles import with_stand_ins


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what `crashtest` takes."""
    add_target(parser)
    add_input(parser)
    add_mocks(parser)
    parser.add_argument(
        "--with",
        dest="files",
        metavar="PATH",
        type=Path,
        action="append",
        default=[],
        help="a file or folder that the run needs: each trial gets a copy; may be repeated",
    )
    parser.add_argument(
        "--ignore",
        metavar="PATTERN",
        action="append",
        default=[],
        help="files in the working folder that are not compared, e.g. '*.log'; may be repeated",
    )
    parser.add_argument(
        "--seconds",
        metavar="N",
        type=int,
        default=SECONDS,
        help=f"how long one life of the process may take; {SECONDS} if left out",
    )


def execute(arguments: Namespace, screen: Screen) -> ExitCode:
    """Kill the run at each of its commits, and print what came of it."""
    loaded = load_agent(arguments.target)
    check_stdin(arguments)
    _check_files(arguments)
    mocks = read_mocks(arguments.mock, loaded.agent)
    document = input_of(arguments.input, loaded)
    agent = with_stand_ins(loaded.agent, mocks)
    count = 0

    def told(trial: Trial) -> None:
        nonlocal count
        count += 1
        screen.progress(f"{count} crash points: died {trial.point}, {trial.verdict}")

    try:
        report = crash_test(
            loaded.app(),
            agent,
            document,
            files=arguments.files,
            ignored=arguments.ignore,
            seconds=arguments.seconds,
            told=told,
        )
    finally:
        screen.progress("")
    if screen.as_json:
        screen.document(_as_json(report))
    else:
        screen.lines([_summary(report)])
        screen.note(_lines(report), style="red")
    return ExitCode.OK if report.first_difference is None else ExitCode.FAILED


COMMAND: Final = Command(
    name="crashtest",
    summary="kill a run at every point, and compare how it ends",
    description=(
        "Run an agent, tool or workflow with a store in a temporary folder, once for each commit\n"
        "and side of it; kill the process there, let the run go on in another, and compare its\n"
        "end, steps, effects, and the files in the working folder with those of a run that nobody\n"
        "killed. Effects elsewhere really happen, once for each trial: give them a stand-in by\n"
        "--mock. Ends with 0 if every run ended as it would have."
    ),
    examples=(
        """crashtest shop.py:refund --input '{"order_id": "W1"}' --with shop.db""",
        """crashtest shop.py:refund -i @refund.json --mock logistics=@eta.json --ignore '*.log'""",
    ),
    add_arguments=add_arguments,
    execute=execute,
)


def _check_files(arguments: Namespace) -> None:
    files: list[Path] = arguments.files
    for path in files:
        if not path.exists():
            message = f"--with {str(path)!r}: there is no such file or folder"
            raise UsageError(message, code="bad_usage")
    names = [path.resolve().name for path in files]
    for name in names:
        if names.count(name) > 1:
            message = f"--with names two files that are called {name!r}: put them into a folder"
            raise UsageError(message, code="bad_usage")
    if arguments.seconds < 1:
        message = f"--seconds {arguments.seconds}: at least 1"
        raise UsageError(message, code="bad_usage")


def _summary(report: CrashReport) -> str:
    same, unknown = report.count("same"), report.count("unknown")
    text = f"{len(report.trials)} crash points: {same} with the same outcome"
    if unknown:
        text += f", {unknown} where nobody can know and a person decides"
    different = report.count("different")
    return f"{text}, {different} with another outcome" if different else text


def _lines(report: CrashReport) -> Iterator[str]:
    found = report.first_difference
    if found is not None:
        yield f"died {found.point}: {found.part} differs"
        yield from (f"  {line}" for line in found.lines)


def _as_json(report: CrashReport) -> dict[str, JsonValue]:
    return {
        "state": report.state,
        "crash_points": len(report.trials),
        "same": report.count("same"),
        "unknown": report.count("unknown"),
        "different": report.count("different"),
        "trials": [
            {
                "point": str(one.point),
                "verdict": one.verdict,
                "part": one.part,
                "lines": list(one.lines),
            }
            for one in report.trials
        ],
    }
