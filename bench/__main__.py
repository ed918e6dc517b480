"""Measure what fishplate costs beside the bare limit: `python3 dev.py bench`.

See bench/README.md for what each row does. Exit code 1: a budget is missed.
"""

import argparse
import asyncio
import sys
from typing import Final

from bench.budgets import Figure
from bench.calls import CHILD, FAN_OUT
from bench.chain import BUILD, CHAIN
from bench.guarded import GUARDED
from bench.imports import IMPORT
from bench.in_flight import IN_FLIGHT
from bench.journal import JOURNAL
from bench.measure import Pace
from bench.models import MODEL_ROW
from bench.policies import POLICIES_ROW
from bench.report import as_json, closing, machine, table
from bench.route import ROUTE
from bench.row import Row
from bench.traces import TRACES
from bench.waiting import WAITING

ROWS: Final = {
    row.name: row
    for row in (
        CHAIN,
        GUARDED,
        BUILD,
        ROUTE,
        FAN_OUT,
        CHILD,
        POLICIES_ROW,
        MODEL_ROW,
        IN_FLIGHT,
        JOURNAL,
        WAITING,
        TRACES,
        IMPORT,
    )
}


def main() -> int:
    """Measure the chosen rows, print the report, and judge."""
    options = _parser().parse_args()
    chosen: list[Row] = options.rows
    pace = Pace(is_quick=options.quick, tell=_say if sys.stderr.isatty() else _say_nothing)
    figures: list[Figure] = []
    for row in chosen:
        figures += asyncio.run(row.measure(pace))
    lacks = [sentence for row in chosen for sentence in row.lacks()]
    if options.json:
        print(as_json(figures, lacks))
    else:
        pace.tell("")
        print(
            f"{machine()}. CPU time, in `journal` and `waiting` wall time: "
            "median (best) of rounds in turns; ratio within each round.\n"
        )
        print(table(figures), *lacks, closing(figures), sep="\n\n")
    is_missed = any(figure.is_missed for figure in figures)
    return int(is_missed and not options.no_gate)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--rows",
        type=_rows,
        default=list(ROWS.values()),
        metavar="NAME,NAME",
        help=f"measure only these: {', '.join(ROWS)}",
    )
    parser.add_argument("--quick", action="store_true", help="see that it works; the figures shake")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--no-gate", action="store_true", help="exit 0 though a budget is missed")
    return parser


def _rows(text: str) -> list[Row]:
    names = text.split(",")
    if unknown := [name for name in names if name not in ROWS]:
        msg = f"there is no row {unknown[0]!r}; the rows are {', '.join(ROWS)}"
        raise argparse.ArgumentTypeError(msg)
    return [ROWS[name] for name in names]


def _say(line: str) -> None:
    """Show one line of progress, in place of the last one."""
    print(f"\r{line:<40}\r", end="", file=sys.stderr, flush=True)


def _say_nothing(line: str) -> None:
    """Progress that nobody would see."""


if __name__ == "__main__":
    sys.exit(main())
