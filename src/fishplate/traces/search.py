"""Finding runs by a text that stands somewhere in their traces: no index, newest first, bounded."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final, NamedTuple

from fishplate.traces.blocks import NOTHING
from fishplate.traces.queries import (
    RunFilter,
    TracedRun,
    TracedSpan,
    WholeTrace,
    list_traces,
    whole_trace,
)
from fishplate.traces.stored import parts_of
from fishplate.traces.text import printable

SEARCH_TIME: Final = 10.0
"""Seconds after which a search stops."""
_AT_A_TIME: Final = 200
_BESIDE: Final = 30


class Hit(NamedTuple):
    """A run that holds a text.

    Attributes:
        run: Which it is.
        path: Of the first step that holds it; empty if the run itself does.
        place: What of it: `name`, `input`, `output`, the word under which something was noted, or a
            word of the run.
        excerpt: The text with what stands beside it, on one line, and harmless to print.
    """

    run: TracedRun
    path: str
    place: str
    excerpt: str


class Hits(NamedTuple):
    """What a search has found.

    Attributes:
        found: Newest first.
        looked_at: How many runs were looked at.
        is_whole: Whether these are all; false if the time was over before.
    """

    found: list[Hit]
    looked_at: int
    is_whole: bool


def search_traces(
    connection: sqlite3.Connection,
    wanted: RunFilter,
    text: str,
    *,
    time_limit: float = SEARCH_TIME,
    seconds: Callable[[], float] = time.perf_counter,
) -> Hits:
    """The runs that hold a text, whatever its case: in names, errors, reasons, notes and contents.

    Args:
        connection: Of a trace store.
        wanted: Which runs are looked at, and how many are found at most.
        text: Not empty.
        time_limit: Seconds after which it stops.
        seconds: What tells the time.
    """
    folded = _spelled(text).casefold()
    ends_at = seconds() + time_limit
    found: list[Hit] = []
    looked_at, some = 0, replace(wanted, limit=_AT_A_TIME)
    held: dict[str, bool] = {}
    while rows := list_traces(connection, some):
        for run in rows:
            if seconds() >= ends_at:
                return Hits(found, looked_at, is_whole=False)
            looked_at += 1
            hit = _hit_in(connection, run, folded, held)
            if hit is not None:
                found.append(hit)
            if len(found) == wanted.limit:
                return Hits(found, looked_at, is_whole=True)
        some = replace(some, before=rows[-1].id)
    return Hits(found, looked_at, is_whole=True)


def _hit_in(
    connection: sqlite3.Connection, run: TracedRun, folded: str, held: dict[str, bool]
) -> Hit | None:
    for place in ("id", "trace_id", "agent", "release", "tenant", "principal", "error"):
        value: str | None = getattr(run, place)
        if value is not None and folded in value.casefold():
            return Hit(run, "", place, _excerpt(value, folded))
    if not _may_hold(connection, run, folded, held):
        return None
    trace = whole_trace(connection, run.id)
    return None if trace is None else _hit_below(trace, folded)


def _may_hold(
    connection: sqlite3.Connection, run: TracedRun, folded: str, held: dict[str, bool]
) -> bool:
    """Whether the JSON of a run holds the text: most do not, and need not be read as JSON.

    Args:
        connection: Of a trace store.
        run: The run.
        folded: The text.
        held: What is known of parts of the store so far, which runs have in common.
    """
    for name, texts in parts_of(connection, run.id):
        if name not in held:
            held[name] = any(folded in str(text, "utf-8").casefold() for text in texts)
        if held[name]:
            return True
    return False


def _hit_below(trace: WholeTrace, folded: str) -> Hit | None:
    """The first that holds the text: inputs are told when a step begins, all else when it ends."""
    held = [
        (one.span.start_ns if place == "input" else one.span.end_ns, one.span.path, place, value)
        for one in trace.spans
        for place, value in _texts(one)
        if folded in value.casefold()
    ]
    if not held:
        return None
    _, path, place, value = min(held, key=lambda one: one[0])
    return Hit(trace.run, path, place, _excerpt(value, folded))


def _texts(one: TracedSpan) -> Iterator[tuple[str, str]]:
    """What a span says, and where, as text."""
    yield "name", _spelled(one.span.name)
    for word, noted in (one.span.attributes or {}).items():
        yield word, f"{word}={_spelled(noted)}"
    for word, value in (("input", one.given), ("output", one.gave)):
        if value is not NOTHING:
            yield word, _spelled(value)


def _spelled(value: object) -> str:
    """As it stands in JSON, where the store has it, but without the quotes around a text."""
    spelled = json.dumps(value, ensure_ascii=False)
    return spelled[1:-1] if isinstance(value, str) else spelled


def _excerpt(value: str, folded: str) -> str:
    # Where it stands in the folded text is near enough: folding hardly ever changes lengths.
    at = value.casefold().index(folded)
    begin, end = max(at - _BESIDE, 0), at + len(folded) + _BESIDE
    before, after = "..." if begin else "", "..." if end < len(value) else ""
    return printable(f"{before}{value[begin:end]}{after}")
