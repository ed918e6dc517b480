"""Kept traces as OTLP/JSON, which every OpenTelemetry collector reads.

Source: OpenTelemetry protocol 1.x, JSON encoding: ids as hex, 64-bit integers as text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from pydantic_core import to_json

from fishplate.core.errors import JsonValue
from fishplate.core.events import Span
from fishplate.core.ids import span_hex
from fishplate.traces.blocks import NOTHING
from fishplate.traces.findings import objects_of
from fishplate.traces.queries import TracedRun, TracedSpan, WholeTrace
from fishplate.traces.vocabulary import (
    INSTRUMENTATION,
    SCHEMA_URL,
    Attribute,
    content,
    described,
    resource,
)

_KINDS: Final = {"INTERNAL": 1, "CLIENT": 3}
_OK, _ERROR = 1, 2


def otlp_document(traces: Sequence[WholeTrace], *, with_content: bool) -> dict[str, JsonValue]:
    """Traces as the body of a request to `/v1/traces`.

    Args:
        traces: Of one app.
        with_content: Whether inputs, outputs, questions and texts of passages go out, as they are
            kept.
    """
    spans: list[JsonValue] = [
        _span(trace.run, one, with_content=with_content) for trace in traces for one in trace.spans
    ]
    program: dict[str, JsonValue] = {"attributes": _attributes(resource(INSTRUMENTATION))}
    scope: dict[str, JsonValue] = {"name": INSTRUMENTATION}
    scoped: dict[str, JsonValue] = {"scope": scope, "schemaUrl": SCHEMA_URL, "spans": spans}
    return {"resourceSpans": [{"resource": program, "scopeSpans": [scoped]}]}


def _span(run: TracedRun, one: TracedSpan, *, with_content: bool) -> dict[str, JsonValue]:
    span = one.span
    said = described(span if with_content else _without_texts(span))
    attributes: dict[str, Attribute] = {**said.attributes, "fishplate.run.id": run.id}
    if with_content:
        attributes |= dict(_contents(one))
    found: dict[str, JsonValue] = {
        "traceId": run.trace_id,
        "spanId": span_hex(span.span_id),
        "name": said.name,
        "kind": _KINDS[said.kind],
        "startTimeUnixNano": str(span.start_ns),
        "endTimeUnixNano": str(span.end_ns),
        "attributes": _attributes(attributes),
    }
    parent = run.caller_span if span.parent_id is None else span_hex(span.parent_id)
    if parent is not None:
        found["parentSpanId"] = parent
    if said.is_error:
        found["status"] = {"code": _ERROR}
    elif span.parent_id is None:  # else some readers take the status of a child for the whole
        found["status"] = {"code": _OK}
    return found


def _without_texts(span: Span) -> Span:
    """A search without what it was asked, and what its passages say."""
    facts = span.attributes
    if span.kind != "retrieval" or facts is None:
        return span
    passages: list[JsonValue] = [
        {name: value for name, value in one.items() if name != "text"}
        for one in objects_of(facts.get("passages"))
    ]
    kept = {name: value for name, value in facts.items() if name != "query"}
    return span._replace(attributes={**kept, "passages": passages})


def _contents(one: TracedSpan) -> Iterator[tuple[str, Attribute]]:
    for value, is_input in ((one.given, True), (one.gave, False)):
        if value is not NOTHING:
            yield from content(one.span, to_json(value), is_input=is_input)


def _attributes(found: Mapping[str, Attribute]) -> list[JsonValue]:
    return [{"key": name, "value": _value(value)} for name, value in found.items()]


def _value(value: Attribute) -> JsonValue:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case str():
            return {"stringValue": value}
        case list():
            return {"arrayValue": {"values": [{"stringValue": one} for one in value]}}
