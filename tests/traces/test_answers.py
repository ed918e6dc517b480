"""What the answers of sinks are taken for."""

import json
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from fishplate.traces.answers import refusal_of
from fishplate.traces.export import ExportError
from fishplate.traces.otlp import Refusal
from fishplate.traces.posting import Answer

PROTOBUF = "application/x-protobuf"
JSON = "application/json"


def answer(body: bytes, kind: str) -> Answer:
    """One of a sink."""
    return Answer("http://sink", kind, body)


@pytest.mark.parametrize("kind", [PROTOBUF, "application/protobuf", ""])
def test_a_refusal_in_protocol_buffers_is_read(kind: str) -> None:
    """Those to spans and to metrics say how many were not taken, and why."""
    spans, metrics = ExportTraceServiceResponse(), ExportMetricsServiceResponse()
    spans.partial_success.rejected_spans = metrics.partial_success.rejected_data_points = 2
    spans.partial_success.error_message = metrics.partial_success.error_message = "old"

    for body in (spans.SerializeToString(), metrics.SerializeToString()):
        assert refusal_of(answer(body, kind)) == Refusal(2, "old")


@pytest.mark.parametrize("kind", [JSON, ""])
@pytest.mark.parametrize(
    ("said", "refusal"),
    [
        ({"partialSuccess": {"rejectedSpans": "2", "errorMessage": "old"}}, Refusal(2, "old")),
        ({"partialSuccess": {"rejectedDataPoints": 3}}, Refusal(3, "")),
        ({"partialSuccess": {"errorMessage": "slow"}}, Refusal(0, "slow")),
        ({"partialSuccess": {"rejectedSpans": [1], "errorMessage": 5}}, None),
        ({"partialSuccess": {}}, None),
        ({"partialSuccess": None}, None),
        ({"message": "thank you"}, None),
        ({}, None),
        (None, None),
    ],
)
def test_a_refusal_in_json_is_read(kind: str, said: Any, refusal: Refusal | None) -> None:
    """Some sinks answer JSON to what came in protocol buffers; unknown names say nothing."""
    assert refusal_of(answer(json.dumps(said).encode(), kind)) == refusal


@pytest.mark.parametrize("kind", [PROTOBUF, JSON, "text/html", ""])
def test_an_empty_answer_says_nothing_against_it(kind: str) -> None:
    """Many sinks answer with a status alone."""
    assert refusal_of(answer(b"", kind)) is None


@pytest.mark.parametrize(
    ("body", "kind", "told"),
    [
        (b"<html></html>", "text/html", "a web page"),
        (b"ok", "text/plain", "plain text"),
        (b"x", "image/canary", "another type"),
        (b"<html></html>", "", "what cannot be read"),
        (b"xx" * 9, "", "what cannot be read"),
        (b"\xff" * 50, PROTOBUF, "what cannot be read"),
        (b"<html></html>", JSON, "what cannot be read"),
        (b"[]", JSON, "what cannot be read"),
        (b'{"partialSuccess":{"rejectedSpans":"many"}}', JSON, "what cannot be read"),
    ],
)
def test_what_is_no_answer_of_otlp_has_taken_nothing(body: bytes, kind: str, told: str) -> None:
    """A page of a proxy or of another program accepts nothing, whatever its status says."""
    with pytest.raises(ExportError, match=told) as refused:
        refusal_of(answer(body, kind))
    assert "look at the path" in str(refused.value)
    assert "canary" not in str(refused.value)
