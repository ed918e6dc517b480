"""A trace as text: one line a span, in the order of what happened, with the reasons."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fishplate.core.errors import JsonValue
from fishplate.core.events import Span, SpanHead, SpanKind, SpanStatus
from fishplate.traces.recorder import SpanTree
from fishplate.traces.text import render_tree


def _tree(
    kind: SpanKind,
    name: str,
    *children: SpanTree,
    milliseconds: float = 1.0,
    status: SpanStatus = "ok",
    attributes: Mapping[str, JsonValue] | None = None,
) -> SpanTree:
    span = Span(
        trace_id=1,
        span_id=2,
        parent_id=None,
        head=SpanHead(kind, name, "1.0.0"),
        path=name,
        start_ns=5_000_000,
        end_ns=5_000_000 + round(milliseconds * 1e6),
        status=status,
        attributes=attributes,
    )
    return SpanTree(span, children)


def test_children_stand_below_their_parent() -> None:
    """Parents come first, each level is indented, and the times stand in a column."""
    tree = _tree(
        "workflow",
        "support",
        _tree("agent", "intent", milliseconds=0.25),
        _tree("agent", "refund", _tree("tool", "get_order_details"), milliseconds=10),
        milliseconds=123.45,
    )

    assert render_tree([tree]).splitlines() == [
        "workflow support            123.5 ms",
        "  agent intent                0.2 ms",
        "  agent refund               10.0 ms",
        "    tool get_order_details    1.0 ms",
    ]


def test_several_trees_follow_each_other() -> None:
    """A trace that has lost a parent has several roots, and none is left out."""
    trees = [_tree("agent", "one"), _tree("agent", "other")]

    assert render_tree(trees).splitlines() == ["agent one    1.0 ms", "agent other  1.0 ms"]


def test_nothing_is_an_empty_text() -> None:
    """Without spans there is no line."""
    assert render_tree([]) == ""


def test_a_decision_is_told_with_its_reason_and_no_time() -> None:
    """What was chosen is its name; what was not chosen is left out; other facts follow."""
    facts: dict[str, JsonValue] = {
        "kind": "fallback",
        "chosen": "cached_eta",
        "reason": "step_timeout",
        "of": ["cached_eta", "clarify"],
        "failed": "logistics",
        "class": "deadline",
    }

    line = render_tree([_tree("decision", "fallback → cached_eta", attributes=facts)])

    assert line.split("  ")[0] == "decision fallback → cached_eta"
    assert line.endswith("step_timeout; failed logistics; class deadline")
    assert "ms" not in line
    assert "clarify" not in line


@pytest.mark.parametrize(
    ("status", "attributes", "told"),
    [
        ("ok", None, ""),
        ("cancelled", None, "cancelled"),
        ("error", {"error": "step_timeout"}, "error step_timeout"),
        ("ok", {"cache_hit": False}, "cache miss"),
        ("ok", {"cache_hit": True, "cache_age": 30.04}, "cache hit, 30.0 s old"),
        ("ok", {"cache_hit": True}, "cache hit"),
        ("ok", {"label": "other", "shares": {"a": 0.5}}, 'label=other; shares={"a": 0.5}'),
        (
            "degraded",
            {"degraded": [{"reason": "carrier_down", "source": "cache", "step": "x", "age": 60}]},
            "degraded; carrier_down (from cache, 60.0 s old)",
        ),
        (
            "degraded",
            {"degraded": [{"reason": "carrier_down", "source": "estimate", "age": None}]},
            "degraded; carrier_down (from estimate)",
        ),
    ],
)
def test_a_line_ends_with_what_there_is_to_know(
    status: SpanStatus, attributes: dict[str, JsonValue] | None, told: str
) -> None:
    """Status unless it is ok, the cache's part, notes, and why an answer is degraded."""
    line = render_tree([_tree("tool", "track", status=status, attributes=attributes)])

    assert line == f"tool track  1.0 ms  {told}".rstrip()


@pytest.mark.parametrize(
    ("passages", "used", "told"),
    [
        (
            [{"id": "p1", "score": 0.81, "text": "long"}, {"id": "p2", "score": None}],
            ["p1"],
            "found p1 0.81 (used), p2 null; query=late orders",
        ),
        ([{"id": "p1", "score": 1.0}], None, "found p1 1.0; query=late orders"),
        ([], [], "found nothing; query=late orders"),
    ],
)
def test_a_search_tells_what_it_found_and_what_was_used(
    passages: list[JsonValue], used: list[JsonValue] | None, told: str
) -> None:
    """Ids with their scores on one line, the used ones marked; no text of theirs."""
    facts: dict[str, JsonValue] = {"passages": passages, "used": used, "query": "late orders"}
    line = render_tree([_tree("retrieval", "policies", attributes=facts)])

    assert line == f"retrieval policies  1.0 ms  {told}"


@given(st.text(), st.text(), st.text())
def test_text_from_outside_cannot_break_a_line(name: str, key: str, value: str) -> None:
    """Whatever was noted, a span is one line, and a terminal has nothing to obey."""
    notes: dict[str, JsonValue] = {key: value, "nested": {key: [value]}}

    text = render_tree([_tree("agent", name, attributes=notes)])

    assert text.isprintable()
