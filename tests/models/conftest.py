"""`llmock`: a server of its own that speaks as OpenAI, Anthropic and Google do, and misbehaves."""

from __future__ import annotations

import gc
import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast

import pytest

PATHS: Final = {"openai": "/v1", "anthropic": "/anthropic", "google": "/gemini"}
PATIENCE: Final = 30.0  # seconds for the server to come up on a busy machine


class FakeProviders:
    """The server: how it behaves next, and what it was asked."""

    def __init__(self, port: int) -> None:
        self._base = f"http://127.0.0.1:{port}"

    def url(self, provider: str) -> str:
        """Where a provider is."""
        return self._base + PATHS[provider]

    def behave(self, *behaviors: dict[str, object]) -> None:
        """Forget everything, and then behave so; without a word, normally."""
        self._asked("/_llmock/reset", {})
        if behaviors:
            self._asked("/_llmock/scenario", {"behaviors": behaviors})

    def requests(self) -> list[dict[str, Any]]:
        """What it was asked, in order."""
        found = self._asked("/_llmock/requests", None)
        return cast("list[dict[str, Any]]", found.get("requests"))

    def is_up(self) -> bool:
        """Whether it answers."""
        try:
            self._asked("/_llmock/requests", None)
        except OSError:
            return False
        return True

    def _asked(self, path: str, document: object) -> Any:
        data = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(
            self._base + path, data, {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.loads(answer.read() or b"null")


@pytest.fixture(scope="session")
def _server() -> Iterator[FakeProviders]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = Path(sys.executable).parent / "llmock"
    command = [str(program), "serve", "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(
        [*command, "--log-level", "error"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        server = FakeProviders(port)
        gives_up = time.monotonic() + PATIENCE
        while not server.is_up():
            assert process.poll() is None, "llmock has ended"
            assert time.monotonic() < gives_up, "llmock does not answer"
            time.sleep(0.05)  # a real process, which nobody tells of when it listens
        yield server
        process.terminate()


@pytest.fixture
def providers(_server: FakeProviders) -> Iterator[FakeProviders]:
    """The server, behaving normally.

    What is left of clients is collected here: one of them starts a task when it is collected while
    a loop runs, and that would be the loop of another test.
    """
    gc.collect()
    _server.behave()
    yield _server
    gc.collect()
