"""What runs wait for: `fishplate runs signal`, `approve`, `reject`."""

from argparse import ArgumentParser, Namespace
from typing import Final

from fishplate.cli.command import Command, ExitCode
from fishplate.cli.documents import read_json
from fishplate.cli.runs_sending import BY_WHOM, add_operator, have_done
from fishplate.cli.runs_store import add_run
from fishplate.cli.screen import Screen
from fishplate.core.errors import JsonValue

_THEN: Final = (
    "The run goes on at once where a process drives the store, and else at the next\n"
    "'fishplate runs resume'.\n"
)


def add_signal_arguments(parser: ArgumentParser) -> None:
    """Declare what `runs signal` takes."""
    add_run(parser)
    parser.add_argument("name", metavar="NAME", help="of the signal, as in wait_for(NAME, ...)")
    parser.add_argument("value", metavar="JSON", help="what it carries: JSON, @file.json or -")
    add_operator(parser)


def signal(arguments: Namespace, screen: Screen) -> ExitCode:
    """Send a run what it waits for."""
    value = read_json(arguments.value, option="JSON")
    details: dict[str, JsonValue] = {"name": arguments.name, "value": value}
    return have_done(arguments, screen, "signal", arguments.run, details)


SIGNAL: Final = Command(
    name="runs signal",
    summary="send a run the signal that it waits for",
    description=(
        "Answer the wait for a signal that is open longest, or keep the signal for a wait that is\n"
        "still to come. It has to have the shape that the run waits for.\n" + _THEN
    ),
    examples=('runs signal RUN parcel \'{"number": "P1"}\' --store sqlite:///runs.db --as dock',),
    add_arguments=add_signal_arguments,
    execute=signal,
)


def add_decision_arguments(parser: ArgumentParser) -> None:
    """Declare what `runs approve` and `runs reject` take."""
    add_run(parser)
    parser.add_argument(
        "step",
        metavar="STEP",
        nargs="?",
        help="path of the step; may be left out if the run waits for one decision alone",
    )
    add_operator(parser)


def approve(arguments: Namespace, screen: Screen) -> ExitCode:
    """Let a run make the call that it waits to make."""
    return have_done(arguments, screen, "approve", arguments.run, {"step": arguments.step})


APPROVE: Final = Command(
    name="runs approve",
    summary="let a run make the call that it asks for",
    description=(
        "Approve the call that a step waits to make, once and with exactly the arguments that\n"
        "'fishplate runs show' prints. It takes one of the roles that the step names, and\n"
        "somebody else than who has started the run.\n" + _THEN + BY_WHOM
    ),
    examples=(
        "runs approve RUN --store sqlite:///runs.db --as ann --role lead",
        "runs approve RUN each.2/approval --store sqlite:///runs.db --as ann --role lead",
    ),
    add_arguments=add_decision_arguments,
    execute=approve,
)


def reject(arguments: Namespace, screen: Screen) -> ExitCode:
    """Keep a run from making the call that it waits to make."""
    return have_done(arguments, screen, "reject", arguments.run, {"step": arguments.step})


REJECT: Final = Command(
    name="runs reject",
    summary="refuse a run the call that it asks for",
    description=(
        "Reject the call that a step waits to make: the run goes on without it, and knows who\n"
        "rejected it and why. Who may do that is said in 'fishplate runs approve --help'.\n"
        + _THEN
        + BY_WHOM
    ),
    examples=("runs reject RUN --note 'too much' --store sqlite:///runs.db --as ann --role lead",),
    add_arguments=add_decision_arguments,
    execute=reject,
)
