"""A refund whose answer is lost for good is found at the payment service, and made once."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from decimal import Decimal
from pathlib import Path

import pytest

from examples.order_support.lookups import find_refund
from examples.order_support.payment_client import PaymentClient
from examples.order_support.payment_process import PaymentProcess
from examples.order_support.payments import Amount, PaymentFaultMode, Receipt, RefundOrder
from examples.order_support.refund_rules import RefundMethod
from fishplate import App, Policy, Retry, agent, current, tool
from tests.examples.payment_service import charges, misbehave

ORDER, AMOUNT = "#W0000001", Decimal("12.50")


@tool(
    effect="verifiable",
    lookup=find_refund,
    settle_time=0.2,
    policy=Policy(attempt_timeout=2, retry=Retry(attempts=1)),
)
async def refund_blindly(
    order_id: str, amount: Amount, method: RefundMethod = "original_payment"
) -> Receipt:
    """Give money back at a service that is told no key, so that nothing may be sent twice."""
    asked = RefundOrder(order_id=order_id, amount=amount, method=method)
    service, client = current().resource(PaymentProcess), current().resource(PaymentClient)
    return await client.refund(await service.url(), asked, key=None)


@agent(tools=[refund_blindly])
async def refund(order_id: str, amount: Amount) -> Receipt:
    """Refund an order."""
    return await refund_blindly(order_id, amount)


@pytest.fixture(scope="module")
def payments(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """The URL of a payment service in a process of its own, with a disk of its own."""
    service = PaymentProcess(file=tmp_path_factory.mktemp("payments") / "payments.db")
    yield asyncio.run(service.url())
    service.close()


def _app(store: Path, payments: str) -> App:
    return App(
        refund,
        store=f"sqlite:///{store}",
        resources={
            PaymentProcess: lambda: PaymentProcess(url=payments),
            PaymentClient: PaymentClient,
        },
    )


@pytest.mark.parametrize("mode", ["hang", "reset", "error"])
async def test_a_refund_that_was_made_and_not_answered_is_found(
    tmp_path: Path, payments: str, mode: PaymentFaultMode
) -> None:
    """The run succeeds with the service's own receipt, and the service has charged once."""
    order_id = f"{ORDER}-{mode}"
    await asyncio.to_thread(misbehave, payments, mode, delay=60.0)
    async with _app(tmp_path / "runs.db", payments) as app:
        receipt = await app.start(refund, order_id, AMOUNT).result()

    assert (receipt.order_id, receipt.amount) == (order_id, AMOUNT)
    assert (await asyncio.to_thread(charges, payments))[order_id] == 1
