"""`fishplate runs export`: kept runs as lines of JSON, for other programs."""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import Final

from fishplate.cli.command import Command, ExitCode
from fishplate.cli.runs_store import add_store, reading, store_of
from fishplate.cli.screen import Screen
from fishplate.core.errors import JsonValue
from fishplate.journal.queries import list_runs, whole_json, whole_run


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what `runs export` takes."""
    add_store(parser)
    parser.add_argument("--agent", metavar="NAME", help="only runs of this agent")


def execute(arguments: Namespace, screen: Screen) -> ExitCode:
    """Print the runs, oldest first."""
    runs = _exported(arguments)
    if screen.as_json:
        screen.document({"runs": list(runs)})
    else:
        for run in runs:
            screen.lines([json.dumps(run, separators=(",", ":"))])
    return ExitCode.OK


COMMAND: Final = Command(
    name="runs export",
    summary="print the runs as lines of JSON",
    description=(
        "Print every run with its steps and effects, oldest first, each as one line of JSON;\n"
        "with --json all of them as one document."
    ),
    examples=("runs export --store sqlite:///runs.db > runs.jsonl",),
    add_arguments=add_arguments,
    execute=execute,
)


def _exported(arguments: Namespace) -> Iterator[JsonValue]:
    with reading(store_of(arguments)) as connection:
        for row in reversed(list_runs(connection, agent=arguments.agent)):
            whole = whole_run(connection, row.id)
            assert whole is not None, "what is read is of one moment"
            yield whole_json(whole)
