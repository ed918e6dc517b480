"""Where a trace comes from and goes to: W3C `traceparent` and `baggage`, read and written.

What is malformed is ignored, as the standards say: a bad header starts a trace of its own, and
never fails a request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, unquote

from fishplate.core.data import dataclass
from fishplate.core.ids import span_hex, trace_hex

MOST_MEMBERS: Final = 64
MOST_BYTES: Final = 8192

_PARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_KEY: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE: Final = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")
_NOT_ESCAPED: Final = "!#$&'()*+-./:<=>?@[]^_`{|}~"


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
    baggage: Mapping[str, str]

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


def parse_baggage(text: str) -> dict[str, str]:
    """The members of a `baggage` header; without their properties.

    Returns:
        The decoded values by name; of two with one name the last. Malformed members are left out,
        and so is everything if the header is longer than 8,192 bytes or has more than 64 members.

    Source: W3C Baggage, section 3.3.
    """
    members = text.split(",")
    if len(text.encode("utf-8", "replace")) > MOST_BYTES or len(members) > MOST_MEMBERS:
        return {}
    found: dict[str, str] = {}
    for member in members:
        name, equals, value = member.partition(";")[0].partition("=")
        name, value = name.strip(" \t"), value.strip(" \t")
        if equals and _KEY.fullmatch(name) and _VALUE.fullmatch(value):
            found[name] = unquote(value)
    return found


def format_baggage(members: Mapping[str, str]) -> str:
    """A `baggage` header; members whose names cannot be written are left out, so is what is long.

    Source: W3C Baggage, section 3.3.
    """
    found, size = list[str](), 0
    for name, value in members.items():
        escaped = quote(value, safe=_NOT_ESCAPED, encoding="utf-8", errors="replace")
        member = f"{name}={escaped}"
        size += len(member) + 1
        if len(found) == MOST_MEMBERS or size > MOST_BYTES:
            break
        if _KEY.fullmatch(name):
            found.append(member)
    return ",".join(found)
