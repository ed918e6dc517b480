"""Arize Phoenix and MLflow, started for real on the loopback address and ended by their ids."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

NOT_STARTED: Final = (
    "`python3 dev.py peers` installs Arize Phoenix and MLflow, and runs this test with them"
)
STARTS_WITHIN: Final = 180.0
"""Seconds. Both take half a minute the first time, when their modules are compiled."""
ENDS_WITHIN: Final = 10.0
"""Seconds, after which a server is killed."""


class Server(NamedTuple):
    """A program that listens.

    Attributes:
        url: Where it listens.
        process: The first of its processes; the others are in its group.
        log: What it has printed.
    """

    url: str
    process: subprocess.Popen[bytes]
    log: Path


@contextmanager
def phoenix(programs: Path, folder: Path) -> Generator[Server]:
    """Phoenix, with its data in `folder`; wait for it by `wait_for`."""
    port = _free_port()
    settings = {
        "PHOENIX_WORKING_DIR": str(folder),
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(port),
        "PHOENIX_GRPC_PORT": str(_free_port()),
        "PHOENIX_TELEMETRY_ENABLED": "false",
        "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
    }
    with _started([programs / "phoenix", "serve"], folder, settings, port) as server:
        yield server


@contextmanager
def mlflow(programs: Path, folder: Path) -> Generator[Server]:
    """MLflow's tracking server, with its data in `folder`; wait for it by `wait_for`."""
    port = _free_port()
    settings = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # 2 GB of workers for what is not used here
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",  # it starts programs by their names
    }
    command = [
        *(programs / "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)),
        *("--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--workers", "1"),
    ]
    with _started(command, folder, settings, port) as server:
        yield server


def wait_for(server: Server, path: str) -> None:
    """Wait until a server answers.

    Raises:
        RuntimeError: It has ended, or does not answer in time; with the end of its log.
    """
    until = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < until and server.process.poll() is None:
        try:
            with urllib.request.urlopen(f"{server.url}{path}", timeout=5):
                return
        except OSError:
            time.sleep(0.25)  # a real process, which nobody tells of when it listens
    said = server.log.read_text(encoding="utf-8", errors="replace")[-4_000:]
    msg = f"{server.process.args!r} does not answer; its log ends with:\n{said}"
    raise RuntimeError(msg)


@contextmanager
def _started(
    command: list[str | Path], folder: Path, settings: Mapping[str, str], port: int
) -> Generator[Server]:
    log = folder / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **settings},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Server(url=f"http://127.0.0.1:{port}", process=process, log=log)
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a server and what it has started: all that is in the group that it leads."""
    for word in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, word)
            process.wait(ENDS_WITHIN)
        except ProcessLookupError:
            break  # nobody is left
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port
