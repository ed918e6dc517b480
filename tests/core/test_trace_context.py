"""W3C trace context and baggage."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fishplate.core.errors import UsageError
from fishplate.core.trace_context import (
    Member,
    caller_of,
    format_baggage,
    format_traceparent,
    parse_baggage,
)

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


def test_a_caller_is_read_from_its_headers() -> None:
    """Trace, span, sampling and baggage of a caller are those of its headers."""
    caller = caller_of(f" 00-{TRACE}-{SPAN}-00 ", "user=Ada%20L, a=1;p=2")

    assert caller is not None
    assert (f"{caller.trace_id:x}", caller.is_sampled) == (TRACE, False)
    assert caller.baggage == {"user": Member("Ada L"), "a": Member("1", ("p=2",))}
    assert caller.traceparent == f"00-{TRACE}-{SPAN}-00"


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "rubbish",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}-01\n",
        f"00-{TRACE}-{SPAN}-0१",
        "\ud800",
    ],
)
def test_a_malformed_traceparent_is_ignored(header: str | None) -> None:
    """What the standard calls invalid names no span; baggage, a standard of its own, is kept."""
    caller = caller_of(header, "a=1")

    assert caller is not None
    assert (caller.trace_id, caller.span_id, caller.traceparent) == (None, None, None)
    assert caller.is_sampled
    assert caller.baggage == {"a": Member("1")}


@pytest.mark.parametrize(("traceparent", "baggage"), [(None, None), ("00-bad", ""), (None, "=1,b")])
def test_headers_that_say_nothing_name_nobody(traceparent: str | None, baggage: str | None) -> None:
    """Without a span and without a member of baggage there is no caller."""
    assert caller_of(traceparent, baggage) is None


@pytest.mark.parametrize("value", [b"00-1", 5, ["00-1"]])
def test_a_header_that_is_no_text_is_refused(value: Any) -> None:
    """Another type than text is a slip of the code that hands it over, and told as one."""
    for headers in ((value, None), (None, value)):
        with pytest.raises(UsageError, match=f"{type(value).__name__!r} and no text") as refused:
            caller_of(*headers)
        assert refused.value.code == "bad_header"


def test_a_later_version_is_read_as_far_as_it_is_known() -> None:
    """A higher version may say more behind the flags, which is ignored."""
    caller = caller_of(f"cc-{TRACE}-{SPAN}-09-what-the-future-brings", None)

    assert caller is not None
    assert caller.is_sampled


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.booleans())
def test_what_is_written_is_read(trace_id: int, span_id: int, is_sampled: bool) -> None:
    """Reading a traceparent gives what it was written from."""
    caller = caller_of(format_traceparent(trace_id, span_id, is_sampled=is_sampled), None)

    assert caller is not None
    assert (caller.trace_id, caller.span_id) == (trace_id, span_id)
    assert caller.is_sampled is is_sampled


@given(
    st.dictionaries(st.from_regex(r"[a-z][a-z0-9_.-]{0,8}", fullmatch=True), st.text(), max_size=9)
)
def test_baggage_comes_back(members: dict[str, str]) -> None:
    """Reading a baggage header gives what it was written from, lone surrogates apart."""
    told = {
        name: Member(value.encode("utf-8", "replace").decode()) for name, value in members.items()
    }

    given = {name: Member(value) for name, value in members.items()}
    assert parse_baggage(format_baggage(given)) == told


@pytest.mark.parametrize(
    ("header", "passed_on"),
    [
        ("a=1;secret;ttl=5", "a=1;secret;ttl=5"),
        ("a=1 ; ttl = 5 ;p , b=2;q=%20x=y", "a=1;ttl = 5;p,b=2;q=%20x=y"),
        ('a=1;;ok;b d;e="x";=1', "a=1;ok"),
        ("a=1;ok=é", "a=1"),
    ],
)
def test_properties_are_passed_on(header: str, passed_on: str) -> None:
    """What a caller says of a member goes with it as it was written, unless it is malformed."""
    assert format_baggage(parse_baggage(header)) == passed_on


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("=1,a b=2,c", {}),
        ("a=1,a=2;p", {"a": Member("2", ("p",))}),
        ('a="x"', {}),
        ("a=%zz", {"a": Member("%zz")}),
        (",".join(f"k{n}=1" for n in range(65)), {f"k{n}": Member("1") for n in range(64)}),
        ("a=" + "x" * 8190, {"a": Member("x" * 8190)}),
        ("a=" + "x" * 8191, {}),
        ("a=1;p,b=" + "x" * 9000 + ",c=1", {"a": Member("1", ("p",))}),
        ("a=" + "x" * 8190 + ",b=1", {"a": Member("x" * 8190)}),
    ],
)
def test_malformed_baggage_is_left_out(header: str, found: dict[str, Member]) -> None:
    """A bad member is left out, whole, and so is what is beyond the limits."""
    assert parse_baggage(header) == found


def test_baggage_is_bounded_when_written() -> None:
    """What does not fit the limits is not sent."""
    many = {f"k{n}": Member("v" * 200) for n in range(200)}
    assert 7900 < len(format_baggage(many)) <= 8192
    assert format_baggage({f"k{n}": Member("") for n in range(200)}).count(",") == 63
    assert format_baggage({"bad name": Member("1"), "good": Member("2")}) == "good=2"
    assert format_baggage({"a": Member("v" * 8192), "b": Member("2")}) == "b=2"
    assert len(format_baggage({"a": Member("v" * 8190)})) == 8192
