"""Decisions that were not sure of themselves, and whether anything shows that they were followed.

A low confidence is no fault: that somebody acts upon it unseen is. So what came after is looked at:
who was told how sure it was, which way was taken, what was called, and what the caller answered.
"""

from __future__ import annotations

import functools
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple, cast

from fishplate.traces.afterwards import Scene, are_beside, is_kept, ways
from fishplate.traces.beliefs import (
    Belief,
    asks_back,
    beliefs_of,
    numbers_in,
    plain,
    tells,
    texts_in,
    times_in,
)
from fishplate.traces.findings import text_of
from fishplate.traces.queries import TracedSpan

_MOST_LATER: Final = 20
"""Calls of one name that may decide the same again: the next ones."""


class Unsure(NamedTuple):
    """A decision of low confidence that nobody took again.

    Attributes:
        step: Who decided.
        text: How sure it was of what, and what came of it, as a part of a sentence.
        is_doubt: Nothing shows that it was followed, or somebody was told how sure it was.
    """

    step: TracedSpan
    text: str
    is_doubt: bool


class Decisions:
    """The decisions of a run that told how sure they were.

    Args:
        spans: Of the run, in order of start.
    """

    def __init__(self, spans: Sequence[TracedSpan]) -> None:
        self._spans = spans
        self._by_id: dict[int | None, TracedSpan] = {one.span.span_id: one for one in spans}
        self._beliefs = {one.span.span_id: list(beliefs_of(one)) for one in spans}
        self._below = defaultdict[int | None, list[TracedSpan]](list)
        for one in spans:
            self._below[one.span.parent_id].append(one)
        self._scenes: dict[int, Scene] = {}
        self._numbers: dict[int, set[float]] = {}

    def unsure(self) -> Iterator[Unsure]:
        """Each one of low confidence, in order of start."""
        for one in self._spans:
            beliefs = self._beliefs[one.span.span_id]
            for belief in beliefs:
                if not belief.is_low or one.span.status == "error":
                    continue
                if self._is_handed_on(one, belief) or self._is_retaken(one):
                    continue
                came, is_doubt = self._outcome(one, belief)
                what = f" in {belief.labels[0]!r}" if len(belief.labels) == 1 else ""
                text = f"its confidence{what} is {belief.confidence:.2f}, and {came}"
                yield Unsure(one, text, is_doubt)

    def _outcome(self, one: TracedSpan, belief: Belief) -> tuple[str, bool]:
        """What came of a low confidence, and whether that is a doubt at most."""
        if not belief.is_told:
            return self._kept_back(one, belief)
        since = one.span.end_ns
        holders = self._holders(one, belief)
        caller = self._by_id.get(holders[-1].span.parent_id)
        answerer = holders[-1] if caller is None else caller
        if belief.says_nothing or self._scene(answerer).asks_back:
            who = one if belief.says_nothing else answerer
            return f"{who.span.name!r} asks back, or says that it is not sure", True
        way = self._way(holders, belief)
        if way is not None and self._first(self._deciders, belief, since) is None:
            return way, False
        if (told := self._first(self._told, belief, since)) is not None:
            return f"{told.span.name!r} was told so", True
        if caller is None:
            return self._last_word(holders[-1], belief)
        return self._used(self._scene(caller), caller, belief, since)

    def _kept_back(self, one: TracedSpan, belief: Belief) -> tuple[str, bool]:
        """What came of a confidence that was noted, and that its answer does not tell."""
        if not is_kept(one.gave):
            return "what came of it was not kept", one.span.parent_id in self._by_id
        if belief.says_nothing or asks_back(one.gave):
            return "it asks back, or says that it is not sure", True
        if belief.labels and not times_in(belief.names, one.gave):
            return "it answered something else", True
        return "its answer does not say so", False

    def _way(self, holders: Sequence[TracedSpan], belief: Belief) -> str | None:
        """What was done for the label, by whoever had the answer."""
        for holder in holders:
            for way, value in self._ways[holder.span.span_id]:
                if value in belief.values:
                    return f"{way.span.name!r} went by it"
            caller = self._by_id.get(holder.span.parent_id)
            if caller and self._scene(caller).has_called(belief, holder.span.end_ns):
                return f"{caller.span.name!r} called what has its name"
        return None

    def _last_word(self, outer: TracedSpan, belief: Belief) -> tuple[str, bool]:
        beliefs = self._beliefs[outer.span.span_id]
        # Of several parts with their confidences, or in words, who has asked can tell the good.
        is_doubt = len(beliefs) != 1 or beliefs[0].confidence != belief.confidence
        return "that is the answer", is_doubt

    @staticmethod
    def _used(scene: Scene, caller: TracedSpan, belief: Belief, since: int) -> tuple[str, bool]:
        """What came of a confidence that nobody after it was told of."""
        if not scene.is_known(since):
            return "what came of it was not all kept", True
        if scene.has_answered(belief):
            return f"{caller.span.name!r} answers with it", False
        if scene.has_handed(belief, since):
            return "a later step was given it without the confidence", False
        return "nothing shows that it was followed", True

    def _holders(self, one: TracedSpan, belief: Belief) -> list[TracedSpan]:
        """A step, and those above it whose answer tells the same confidence."""
        holders = [one]
        while (above := self._by_id.get(holders[-1].span.parent_id)) is not None:
            if not tells(self._numbers_told(above), belief.confidence):
                break
            holders.append(above)
        return holders

    def _numbers_told(self, one: TracedSpan) -> set[float]:
        """The numbers in an answer; that of one caller is asked for by each of its calls."""
        span_id = one.span.span_id
        if span_id not in self._numbers:
            self._numbers[span_id] = numbers_in(one.gave)
        return self._numbers[span_id]

    def _is_handed_on(self, one: TracedSpan, belief: Belief) -> bool:
        """Whether a step below has said the same, or an earlier one of which this was told."""
        is_later = self._said_at[belief.confidence, belief.names] <= one.span.start_ns
        if is_later and tells(numbers_in(one.given), belief.confidence):
            return True
        return any(
            belief.is_as(said)
            for below in self._under(one)
            for said in self._beliefs[below.span.span_id]
        )

    def _under(self, one: TracedSpan) -> Iterator[TracedSpan]:
        for child in self._below.get(one.span.span_id, ()):
            yield child
            yield from self._under(child)

    def _is_retaken(self, one: TracedSpan) -> bool:
        """Whether the same was decided again later: from the same input, or with more words."""
        span = one.span
        if not is_kept(one.given):
            return False
        calls = self._calls
        again = calls[span.name, text_of(one.given)]
        if again and again[-1].span.start_ns >= span.end_ns:
            return True
        later = list[TracedSpan]()
        for some in (calls[span.name, span.parent_id], calls[span.name, None]):
            at = bisect_left(some, span.end_ns, key=_start_of)
            later += some[at : at + _MOST_LATER]
        return any(
            _is_said_again(one.given, other.given)
            and not are_beside(one, other)
            and not self._are_items(one, other)
            for other in {other.span.span_id: other for other in later}.values()
        )

    def _are_items(self, one: TracedSpan, other: TracedSpan) -> bool:
        """Whether their caller was given the different texts of both, as in a list."""
        caller = self._by_id.get(one.span.parent_id)
        first, second = texts_in(one.given), texts_in(other.given)
        if caller is None or first == second:
            return False
        return first | second <= self._scene(caller).texts_given

    @functools.cached_property
    def _calls(self) -> Mapping[tuple[str, str | int | None], list[TracedSpan]]:
        """Decisions by their name, with their input, with their caller, and with neither."""
        found = defaultdict[tuple[str, str | int | None], list[TracedSpan]](list)
        for one in self._spans:
            if self._beliefs[one.span.span_id] and one.span.status != "error":
                for key in {text_of(one.given), one.span.parent_id, None}:
                    found[one.span.name, key].append(one)
        return found

    @functools.cached_property
    def _said_at(self) -> Mapping[tuple[float, frozenset[str]], int]:
        """When each belief was first said."""
        found = dict[tuple[float, frozenset[str]], int]()
        for one in self._spans:
            for belief in self._beliefs[one.span.span_id]:
                key = (belief.confidence, belief.names)
                found[key] = min(one.span.end_ns, found.get(key, one.span.end_ns))
        return found

    @functools.cached_property
    def _told(self) -> Mapping[float, list[TracedSpan]]:
        """Who was given a number, by it."""
        wanted = {one.confidence for some in self._beliefs.values() for one in some if one.is_low}
        wanted |= {round(one, 2) for one in wanted}
        found = defaultdict[float, list[TracedSpan]](list)
        for one in self._spans:
            for number in numbers_in(one.given) & wanted:
                found[number].append(one)
        return found

    @functools.cached_property
    def _ways(self) -> Mapping[int, list[tuple[TracedSpan, str | None]]]:
        """The ways that were chosen by what a step has said."""
        found = defaultdict[int, list[tuple[TracedSpan, str | None]]](list)
        for calls in self._below.values():
            if any(one.span.kind == "decision" for one in calls):
                for step, way, value in ways(calls):
                    found[step.span.span_id].append((way, value))
        return found

    @functools.cached_property
    def _deciders(self) -> Mapping[float, list[TracedSpan]]:
        """Who was given a number, and chose a way then."""
        return {
            number: chosen
            for number, told in self._told.items()
            if (chosen := [one for one in told if one.span.span_id in self._ways])
        }

    @staticmethod
    def _first(
        some: Mapping[float, list[TracedSpan]], belief: Belief, since: int
    ) -> TracedSpan | None:
        for number in {belief.confidence, round(belief.confidence, 2)}:
            told = some.get(number, ())
            at = bisect_left(told, since, key=_start_of)
            if at < len(told):
                return told[at]
        return None

    def _scene(self, caller: TracedSpan) -> Scene:
        span_id = caller.span.span_id
        if span_id not in self._scenes:
            calls = self._below[span_id]
            sure = [
                belief
                for one in calls
                for belief in self._beliefs[one.span.span_id]
                if not belief.is_low
            ]
            self._scenes[span_id] = Scene(caller, calls, sure)
        return self._scenes[span_id]


def _start_of(one: TracedSpan) -> int:
    return one.span.start_ns


def _is_said_again(earlier: object, later: object) -> bool:
    """Whether what was given later is what was given earlier, its texts perhaps with more words."""
    if isinstance(earlier, dict) and isinstance(later, dict):
        was, now = cast("dict[str, object]", earlier), cast("dict[str, object]", later)
        return all(name in now and _is_said_again(was[name], now[name]) for name in was)
    if isinstance(earlier, list) and isinstance(later, list):
        first, others = cast("list[object]", earlier), cast("list[object]", later)
        return len(first) <= len(others) and all(map(_is_said_again, first, others))
    if isinstance(earlier, str) and isinstance(later, str):
        text, longer = plain(earlier), plain(later)
        if not text or text not in longer:
            return not text
        return re.search(rf"(?<!\w){re.escape(text)}(?!\w)", longer) is not None
    return earlier == later
