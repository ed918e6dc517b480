"""The rules of blame: what in a trace shows that a step went wrong, one rule a method.

None of them knows an application. They look at what any run tells: failures and marks, ids that
were asked for and answered, remembered answers and what changed since, rows of rules and the facts
that they were applied to, passages and the question, confidences, words of a model and what it
read, and what the application itself has doubted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from fishplate.contracts.schema import Schema
from fishplate.core.errors import DeclarationError
from fishplate.traces.findings import (
    Finding,
    Verdict,
    error_of,
    facts_of,
    ids_of,
    object_of,
    objects_of,
    text_of,
    texts_of,
    verdict_of_failure,
)
from fishplate.traces.queries import NOTHING, TracedSpan, WholeTrace, remembered_since

LEAST_SCORE: Final = 0.3
"""Of the best passage, from 0 to 1; with less, nothing that fits was found."""
LEAST_CONFIDENCE: Final = 0.5
"""Of a classifier, from 0 to 1; with less, it is more likely wrong than right."""

_FACT: Final = re.compile(r"#?[^\W\d_]*\d\w*(?:[.,:-]\w*\d\w*)*")
_WORD: Final = re.compile(r"[^\W\d_]{4,}")
_BEGINNING: Final = 4  # of a word, in which its forms agree: `change`, `changed`


class Evidence:
    """A trace as the rules ask about it.

    Args:
        trace: The run that is to be explained.
        beside: Other runs that may have changed what it remembered.
    """

    def __init__(self, trace: WholeTrace, beside: Sequence[WholeTrace]) -> None:
        self._run = trace.run
        self._spans = trace.spans
        self._beside = beside
        self._below: dict[int | None, list[TracedSpan]] = {}
        for one in trace.spans:
            self._below.setdefault(one.span.parent_id, []).append(one)
        decisions = [one.span for one in trace.spans if one.span.kind == "decision"]
        self._caught = {one.path for one in decisions if facts_of(one).get("kind") == "caught"}

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
            code, message = facts_of(span).get("error"), error_of(one).get("message")
            text = f"it failed with {code!r}" + (f": {message}" if message else "")
            yield Finding.of(one, verdict_of_failure(one), text, is_sure=True)

    def sources(self) -> Iterator[Finding]:
        """Where a worse answer than wanted came from, of which the output was made."""
        if self._run.state != "degraded":
            return
        failed = {one.span.path for one in self._spans if one.span.status == "error"}
        places = {one.span.path: one for one in self._spans}
        told = set[str]()
        for one in self._spans:
            for reason in objects_of(facts_of(one.span).get("degraded")):
                step = str(reason.get("step") or one.span.path)
                # What stands in for a failed call has its path and a bar: that call is to blame.
                if step in told or failed & {step, step.partition("|")[0]}:
                    continue
                told.add(step)
                age = reason.get("age")
                old = f", {age:.0f} s old" if isinstance(age, (int, float)) else ""
                text = f"the answer came from {reason.get('source')}{old}: {reason.get('reason')}"
                if "reason" not in reason:  # where contents are not kept, only the place is
                    text = f"the answer came from elsewhere{old}"
                yield Finding.of(places.get(step, one), "tool", text, is_sure=True)

    def echoes(self) -> Iterator[Finding]:
        """A tool that was asked about one thing and answered about another."""
        for one in self._spans:
            if one.span.kind != "tool":
                continue
            answer = dict(ids_of(one.gave))
            for name, value in ids_of(one.given):
                other = answer.get(name, value)
                if value != other:
                    text = f"it was asked about {name} {value!r} and answered about {other!r}"
                    yield Finding.of(one, "tool", text, is_sure=True)

    def stale(self) -> Iterator[Finding]:
        """A remembered answer about something of which another run was told otherwise since."""
        for one in self._spans:
            since = remembered_since(one.span)
            if since is None:
                continue
            about = dict(ids_of(one.given)).items() & dict(ids_of(one.gave)).items()
            remembered = object_of(one.gave)
            for other in (other for trace in self._beside for other in trace.spans):
                span, answer = other.span, object_of(other.gave)
                is_newer = since < span.end_ns <= one.span.start_ns
                if span.kind != "tool" or not is_newer or not about & dict(ids_of(answer)).items():
                    continue
                name = next(
                    (name for name, was in remembered.items() if answer.get(name, was) != was), None
                )
                if name is not None and remembered_since(span) is None:
                    old = (one.span.start_ns - since) / 1e9
                    text = (
                        f"its answer was remembered for {old:.1f} s and says {name} "
                        f"{remembered[name]!r}; since then {span.name!r} gave {answer[name]!r}"
                    )
                    yield Finding.of(one, "tool", text, is_sure=True)
                    break

    def rows(self) -> Iterator[Finding]:
        """A row of a table of rules that was applied to facts which it is not for."""
        for one in self._spans:
            facts = facts_of(one.span)
            given, when = facts.get("given"), facts.get("when")
            if facts.get("kind") != "rule" or not isinstance(when, dict) or given is None:
                continue
            try:
                broken = Schema.from_foreign(when).violations(given)
            except DeclarationError:
                continue  # it was cut when it was kept, or never was a schema
            if broken:
                what = "; ".join(f"{at.pointer.strip('/')}: {at.message}" for at in broken)
                text = f"this row is not for the facts that it was applied to: {what}"
                yield Finding.of(one, "policy", text, is_sure=True)

    def retrievals(self) -> Iterator[Finding]:
        """A search that found nothing, nothing that fits, or nothing that was used."""
        for one in self._spans:
            if one.span.kind == "retrieval" and (text := _weakness(one)) is not None:
                yield Finding.of(one, "retrieval", text)

    def doubts(self) -> Iterator[Finding]:
        """A decision that was not sure of itself, unless the same was decided again later."""
        last = {one.span.name: one for one in self._spans if "confidence" in facts_of(one.span)}
        for one in last.values():
            confidence = facts_of(one.span)["confidence"]
            if isinstance(confidence, (int, float)) and confidence < LEAST_CONFIDENCE:
                label = facts_of(one.span).get("label")
                what = "" if label is None else f" in {label!r}"
                text = f"its confidence{what} is {confidence:.2f}"
                yield Finding.of(one, "reasoning", text)

    def inventions(self) -> Iterator[Finding]:
        """An answer of a model with ids or numbers that nothing it was given contains."""
        for one in self._spans:
            children = self._below.get(one.span.span_id, ())
            if not any(child.span.kind == "model" for child in children):
                continue
            if one.gave is NOTHING or one.given is NOTHING or one.span.status == "error":
                continue
            tools = [child.gave for child in children if child.span.kind != "model"]
            known = " ".join(map(text_of, (one.given, *tools)))
            unknown = [fact for fact in _FACT.findall(text_of(one.gave)) if fact not in known]
            if unknown:
                text = f"its answer holds {unknown[0]!r}, which nothing that it was given does"
                yield Finding.of(one, "reasoning", text)

    def told(self, others: Sequence[Finding]) -> Iterator[Finding]:
        """What the application itself has doubted.

        Args:
            others: What is known besides: of several suspects the one that it speaks against is to
                blame, else the first.
        """
        known = {one.path for one in others}
        # Those about one step first, since they say which of several is meant by the others.
        for one, reason, suspects in sorted(self._doubted(), key=lambda found: len(found[2])):
            blamed = next((s for s in suspects if s.span.path in known), suspects[0])
            known.add(blamed.span.path)
            text = f"{one.span.name!r} doubts it: {reason}"
            yield Finding.of(blamed, self._verdict_about(blamed), text)

    def origin(self, wrong: str) -> Iterator[Finding]:
        """The first step whose answer holds a text that nothing it was given does."""
        for one in sorted(self._spans, key=lambda one: one.span.end_ns):
            if wrong in text_of(one.gave) and wrong not in text_of(one.given):
                text = f"its answer is the first that holds {wrong!r}"
                yield Finding.of(one, self._verdict_about(one), text, is_sure=True)
                return

    def _doubted(self) -> Iterator[tuple[TracedSpan, str, list[TracedSpan]]]:
        """Each doubt: who has it, why, and about which calls, at least one."""
        for one in self._spans:
            for doubt in objects_of(facts_of(one.span).get("doubts")):
                found = [self._last(name, one) for name in texts_of(doubt.get("about"))]
                if suspects := [suspect for suspect in found if suspect is not None]:
                    yield one, str(doubt.get("reason")), suspects

    def _last(self, name: str, doubting: TracedSpan) -> TracedSpan | None:
        """The last call of that name which the one that doubts can have had the answer of."""
        calls = (
            one
            for one in self._spans
            if one.span.name == name
            and one.span.kind != "decision"
            and one.span.end_ns <= doubting.span.end_ns
        )
        return max(calls, key=lambda one: one.span.end_ns, default=None)

    def _verdict_about(self, one: TracedSpan) -> Verdict:
        """Whose fault a wrong answer of a call is, by what it is made of."""
        if one.span.kind == "tool":
            return "tool"
        if one.span.kind == "model":
            return "reasoning"
        below = [child.span for child in self._below.get(one.span.span_id, ())]
        if any(span.kind == "retrieval" for span in below):
            return "retrieval"
        if "confidence" in facts_of(one.span) or any(span.kind == "model" for span in below):
            return "reasoning"
        return "policy" if any(facts_of(s).get("kind") == "rule" for s in below) else "contract"


def _weakness(one: TracedSpan) -> str | None:  # noqa: PLR0911 -- one for each weakness
    facts = facts_of(one.span)
    passages = objects_of(facts.get("passages"))
    scores = [p["score"] for p in passages if isinstance(p.get("score"), (int, float))]
    used = facts.get("used")
    ids = {passage.get("id") for passage in passages}
    if not passages:
        return "it found no passage"
    if scores and max(scores) < LEAST_SCORE:
        return f"the best of {len(passages)} passages has the score {max(scores):.2f}"
    if not isinstance(used, list):
        return None
    if not used:
        return f"none of {len(passages)} passages was used"
    if not ids.issuperset(used):
        return "a passage was used that it had not found"
    asked = _words(facts.get("query"))
    for passage in passages:
        text = passage.get("text")
        if (
            passage.get("id") in used
            and isinstance(text, str)
            and asked
            and not asked & _words(text)
        ):
            return f"the passage {passage['id']!r} was used and shares no word with the question"
    return None


def _words(text: object) -> set[str]:
    found = _WORD.findall(text.lower()) if isinstance(text, str) else ()
    return {word[:_BEGINNING] for word in found}
