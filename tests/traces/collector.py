"""A collector of OTLP/HTTP on the loopback address, which reads protocol buffers by itself.

It is a test peer, not a product: it knows the wire format and the numbers of the fields, and
nothing of how fishplate writes them.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from typing_extensions import override


class Collector:
    """Takes spans until it is closed.

    Args:
        status: What it answers.

    Attributes:
        hold: While it is clear, no request is answered.
    """

    def __init__(self, status: int = 200) -> None:
        self.bodies: list[bytes] = []
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
                collector.headers.append(dict(self.headers.items()))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            @override
            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        Handler.protocol_version = "HTTP/1.1"  # one connection for many requests
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1/traces"
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
        return [span for body in self.bodies for span in spans_of(body)]


def spans_of(body: bytes) -> Iterator[dict[str, Any]]:
    """The spans of a request, with the name of their service."""
    for _, resource_spans in fields_of(body):
        found = dict(fields_of(resource_spans))
        program = dict(_pair(pair) for _, pair in fields_of(found[1]))
        scoped = list(fields_of(found[2]))
        scope = {number: value for number, value in scoped if number != 2}
        for number, span in scoped:
            if number == 2:
                yield {
                    "service": program["service.name"],
                    "schema": scope[3].decode(),
                    **_span(span),
                }


def _span(data: bytes) -> dict[str, Any]:
    fields = list(fields_of(data))
    known = dict(fields)
    return {
        "trace_id": known[1].hex(),
        "span_id": known[2].hex(),
        "parent_id": known[4].hex() if 4 in known else None,
        "name": known[5].decode(),
        "kind": known[6],
        "took_ns": known[8] - known[7],
        "start_ns": known[7],
        "attributes": dict(_pair(value) for number, value in fields if number == 9),
        "status": dict(fields_of(known[15]))[3] if 15 in known else 0,
    }


def _pair(data: bytes) -> tuple[str, Any]:
    found = dict(fields_of(data))
    return found[1].decode(), _value(found[2])


def _value(data: bytes) -> Any:
    [(number, value)] = fields_of(data)
    match number:
        case 1:
            return value.decode()
        case 2:
            return bool(value)
        case 3:
            return value - (1 << 64) if value >> 63 else value
        case 4:
            return struct.unpack("<d", value.to_bytes(8, "little"))[0]
        case _:
            return [_value(one) for _, one in fields_of(value)]


def fields_of(data: bytes) -> Iterator[tuple[int, Any]]:
    """Number and value of each field of a message."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        match tag & 7:
            case 0:
                value, at = _varint(data, at)
            case 1:
                value, at = int.from_bytes(data[at : at + 8], "little"), at + 8
            case _:
                size, at = _varint(data, at)
                value, at = data[at : at + size], at + size
        yield tag >> 3, value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if not data[at - 1] & 0x80:
            return value, at
