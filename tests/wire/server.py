"""A server of a small model, started and ended by who needs it."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fishplate.models.model import Features
from fishplate.models.providers import ProviderModel, StreamTimers
from tests.project import ROOT

KEY: Final = "of-the-small-model"

MODEL: Final = "openai:smollm2-135m-instruct"
PYTHON: Final = ROOT / ".venv-wire" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
REMEDY: Final = "the small model is not installed: python3 dev.py wire"

_PROGRAM: Final = Path(__file__).with_name("serve.py")
_PATIENCE: Final = 10.0  # seconds for the process to end
SLOW: Final = StreamTimers(first_event=50.0, idle=50.0, progress=50.0)  # on a busy machine


@dataclass(frozen=True, kw_only=True, slots=True)
class SmallModel:
    """The server.

    Attributes:
        url: Where it speaks as OpenAI does.
    """

    url: str
    process: subprocess.Popen[str]

    def kill(self) -> None:
        """End it as a crash would, whatever it is doing."""
        self.process.kill()
        self.process.wait(_PATIENCE)

    def tokens_written(self) -> int:
        """How many tokens of the answer that it is writing are out; 0 while it reads a question."""
        request = urllib.request.Request(
            self.url.replace("/v1", "/slots"), headers={"Authorization": f"Bearer {KEY}"}
        )
        with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:
            (slot,) = json.loads(answer.read())
        return int(slot["next_token"][0]["n_decoded"]) if slot["is_processing"] else 0

    def asked(
        self,
        *,
        key: str = KEY,
        timers: StreamTimers = SLOW,
        features: Features | None = None,
    ) -> ProviderModel:
        """The model as fishplate asks it."""
        return ProviderModel(MODEL, key=key, url=self.url, timers=timers, features=features)


@contextmanager
def serving() -> Generator[SmallModel]:
    """Serve a small model while the block runs."""
    with subprocess.Popen(
        [PYTHON, _PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            assert address.startswith("http://127.0.0.1:"), f"it listens at {address!r}"
            yield SmallModel(url=f"{address}/v1", process=process)
            process.stdin.close()  # which is its end
            process.wait(_PATIENCE)
        finally:
            process.kill()
