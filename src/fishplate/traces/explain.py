"""Blame: the first step of a run where something went wrong, and what shows it.

Rules over what was recorded, no judgement of a model. What is sure comes before what is likely: a
failure or a degraded source that reached the output, and an answer about another thing than was
asked for; then what was retrieved badly, a decision of low confidence, and words of a model that
nothing it was given contains. A failure that somebody answered for in full is no reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias, cast

from fishplate.core.data import dataclass
from fishplate.core.errors import JsonValue
from fishplate.core.events import Span
from fishplate.traces.queries import NOTHING, TracedSpan, WholeTrace

Verdict: TypeAlias = Literal["retrieval", "tool", "reasoning", "contract", "policy", "none"]

LEAST_SCORE: Final = 0.3
"""Of the best passage, from 0 to 1; with less, nothing that fits was found."""
LEAST_CONFIDENCE: Final = 0.5
"""Of a classifier, from 0 to 1; with less, it is more likely wrong than right."""

_CONTRACT: Final = frozenset({"contract_in", "contract_out", "bug"})
_POLICY: Final = frozenset(
    {"local_rejection", "deadline", "policy_denied", "budget_exceeded", "rate_limited"}
)
_CONTRACT_CODES: Final = frozenset(
    {"invalid_input", "invalid_output", "contract_violation", "no_branch", "undeclared_error"}
)
_POLICY_CODES: Final = frozenset(
    {"deadline", "breaker_open", "bulkhead_full", "rate_limited", "budget_exceeded", "denied"}
)
_IDENTITY: Final = re.compile(r"(?:^|_)(?:id|number|sku|email|key)$")
_FACT: Final = re.compile(r"#?[^\W\d_]*\d\w*(?:[.,:-]\w*\d\w*)*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Something that went wrong.

    Attributes:
        verdict: Whose fault it is.
        path: Of the step.
        span_id: Of its span.
        evidence: What shows it, in one sentence.
        is_sure: It is known, and not concluded.
    """

    verdict: Verdict
    path: str
    span_id: int
    evidence: str
    is_sure: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """What is to blame for a run.

    Attributes:
        verdict: Whose fault it is; `none` if nothing shows one.
        findings: The first is the one to blame; then the others in the order of their start.
    """

    verdict: Verdict
    findings: tuple[Finding, ...]

    def to_json(self) -> dict[str, JsonValue]:
        """As the command line prints it."""
        first = self.findings[0] if self.findings else None
        return {
            "verdict": self.verdict,
            "step": None if first is None else first.path,
            "evidence": [
                {"verdict": one.verdict, "step": one.path, "text": one.evidence}
                for one in self.findings
            ],
        }


def explain(trace: WholeTrace) -> Explanation:
    """Say what is to blame for a run, right or wrong."""
    known = _Trace(trace)
    sure = [*known.failures(), *known.sources(), *known.echoes()]
    likely = [*known.retrievals(), *known.doubts(), *known.inventions()]
    order = {one.span.span_id: at for at, one in enumerate(trace.spans)}
    findings = sorted([*sure, *likely], key=lambda found: (not found.is_sure, order[found.span_id]))
    return Explanation(
        verdict=findings[0].verdict if findings else "none", findings=tuple(findings)
    )


