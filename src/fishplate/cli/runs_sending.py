"""How a command asks something of a store in somebody's name, and says what was done."""

import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from typing import Final

from fishplate.cli.command import ExitCode
from fishplate.cli.runs_store import add_store, store_of
from fishplate.cli.screen import Screen
from fishplate.core.clock import SystemClock
from fishplate.core.errors import JsonValue
from fishplate.core.run_context import Principal
from fishplate.journal.inbox import Action, Request
from fishplate.journal.sending import NotAnsweredError, send
from fishplate.journal.store import store_path

_CLOCK: Final = SystemClock()
BY_WHOM: Final = (
    "The decision is written down with the name of who made it. Beside a process that drives the\n"
    "store it goes through that one's inbox, and takes effect at once; else it is done here."
)


def have_done(
    arguments: Namespace,
    screen: Screen,
    action: Action,
    subject: str,
    details: Mapping[str, JsonValue] | None = None,
) -> ExitCode:
    """Have it done, and print what was done; code 4 if it stands in the inbox so far."""
    request = Request(action, subject, operator_of(arguments), arguments.note, details or {})
    try:
        done = send(store_path(store_of(arguments)), request, now_ms=now_ms, pause=time.sleep)
    except NotAnsweredError as late:
        if screen.as_json:
            screen.document({"error": late.to_json()})
        else:
            screen.note([late.message], style="yellow")
        return ExitCode.WAITING
    if screen.as_json:
        screen.document({"action": action, **dict(done)})
    else:
        screen.lines(_done_lines(done))
    return ExitCode.OK


def _done_lines(done: Mapping[str, JsonValue]) -> Iterator[str]:
    if "effect" in done:
        yield f"effect {done['effect']} is {done['effect_state']}"
    yield f"run {done['run']} is {done['state']}"


def add_operator(parser: ArgumentParser) -> None:
    """Declare who acts, on which store, and why."""
    add_store(parser)
    add_principal(parser, "who decides", is_required=True)
    parser.add_argument("--note", metavar="TEXT", default="", help="why")


def operator_of(arguments: Namespace) -> Principal:
    """Who acts."""
    roles = frozenset[str](arguments.role)
    return (
        Principal(roles=roles)
        if arguments.operator is None
        else Principal(name=arguments.operator, roles=roles)
    )


def add_principal(parser: ArgumentParser, who: str, *, is_required: bool) -> None:
    """Declare in whose name a command acts.

    Args:
        parser: Of the command.
        who: What that person does there.
        is_required: Nobody is `anonymous`.
    """
    parser.add_argument("--as", dest="operator", metavar="NAME", required=is_required, help=who)
    parser.add_argument(
        "--role",
        metavar="ROLE",
        action="append",
        default=[],
        help="of that person; may be repeated",
    )


def now_ms() -> int:
    """Wall clock, milliseconds since 1970."""
    return int(_CLOCK.now().timestamp() * 1000)
