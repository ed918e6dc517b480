"""The report: a plain table, or the same as JSON."""

import json
import os
import platform
from collections.abc import Sequence
from typing import Final

from bench.budgets import Budget, Figure
from bench.measure import Comparison, Spread

HEAD: Final = ("row", "unit", "limit (best)", "measured (best)", "added", "ratio", "budget", "")


def machine() -> str:
    """What the figures were taken on."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{python}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores"


def table(figures: Sequence[Figure]) -> str:
    """One line a figure; text to the left, numbers to the right."""
    rows = [HEAD, *(_cells(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = [
        "  ".join(
            cell.rjust(width) if column in {2, 3, 4, 5} else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join(lines)


def closing(figures: Sequence[Figure]) -> str:
    """One line: whether every budget is met, and which are not."""
    judged = [figure for figure in figures if figure.budget is not None]
    missed = [figure.row for figure in judged if figure.is_missed]
    if not judged:
        return "no budget stands on these rows"
    if not missed:
        return f"all {len(judged)} budgets are met"
    return f"{len(missed)} of {len(judged)} budgets are MISSED: {'; '.join(missed)}"


def as_json(figures: Sequence[Figure], lacks: Sequence[str]) -> str:
    """The report as one JSON object: `machine`, `figures` in the table's order, what it `lacks`."""
    document = {
        "machine": machine(),
        "figures": [_document(figure) for figure in figures],
        "lacks": [*lacks],
    }
    return json.dumps(document, ensure_ascii=False, indent=2)


def _cells(figure: Figure) -> tuple[str, ...]:
    comparison = figure.comparison
    verdict = "" if figure.budget is None else "MISSED" if figure.is_missed else "ok"
    return (
        figure.row,
        figure.unit,
        _spread(comparison.limit),
        _spread(comparison.ours),
        f"{comparison.added:.2f}",
        f"{comparison.ratio:.2f} x",
        _allowed(figure.budget, comparison),
        verdict,
    )


def _spread(spread: Spread) -> str:
    return f"{spread.median:.2f} ({spread.best:.2f})"


def _allowed(budget: Budget | None, comparison: Comparison) -> str:
    if budget is None:
        return "none"
    parts: list[str] = []
    scale = budget.scale(comparison)
    for sign, most in (("", budget.most), ("+ ", budget.added)):
        if most is not None:
            slower = "" if scale == 1 else f" x {scale:.2f} = {most * scale:.2f}"
            parts.append(f"<= {sign}{most:g}{slower}")
    if budget.times is not None:
        parts.append(f"<= {budget.times:g} x")
    return ", ".join(parts)


def _document(figure: Figure) -> dict[str, object]:
    comparison, budget = figure.comparison, figure.budget
    return {
        "row": figure.row,
        "unit": figure.unit,
        "limit": {"median": comparison.limit.median, "best": comparison.limit.best},
        "fishplate": {"median": comparison.ours.median, "best": comparison.ours.best},
        "ratio": comparison.ratio,
        "added": comparison.added,
        "budget": budget
        and {
            "most": budget.most,
            "added": budget.added,
            "scale": budget.scale(comparison),
            "times": budget.times,
            "is_met": not figure.is_missed,
        },
    }
