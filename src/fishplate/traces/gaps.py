"""Blame in a trace that is not whole: what may be concluded from what is there, and what may not.

A run may not have ended, and spans of it may have been dropped. A tool's failure, a wrong row and a
bad passage show themselves, whatever else is missing. That an agent is to blame for its failure, or
that a model has made something up, rests on what was below it; and that a failure has reached the
output rests on those that called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from fishplate.traces.blocks import NOTHING
from fishplate.traces.figures import holds
from fishplate.traces.findings import Finding, text_of
from fishplate.traces.queries import TracedSpan, WholeTrace, remembered_since

_OPEN: Final = frozenset({"running", "waiting"})
_WITH_CALLS: Final = frozenset({"agent", "workflow"})


def sift(trace: WholeTrace, findings: Sequence[Finding]) -> tuple[list[Finding], list[Finding]]:
    """Tell apart what stands for itself and what rests on something that is not there.

    Args:
        trace: The run.
        findings: About spans of it.

    Returns:
        Those that stand for themselves, which are all if the trace is whole; and the others, as
        doubts that say so.
    """
    run = trace.run
    lacks_spans = run.state in _OPEN or run.missing_spans > 0
    if not (lacks_spans or run.missing_contents):
        return [*findings], []
    known = {one.span.span_id: one for one in trace.spans}
    firm, others = list[Finding](), list[Finding]()
    for finding in findings:
        if _stands(known[finding.span_id], known, lacks_spans=lacks_spans):
            firm.append(finding)
        else:
            text = f"{finding.evidence}; but what it rests on is not all there"
            others.append(replace(finding, evidence=text, is_sure=False, is_doubt=True))
    return firm, others


def where_it_is(trace: WholeTrace, wrong: str) -> str:
    """Why no step has brought in a text that is known to be wrong, in one sentence.

    Args:
        trace: The run, none of whose steps gave the text without having been given it.
        wrong: The text.
    """
    for one in trace.spans:
        if holds(text_of(one.given), wrong):
            path = one.span.path
            return f"{wrong!r} stands in what {path!r} was given: no step has brought it in"
    unkept = sum(
        one.span.kind != "decision" and (one.given is NOTHING or one.gave is NOTHING)
        for one in trace.spans
    )
    why = "they are kept as the store's capture= says: secrets are hidden, and long texts cut"
    if unkept:
        why = f"those of {unkept} of its spans were not kept, as where capture= is 'off'"
    return f"{wrong!r} occurs in no input or output of this run that was recorded; {why}"


def _stands(one: TracedSpan, known: Mapping[int, TracedSpan], *, lacks_spans: bool) -> bool:
    span = one.span
    if span.kind in _WITH_CALLS and remembered_since(span) is None:
        # A failure is told without contents; what was made up shows in them alone.
        return not lacks_spans and span.status == "error"
    if span.status != "error" or not lacks_spans:
        return True
    while span.parent_id is not None:  # somebody may have answered for the failure
        caller = known.get(span.parent_id)
        if caller is None:
            return False
        span = caller.span
    return True
