"""What an operator does to kept runs: `fishplate runs decide`, `cancel`, `reopen`, `prune`."""

import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Mapping
from typing import Any, Final

from pydantic_core import from_json

from fishplate.cli.command import Command, ExitCode
from fishplate.cli.documents import read_json
from fishplate.cli.runs_sending import BY_WHOM, add_operator, have_done, now_ms
from fishplate.cli.runs_store import add_run, add_store, reading, store_of
from fishplate.cli.screen import Screen
from fishplate.contracts.contract import Contract
from fishplate.core.errors import JsonValue, OutputError, UsageError
from fishplate.core.run_context import Principal
from fishplate.journal.decisions import check_effect
from fishplate.journal.effect_rows import Evidence
from fishplate.journal.inbox import Request
from fishplate.journal.run_rows import find_run
from fishplate.journal.sending import send
from fishplate.journal.store import store_path

_SECONDS_A_DAY: Final = 86_400
_MOST_DAYS: Final = 1_000_000


def add_decide_arguments(parser: ArgumentParser) -> None:
    """Declare what `runs decide` takes."""
    parser.add_argument(
        "key", metavar="KEY", help="key of an effect: see 'fishplate runs attention'"
    )
    parser.add_argument(
        "decision",
        choices=("confirm_done", "confirm_not_done", "redo", "compensate"),
        help=(
            "it happened; it did not; it is to be done again, whether it happened or not; it "
            "happened, and is to be undone"
        ),
    )
    parser.add_argument(
        "--result", metavar="JSON", help="what the tool gave, for confirm_done: JSON or @file.json"
    )
    add_operator(parser)


def decide(arguments: Namespace, screen: Screen) -> ExitCode:
    """Say what happened to an effect whose outcome is unknown, or have one undone."""
    if (arguments.decision == "confirm_done") != (arguments.result is not None):
        missing = (
            "confirm_done needs --result JSON"
            if arguments.result is None
            else (f"--result belongs to confirm_done, not to {arguments.decision}")
        )
        message = f"{missing}: it is what the tool would have given"
        raise UsageError(message, code="bad_usage")
    with reading(store_of(arguments)) as connection:
        effect = check_effect(connection, arguments.key, arguments.decision)
        run = find_run(connection, effect.run)
    units: dict[str, Any] = {} if run is None else from_json(run.units)
    outcome: JsonValue = None
    if arguments.decision == "confirm_done":
        outcome = read_json(arguments.result, option="--result")
        _check_result(outcome, effect, units)
    return have_done(arguments, screen, arguments.decision, arguments.key, {"outcome": outcome})


DECIDE: Final = Command(
    name="runs decide",
    summary="say what happened to an effect whose outcome is unknown, or have one undone",
    description=(
        "Decide an effect whose outcome is unknown. The run that waited for it is open again, and\n"
        "the step is answered by what was decided.\n"
        "An effect that has happened can be compensated, if its tool says by which other one:\n"
        "that is called where a process drives the store, or at the next 'runs resume'.\n" + BY_WHOM
    ),
    examples=(
        "runs decide ak1_abc confirm_done --result '\"paid 5\"' --store sqlite:///runs.db --as ann",
        "runs decide ak1_abc redo --store sqlite:///runs.db --as ann --role operator",
        "runs decide ak1_abc compensate --store sqlite:///runs.db --as ann --note 'wrong order'",
    ),
    add_arguments=add_decide_arguments,
    execute=decide,
)


def add_run_arguments(parser: ArgumentParser) -> None:
    """Declare what an action about one run takes."""
    add_run(parser)
    add_operator(parser)


def cancel(arguments: Namespace, screen: Screen) -> ExitCode:
    """Give a run up."""
    return have_done(arguments, screen, "cancel", arguments.run)


CANCEL: Final = Command(
    name="runs cancel",
    summary="give a run up",
    description=(
        "Cancel a run that has not ended. An effect that is on its way becomes unknown, and the\n"
        "run needs attention until that is decided.\n" + BY_WHOM
    ),
    examples=("runs cancel 06dgq3v4zr7k0t1m8q2n5b9xwy --store sqlite:///runs.db --as ann",),
    add_arguments=add_run_arguments,
    execute=cancel,
)


def reopen(arguments: Namespace, screen: Screen) -> ExitCode:
    """Let a run be taken up again."""
    return have_done(arguments, screen, "reopen", arguments.run)


REOPEN: Final = Command(
    name="runs reopen",
    summary="let a run go on, after what was in its way was removed",
    description=(
        "Open a run again that needs attention because of its code, not of an effect: it goes on\n"
        "at the next 'fishplate runs resume', or at once where a process drives the store.\n"
        + BY_WHOM
    ),
    examples=("runs reopen 06dgq3v4zr7k0t1m8q2n5b9xwy --store sqlite:///runs.db --as ann",),
    add_arguments=add_run_arguments,
    execute=reopen,
)


def add_prune_arguments(parser: ArgumentParser) -> None:
    """Declare what `runs prune` takes."""
    add_store(parser)
    parser.add_argument(
        "--older-than",
        metavar="DAYS",
        type=_days,
        required=True,
        help="runs that ended longer ago than this; 0 or more, also 0.5",
    )


def prune(arguments: Namespace, screen: Screen) -> ExitCode:
    """Take out what is old, in pieces, so that nobody waits for long."""
    before_ms = now_ms() - round(arguments.older_than * _SECONDS_A_DAY * 1000)
    path = store_path(store_of(arguments))
    counts: dict[str, int] = dict.fromkeys(("runs", "steps", "effects", "documents"), 0)
    is_all = False
    while not is_all:
        request = Request("prune", "", Principal(), details={"before_ms": before_ms})
        found: Mapping[str, Any] = send(path, request, now_ms=now_ms, pause=time.sleep)
        counts = {name: count + found[name] for name, count in counts.items()}
        is_all = found["is_all"]
    if screen.as_json:
        screen.document({"pruned": {**counts}})
    else:
        screen.lines([f"took out {', '.join(f'{count} {name}' for name, count in counts.items())}"])
    return ExitCode.OK


PRUNE: Final = Command(
    name="runs prune",
    summary="take out runs that ended long ago",
    description=(
        "Take out runs that ended before so many days, with their steps, settled effects and\n"
        "unused documents. A run with an unknown effect stays, and so does one whose effect still\n"
        "holds its business key."
    ),
    examples=("runs prune --older-than 30 --store sqlite:///runs.db",),
    add_arguments=add_prune_arguments,
    execute=prune,
)


def _check_result(result: JsonValue, effect: Evidence, units: Mapping[str, Any]) -> None:
    """Refuse a result that the tool could not have given.

    Raises:
        OutputError: It breaks the contract that the tool had when the run began.
    """
    if effect.tool not in units:  # the run was pruned
        return
    contract = Contract.parse(units[effect.tool]["contract"])
    if violations := contract.output.violations(result):
        raise OutputError(f"the --result of tool {effect.tool!r}", violations)


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = -1.0
    if not 0 <= days <= _MOST_DAYS:
        message = f"{text!r} is no number of days: 0 or more"
        raise ArgumentTypeError(message)
    return days
