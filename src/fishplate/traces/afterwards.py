"""What came after a step: what its caller called and answered, and which ways were taken.

All of it is looked up, since a run may hold thousands of decisions below one caller.
"""

from __future__ import annotations

import functools
import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Final, cast

from fishplate.core.errors import JsonValue
from fishplate.traces.beliefs import Belief, asks_back, leaves_of, plain, texts_in, times_in
from fishplate.traces.blocks import NOTHING
from fishplate.traces.capture import is_whole
from fishplate.traces.findings import facts_of
from fishplate.traces.queries import TracedSpan

# `each.W1/` of a plan, and `0.1.` of `0.1.intent` in a body.
_ITEM: Final = re.compile(r"(?:^|/)(?:each(?:~\d+)?\.[^/]+(?=/)|\d+\.[^/]+(?=\.[^/.]+(?:/|$)))")
_VALUE: Final = "the value is "


class Scene:
    """What one caller has called and answered.

    Args:
        caller: The caller.
        calls: The steps right below it, in order of start.
        sure: The labels of those of them that were sure of one.
    """

    def __init__(
        self, caller: TracedSpan, calls: Sequence[TracedSpan], sure: Sequence[Belief]
    ) -> None:
        self._caller = caller
        self._sure = Counter(name for belief in sure for name in belief.names)
        self._named = defaultdict[str, list[int]](list)
        self._handed = defaultdict[str, list[int]](list)
        self._said = dict[frozenset[str], int]()
        self._unknown_at = 0
        for one in calls:
            span = one.span
            if span.kind == "decision":
                continue
            self._named[plain(span.name)].append(span.start_ns)
            if not is_kept(one.given):
                self._unknown_at = span.start_ns
            for text in texts_in(one.given):
                self._handed[text].append(span.start_ns)

    @functools.cached_property
    def asks_back(self) -> bool:
        """Whether the caller's answer asks, or says that nobody is sure."""
        return asks_back(self._caller.gave)

    @functools.cached_property
    def _is_answer_kept(self) -> bool:
        return is_kept(self._caller.gave)

    @functools.cached_property
    def texts_given(self) -> set[str]:
        """The texts that the caller was given, each in the spelling of `plain`."""
        return texts_in(self._caller.given)

    def has_called(self, belief: Belief, since: int) -> bool:
        """Whether an agent was called that has the name of a label, by code and not by plan."""
        is_body = self._caller.span.kind == "agent"
        return is_body and self._is_more(self._named, belief, since)

    def has_answered(self, belief: Belief) -> bool:
        """Whether the caller answers with a label, oftener than others are sure of it."""
        is_answered = self._caller.span.status == "ok"
        return is_answered and self._times_said(belief.names) > self._others(belief)

    def has_handed(self, belief: Belief, since: int) -> bool:
        """Whether a step was given a label, oftener than others are sure of it."""
        return self._is_more(self._handed, belief, since)

    def is_known(self, since: int) -> bool:
        """Whether all is kept of what the caller answered, and gave to the steps since."""
        return self._unknown_at < since and self._is_answer_kept

    def _is_more(self, starts: dict[str, list[int]], belief: Belief, since: int) -> bool:
        count = 0
        for name in belief.names:
            found = starts.get(name, ())
            count += len(found) - bisect_left(found, since)
        return count > self._others(belief)

    def _others(self, belief: Belief) -> int:
        """How many calls were sure of a label: one of them may be what was followed."""
        return sum(self._sure[name] for name in belief.names)

    def _times_said(self, names: frozenset[str]) -> int:
        if names not in self._said:
            self._said[names] = times_in(names, self._caller.gave)
        return self._said[names]


def ways(calls: Sequence[TracedSpan]) -> Iterator[tuple[TracedSpan, TracedSpan, str | None]]:
    """Which step each way was chosen by: the last one before it that has said its value.

    Args:
        calls: All that stands right below one caller.

    Yields:
        The step, the decision, and the value that it goes by; `None` where it goes by a type, or
        took the way for every other value.
    """
    events = [
        (one.span.start_ns, 1, one) if one.span.kind == "decision" else (one.span.end_ns, 0, one)
        for one in calls
    ]
    last: dict[tuple[str, str | None], TracedSpan] = {}
    for _, is_decision, one in sorted(events, key=lambda event: event[:2]):
        items = items_of(one)
        if not is_decision:
            for value in {None, *map(str, leaves_of(one.gave))}:
                last[items[0], value] = one
            continue
        facts = facts_of(one.span)
        value = _value_of(facts.get("reason")) if facts.get("kind") == "switch" else None
        is_way = facts.get("kind") in {"switch", "route"}
        step = next((last[item, value] for item in items if (item, value) in last), None)
        if is_way and step is not None:
            yield step, one, None if facts.get("chosen") == "default" else value


def items_of(one: TracedSpan) -> list[str]:
    """The elements of an `each` that a step is for, the innermost first, then none of them."""
    path = one.span.path
    return [*reversed([path[: found.end() + 1] for found in _ITEM.finditer(path)]), ""]


def are_beside(one: TracedSpan, other: TracedSpan) -> bool:
    """Whether two steps are for different elements of an `each`."""
    first, second = items_of(one)[0], items_of(other)[0]
    return not first.startswith(second) and not second.startswith(first)


def is_kept(value: object) -> bool:
    """Whether all of what a step was given or gave is there."""
    return value is not NOTHING and is_whole(cast("JsonValue", value))


def _value_of(reason: object) -> str | None:
    """The value that a `switch` went by."""
    return reason.removeprefix(_VALUE) if isinstance(reason, str) else None