class _Trace:
    """A trace as the rules ask about it."""

    def __init__(self, trace: WholeTrace) -> None:
        self._run = trace.run
        self._spans = trace.spans
        self._below: dict[int | None, list[TracedSpan]] = {}
        for one in trace.spans:
            self._below.setdefault(one.span.parent_id, []).append(one)
        decisions = [one.span for one in trace.spans if one.span.kind == "decision"]
        self._caught = {one.path for one in decisions if _facts(one).get("kind") == "caught"}

    def failures(self) -> Iterator[Finding]:
        """Where a failure came from, if it, or its fallback, reached the output."""
        if self._run.state == "succeeded":
            return
        for one in self._spans:
            span = one.span
            if span.status != "error" or span.path in self._caught:
                continue
            if any(child.span.status == "error" for child in self._below.get(span.span_id, ())):
                continue  # it came from below
            yield self._finding(one, _verdict_of(one), _failure_text(one), is_sure=True)

    def sources(self) -> Iterator[Finding]:
        """Where a worse answer than wanted came from, of which the output was made."""
        if self._run.state != "degraded":
            return
        failed = {one.span.path for one in self._spans if one.span.status == "error"}
        places = {one.span.path: one for one in self._spans}
        told = set[str]()
        for one in self._spans:
            for reason in _list(_facts(one.span).get("degraded")):
                step = str(reason.get("step") or one.span.path)
                # What stands in for a failed call has its path and a bar: that call is to blame.
                if step in told or failed & {step, step.partition("|")[0]}:
                    continue
                told.add(step)
                age = reason.get("age")
                old = f", {age:.0f} s old" if isinstance(age, (int, float)) else ""
                text = f"the answer came from {reason.get('source')}{old}: {reason.get('reason')}"
                yield self._finding(places.get(step, one), "tool", text, is_sure=True)

    def echoes(self) -> Iterator[Finding]:
        """A tool that was asked about one thing and answered about another."""
        for one in self._spans:
            given, gave = one.given, one.gave
            if one.span.kind != "tool" or not isinstance(given, dict) or not isinstance(gave, dict):
                continue
            answer = cast("dict[str, object]", gave)
            for name, value in cast("dict[str, object]", given).items():
                other = answer.get(name, value)
                if _IDENTITY.search(name) and _is_id(value) and _is_id(other) and value != other:
                    text = f"it was asked about {name} {value!r} and answered about {other!r}"
                    yield self._finding(one, "tool", text, is_sure=True)

    def retrievals(self) -> Iterator[Finding]:
        """A search that found nothing, nothing that fits, or nothing that was used."""
        for one in self._spans:
            if one.span.kind != "retrieval":
                continue
            facts = _facts(one.span)
            passages = _list(facts.get("passages"))
            scores = [p["score"] for p in passages if isinstance(p.get("score"), (int, float))]
            used = facts.get("used")
            ids = {passage.get("id") for passage in passages}
            if not passages:
                text = "it found no passage"
            elif scores and max(scores) < LEAST_SCORE:
                text = f"the best of {len(passages)} passages has the score {max(scores):.2f}"
            elif isinstance(used, list) and not used:
                text = f"none of {len(passages)} passages was used"
            elif isinstance(used, list) and not ids.issuperset(used):
                text = "a passage was used that it had not found"
            else:
                continue
            yield self._finding(one, "retrieval", text)

    def doubts(self) -> Iterator[Finding]:
        """A decision that was not sure of itself."""
        for one in self._spans:
            confidence = _facts(one.span).get("confidence")
            if isinstance(confidence, (int, float)) and confidence < LEAST_CONFIDENCE:
                label = _facts(one.span).get("label")
                what = "" if label is None else f" in {label!r}"
                text = f"its confidence{what} is {confidence:.2f}"
                yield self._finding(one, "reasoning", text)

    def inventions(self) -> Iterator[Finding]:
        """An answer of a model with ids or numbers that nothing it was given contains."""
        for one in self._spans:
            children = self._below.get(one.span.span_id, ())
            if not any(child.span.kind == "model" for child in children):
                continue
            if one.gave is NOTHING or one.given is NOTHING or one.span.status == "error":
                continue
            tools = [child.gave for child in children if child.span.kind != "model"]
            known = " ".join(map(_text, (one.given, *tools)))
            unknown = [fact for fact in _FACT.findall(_text(one.gave)) if fact not in known]
            if unknown:
                text = f"its answer holds {unknown[0]!r}, which nothing that it was given does"
                yield self._finding(one, "reasoning", text)

    def _finding(
        self, one: TracedSpan, verdict: Verdict, evidence: str, *, is_sure: bool = False
    ) -> Finding:
        span = one.span
        return Finding(
            verdict=verdict,
            path=span.path,
            span_id=span.span_id,
            evidence=f"{span.kind} {span.name!r}: {evidence}",
            is_sure=is_sure,
        )


def _verdict_of(one: TracedSpan) -> Verdict:
    span, error = one.span, _error_of(one)
    code, error_class = _facts(span).get("error"), error.get("class")
    if code in _POLICY_CODES or error_class in _POLICY:
        return "policy"
    if code in _CONTRACT_CODES or error_class in _CONTRACT:
        return "contract"
    if span.kind == "retrieval":
        return "retrieval"
    if error_class == "refusal":
        return "reasoning"
    return "tool"


def _failure_text(one: TracedSpan) -> str:
    code, error = _facts(one.span).get("error"), _error_of(one)
    message = error.get("message")
    return f"it failed with {code!r}" + (f": {message}" if message else "")


def _error_of(one: TracedSpan) -> Mapping[str, Any]:
    gave = one.gave
    found = cast("dict[str, Any]", gave).get("error") if isinstance(gave, dict) else None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _facts(span: Span) -> Mapping[str, JsonValue]:
    return span.attributes or {}


def _list(value: object) -> Sequence[Mapping[str, Any]]:
    items = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("dict[str, Any]", one) for one in items if isinstance(one, dict)]


def _is_id(value: object) -> bool:
    return isinstance(value, (str, int)) and not isinstance(value, bool)


def _text(value: object) -> str:
    return "" if value is NOTHING else json.dumps(value, ensure_ascii=False)
