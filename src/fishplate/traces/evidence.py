"""The rules of blame: what in a trace shows that a step went wrong, one rule a method.

None of them knows an application. They look at what any run tells: ids that were asked for
and answered, remembered answers and what changed since, rows of rules and the facts that they were
applied to, passages and the question, confidences, words of a model and what it read, and what the
application itself has doubted. What has failed is told by `failures`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from fishplate.contracts.schema import Schema
from fishplate.core.errors import DeclarationError
from fishplate.traces.afterwards import is_kept
from fishplate.traces.blocks import NOTHING
from fishplate.traces.capture import is_measured
from fishplate.traces.figures import holds
from fishplate.traces.findings import (
    Finding,
    Verdict,
    facts_of,
    ids_of,
    object_of,
    objects_of,
    text_of,
    texts_of,
)
from fishplate.traces.passages import sign_against
from fishplate.traces.queries import TracedSpan, WholeTrace, remembered_since
from fishplate.traces.redaction import HIDDEN
from fishplate.traces.spelling import bare_numbers_in, ids_in, is_nobody, is_same_id
from fishplate.traces.unsure import Decisions
from fishplate.traces.wording import signs_in_words

LEAST_ECHOES: Final = 3
"""Other calls of a tool, all about what was asked, that tell that it should always be so."""


class Evidence:
    """A trace as the rules ask about it.

    Args:
        trace: The run that is to be explained.
        beside: Other runs that tell what is usual, or changed what it remembered.
    """

    def __init__(self, trace: WholeTrace, beside: Sequence[WholeTrace]) -> None:
        self._spans = trace.spans
        self._beside = beside
        self._below: dict[int | None, list[TracedSpan]] = {}
        for one in trace.spans:
            self._below.setdefault(one.span.parent_id, []).append(one)

    def echoes(self) -> Iterator[Finding]:
        """A tool that was asked about one thing and answered about another, as it never does.

        Some tools are there to lead from one thing to another: a manager, a successor.
        """
        for one in self._spans:
            if one.span.kind != "tool":
                continue
            for name, asked, told in _echoed(one):
                is_hidden = HIDDEN in {asked, told}
                if is_hidden or is_same_id(asked, told) or _names(one.gave, asked):
                    continue
                usual = list(self._usual_echoes(one, name))
                is_sure = len(usual) >= LEAST_ECHOES and all(usual)
                text = f"it was asked about {name} {asked!r} and answered about {told!r}"
                if is_sure:
                    text += f", as in none of {len(usual)} other calls"
                yield Finding.of(one, "tool", text, is_sure=is_sure, is_doubt=not is_sure)

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
                # Another tool may mean something else by a word: a payment's status, an order's.
                if remembered.keys() != answer.keys():
                    continue
                name = next(
                    (
                        name
                        for name, was in remembered.items()
                        if answer[name] != was and not _is_instant(was)
                    ),
                    None,
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
            # What was hidden when it was kept is not what the row was applied to.
            if broken and HIDDEN not in text_of(given):
                what = "; ".join(f"{at.pointer.strip('/')}: {at.message}" for at in broken)
                text = f"this row is not for the facts that it was applied to: {what}"
                # A fact that was not told may still have been known.
                is_doubt = all(at.keyword == "required" for at in broken)
                yield Finding.of(one, "policy", text, is_sure=not is_doubt, is_doubt=is_doubt)

    def retrievals(self) -> Iterator[Finding]:
        """A search of which something was used that does not fit, or that found nothing to use."""
        searches = [
            one
            for one in self._spans
            # What was found is content, which may not have been kept.
            if one.span.kind == "retrieval" and "passages" in facts_of(one.span)
        ]
        for one in searches:
            elsewhere = [
                str(passage.get("id"))
                for other in searches
                for passage in objects_of(facts_of(other.span).get("passages"))
            ]
            caller = next((s for s in self._spans if s.span.span_id == one.span.parent_id), None)
            answer = "" if caller is None else text_of(caller.gave)
            besides = " ".join(
                str(facts_of(other.span).get("passages"))
                if other.span.kind == "retrieval"
                else text_of(other.gave)
                for other in self._below.get(one.span.parent_id, ())
                if other.span.kind in {"retrieval", "tool"} and other is not one
            )
            sign = sign_against(one, elsewhere, answer, read_besides=besides)
            if sign is not None:
                yield Finding.of(one, "retrieval", sign.text, is_doubt=sign.is_doubt)

    def doubts(self) -> Iterator[Finding]:
        """A decision that was not sure of itself, unless the same was decided again later."""
        for one in Decisions(self._spans).unsure():
            yield Finding.of(one.step, "reasoning", one.text, is_doubt=one.is_doubt)

    def inventions(self) -> Iterator[Finding]:
        """An answer of a model with a wrong calculation, or with what nothing it read contains."""
        for one in self._spans:
            children = self._below.get(one.span.span_id, ())
            if not any(child.span.kind == "model" for child in children):
                continue
            if one.gave is NOTHING or one.given is NOTHING or one.span.status == "error":
                continue
            if is_measured(one.gave):  # its digest is no answer
                continue
            read = [child.given if child.span.kind == "model" else child.gave for child in children]
            given = " ".join(map(text_of, (one.given, *read)))
            is_all = all(map(is_kept, (one.given, *read)))
            for sign in signs_in_words(one.gave, given, is_all=is_all):
                yield Finding.of(one, "reasoning", sign.text, is_doubt=sign.is_doubt)

    def questions(self) -> Iterator[Finding]:
        """A call about an id that a model may have made up: nothing read before it holds it."""
        for one in self._spans:
            children = self._below.get(one.span.span_id, ())
            models = [child for child in children if child.span.kind == "model"]
            if not models or one.given is NOTHING:
                continue
            for child in children:
                since = child.span.start_ns
                if child.span.kind != "tool" or models[0].span.end_ns > since:
                    continue
                # What a model is given later holds what it has said itself.
                read = [one.given, models[0].given]
                read += [
                    other.gave
                    for other in children
                    if other.span.kind != "model" and other.span.end_ns <= since
                ]
                known = " ".join(map(text_of, read))
                for name, asked in ids_of(child.given):
                    if _is_made_up(asked, known) and all(map(is_kept, read)):
                        text = f"it was asked about {name} {asked!r}, which nothing before it holds"
                        yield Finding.of(child, "reasoning", text, is_doubt=True)

    def told(self, others: Sequence[Finding]) -> Iterator[Finding]:
        """What the application itself has doubted.

        Args:
            others: What is known besides: of several suspects the one that it speaks against is to
                blame, else the first.
        """
        odd = {one.path for one in others if one.is_doubt}
        known = {one.path for one in others if not one.is_doubt}
        # Those about one step first, since they say which of several is meant by the others.
        for one, reason, suspects in sorted(self._doubted(), key=lambda found: len(found[2])):
            weighty = next((s for s in suspects if s.span.path in known), None)
            blamed = weighty or next((s for s in suspects if s.span.path in odd), suspects[0])
            known.add(blamed.span.path)
            text = f"{one.span.name!r} doubts it: {reason}"
            yield Finding.of(blamed, self._verdict_about(blamed), text)

    def origin(self, wrong: str) -> Iterator[Finding]:
        """The first step whose answer holds a text, or its number, that what it was given lacks."""
        for one in sorted(self._spans, key=lambda one: one.span.end_ns):
            if holds(text_of(one.gave), wrong) and not holds(text_of(one.given), wrong):
                text = f"its answer is the first that holds {wrong!r}"
                yield Finding.of(one, self._verdict_about(one), text, is_sure=True)
                return

    def _usual_echoes(self, one: TracedSpan, name: str) -> Iterator[bool]:
        """For each other call of a tool, whether it answered about what it was asked."""
        for other in (*self._spans, *(span for trace in self._beside for span in trace.spans)):
            is_like = other.span.kind == "tool" and other.span.name == one.span.name
            if is_like and other is not one:
                yield from (is_same_id(a, b) for member, a, b in _echoed(other) if member == name)

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


def _echoed(one: TracedSpan) -> Iterator[tuple[str, str | int, str | int]]:
    """Ids that were asked about and answered about, by the name of the member.

    Where there is no such thing a tool may answer about nothing: that is no other thing.
    """
    answer = dict(ids_of(one.gave))
    for name, asked in ids_of(one.given):
        if name in answer and not is_nobody(answer[name]):
            yield name, asked, answer[name]


def _names(answer: object, asked: str | int) -> bool:
    """Whether an answer names the id somewhere: what replaces a thing may say so."""
    return bool(re.search(rf"(?<!\w){re.escape(str(asked))}(?!\w)", text_of(answer)))


def _is_made_up(asked: str | int, known: str) -> bool:
    """Whether an id with a number in it stands nowhere in a text, in any spelling."""
    if str(asked) in known or not re.search(r"\d", str(asked)):
        return False
    return not any(is_same_id(asked, one) for one in (*ids_in(known), *bare_numbers_in(known)))


def _is_instant(value: object) -> bool:
    """Whether it is a date or a time, such as that of the reading."""
    try:
        datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        return False
    return True
