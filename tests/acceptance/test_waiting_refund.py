"""A refund that waits for a lead outlives its process, and is paid once when somebody agrees."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

import fishplate
from examples.order_support.models import Reply
from examples.order_support.payment_process import PaymentProcess
from fishplate import Run
from fishplate.cli import main
from tests.acceptance.crash.waiting_refund import app_in
from tests.examples.payment_service import charges, misbehave
from tests.project import ROOT

SCRIPT = Path(__file__).parent / "crash" / "waiting_refund.py"


@pytest.fixture
def service(tmp_path: Path) -> Generator[str]:
    """The URL of a payment service in a process of its own."""
    process = PaymentProcess(file=tmp_path / "payments.db")
    yield asyncio.run(process.url())
    process.close()


@contextmanager
def _life(folder: Path, service: str) -> Generator[subprocess.Popen[str]]:
    """A process with the example's app, which is killed at the end of the block."""
    path = f"{Path(fishplate.__file__).parents[1]}{os.pathsep}{ROOT}"
    with subprocess.Popen(
        [sys.executable, str(SCRIPT), str(folder), service],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _told(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    return process.stdout.readline().split()


@pytest.mark.timeout(180)
def test_a_waiting_refund_survives_kills_and_is_paid_once(tmp_path: Path, service: str) -> None:
    """Killed while it waits, approved from outside, killed while it is paid: one charge."""
    with _life(tmp_path, service) as first:
        state, run_id = _told(first)
    assert (state, charges(service)) == ("waiting", {})

    said = ["--as", "ann", "--role", "support_lead"]
    store = f"sqlite:///{tmp_path / 'runs.db'}"
    assert main(["runs", "approve", run_id, "--store", store, *said]) == 0

    misbehave(service, "hang", delay=60)
    with _life(tmp_path, service):
        while not charges(service):  # until the payment is made, whose answer never comes
            pass
    misbehave(service, "healthy")

    reply, state = asyncio.run(_ended(tmp_path, service, run_id))
    assert (state, charges(service)) == ("succeeded", {"#W4646940": 1})
    assert reply.text.endswith("We have sent it, as refund number 1.")


async def _ended(folder: Path, service: str, run_id: str) -> tuple[Reply, str]:
    async with app_in(folder, service) as app:
        run: Run[Reply] = await app.run(run_id)
        return await run.result(), run.state
