"""Where a trace comes from and goes to: W3C `traceparent` and `baggage`, read and written.

What is malformed is ignored, as the standards say: a bad header starts a trace of its own, and
never fails a request. The two headers are standards of their own, so one is kept when the other is
missing or malformed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

from fishplate.core.data import dataclass
from fishplate.core.errors import UsageError
from fishplate.core.ids import span_hex, trace_hex

MOST_MEMBERS: Final = 64
MOST_BYTES: Final = 8192

_PARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_KEY: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE: Final = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")
_PROPERTY: Final = re.compile(rf"{_KEY.pattern}([ \t]*=[ \t]*{_VALUE.pattern})?")
_BLANKS: Final = " \t"
_NOT_ESCAPED: Final = "!#$&'()*+-./:<=>?@[]^_`{|}~"


class Member(NamedTuple):
    """What a caller says to everybody below under one name.

    Attributes:
        value: Decoded.
        properties: Of the member, as they were written: `name`, or `name=value`.
    """

    value: str
    properties: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Who, in another process, has asked for a run.

    Attributes:
        trace_id: Of the whole trace; above 0, below 2^128. `None` if the caller names no span, and
            the run stands in a trace of its own.
        span_id: Of the caller's span; above 0, below 2^64. `None` likewise.
        is_sampled: Whether the caller keeps the trace; it is passed on, and recorded here anyway.
        baggage: What the caller says to everybody below, by name.
    """

    trace_id: int | None
    span_id: int | None
    is_sampled: bool
    baggage: Mapping[str, Member]

    @property
    def traceparent(self) -> str | None:
        """The caller's span as a `traceparent`; `None` if it names none."""
        if self.trace_id is None or self.span_id is None:
            return None
        return format_traceparent(self.trace_id, self.span_id, is_sampled=self.is_sampled)


def caller_of(traceparent: str | None, baggage: str | None) -> Caller | None:
    """Who is calling, from the headers of a request; `None` if they say nothing, or not rightly.

    Raises:
        UsageError: One of them is no text (code `bad_header`).
    """
    if traceparent is None and baggage is None:
        return None
    span = _span_of(_text_of("traceparent", traceparent))
    members = parse_baggage(_text_of("baggage", baggage))
    if span is None and not members:
        return None
    trace_id, span_id, is_sampled = span or (None, None, True)
    return Caller(trace_id=trace_id, span_id=span_id, is_sampled=is_sampled, baggage=members)


def _text_of(name: str, value: object) -> str:
    """A header as text, empty if it is missing; whoever hands over another type has a slip."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    remedy = "decode it" if isinstance(value, bytes) else "give the header's value as it came"
    msg = f"{name}= is a {type(value).__name__!r} and no text: {remedy}, or leave it out"
    raise UsageError(msg, code="bad_header")


def _span_of(traceparent: str) -> tuple[int, int, bool] | None:
    """Trace, span and sampling that a `traceparent` says; `None` if it is malformed.

    Source: W3C Trace Context, section 3.2; a version above 00 is read as 00 and its rest ignored.
    """
    found = _PARENT.fullmatch(traceparent.strip(_BLANKS))
    if found is None:
        return None
    version, trace, span, flags, rest = found.groups()
    trace_id, span_id = int(trace, 16), int(span, 16)
    if version == "ff" or (version == "00" and rest) or not trace_id or not span_id:
        return None
    return trace_id, span_id, bool(int(flags, 16) & 1)


def format_traceparent(trace_id: int, span_id: int, *, is_sampled: bool = True) -> str:
    """A `traceparent` of version 00."""
    return f"00-{trace_hex(trace_id)}-{span_hex(span_id)}-{int(is_sampled):02x}"


def parse_baggage(text: str) -> dict[str, Member]:
    """The members of a `baggage` header by name; of two with one name the last.

    Malformed members and properties are left out. Of a header beyond the limits, 64 members in
    8,192 bytes, the first members are kept that stand within them whole.

    Source: W3C Baggage, sections 3.3.1 and 3.3.2.
    """
    if len(text) > MOST_BYTES:  # what is kept is ASCII: a character is a byte
        text = text[: MOST_BYTES + 1].rpartition(",")[0]
    found: dict[str, Member] = {}
    for member in text.split(",")[:MOST_MEMBERS]:
        pair, *properties = member.split(";")
        name, equals, value = (part.strip(_BLANKS) for part in pair.partition("="))
        if equals and is_member_name(name) and _VALUE.fullmatch(value):
            told = tuple(one.strip(_BLANKS) for one in properties)
            found[name] = Member(unquote(value), tuple(filter(_PROPERTY.fullmatch, told)))
    return found


def is_member_name(text: str) -> bool:
    """Whether a member of baggage can have this name."""
    return _KEY.fullmatch(text) is not None


def format_baggage(members: Mapping[str, Member]) -> str:
    """A `baggage` header; members whose names cannot be written are left out, so is what is long.

    Source: W3C Baggage, sections 3.3.1 and 3.3.2: members are dropped whole.
    """
    found, size = list[str](), -1
    for name, (value, properties) in members.items():
        escaped = quote(value, safe=_NOT_ESCAPED, encoding="utf-8", errors="replace")
        member = ";".join((f"{name}={escaped}", *properties))
        if is_member_name(name) and size + 1 + len(member) <= MOST_BYTES:
            found.append(member)
            size += 1 + len(member)
        if len(found) == MOST_MEMBERS:
            break
    return ",".join(found)
