"""`fishplate runs resume`: lets the open runs of a store go on until they end or wait."""

import asyncio
from argparse import ArgumentParser, Namespace
from typing import Final

from fishplate.app import App
from fishplate.cli.command import Command, ExitCode, add_target, exit_of_state
from fishplate.cli.runs import row_json, row_lines
from fishplate.cli.runs_store import add_store, reading, store_of
from fishplate.cli.screen import Screen
from fishplate.cli.targets import load_runnable
from fishplate.core.errors import UsageError
from fishplate.journal.queries import (
    UNSETTLED,
    RunRow,
    effect_json,
    effects_to_tend,
    list_runs,
    open_runs,
    tended_since,
)
from fishplate.journal.run_rows import StoredState

# Where several runs end in several ways, the first of these is told by the exit code.
_GRAVEST: Final[tuple[StoredState, ...]] = (
    "needs_attention",
    "failed",
    "cancelled",
    "queued",
    "running",
    "waiting",
)


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what `runs resume` takes."""
    add_target(parser)
    add_store(parser)
    parser.add_argument(
        "--exact",
        action="store_true",
        help="only runs whose agents and plans are equal go on; the others need attention",
    )


def execute(arguments: Namespace, screen: Screen) -> ExitCode:
    """Let the runs go on, and print how they ended."""
    app = load_runnable(arguments.target).app
    arguments.store = arguments.store or app.store
    url = store_of(arguments)
    with reading(url) as connection:
        before = open_runs(connection)
        stuck = {row.id for row in list_runs(connection, states=["needs_attention"])}
        to_tend = effects_to_tend(connection)
    _check_known(before, app, arguments.target, url)
    resume = "exact" if arguments.exact else app.resume
    app.keep_in(url, durability=app.durability, resume=resume)
    asyncio.run(_until_ended(app))
    taken = {row.id for row in before}
    with reading(url) as connection:
        ended = [
            row
            for row in list_runs(connection)
            if row.id in taken or (row.id in stuck and row.state != "needs_attention")
        ]
        tended = tended_since(connection, to_tend)
    if screen.as_json:
        screen.document(
            {
                "runs": [row_json(row) for row in ended],
                "effects": [effect_json(effect) for effect in tended],
            }
        )
    elif ended or tended:
        screen.lines(row_lines(ended) if ended else [])
        screen.lines(f"effect {one.key} of {one.tool!r} is {one.state}" for one in tended)
    else:
        screen.note([f"no run is open in {url}"])
    if any(effect.state in UNSETTLED for effect in tended):
        return ExitCode.NEEDS_ATTENTION
    states = {row.state for row in ended}
    return next((exit_of_state(state) for state in _GRAVEST if state in states), ExitCode.OK)


COMMAND: Final = Command(
    name="runs resume",
    summary="let the open runs of a store go on",
    description=(
        "Open the store with the app of the target, let its open runs go on until they end or\n"
        "wait for something, and print where they stand. No recorded step runs again. The exit\n"
        "code is that of the gravest end; with Ctrl-C the runs stay open.\n"
        "Unknown outcomes that a tool can look up by now are looked up, and runs that only waited\n"
        "for that go on too. What is to be undone is undone; each effect whose state has changed\n"
        "by that is printed, and one that could not be undone makes the exit code 3."
    ),
    examples=(
        "runs resume shop.py:app --store sqlite:///runs.db",
        "runs resume shop.py:support --store sqlite:///runs.db",
    ),
    add_arguments=add_arguments,
    execute=execute,
)


async def _until_ended(app: App) -> None:
    async with app:
        await app.settled()


def _check_known(rows: list[RunRow], app: App, target: str, url: str) -> None:
    """Refuse an app that some open run could not go on in; none of them is touched.

    Raises:
        UsageError: There is such a run (code `unknown_agent`).
    """
    for row in rows:
        if row.agent not in app.agents:
            message = (
                f"run {row.id!r} is of {row.agent!r}, which the app of {target!r} does not name: "
                f"name an App that has it, or give the run up by 'fishplate runs cancel {row.id} "
                f"--store {url} --as NAME'"
            )
            raise UsageError(message, code="unknown_agent")
