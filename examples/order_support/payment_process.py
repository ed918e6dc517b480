"""The payment service as the app meets it: a URL, behind which a process is started if need be."""

import asyncio
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Final, Self

_ROOT: Final = Path(__file__).resolve().parents[2]
_PATIENCE: Final = 30.0
"""Seconds for which the process may take to start, or to end."""


class PaymentProcess:
    """The service, started when somebody first asks for it; an async context manager.

    Args:
        url: Of a service that is running already; `None` starts one.
        file: Its SQLite file; `None` for one that ends with it.
    """

    def __init__(self, *, url: str | None = None, file: Path | None = None) -> None:
        self._url = url
        self._file = file
        self._folder: TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[str] | None = None
        # Protects the start: several first questions at a time start one process.
        self._starting = asyncio.Lock()

    async def url(self) -> str:
        """Where it listens, without a slash at the end.

        Raises:
            RuntimeError: The process did not start.
        """
        async with self._starting:
            if self._url is None:
                self._url = await asyncio.to_thread(self._start)
            return self._url

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """End the process that was started here, if any; again does nothing."""
        if self._process is not None:
            self._process.communicate(timeout=_PATIENCE)  # the end of its input is its end
            self._process = self._url = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _start(self) -> str:
        file = self._file
        if file is None:
            self._folder = TemporaryDirectory(prefix="payments-")
            file = Path(self._folder.name) / "payments.db"
        self._process = subprocess.Popen(  # noqa: S603 -- this file's own neighbour
            [sys.executable, "-m", "examples.order_support.payments", str(file)],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        assert self._process.stdout is not None, "it is a pipe"
        url = self._process.stdout.readline().strip()
        if not url:
            code = self._process.wait(_PATIENCE)
            raise RuntimeError(f"the payment service did not start: exit code {code}")
        return url
