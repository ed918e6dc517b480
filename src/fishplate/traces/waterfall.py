"""A kept run as plain text: the tree of its spans, each with a bar that shows when it ran."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from fishplate.traces.blocks import NOTHING
from fishplate.traces.queries import TracedRun, TracedSpan, WholeTrace
from fishplate.traces.text import facts_of, printable

_WIDTH: Final = 24
_WIDEST_TITLE: Final = 48
_MOST_CONTENT: Final = 400
_MARKS: Final = {"ok": "=", "degraded": "~", "error": "!", "cancelled": "x"}


def waterfall(trace: WholeTrace, *, with_content: bool, notes: Iterable[str] = ()) -> Iterator[str]:
    """Lines about a run: what it is, what it used, and a line for each span in order of start.

    A bar is made of `=`, of `~` where the step is degraded, of `!` where it failed and of `x` where
    it was cancelled. Text from outside cannot break a line: what is not printable is escaped.

    Args:
        trace: The run.
        with_content: Whether inputs and outputs follow their span, cut to 400 characters.
        notes: What is to be known of the run; a line for each.
    """
    run = trace.run
    yield printable(f"run {run.id} of {run.agent!r} ({run.release or 'not ended'}): {run.state}")
    took = "-" if run.duration_ns is None else f"{run.duration_ns / 1e6:.1f} ms"
    yield printable(
        f"  trace {run.trace_id}, took {took}, for {run.principal} of {run.tenant}, "
        f"{run.model_calls} requests to models and priced tools, "
        f"{run.input_tokens} + {run.output_tokens} tokens, "
        f"cost {run_cost(run)}"
    )
    yield from (printable(f"  {note}") for note in notes)
    rows = list(in_tree(trace.spans))
    titles = [
        printable(f"{'  ' * depth}{one.span.kind} {one.span.name}")[:_WIDEST_TITLE]
        for depth, one in rows
    ]
    width = max(map(len, titles), default=0)
    begin = min((one.span.start_ns for one in trace.spans), default=0)
    end = max((one.span.end_ns for one in trace.spans), default=0)
    for title, (depth, one) in zip(titles, rows, strict=True):
        span = one.span
        bar = _bar(one, begin, max(end - begin, 1))
        time = "" if span.kind == "decision" else f"{(span.end_ns - span.start_ns) / 1e6:.1f} ms"
        yield f"  {title:<{width}} |{bar}| {time:>10}  {facts_of(span)}".rstrip()
        if with_content:
            indent = "  " * (depth + 2)
            yield from _contents(one, indent)


def run_cost(run: TracedRun) -> str:
    """What was paid for a run; see `cost_text`."""
    return cost_text(run.model_calls, run.costs, is_all=run.whole_costs is not None)


def cost_text(calls: int, costs: Mapping[str, int], *, is_all: bool) -> str:
    """What was paid, a sum for each currency; `-` if nothing was asked for.

    Args:
        calls: Requests to models and priced tools.
        costs: In 10^-9 of each currency.
        is_all: Whether all of it is known: no price is unknown, nothing is missing, and no sum has
            come to its end. If not, it is at least what is known, and says so.
    """
    if not calls and is_all:
        return "-"
    known = " + ".join(f"{_amount(nanos)} {currency}" for currency, nanos in sorted(costs.items()))
    if is_all:
        return known or "0"
    return f">= {known}" if any(costs.values()) else "unknown"


def _amount(nanos: int) -> str:
    whole, rest = divmod(nanos, 10**9)
    return f"{whole}.{rest:09}".rstrip("0").rstrip(".")


def in_tree(spans: Sequence[TracedSpan]) -> Iterator[tuple[int, TracedSpan]]:
    """Spans with how deep they stand, each below its parent; what has none here stands at 0.

    Args:
        spans: Of one run, in the order in which siblings are to be told.
    """
    known = {one.span.span_id for one in spans}
    below: dict[int | None, list[TracedSpan]] = {}
    for one in spans:
        parent = one.span.parent_id
        below.setdefault(parent if parent in known else None, []).append(one)

    def walk(parent: int | None, depth: int) -> Iterator[tuple[int, TracedSpan]]:
        for one in below.pop(parent, ()):  # once: a process that was killed may have told a span
            yield depth, one
            yield from walk(one.span.span_id, depth + 1)

    return walk(None, 0)


def _bar(one: TracedSpan, begin: int, whole: int) -> str:
    span = one.span
    first = min(int((span.start_ns - begin) * _WIDTH / whole), _WIDTH - 1)
    size = max(round((span.end_ns - span.start_ns) * _WIDTH / whole), 1)
    mark = "." if span.kind == "decision" and span.status == "ok" else _MARKS[span.status]
    return f"{' ' * first}{mark * min(size, _WIDTH - first)}".ljust(_WIDTH)


def _contents(one: TracedSpan, indent: str) -> Iterator[str]:
    for word, value in (("in ", one.given), ("out", one.gave)):
        if value is not NOTHING:
            text = json.dumps(value, ensure_ascii=False)
            over = len(text) - _MOST_CONTENT
            more = f"... ({over} more)" if over > 0 else ""
            yield printable(f"{indent}{word} {text[:_MOST_CONTENT]}{more}")
