"""`llmock`: a server of its own that speaks as OpenAI, Anthropic and Google do, and misbehaves."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

PATHS: Final = {"openai": "/v1", "anthropic": "/anthropic", "google": "/gemini"}
PATIENCE: Final = 30.0  # seconds for the server to come up on a busy machine


class FakeProviders:
    """The server: how it behaves next, and what it was asked.

    Args:
        port: Where it listens, on loopback.
        process: It runs in one of its own.
    """

    def __init__(self, port: int, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._base = f"http://127.0.0.1:{port}"

    def url(self, provider: str) -> str:
        """Where a provider is."""
        return self._base + PATHS[provider]

    def behave(self, *behaviors: Mapping[str, object]) -> None:
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

    def kill(self) -> None:
        """End the process as a crash does: whoever is being answered hears no more of it."""
        self.process.kill()
        self.process.wait(PATIENCE)


@contextmanager
def fake_providers(*options: str) -> Generator[FakeProviders]:
    """Start the server in a process of its own, and end it.

    Args:
        options: More words of `llmock serve`.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = Path(sys.executable).parent / "llmock"
    command = [str(program), "serve", "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(
        [*command, "--log-level", "error", *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            server = FakeProviders(port, process)
            gives_up = time.monotonic() + PATIENCE
            while not server.is_up():
                assert process.poll() is None, "llmock has ended"
                assert time.monotonic() < gives_up, "llmock does not answer"
                time.sleep(0.05)  # a real process, which nobody tells of when it listens
            yield server
        finally:  # else a test that fails waits for it for ever
            process.terminate()
