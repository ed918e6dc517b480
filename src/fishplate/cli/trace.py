"""`fishplate trace`: the runs whose traces are kept, newest first."""

import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from decimal import Decimal
from typing import Final

from fishplate.cli.command import Command, ExitCode
from fishplate.cli.runs_store import moment, table
from fishplate.cli.screen import Screen
from fishplate.cli.trace_store import (
    add_traces,
    now_ns,
    positive,
    reading_traces,
    whole_positive,
)
from fishplate.core.errors import JsonValue, UsageError
from fishplate.traces.queries import (
    RunFilter,
    TracedRun,
    list_traces,
    lost,
    run_json,
    told_until_ns,
)
from fishplate.traces.search import SEARCH_TIME, Hit, search_traces
from fishplate.traces.standing import brief_note
from fishplate.traces.text import printable
from fishplate.traces.waterfall import run_cost

_MOST: Final = 50
_TRACE_ID: Final = re.compile("[0-9a-fA-F]{32}")
_STATES: Final = (
    *("running", "waiting", "succeeded", "degraded", "failed", "cancelled", "needs_attention"),
)


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what `trace` takes."""
    add_traces(parser)
    parser.add_argument(
        "--state",
        metavar="STATE",
        action="append",
        default=[],
        choices=_STATES,
        help=f"only runs in this state; may be repeated: {', '.join(_STATES)}",
    )
    parser.add_argument("--agent", metavar="NAME", help="only runs of this agent")
    parser.add_argument(
        "--id", metavar="TRACE", type=_trace_id, help="only runs in this trace: 32 hex digits"
    )
    parser.add_argument(
        "--slower", metavar="SECONDS", type=positive, help="only runs that took at least this long"
    )
    parser.add_argument(
        "--dearer",
        metavar="AMOUNT",
        type=positive,
        help="only runs known to cost at least this, in whichever currency",
    )
    parser.add_argument(
        "--error", metavar="CODE", help="only runs that failed with this code, e.g. breaker_open"
    )
    parser.add_argument(
        "--search",
        metavar="TEXT",
        help="only runs that hold this text, whatever its case: in names, errors, reasons, notes,"
        " inputs and outputs, as far as they are kept",
    )
    parser.add_argument(
        "--limit",
        metavar="N",
        type=whole_positive,
        default=_MOST,
        help=f"at most so many, the newest; {_MOST} if left out",
    )


def execute(arguments: Namespace, screen: Screen) -> ExitCode:
    """List the runs."""
    slower: Decimal | None = arguments.slower
    dearer: Decimal | None = arguments.dearer
    wanted = RunFilter(
        states=arguments.state,
        agent=arguments.agent,
        trace_id=arguments.id,
        slower_than=None if slower is None else float(slower),
        dearer_than=None if dearer is None else round(dearer * 10**9),
        error=arguments.error,
        limit=arguments.limit,
    )
    if arguments.search is not None:
        return _search(arguments, wanted, screen)
    with reading_traces(arguments) as connection:
        rows = list_traces(connection, wanted)
        missing = lost(connection)
        now = now_ns()
        notes = [
            brief_note(row, told_until_ns(connection, row) if row.state == "running" else now, now)
            for row in rows
        ]
    if screen.as_json:
        screen.document({"runs": [run_json(row) for row in rows], "lost": missing})
        return ExitCode.OK
    if rows:
        head = ("ID", "AGENT", "STATE", "STARTED", "TOOK", "TOKENS", "COST", "NOTE")
        screen.lines(table([head, *map(_cells, rows, notes)]))
    else:
        screen.note([f"no such run in {arguments.traces}"])
    if missing:
        screen.note([f"{missing} spans or contents were dropped or lost"], style="yellow")
    return ExitCode.OK


COMMAND: Final = Command(
    name="trace",
    summary="list the runs whose traces are kept",
    description=(
        "List the runs of a trace store, newest first. Times are UTC; a cost is known only if the\n"
        "price of every request is."
    ),
    examples=(
        "trace --traces sqlite:///traces.db",
        "trace --traces sqlite:///traces.db --state failed --state degraded --slower 2",
        "trace --traces sqlite:///traces.db --search 'W1234567'",
    ),
    add_arguments=add_arguments,
    execute=execute,
)


def _search(arguments: Namespace, wanted: RunFilter, screen: Screen) -> ExitCode:
    if not arguments.search:
        msg = "--search '' is in every text: name what is looked for"
        raise UsageError(msg, code="nothing_to_search")
    with reading_traces(arguments) as connection:
        hits = search_traces(connection, wanted, arguments.search)
    if screen.as_json:
        runs: list[JsonValue] = [
            {**run_json(hit.run), "path": hit.path, "place": hit.place, "excerpt": hit.excerpt}
            for hit in hits.found
        ]
        screen.document({"runs": runs, "looked_at": hits.looked_at, "is_whole": hits.is_whole})
        return ExitCode.OK
    if hits.found:
        head = ("ID", "AGENT", "STATE", "STARTED", "STEP", "PLACE", "TEXT")
        screen.lines(table([head, *map(_hit_cells, hits.found)]))
    else:
        screen.note([f"no such run among {hits.looked_at} in {arguments.traces}"])
    if not hits.is_whole:
        told = (
            f"stopped after {SEARCH_TIME:g} s and the newest {hits.looked_at} runs: "
            "look at fewer by --agent, --state, --slower or --dearer"
        )
        screen.note([told], style="yellow")
    return ExitCode.OK


def _hit_cells(hit: Hit) -> tuple[str, ...]:
    run = hit.run
    started = moment(run.started_ns // 1_000_000)
    return (run.id, run.agent, run.state, started, hit.path or "-", hit.place, hit.excerpt)


def _cells(run: TracedRun, note: str) -> tuple[str, ...]:
    took = "-" if run.duration_ns is None else f"{run.duration_ns / 1e9:.3f} s"
    tokens = str(run.input_tokens + run.output_tokens) if run.model_calls else "-"
    started = moment(run.started_ns // 1_000_000)
    cost = run_cost(run)
    return (run.id, run.agent, run.state, started, took, tokens, cost, printable(note))


def _trace_id(text: str) -> str:
    if _TRACE_ID.fullmatch(text) is None:
        message = f"{text!r} is no id of a trace: 32 hex digits, as 'fishplate trace --json' has it"
        raise ArgumentTypeError(message)
    return text.lower()
