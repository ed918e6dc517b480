"""Where a run stands that has not ended, and what is missing of it, in words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from fishplate.core.events import WaitTold
from fishplate.traces.queries import TracedRun

_UNITS: Final = (("days", 172_800, 86_400), ("h", 7_200, 3_600), ("min", 120, 60), ("s", 0, 1))
"""Name, from how many seconds on it is used, and how many it has."""


def notes_on(run: TracedRun, told_until_ns: int, now_ns: int) -> Iterator[str]:
    """What has to be known of a run before its trace is judged; nothing if it is whole.

    Args:
        run: The run.
        told_until_ns: When the last of its spans ended, in nanoseconds since 1970.
        now_ns: Wall clock, nanoseconds since 1970.
    """
    if run.state == "waiting":
        for wait in run.waits:
            yield f"the run has not ended: in step {wait.step} it waits {_awaited(wait)}"
    if run.state == "running":
        yield (
            f"the run has not ended: {_since(told_until_ns, now_ns)}. It is still at work, or its "
            "process has ended; a trace cannot tell"
        )
    if missing := _missing_from(run):
        yield f"{missing}: what is said of it is drawn from what is left"


def brief_note(run: TracedRun, told_until_ns: int, now_ns: int) -> str:
    """The same in a few words, after the code of its error; see `notes_on`."""
    told = [run.error or ""]
    told += [f"waits {_awaited(wait)}" for wait in run.waits]
    if run.state == "running":
        told.append(_since(told_until_ns, now_ns))
    if run.missing_spans or run.missing_contents:
        told.append(f"{run.missing_spans + run.missing_contents:,} missing")
    return "; ".join(filter(None, told))


def _missing_from(run: TracedRun) -> str:
    spans, contents = run.missing_spans, run.missing_contents
    if not (spans or contents):
        return ""
    what = [f"{spans:,} spans"] if spans else []
    what += [f"the inputs and outputs of {contents:,} calls"] if contents else []
    return f"{' and '.join(what)} of this run were dropped on their way to the store"


def _since(told_until_ns: int, now_ns: int) -> str:
    seconds = max(now_ns - told_until_ns, 0) // 10**9
    name, unit = next((name, unit) for name, least, unit in _UNITS if seconds >= least)
    return f"the last that was told of it is {seconds // unit} {name} old"


def _awaited(wait: WaitTold) -> str:
    """What a run waits for, since when and until when."""
    what = f"for the signal {wait.name!r} "
    if wait.kind == "approval":
        what = f"for a decision of {' or '.join(wait.roles)} about {wait.name!r} "
    elif wait.kind == "sleep":
        what = ""
    until = "" if wait.due_ms is None else f", until {_moment(wait.due_ms)}"
    return f"{what}since {_moment(wait.since_ms)}{until}"


def _moment(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}Z"
