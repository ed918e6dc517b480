"""Where a failure began that reached the output, and where a worse answer than wanted came from.

A body that catches the failure of a call and gives a worse answer says so: the call is where it
first went wrong. A call that answered when it was asked again, and a declared error which somebody
made an answer of, are no reason.
"""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from fishplate.core.events import Span
from fishplate.traces.afterwards import is_kept
from fishplate.traces.findings import (
    Finding,
    error_of,
    facts_of,
    object_of,
    objects_of,
    text_of,
    verdict_of_failure,
)
from fishplate.traces.queries import TracedSpan, WholeTrace

_ROUND: Final = re.compile(r"(?P<loop>(?:.*/)?repeat(?:~\d+)?)\.(?P<number>\d+)/[^/]+")
"""The path of a call that a repetition makes."""

_Call: TypeAlias = tuple[int | None, str, str, str]
"""Who calls, whom, of which kind, with what."""


class Failures:
    """What failed in a run, and what its answer was made of instead.

    Args:
        trace: The run.
    """

    def __init__(self, trace: WholeTrace) -> None:
        self._run = trace.run
        # In order of start.
        self._spans = [one for one in trace.spans if one.span.kind != "decision"]
        self._by_id: dict[int | None, TracedSpan] = {one.span.span_id: one for one in self._spans}
        self._below = defaultdict[int | None, list[TracedSpan]](list)
        for one in self._spans:
            self._below[one.span.parent_id].append(one)
        decisions = [one.span for one in trace.spans if one.span.kind == "decision"]
        self._caught = {one.path for one in decisions if facts_of(one).get("kind") == "caught"}
        self._done = {one.path for one in decisions if facts_of(one).get("kind") == "repeat"}

    def failures(self) -> Iterator[Finding]:
        """Where a failure came from that reached the output, or made it worse."""
        for one in self._spans:
            span = one.span
            if not _has_failed(span) or span.path in self._caught or self._failed_below(one):
                continue
            code, message = facts_of(span).get("error"), error_of(one).get("message")
            text = f"it failed with {code!r}" + (f": {message}" if message else "")
            named = one
            if code == "limit_reached" and (last := self._last_round(one)) is not None:
                named, text = last
            verdict, answered_by = verdict_of_failure(one), self._answered_for(one)
            if self._is_asked_again(one):
                yield Finding.of(named, verdict, f"{text}; asked again, it answered", is_doubt=True)
            elif answered_by is not None:
                text += f"; {answered_by.name!r} answered without it"
                yield Finding.of(named, verdict, text, is_doubt=True)
            else:
                yield Finding.of(named, verdict, text + self._what_stood_in(one), is_sure=True)

    def sources(self) -> Iterator[Finding]:
        """Where a worse answer than wanted came from, of which the output was made."""
        if self._run.state != "degraded":
            return
        failed = {one.span.path for one in self._spans if _has_failed(one.span)}
        places = {one.span.path: one for one in self._spans}
        told = set[str]()
        for one in self._spans:
            for reason in objects_of(facts_of(one.span).get("degraded")):
                step = str(reason.get("step") or one.span.path)
                # What stands in for a failed call has its path and a bar: that call is to blame.
                if step in told or failed & {step, step.partition("|")[0]}:
                    continue
                told.add(step)
                place = places.get(step, one)
                if not self._failed_below(place):
                    text = f"the answer came from {_source(reason)}"
                    yield Finding.of(place, "tool", text, is_sure=True)

    def _failed_below(self, one: TracedSpan) -> bool:
        """Whether it went wrong in a call of a step, and not first in the step itself."""
        return any(
            _has_failed(call.span)
            and not self._is_asked_again(call)
            and (one.span.status == "error" or not self._is_answer(call))
            for call in self._below[one.span.span_id]
        )

    def _is_answer(self, one: TracedSpan) -> bool:
        """Whether an error was declared, so that it is an answer to whoever goes on."""
        return one.span.path in self._caught or "declared" in error_of(one)

    def _is_asked_again(self, one: TracedSpan) -> bool:
        """Whether the same call answered later, to the same caller."""
        return is_kept(one.given) and self._answered_at.get(_call(one), -1) >= one.span.end_ns

    @functools.cached_property
    def _answered_at(self) -> Mapping[_Call, int]:
        """When each call began that answered, the last of those that are the same."""
        return {_call(one): one.span.start_ns for one in self._spans if one.span.status == "ok"}

    def _answered_for(self, one: TracedSpan) -> Span | None:
        """The nearest caller of a call that gave a whole answer all the same."""
        whole = {"ok", "degraded"} if self._is_answer(one) else {"ok"}
        caller = self._by_id.get(one.span.parent_id)
        while caller is not None and caller.span.status not in whole:
            caller = self._by_id.get(caller.span.parent_id)
        return None if caller is None else caller.span

    def _what_stood_in(self, one: TracedSpan) -> str:
        """What the body that caught a failure says that it went on with, behind a semicolon."""
        caller = self._by_id.get(one.span.parent_id)
        while caller is not None and _has_failed(caller.span):
            caller = self._by_id.get(caller.span.parent_id)
        if caller is not None:
            for reason in objects_of(facts_of(caller.span).get("degraded")):
                if reason.get("step") == caller.span.path:
                    return f"; {caller.span.name!r} answered from {_source(reason)}"
        return ""

    def _last_round(self, one: TracedSpan) -> tuple[TracedSpan, str] | None:
        """The last call of a repetition that was never done, and what shows that it was not.

        Args:
            one: What has failed since the repetition reached its limit.
        """
        run = self._run
        if run.state != "failed" or run.missing_spans or run.missing_contents:
            return None  # an earlier round may be the last that is left
        rounds = defaultdict[str, dict[int, TracedSpan]](dict)
        for call in self._below[one.span.span_id]:
            found = _ROUND.fullmatch(call.span.path)
            if found is not None and found["loop"] not in self._done:
                rounds[found["loop"]][int(found["number"])] = call
        # Of several side by side the message names the one that came to its limit.
        message = error_of(one).get("message")
        loops = [loop for loop in rounds if message is None or repr(loop) in str(message)]
        if len(loops) != 1:
            return None
        calls = rounds[loops[0]]
        last = calls[max(calls)]
        unmet = [
            repr(name)
            for name in object_of(last.gave)
            if all(object_of(call.gave).get(name) is False for call in calls.values())
        ]
        text = f"{loops[0]!r} ran it {max(calls) + 1} times"
        if unmet:
            text += f", and {' and '.join(unmet)} {'was' if len(unmet) == 1 else 'were'} never true"
        return last, f"{text}; so {one.span.name!r} failed with 'limit_reached'"


def _call(one: TracedSpan) -> _Call:
    return one.span.parent_id, one.span.name, one.span.kind, text_of(one.given)


def _source(reason: Mapping[str, Any]) -> str:
    """What an answer came from, how old that is, and why."""
    age = reason.get("age")
    old = f", {age:.0f} s old" if isinstance(age, (int, float)) else ""
    if "reason" not in reason:  # where contents are not kept, only the place is
        return f"elsewhere{old}"
    return f"{reason.get('source')}{old}: {reason.get('reason')}"


def _has_failed(span: Span) -> bool:
    """Whether a call failed, after all attempts: one attempt alone is nobody's fault yet."""
    return span.status == "error"
