"""Killed or misled while it refunds, a process pays once; what nobody can know is on the list."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Generator
from decimal import Decimal
from pathlib import Path

import pytest

import fishplate
from examples.order_support.payment_client import PaymentClient
from examples.order_support.payment_process import PaymentProcess
from examples.order_support.payments import PaymentFaultMode
from examples.order_support.tools import issue_refund
from fishplate import App, Policy, Retry, Run, workflow
from fishplate.core.errors import Failure, NeedsAttention
from tests.acceptance.crash.refunds import refund_blindly
from tests.examples.payment_service import charges, misbehave
from tests.project import ROOT

SCRIPT = Path(__file__).parent / "crash" / "refunds.py"
LONG = pytest.mark.long
# A service that fails every first request needs more patience than one that is sometimes down.
PATIENT = Policy(
    attempt_timeout=1.0,
    retry=Retry(attempts=8, base=0.01, cap=0.1, budget=False),
    breaker="off",
    bulkhead="off",
)


@pytest.fixture
def service(tmp_path: Path) -> Generator[str]:
    """The URL of a payment service in a process of its own."""
    process = PaymentProcess(file=tmp_path / "payments.db")
    yield asyncio.run(process.url())
    process.close()


def _kill(folder: Path, service: str, effect: str, kills: int) -> set[str]:
    """Refund side by side through so many kills; the orders whose refunds were reported."""
    found = subprocess.run(
        [sys.executable, str(SCRIPT), str(folder), service, effect, str(kills), "7"],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": f"{Path(fishplate.__file__).parents[1]}{os.pathsep}{ROOT}",
        },
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert found.returncode == 0, found.stderr
    return set(json.loads(found.stdout))


class Books:
    """What our store says about each order, beside what the payment service has counted.

    Attributes:
        charged: How often the service has refunded each order.
        ended: State of each order's run.
        unknown: Orders whose effect is listed as unknown.
    """

    def __init__(self, store: Path, service: str) -> None:
        self.charged: Counter[str] = charges(service)
        connection = sqlite3.connect(store)
        runs = connection.execute("SELECT input, state, attention FROM run").fetchall()
        effects = connection.execute("SELECT arguments FROM effect WHERE state = 'unknown'")
        self.unknown = {json.loads(arguments)["order_id"] for (arguments,) in effects}
        connection.close()
        self.ended = {json.loads(found)["order_id"]: (state, why) for found, state, why in runs}
        assert len(self.ended) == len(runs), "an order has two runs"

    def check_once(self) -> None:
        """Every refund was made once: none is lost, none is doubled, nobody has to decide."""
        assert set(self.ended.values()) == {("succeeded", None)}
        assert self.charged == dict.fromkeys(self.ended, 1)

    def check_at_most_once(self) -> None:
        """No refund was doubled, and those that nobody can know of are those that are listed.

        A run may also have failed before its request went out: then nothing was refunded.
        """
        assert max(self.charged.values()) == 1
        assert self.charged.keys() <= self.ended.keys()
        failed = {order for order, end in self.ended.items() if end == ("failed", None)}
        assert not failed & (self.charged.keys() | self.unknown)
        ambiguous = {
            order for order, end in self.ended.items() if end != ("succeeded", None)
        } - failed
        assert {self.ended[order] for order in ambiguous} <= {
            ("needs_attention", "unknown_outcome")
        }
        assert self.unknown == ambiguous
        assert self.ended.keys() - ambiguous - failed <= self.charged.keys()


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kills", [5, pytest.param(300, marks=LONG)])
async def test_kills_neither_lose_nor_double_a_keyed_refund(
    tmp_path: Path, service: str, kills: int
) -> None:
    """However often the process is killed, the service counts one refund for each order."""
    reported = await asyncio.to_thread(_kill, tmp_path, service, "keyed", kills)
    books = await asyncio.to_thread(Books, tmp_path / "runs.db", service)
    books.check_once()
    assert reported <= books.ended.keys()
    assert len(reported) >= kills


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kills", [5, pytest.param(300, marks=LONG)])
async def test_kills_never_double_a_refund_that_takes_no_key(
    tmp_path: Path, service: str, kills: int
) -> None:
    """No order is refunded twice, and every one that is in doubt is listed as unknown."""
    reported = await asyncio.to_thread(_kill, tmp_path, service, "at_most_once", kills)
    books = await asyncio.to_thread(Books, tmp_path / "runs.db", service)
    books.check_at_most_once()
    assert books.unknown, "a kill in the middle of a request leaves its outcome unknown"
    assert {order for order in reported if books.charged[order] != 1} == set()


@workflow(tools=[issue_refund])
async def refund_with_key(order_id: str, amount: Decimal) -> str:
    """Refund, and ask again under the key."""
    receipt = await issue_refund.using(PATIENT)(order_id, amount)
    return receipt.order_id


@workflow(tools=[refund_blindly])
async def refund_without_key(order_id: str, amount: Decimal) -> str:
    """Refund, and ask no more."""
    receipt = await refund_blindly.using(PATIENT)(order_id, amount)
    return receipt.order_id


async def _refund_all(app: App, service: str, count: int, *, is_keyed: bool) -> None:
    """Refund so many orders, a third each while the service hangs, resets and answers 500."""
    unit = refund_with_key if is_keyed else refund_without_key
    modes: tuple[PaymentFaultMode, ...] = ("hang", "reset", "error")
    numbers = iter(range(count))
    share = -(-count // len(modes))

    async def work(most: int) -> None:
        for _ in range(most):
            number = next(numbers, None)
            if number is None:
                return
            run: Run[str] = app.start(unit, f"#W{number}", Decimal("12.50"))
            try:
                await run.result()
            except NeedsAttention:
                assert not is_keyed, run.id
            except Failure as failure:
                if is_keyed or failure.code != "attempt_timeout":
                    raise  # else its time was over before the request went out

    for mode in modes:
        await asyncio.to_thread(misbehave, service, mode, delay=4.0)
        at_a_time = 40
        async with asyncio.TaskGroup() as group:
            for worker in range(at_a_time):
                group.create_task(work(len(range(worker, share, at_a_time))))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("is_keyed", [True, False])
@pytest.mark.parametrize("count", [60, pytest.param(1_000, marks=LONG)])
async def test_a_service_that_loses_its_answers_refunds_once(
    tmp_path: Path, service: str, count: int, *, is_keyed: bool
) -> None:
    """With a key each order is refunded once; without one at most once, and the rest is listed."""
    path = tmp_path / "runs.db"
    async with App(
        refund_with_key,
        refund_without_key,
        store=f"sqlite:///{path}",
        resources={
            PaymentProcess: lambda: PaymentProcess(url=service),
            PaymentClient: PaymentClient,
        },
    ) as app:
        await _refund_all(app, service, count, is_keyed=is_keyed)
    books = await asyncio.to_thread(Books, path, service)
    assert len(books.ended) == count
    if is_keyed:
        books.check_once()
    else:
        books.check_at_most_once()
        assert len(books.unknown) > count * 0.9, "nobody answers, so hardly a run can know"
