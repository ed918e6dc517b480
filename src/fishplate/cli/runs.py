"""`fishplate runs`: the runs that a store keeps, newest first."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from typing import Final, get_args

from fishplate.cli.command import Command, ExitCode
from fishplate.cli.runs_store import add_store, duration, moment, reading, store_of, table
from fishplate.cli.screen import Screen
from fishplate.core.errors import JsonValue
from fishplate.journal.queries import RunRow, list_runs
from fishplate.journal.run_rows import StoredState

_MOST: Final = 50


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what `runs` takes."""
    add_store(parser)
    parser.add_argument(
        "--state",
        metavar="STATE",
        action="append",
        default=[],
        choices=get_args(StoredState),
        help=f"only runs in this state; may be repeated: {', '.join(get_args(StoredState))}",
    )
    parser.add_argument("--agent", metavar="NAME", help="only runs of this agent")
    parser.add_argument(
        "--limit",
        metavar="N",
        type=_count,
        default=_MOST,
        help=f"at most so many, the newest; {_MOST} if left out",
    )


def execute(arguments: Namespace, screen: Screen) -> ExitCode:
    """List the runs."""
    url = store_of(arguments)
    with reading(url) as connection:
        rows = list_runs(
            connection, states=arguments.state, agent=arguments.agent, limit=arguments.limit
        )
    if screen.as_json:
        screen.document({"runs": [row_json(row) for row in rows]})
    elif rows:
        screen.lines(row_lines(rows))
    else:
        screen.note([f"no such run in {url}"])
    return ExitCode.OK


COMMAND: Final = Command(
    name="runs",
    summary="list the runs that a store keeps",
    description=(
        "List the runs of a store, newest first; a process that drives the store may go on.\n"
        "Times are UTC."
    ),
    examples=(
        "runs --store sqlite:///runs.db",
        "runs --store sqlite:///runs.db --state needs_attention --agent support --json",
    ),
    add_arguments=add_arguments,
    execute=execute,
)


def row_lines(rows: list[RunRow]) -> list[str]:
    """Runs as a table, with the names of the columns."""
    head = ("ID", "AGENT", "STATE", "STARTED", "TOOK", "ATTENTION")
    return table([head, *map(_cells, rows)])


def row_json(row: RunRow) -> dict[str, JsonValue]:
    """A run in a list as a JSON object; times in milliseconds since 1970."""
    return dict(row._asdict())


def _cells(row: RunRow) -> tuple[str, ...]:
    took = duration(row.started_ms, row.ended_ms)
    return (row.id, row.agent, row.state, moment(row.started_ms), took, row.attention or "")


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        message = f"{text!r} is no number of runs: at least 1"
        raise ArgumentTypeError(message)
    return int(text)
