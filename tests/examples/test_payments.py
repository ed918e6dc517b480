"""The payment service, its client and its tool: one refund for a key, whatever goes wrong."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator
from decimal import Decimal
from pathlib import Path

import pytest

from examples.order_support.payment_client import PaymentClient
from examples.order_support.payment_process import PaymentProcess
from examples.order_support.payments import Book, PaymentFaultMode, PaymentServer, RefundOrder
from examples.order_support.tools import issue_refund
from fishplate import App, ErrorClass, Failure
from fishplate.core.errors import FishplateError, NeedsAttention
from tests.examples.payment_service import charges, misbehave

TWELVE = Decimal("12.50")
BACK = RefundOrder(order_id="#W1", amount=TWELVE)


@pytest.fixture
def service(tmp_path: Path) -> Generator[str]:
    """The URL of a service in this process."""
    book = Book(tmp_path / "payments.db")
    with PaymentServer(book) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server.url
        server.closing.set()
        server.shutdown()
        thread.join()
    book.close()


def _app(store: Path, service: str) -> App:
    return App(
        issue_refund,
        store=f"sqlite:///{store}",
        resources={
            PaymentProcess: lambda: PaymentProcess(url=service),
            PaymentClient: PaymentClient,
        },
    )


async def test_a_key_stands_for_one_refund(service: str) -> None:
    """A repeated request with its key gets the first receipt; without one it is another refund."""
    async with PaymentClient() as client:
        first = await client.refund(service, BACK, key="k1")
        assert await client.refund(service, BACK, key="k1") == first
        other = await client.refund(service, BACK, key=None)
    assert other.refund != first.refund
    assert charges(service) == {"#W1": 2}


@pytest.mark.parametrize("change", [{"amount": Decimal(13)}, {"method": "store_credit"}])
async def test_a_key_is_not_taken_for_another_refund(
    service: str, change: dict[str, object]
) -> None:
    """The same key with another amount or way is refused for good, and nothing is refunded."""
    async with PaymentClient() as client:
        await client.refund(service, BACK, key="k1")
        with pytest.raises(Failure, match="422") as refused:
            await client.refund(service, BACK.model_copy(update=change), key="k1")
    assert refused.value.error_class is ErrorClass.PERMANENT
    assert charges(service) == {"#W1": 1}


@pytest.mark.parametrize("mode", ["reset", "error", "hang"])
async def test_a_refund_whose_answer_was_lost_was_made(
    service: str, mode: PaymentFaultMode
) -> None:
    """The fault comes after the refund: one who asks again under the key finds it."""
    misbehave(service, mode, delay=0.1)
    async with PaymentClient() as client:
        if mode == "hang":
            await client.refund(service, BACK, key="k1")
        else:
            with pytest.raises(Failure) as failed:
                await client.refund(service, BACK, key="k1")
            assert failed.value.error_class is ErrorClass.TRANSIENT
        assert (await client.refund(service, BACK, key="k1")).order_id == "#W1"
    assert charges(service) == {"#W1": 1}


async def test_a_service_that_forgets_its_keys_refunds_twice(service: str) -> None:
    """What no client can prevent, the service's own count shows."""
    misbehave(service, "forgetful")
    async with PaymentClient() as client:
        await client.refund(service, BACK, key="k1")
        await client.refund(service, BACK, key="k1")
    assert charges(service) == {"#W1": 2}


async def test_the_service_keeps_its_book_beyond_its_process(tmp_path: Path) -> None:
    """It is a process of its own; started again on its file, it knows the keys of before."""
    file = tmp_path / "payments.db"
    receipts: list[object] = []
    for _ in range(2):
        async with PaymentProcess(file=file) as process, PaymentClient() as client:
            url = await process.url()
            assert await process.url() == url
            receipts.append(await client.refund(url, BACK, key="k1"))
            assert charges(url) == {"#W1": 1}
    assert receipts[0] == receipts[1]


async def test_a_process_that_does_not_start_is_told(tmp_path: Path) -> None:
    """A file that cannot be opened is an error of the start, not of the first refund."""
    async with PaymentProcess(file=tmp_path / "nowhere" / "payments.db") as process:
        with pytest.raises(RuntimeError, match="did not start"):
            await process.url()


@pytest.mark.parametrize("mode", ["healthy", "error", "reset"])
async def test_the_tool_refunds_once(tmp_path: Path, service: str, mode: PaymentFaultMode) -> None:
    """A lost answer is asked for again under the run's key, which is still one refund."""
    misbehave(service, mode)
    async with _app(tmp_path / "runs.db", service) as app:
        receipt = await app.start(issue_refund, "#W1", TWELVE).result()
    assert (receipt.order_id, receipt.amount) == ("#W1", TWELVE)
    assert charges(service) == {"#W1": 1}


async def test_an_order_is_refunded_once_across_runs(tmp_path: Path, service: str) -> None:
    """A second run for the same order is told so, and the service is not asked."""
    async with _app(tmp_path / "runs.db", service) as app:
        await app.start(issue_refund, "#W1", TWELVE).result()
        with pytest.raises(FishplateError) as refused:
            await app.start(issue_refund, "#W1", Decimal(1)).result()
    assert refused.value.code == "already_done"
    assert charges(service) == {"#W1": 1}


async def test_a_service_that_is_down_has_refunded_nothing(tmp_path: Path, left_url: str) -> None:
    """A refused connection proves that nothing was sent: the run fails, nobody has to decide."""
    async with _app(tmp_path / "runs.db", left_url) as app:
        run = app.start(issue_refund, "#W1", TWELVE)
        with pytest.raises(FishplateError) as failed:
            await run.result()
    assert not isinstance(failed.value, NeedsAttention)
    assert run.state == "failed"


async def test_refunds_side_by_side_share_one_start(tmp_path: Path) -> None:
    """Several first refunds at a time start one process, which ends with the app."""
    process = PaymentProcess(file=tmp_path / "payments.db")
    async with App(
        issue_refund,
        store=f"sqlite:///{tmp_path / 'runs.db'}",
        resources={PaymentProcess: lambda: process, PaymentClient: PaymentClient},
    ) as app:
        runs = [app.start(issue_refund, f"#W{number}", TWELVE) for number in range(5)]
        await asyncio.gather(*(run.result() for run in runs))
        found = await asyncio.to_thread(charges, await process.url())
    assert found == {f"#W{number}": 1 for number in range(5)}
