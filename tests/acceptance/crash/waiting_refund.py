"""A life of a process with a refund that waits for a lead; `test_waiting_refund` ends it.

Arguments: folder of database, store and outbox, URL of the payment service. If no run is open it
asks for a large refund, and prints where that is, with its id. It stays until it is killed.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from examples.order_support.app import make_app
from examples.order_support.models import Query
from examples.order_support.outbox import Outbox
from examples.order_support.payment_process import PaymentProcess
from examples.order_support.shop import Shop
from examples.order_support.shop_clock import Calendar
from examples.order_support.shop_rules import NameZipIdentity
from examples.order_support.workflow import support
from fishplate import App

LARGE = Query(
    text="Please refund order W4646940, I changed my mind.",
    customer=NameZipIdentity(first_name="Emma", last_name="Kim", zip="46214"),
)


def app_in(folder: Path, payments: str) -> App:
    """The example's app over a folder."""
    return make_app(
        store=f"sqlite:///{folder / 'runs.db'}",
        shop=lambda: Shop.open(str(folder / "shop.db")),
        payments=lambda: PaymentProcess(url=payments),
        outbox=lambda: Outbox(folder / "outbox"),
        calendar=Calendar.of_the_data,
    )


async def live(folder: Path, payments: str) -> None:
    """Let an open run go on, or ask for a large refund; tell where it is, and stay."""
    async with app_in(folder, payments) as app:
        run = app.resumed[0] if app.resumed else app.start(support, LARGE)
        sys.stdout.write(f"{await run.ended_or_waiting()} {run.id}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(live(Path(sys.argv[1]), sys.argv[2]))
