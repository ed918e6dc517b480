"""A collector of OTLP/HTTP on the loopback address: a test peer, not a product."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from typing_extensions import override


class Collector:
    """Takes spans until it is closed.

    Args:
        status: What it answers.
        answer: The body of that.
        kind: The media type of that; `None` names none.

    Attributes:
        hold: While it is clear, no request is answered.
    """

    def __init__(
        self, status: int = 200, answer: bytes = b"", kind: str | None = "application/x-protobuf"
    ) -> None:
        self.bodies: list[bytes] = []
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.hold = threading.Event()
        self.hold.set()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                """Take a request."""
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.hold.wait(20)
                collector.bodies.append(body)
                collector.paths.append(self.path)
                collector.headers.append(dict(self.headers.items()))
                self.send_response(status)
                if kind is not None:
                    self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            @override
            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        Handler.protocol_version = "HTTP/1.1"  # one connection for many requests
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        host = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.url, self.metrics_url = f"{host}/v1/traces", f"{host}/v1/metrics"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more."""
        self.hold.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def spans(self) -> list[dict[str, Any]]:
        """All spans, as objects."""
        return [
            span
            for path, body in zip(self.paths, self.bodies, strict=True)
            if path == "/v1/traces"
            for span in spans_of(body)
        ]

    @property
    def metrics(self) -> dict[str, list[dict[str, Any]]]:
        """The points of the last metrics, by name."""
        bodies = [
            body
            for path, body in zip(self.paths, self.bodies, strict=True)
            if path == "/v1/metrics"
        ]
        return metrics_of(bodies[-1]) if bodies else {}


def spans_of(body: bytes) -> Iterator[dict[str, Any]]:
    """The spans of a request, with the name of their service."""
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        service = _attributes(resource.resource.attributes)["service.name"]
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield {
                    "service": service,
                    "schema": scope.schema_url,
                    "trace_id": span.trace_id.hex(),
                    "span_id": span.span_id.hex(),
                    "parent_id": span.parent_span_id.hex() or None,
                    "name": span.name,
                    "kind": span.kind,
                    "took_ns": span.end_time_unix_nano - span.start_time_unix_nano,
                    "start_ns": span.start_time_unix_nano,
                    "attributes": _attributes(span.attributes),
                    "status": span.status.code,
                }


def metrics_of(body: bytes) -> dict[str, list[dict[str, Any]]]:
    """The points of a request by name of their metric, with its unit and what it is."""
    found: dict[str, list[dict[str, Any]]] = {}
    for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                word = metric.WhichOneof("data") or ""
                data = getattr(metric, word)
                found[metric.name] = [
                    {
                        "is": word,
                        "unit": metric.unit,
                        "attributes": _attributes(point.attributes),
                        "value": point.sum if word == "histogram" else point.as_int,
                        **({"counts": list(point.bucket_counts)} if word == "histogram" else {}),
                    }
                    for point in data.data_points
                ]
    return found


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    word = value.WhichOneof("value")
    if word == "array_value":
        return [_value(one) for one in value.array_value.values]
    return None if word is None else getattr(value, word)
