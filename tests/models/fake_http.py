"""A provider that answers every request in one way, on loopback, and remembers what it was sent."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple, TypeAlias

from typing_extensions import override


class Heard(NamedTuple):
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


class Said(NamedTuple):
    """How it is answered."""

    status: int
    body: bytes
    content_type: str = "application/json"
    location: str | None = None  # where a redirect leads to


Answer: TypeAlias = Callable[[Heard], Said]


class FakeProvider(ThreadingHTTPServer):
    """The server.

    Args:
        answer: Says how a request is answered; called on a thread of its own.

    Attributes:
        heard: What it was sent, in order.
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.heard: list[Heard] = []

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        """Remember, and answer."""
        assert isinstance(self.server, FakeProvider)
        sent = self.rfile.read(int(self.headers["content-length"] or 0))
        heard = Heard(self.path, dict(self.headers), sent)
        self.server.heard.append(heard)
        said = self.server.answer(heard)
        self.send_response(said.status)
        self.send_header("content-type", said.content_type)
        self.send_header("content-length", str(len(said.body)))
        if said.location is not None:
            self.send_header("location", said.location)
        self.end_headers()
        self.wfile.write(said.body)

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def fake_provider(answer: Answer) -> Generator[FakeProvider]:
    """Start the server on a thread, and end both."""
    with FakeProvider(answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
