"""Blame: the first step of a run where something went wrong, and what shows it.

Rules over what was recorded, no judgement of a model. What is sure comes before what is likely: a
failure or a degraded source that reached the output, an answer about another thing than was asked
for, a remembered one that is out of date, a row of rules that is not for the facts; then what was
used though it does not fit, a decision of low confidence, a calculation that is wrong, an id that
a model made up, and what the application itself has doubted. A failure that somebody answered for
in full is no reason.

What is odd and may be so in a run that is right is a doubt: it is listed, and blames nobody until
somebody says that the answer is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence

from fishplate.core.data import dataclass
from fishplate.core.errors import JsonValue
from fishplate.traces.evidence import Evidence
from fishplate.traces.failures import Failures
from fishplate.traces.findings import Finding, Verdict
from fishplate.traces.gaps import sift, where_it_is
from fishplate.traces.queries import WholeTrace


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """What is to blame for a run.

    Attributes:
        verdict: Whose fault it is; `none` if nothing shows one.
        findings: The first is the one to blame; then the others, what is sure before what is
            likely, in the order of their start. Where a text is known to be wrong, the step that
            it comes from stands before them.
        doubts: What is odd and blames nobody, in the order of its start; empty where a text is
            known to be wrong, since it stands behind the findings then. What rests on something
            that is missing of the run stands here always.
        notes: What is to be known of the verdict, each in one sentence.
    """

    verdict: Verdict
    findings: tuple[Finding, ...]
    doubts: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, JsonValue]:
        """As the command line prints it."""
        first = self.findings[0] if self.findings else None
        return {
            "verdict": self.verdict,
            "step": None if first is None else first.path,
            "evidence": [_told(one) for one in self.findings],
            "doubts": [_told(one) for one in self.doubts],
            "notes": list(self.notes),
        }


def _told(one: Finding) -> dict[str, JsonValue]:
    return {"verdict": one.verdict, "step": one.path, "text": one.evidence}


def explain(
    trace: WholeTrace, beside: Sequence[WholeTrace] = (), *, wrong: str | None = None
) -> Explanation:
    """Say what is to blame for a run, right or wrong.

    Args:
        trace: The run.
        beside: Other runs that tell what is usual, or changed what this one remembered, as
            `runs_beside` gives them.
        wrong: A text in the answer that is known to be wrong, as it stands in the JSON of it: the
            step that it comes from is to blame before any other, and each doubt is a finding.
            `None` or empty if nobody knows.
    """
    failed, known = Failures(trace), Evidence(trace, beside)
    found = [
        *failed.failures(),
        *failed.sources(),
        *known.echoes(),
        *known.stale(),
        *known.rows(),
        *known.retrievals(),
        *known.doubts(),
        *known.questions(),
        *known.inventions(),
    ]
    found += known.told(found)
    origins = [*known.origin(wrong)] if wrong else []
    notes = (where_it_is(trace, wrong),) if wrong and not origins else ()
    found, unsure = sift(trace, found)
    origins, unsure_origins = sift(trace, origins)
    order = {one.span.span_id: at for at, one in enumerate(trace.spans)}
    found.sort(key=lambda one: (one.is_doubt, not one.is_sure, order[one.span_id]))
    # Where the step that it comes from may be one that is missing, no doubt takes its place.
    is_known = bool(wrong) and not unsure_origins
    doubts = () if is_known else tuple(one for one in found if one.is_doubt)
    found = [*origins, *(one for one in found if one not in doubts)]
    return Explanation(
        verdict=found[0].verdict if found else "none",
        findings=tuple(found),
        doubts=(*doubts, *unsure_origins, *unsure),
        notes=notes,
    )
