"""`fishplate trace costs`: what was spent, by agent, step, release, tenant or model."""

from argparse import ArgumentParser, Namespace
from decimal import Decimal
from typing import Final

from fishplate.cli.command import Command, ExitCode
from fishplate.cli.runs_store import moment, table
from fishplate.cli.screen import Screen
from fishplate.cli.trace_store import add_traces, positive, reading_traces
from fishplate.core.clock import SystemClock
from fishplate.core.errors import JsonValue
from fishplate.core.spending import is_whole
from fishplate.traces.queries import lost
from fishplate.traces.rollups import GROUPINGS, Spent, spending
from fishplate.traces.text import printable
from fishplate.traces.waterfall import cost_text

_HOUR_MS: Final = 3_600_000
_HOURS: Final = 24
_COLUMNS: Final = ("CALLS", "TOKENS", "COST", "UNKNOWN", "ERRORS", "P50", "P95")


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what `trace costs` takes."""
    add_traces(parser)
    parser.add_argument(
        "--by",
        metavar="WORD",
        choices=GROUPINGS,
        default="agent",
        help=f"what is summed up: {', '.join(GROUPINGS)}; {GROUPINGS[0]} if left out",
    )
    parser.add_argument(
        "--hours",
        metavar="N",
        type=positive,
        default=Decimal(_HOURS),
        help=f"of how many hours, up to now; {_HOURS} if left out",
    )


def execute(arguments: Namespace, screen: Screen) -> ExitCode:
    """Print the sums."""
    hours: Decimal = arguments.hours
    until_ms = round(SystemClock().now().timestamp() * 1000) + 1
    since_ms = max(0, until_ms - round(hours * _HOUR_MS))
    with reading_traces(arguments) as connection:
        found = spending(connection, since_ms, until_ms, by=arguments.by)
        missing = lost(connection)
    if screen.as_json:
        screen.document(
            {
                "by": arguments.by,
                "since_ms": since_ms,
                "until_ms": until_ms,
                "groups": [_json(one, is_all=not missing) for one in found.groups],
                "whole": _json(found.whole, is_all=not missing),
                "lost": missing,
            }
        )
        return ExitCode.OK
    if found.groups:
        head = (arguments.by.upper(), *_COLUMNS)
        rows = [
            (printable(one.group) or "-", *_cells(one, is_all=not missing)) for one in found.groups
        ]
        screen.lines(table([head, *rows, ("all", *_cells(found.whole, is_all=not missing))]))
    else:
        known = "nothing is known to have been" if missing else "nothing was"
        screen.note([f"{known} spent since {moment(since_ms)} in {arguments.traces}"])
    if missing:
        screen.note(
            [f"{missing} spans or contents were dropped or lost: there may be more"], style="yellow"
        )
    return ExitCode.OK


COMMAND: Final = Command(
    name="trace costs",
    summary="sum up what was spent by agent, step, release, tenant or model",
    description=(
        "Sum up requests to models and priced tools of the last hours. CALLS has every attempt;\n"
        "UNKNOWN says of how many nobody knows the price, so that COST is at least what it says;\n"
        "ERRORS and the times P50 and P95 are of calls with all their attempts. Amounts of\n"
        "different currencies are not added."
    ),
    examples=(
        "trace costs --traces sqlite:///traces.db",
        "trace costs --traces sqlite:///traces.db --by tenant --hours 1",
    ),
    add_arguments=add_arguments,
    execute=execute,
)


def _cells(one: Spent, *, is_all: bool) -> tuple[str, ...]:
    return (
        str(one.calls),
        str(one.input_tokens + one.output_tokens),
        cost_text(one.calls, one.costs, is_all=is_all and is_whole(one.costs, one.unpriced)),
        str(one.unpriced),
        str(one.errors),
        f"{one.p50_ns / 1e6:.1f} ms",
        f"{one.p95_ns / 1e6:.1f} ms",
    )


def _json(one: Spent, *, is_all: bool) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {**one._asdict()}
    is_all = is_all and is_whole(one.costs, one.unpriced)
    whole: JsonValue = {**one.costs} if is_all else None
    return {**found, "costs": {**one.costs}, "whole_costs": whole}
