"""The command line as a test calls it, in this process and in one of its own."""

import functools
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fishplate.cli import main
from fishplate.cli.modules import apart
from tests.project import ROOT

SAMPLES = Path(__file__).parent / "samples"
SHOP = SAMPLES / "shop.py"
FORMS = SAMPLES / "forms.py"
SECONDS = 30


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command ended: exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What stands on stdout, which has to be one JSON document."""
        return json.loads(self.out)


class Program:
    """Calls the command line in a folder of its own."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys

    def __call__(self, *words: str | Path, stdin: bytes = b"") -> Ended:
        """Run one command in this process."""
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
            code = main([str(word) for word in words])
        out, err = self._capsys.readouterr()
        assert "Traceback" not in err or "--debug" in words, err
        return Ended(code=code, out=out, err=err)

    def write(self, name: str, text: str) -> Path:
        """Write a file into the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def process(self, *words: str | Path) -> subprocess.Popen[str]:
        """Start the program in a process of its own, with pipes."""
        return subprocess.Popen(
            [sys.executable, "-m", "fishplate", *map(str, words)],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            # Where the tests run in the background the signal is ignored, and that is inherited.
            preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 -- no thread is held up by it
        )


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Program]:
    """The command line in an empty folder; what it imports is forgotten after the test."""
    with apart():
        yield Program(tmp_path, capsys)
