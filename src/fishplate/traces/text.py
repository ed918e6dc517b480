"""A run's trace as plain text: what ran below what, how long it took, and why it went that way."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from fishplate.core.errors import JsonValue
from fishplate.core.events import Span
from fishplate.traces.recorder import SpanTree

_INDENT: Final = "  "
_TOLD_ELSEWHERE: Final = frozenset({"cache_hit", "cache_age", "degraded", "error"})

# `kind` and `chosen`, or `event`, are the span's name, `subject` is what it stands below, `of`
# lists what was not chosen, and `when` is a schema.
_TOLD_BY_PLACE: Final = frozenset({"reason", "kind", "chosen", "of", "event", "subject", "when"})


def render_tree(trees: Sequence[SpanTree]) -> str:
    """Write span trees as lines, parents first, children indented below them.

    Args:
        trees: In the order in which they are to be told; may be empty.

    Returns:
        A line for each span, without a line break after the last one: what it is (kind and name),
        milliseconds unless it is a decision, its status unless that is `ok`, and then why: a
        decision's reason, an error's code, whether a cache answered and how old its answer was,
        why an answer is degraded, and everything else that was noted. Text from outside cannot
        break a line: what is not printable is escaped.
    """
    lines = [_line_of(depth, span) for tree in trees for depth, span in tree.walk()]
    widest_title = max((len(line.title) for line in lines), default=0)
    widest_time = max((len(line.time) for line in lines), default=0)
    return "\n".join(
        f"{line.title:<{widest_title}}  {line.time:>{widest_time}}  {line.facts}".rstrip()
        for line in lines
    )


def facts_of(span: Span) -> str:
    """Why a span went as it did, on one line: status, error, reasons, and what was noted."""
    attributes = span.attributes or {}
    is_decision = span.kind == "decision"
    facts = _decision_facts(attributes) if is_decision else _call_facts(span, attributes)
    return printable("; ".join(facts))


class _Line(NamedTuple):
    title: str
    time: str
    facts: str


def _line_of(depth: int, span: Span) -> _Line:
    title = _INDENT * depth + printable(f"{span.kind} {span.name}")
    if span.kind == "decision":
        return _Line(title, "", facts_of(span))
    return _Line(title, f"{(span.end_ns - span.start_ns) / 1e6:.1f} ms", facts_of(span))


def _decision_facts(attributes: Mapping[str, JsonValue]) -> Iterator[str]:
    if "reason" in attributes:
        yield _spelled(attributes["reason"])
    for name, value in attributes.items():
        if name not in _TOLD_BY_PLACE and value is not None:
            yield f"{name} {_spelled(value)}"


def _call_facts(span: Span, attributes: Mapping[str, JsonValue]) -> Iterator[str]:
    if span.status != "ok":
        error = attributes.get("error")
        yield span.status if error is None else f"{span.status} {_spelled(error)}"
    if "cache_hit" in attributes:
        yield _cache_fact(attributes)
    told = _TOLD_ELSEWHERE
    if span.kind == "retrieval":
        told = told | {"passages", "used"}
        yield _found_fact(attributes)
    for name, value in attributes.items():
        if name not in told:
            yield f"{name}={_spelled(value)}"
    degraded = attributes.get("degraded")
    for reason in degraded if isinstance(degraded, list) else []:
        if isinstance(reason, dict):
            yield _degraded_fact(reason)


def _found_fact(attributes: Mapping[str, JsonValue]) -> str:
    """What a search found, with scores, and what of it was used; texts stand in the store."""
    used, passages = attributes.get("used"), attributes.get("passages")
    known = used if isinstance(used, list) else []
    found = [
        f"{_spelled(one.get('id'))} {_spelled(one.get('score'))}"
        + (" (used)" if one.get("id") in known else "")
        for one in (passages if isinstance(passages, list) else [])
        if isinstance(one, dict)
    ]
    return f"found {', '.join(found) or 'nothing'}"


def _cache_fact(attributes: Mapping[str, JsonValue]) -> str:
    if not attributes["cache_hit"]:
        return "cache miss"
    age = attributes.get("cache_age")
    return f"cache hit, {age:.1f} s old" if isinstance(age, int | float) else "cache hit"


def _degraded_fact(reason: Mapping[str, JsonValue]) -> str:
    if "reason" not in reason:  # where contents are not kept, only the place is
        return f"degraded at {_spelled(reason.get('step'))}"
    told = f"{_spelled(reason.get('reason'))} (from {_spelled(reason.get('source'))}"
    age = reason.get("age")
    return f"{told}, {age:.1f} s old)" if isinstance(age, int | float) else f"{told})"


def _spelled(value: JsonValue) -> str:
    if isinstance(value, float):
        value = round(value, 3)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def printable(text: str) -> str:
    """The text on one line, and without what a terminal would obey."""
    if text.isprintable():
        return text
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text
    )
