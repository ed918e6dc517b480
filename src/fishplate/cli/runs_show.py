"""`fishplate runs show`: one run with all that is kept of it."""

from argparse import ArgumentParser, Namespace
from typing import Final

from fishplate.cli.command import Command, ExitCode
from fishplate.cli.run_ids import whole_id
from fishplate.cli.runs_store import add_run, add_store, reading, store_of, unknown_run
from fishplate.cli.runs_text import answers_to, remedies, run_lines
from fishplate.cli.screen import Screen
from fishplate.journal.queries import UNSETTLED, whole_json, whole_run


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what `runs show` takes."""
    add_run(parser)
    add_store(parser)


def execute(arguments: Namespace, screen: Screen) -> ExitCode:
    """Print the run."""
    url = store_of(arguments)
    with reading(url) as connection:
        whole = whole_run(connection, whole_id(connection, arguments.run))
    if whole is None:
        raise unknown_run(arguments.run)
    unknown = [effect for effect in whole.effects if effect.state in UNSETTLED]
    todo = remedies(whole.run, unknown, url) + answers_to(whole.waits, url)
    if screen.as_json:
        screen.document({**whole_json(whole), "remedies": [*todo]})
    else:
        screen.lines(run_lines(whole))
        screen.note((f"  help: {line}" for line in todo), style="yellow")
    return ExitCode.OK


COMMAND: Final = Command(
    name="runs show",
    summary="show one run: input, steps, effects, outcome",
    description=(
        "Show a run: its input, what its steps gave in the order in which they ended, what it did\n"
        "outside, how it ended, and what can be done if it needs somebody."
    ),
    examples=("runs show 06dgq3v4zr7k0t1m8q2n5b9xwy --store sqlite:///runs.db",),
    add_arguments=add_arguments,
    execute=execute,
)
