"""Where a trace comes from and goes to: W3C `traceparent` and `baggage`, read and written.

What is malformed is ignored, as the standards say: a bad header starts a trace of its own, and
never fails a request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

from fishplate.core.data import dataclass
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
    """The span, in another process, that a run stands below.

    Attributes:
        trace_id: Of the whole trace; above 0, below 2^128.
        span_id: Of the caller's span; above 0, below 2^64.
        is_sampled: Whether the caller keeps the trace; it is passed on, and recorded here anyway.
        baggage: What the caller says to everybody below, by name.
    """

    trace_id: int
    span_id: int
    is_sampled: bool
    baggage: Mapping[str, Member]

    @property
    def traceparent(self) -> str:
        """The caller's span as a `traceparent`."""
        return format_traceparent(self.trace_id, self.span_id, is_sampled=self.is_sampled)


def caller_of(traceparent: str | None, baggage: str | None) -> Caller | None:
    """Who is calling, from the headers of a request; `None` if nobody says so, or not rightly.

    Source: W3C Trace Context, section 3.2; a version above 00 is read as 00 and its rest ignored.
    """
    found = _PARENT.fullmatch(traceparent.strip(" \t")) if traceparent else None
    if found is None:
        return None
    version, trace, span, flags, rest = found.groups()
    trace_id, span_id = int(trace, 16), int(span, 16)
    if version == "ff" or (version == "00" and rest) or not trace_id or not span_id:
        return None
    return Caller(
        trace_id=trace_id,
        span_id=span_id,
        is_sampled=bool(int(flags, 16) & 1),
        baggage=parse_baggage(baggage or ""),
    )


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
        if equals and _KEY.fullmatch(name) and _VALUE.fullmatch(value):
            told = tuple(one.strip(_BLANKS) for one in properties)
            found[name] = Member(unquote(value), tuple(filter(_PROPERTY.fullmatch, told)))
    return found


def format_baggage(members: Mapping[str, Member]) -> str:
    """A `baggage` header; members whose names cannot be written are left out, so is what is long.

    Source: W3C Baggage, sections 3.3.1 and 3.3.2: members are dropped whole.
    """
    found, size = list[str](), -1
    for name, (value, properties) in members.items():
        escaped = quote(value, safe=_NOT_ESCAPED, encoding="utf-8", errors="replace")
        member = ";".join((f"{name}={escaped}", *properties))
        if _KEY.fullmatch(name) and size + 1 + len(member) <= MOST_BYTES:
            found.append(member)
            size += 1 + len(member)
        if len(found) == MOST_MEMBERS:
            break
    return ",".join(found)
