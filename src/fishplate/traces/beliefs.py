"""How sure of itself a step says that it is, of what, and whether an answer acts upon that.

A belief is a `confidence` from 0 to 1 that a step has noted, or that its answer holds: at the top,
or one level below beside a text that it is about. A percentage is none: 1 may be one of a hundred.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple, cast

from fishplate.traces.findings import facts_of, ids_of, object_of, text_of
from fishplate.traces.queries import TracedSpan

LEAST_CONFIDENCE: Final = 0.5
"""Of a classifier, from 0 to 1; with less, it is more likely wrong than right."""

_SHORTEST_IN_WORDS: Final = 4  # letters of a label that stands in words by no chance
_NUMBER: Final = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(\s?%)?")
_NOBODY_KNOWS: Final = frozenset(
    {
        *("other", "others", "unknown", "unsure", "unclear", "uncertain", "ambiguous", "undecided"),
        *("none", "nothing", "unclassified", "ask", "clarify", "clarification", "abstain"),
        *("human", "person", "escalate", "escalation", "review", "fallback"),
        *("sonstiges", "unklar", "unsicher", "unbekannt", "nachfragen", "mensch"),
    }
)
_ASKS_BACK: Final = re.compile(
    r"[?\uff1f\u061f]|\b(?:unsure|uncertain|unclear|ambiguous|perhaps|maybe|possibly|probably"
    r"|not\s+(?:\w+\s+)?(?:sure|certain|clear)|n['\u2019]t\s+(?:sure|certain|clear|tell|understand)"
    r"|(?:cannot|could\s+not|did\s+not)\s+(?:tell|understand)|rephrase|clarify|in\s+other\s+words"
    r"|please\s+(?:confirm|check|look|review|tell|say)|unsicher|unklar|vielleicht|vermutlich"
    r"|wahrscheinlich|nicht\s+(?:\w+\s+)?(?:sicher|klar|verstanden)|in\s+anderen\s+Worten)\b",
    re.IGNORECASE,
)


class Belief(NamedTuple):
    """How sure a step is.

    Attributes:
        confidence: From 0 to 1.
        labels: The texts that it may be about, none if that is not told.
        values: What a way may be chosen by: the labels, and truths and whole numbers beside them.
        is_told: The answer holds it, so that who gets the answer can look at it.
        is_part: It stands below the top of the answer, beside others perhaps.
    """

    confidence: float
    labels: tuple[str, ...]
    values: frozenset[str]
    is_told: bool
    is_part: bool = False

    @property
    def is_low(self) -> bool:
        """Whether it is more likely wrong than right."""
        return self.confidence < LEAST_CONFIDENCE

    @property
    def names(self) -> frozenset[str]:
        """The labels in the spelling of `plain`."""
        return frozenset(map(plain, self.labels))

    def is_as(self, other: Belief) -> bool:
        """Whether it is the same belief, perhaps rounded, or with its label left out."""
        is_about = not self.names or not other.names or self.names == other.names
        return is_about and round(self.confidence, 2) == round(other.confidence, 2)

    @property
    def says_nothing(self) -> bool:
        """Whether its label is that nobody knows, such as `other` or `unclear`."""
        return any(_NOBODY_KNOWS.intersection(name.split()) for name in self.names)


def beliefs_of(one: TracedSpan) -> Iterator[Belief]:
    """What a step has said of its certainty: at the top of its answer, below that, or noted."""
    answer, facts = object_of(one.gave), facts_of(one.span)
    noted = _confidence_in(facts)
    top = _confidence_in(answer)
    if top is None and noted is None and one.span.kind != "model":
        for part in map(object_of, answer.values()):
            inner = _confidence_in(part)
            if inner is not None and (labels := _labels_in(part, one.given)):
                yield Belief(inner, labels, _values_in(part, labels), is_told=True, is_part=True)
    elif top is not None:
        labels = _labels_in(answer, one.given) or _labels_in(facts, None)
        yield Belief(top, labels, _values_in(answer, labels), is_told=True)
    elif noted is not None:
        label = facts.get("label")
        labels = (label,) if isinstance(label, str) else ()
        yield Belief(noted, labels, frozenset(labels), is_told=False)


def times_in(names: frozenset[str], answer: object) -> int:
    """How often an answer says a label: as a text of its own, or in words if it is not short."""
    texts = [plain(leaf) for leaf in leaves_of(answer) if isinstance(leaf, str)]
    count = 0
    for name in names:
        count += texts.count(name)
        if len(name) >= _SHORTEST_IN_WORDS:
            word = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
            count += sum(len(word.findall(text)) for text in texts if text != name)
    return count


def asks_back(answer: object) -> bool:
    """Whether an answer asks, or says that nobody is sure."""
    return any(isinstance(leaf, str) and _ASKS_BACK.search(leaf) for leaf in leaves_of(answer))


def numbers_in(value: object) -> set[float]:
    """The numbers that stand in a value, texts included; `31 %` is 0.31."""
    found = set[float]()
    for match in _NUMBER.finditer(text_of(value)):
        number = float(match[1])
        found.add(round(number / 100, 4) if match[2] else number)
    return found


def tells(numbers: set[float], confidence: float) -> bool:
    """Whether a confidence is among some numbers, as it is or rounded to hundredths."""
    return confidence in numbers or round(confidence, 2) in numbers


def texts_in(value: object) -> set[str]:
    """The texts that a JSON value holds, each in the spelling of `plain`."""
    return {plain(leaf) for leaf in leaves_of(value) if isinstance(leaf, str)}


def leaves_of(value: object) -> Iterator[object]:
    """What a JSON value holds that holds nothing itself."""
    if isinstance(value, dict):
        for one in cast("dict[str, object]", value).values():
            yield from leaves_of(one)
    elif isinstance(value, list):
        for one in cast("list[object]", value):
            yield from leaves_of(one)
    else:
        yield value


def plain(text: str) -> str:
    """A name in one spelling: `Order_Status` is `order status`."""
    return " ".join(re.split(r"[\s_-]+", text.casefold().strip()))


def _confidence_in(told: Mapping[str, Any]) -> float | None:
    confidence = told.get("confidence")
    if not isinstance(confidence, (int, float)) or isinstance(confidence, bool):
        return None
    return float(confidence) if math.isfinite(confidence) and 0 <= confidence <= 1 else None


def _labels_in(told: Mapping[str, Any], given: object) -> tuple[str, ...]:
    """The label, or the texts beside the confidence that it may be about."""
    if isinstance(label := told.get("label"), str):
        return (label,)
    ids = {name for name, _ in ids_of(told)}
    texts = [
        member
        for name, member in told.items()
        if isinstance(member, str) and member.strip() and name not in ids
    ]
    if len(texts) > 1:  # what was found in the question, such as a town, is no decision
        known = plain(text_of(given))
        texts = [one for one in texts if plain(one) not in known] or texts
    return tuple(texts)


def _values_in(told: Mapping[str, Any], labels: tuple[str, ...]) -> frozenset[str]:
    scalars = (str(one) for one in told.values() if isinstance(one, (bool, int)))
    return frozenset((*labels, *scalars))
