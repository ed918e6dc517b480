"""Spans as OTLP writes them in protocol buffers, by hand: a dozen fields of a format that stays.

The official package would bring its own runtime and take several times as long for each span.

Source: opentelemetry-proto 1.x, `trace/v1/trace.proto` and `common/v1/common.proto`; protocol
buffers' wire format. The numbers below are those of their fields.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterable, Mapping
from typing import Final

from fishplate.traces.vocabulary import (
    INSTRUMENTATION,
    SCHEMA_URL,
    Attribute,
    OtelKind,
    resource,
)

_KINDS: Final[Mapping[OtelKind, int]] = {"INTERNAL": 1, "CLIENT": 3}
_VARINT, _FIXED64, _BYTES = 0, 1, 2
_SIGN: Final = (1 << 64) - 1
_OK: Final = b"\x7a\x02\x18\x01"  # Span.status = 15, a Status of two bytes: code = 3 is OK
_ERROR: Final = b"\x7a\x02\x18\x02"
_TIMES: Final = struct.Struct("<BQBQ")


def request(service: str, spans: Iterable[bytes]) -> bytes:
    """The body of a request to `/v1/traces`.

    Args:
        service: Name of the program, as readers group by it.
        spans: From `span`.
    """
    told = b"".join([_field(1, pair(name, value)) for name, value in resource(service).items()])
    scope = _field(1, _text(1, INSTRUMENTATION))
    scoped = scope + b"".join([_field(2, one) for one in spans]) + _text(3, SCHEMA_URL)
    return _field(1, _field(1, told) + _field(2, scoped))


def span(  # noqa: PLR0913 -- the fields of the message
    *,
    trace: bytes,
    step: bytes,
    span_id: int,
    parent_id: int | None,
    start_ns: int,
    end_ns: int,
    is_error: bool,
    is_root: bool,
) -> bytes:
    """A span; its fields may come in any order.

    Args:
        trace: From `trace_part`.
        step: From `step_part`.
        span_id: Of the span.
        parent_id: Of the span above it, here or in another process.
        start_ns: Nanoseconds since 1970.
        end_ns: Nanoseconds since 1970.
        is_error: It failed.
        is_root: It is the run: its status is always set, since some readers take that of a child
            for the whole.
    """
    return b"".join(
        (
            trace,
            b"\x12\x08",
            span_id.to_bytes(8),
            b"" if parent_id is None else b"\x22\x08" + parent_id.to_bytes(8),
            step,
            _TIMES.pack(7 << 3 | _FIXED64, start_ns, 8 << 3 | _FIXED64, end_ns),
            _ERROR if is_error else _OK if is_root else b"",
        )
    )


def trace_part(trace_id: int, attributes: Mapping[str, Attribute]) -> bytes:
    """What all spans of a run share: their trace, and attributes."""
    return b"\x0a\x10" + trace_id.to_bytes(16) + attributes_of(attributes)


def step_part(name: str, kind: OtelKind, attributes: Mapping[str, Attribute]) -> bytes:
    """What the spans of a step share: name, kind and attributes."""
    return _text(5, name) + bytes((6 << 3, _KINDS[kind])) + attributes_of(attributes)


def attributes_of(found: Mapping[str, Attribute]) -> bytes:
    """The attributes of a span."""
    return b"".join([_field(9, pair(name, value)) for name, value in found.items()])


def pair(name: str, value: Attribute) -> bytes:
    """An attribute: a name and a value."""
    return _text(1, name) + _field(2, _any(value))


def _any(value: Attribute) -> bytes:
    match value:
        case bool():
            return bytes((2 << 3, value))
        case int():
            return b"\x18" + _varint(value & _SIGN)
        case float():
            return b"\x21" + struct.pack("<d", value)
        case str():
            return _text(1, value)
        case list():
            return _field(5, b"".join([_field(1, _text(1, one)) for one in value]))


def _field(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(data)) + data


@functools.lru_cache(maxsize=4_096)  # names, kinds, releases: few texts, told again and again
def _short_text(number: int, text: str) -> bytes:
    return _field(number, text.encode("utf-8", "replace"))


def _text(number: int, text: str) -> bytes:
    if len(text) <= 64:  # noqa: PLR2004 -- longer ones are not told again
        return _short_text(number, text)
    return _field(number, text.encode("utf-8", "replace"))


def _varint(value: int) -> bytes:
    if value < 0x80:  # noqa: PLR2004 -- seven bits a byte
        return bytes((value,))
    found = bytearray()
    while value >= 0x80:  # noqa: PLR2004 -- as above
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
