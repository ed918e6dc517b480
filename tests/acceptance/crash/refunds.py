"""Refunds side by side, in a process that is killed again and again; run by `test_kills`.

Arguments: folder of the store, URL of the payment service, effect of the tool, how often to kill,
seed. Prints the orders whose refunds were reported as made, as JSON.

Every life is a fork of this process, which has nothing but the imports. It tells through a pipe
what it does, and is killed from outside after so many words: wherever it is by then.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sqlite3
import sys
from collections import deque
from decimal import Decimal
from pathlib import Path
from typing import Final

import httpx2
from typing_extensions import override

from examples.order_support.payment_client import PaymentClient
from examples.order_support.payment_process import PaymentProcess
from examples.order_support.payments import Receipt, RefundOrder
from examples.order_support.tools import issue_refund
from fishplate import App, current, tool
from fishplate.core.errors import NeedsAttention

AT_A_TIME: Final = 8
WORDS: Final = (20, 80)
"""How many words a life has: enough that no run is cut off in five lives in a row."""


@tool(effect="at_most_once", scopes=["payments:write"], business_key=("order_id",))
async def refund_blindly(order_id: str, amount: Decimal) -> Receipt:
    """Give money back by a service that takes no keys."""
    service, client = current().resource(PaymentProcess), current().resource(PaymentClient)
    asked = RefundOrder(order_id=order_id, amount=amount)
    return await client.refund(await service.url(), asked, key=None)


class Telling(PaymentClient):
    """A client that tells of each request before and after it."""

    def __init__(self, pipe: int) -> None:
        super().__init__()
        self._pipe = pipe

    @override
    async def refund(self, service_url: str, asked: RefundOrder, *, key: str | None) -> Receipt:
        _tell(self._pipe, "asks")
        receipt = await super().refund(service_url, asked, key=key)
        _tell(self._pipe, "hears")
        return receipt


def _tell(pipe: int, word: str) -> None:
    os.write(pipe, f"{word}\n".encode())


async def live(folder: Path, url: str, effect: str, pipe: int, *, is_last: bool) -> None:
    """Let open runs end, and, unless it is the last life, start more for as long as it goes."""
    path = folder / "runs.db"
    # Starts are written in their order, so that those which were kept are the first ones.
    started = await asyncio.to_thread(_runs_in, path)
    unit = issue_refund if effect == "keyed" else refund_blindly
    async with App(
        unit,
        store=f"sqlite:///{path}",
        resources={
            PaymentProcess: lambda: PaymentProcess(url=url),
            PaymentClient: lambda: Telling(pipe),
        },
    ) as app:
        left = deque(app.resumed)

        async def work() -> None:
            nonlocal started
            while left or not is_last:
                if left:
                    run = left.popleft()
                else:
                    started += 1
                    run = app.start(unit, f"#W{started}", Decimal("12.50"))
                try:
                    _tell(pipe, (await run.result()).order_id)
                except NeedsAttention:
                    _tell(pipe, "unknown")

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_A_TIME):
                group.create_task(work())


def _runs_in(path: Path) -> int:
    if not path.exists():
        return 0
    store = sqlite3.connect(path)
    try:
        (found,) = store.execute("SELECT count(*) FROM run").fetchone()
    except sqlite3.OperationalError:
        found = 0  # killed before it had made the tables
    store.close()
    return int(found)


def main() -> None:
    """Kill as often as asked, live a last time, and print which refunds were reported."""
    folder, url, effect, kills, seed = sys.argv[1:]
    chosen = random.Random(int(seed))
    reported: set[str] = set()
    for number in range(int(kills) + 1):
        is_last = number == int(kills)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            asyncio.run(live(Path(folder), url, effect, writing, is_last=is_last))
            os._exit(0)
        os.close(writing)
        words = chosen.randint(*WORDS)
        with os.fdopen(reading, encoding="ascii") as told:
            for line in told:  # to its end: what was told before the kill counts
                words -= 1
                if words == 0 and not is_last:
                    os.kill(child, signal.SIGKILL)
                if line.startswith("#"):
                    reported.add(line.strip())
        _, status = os.waitpid(child, 0)
        expected = 0 if is_last else signal.SIGKILL
        assert status == expected, f"life {number} ended with status {status}"
    sys.stdout.write(json.dumps(sorted(reported)))


if __name__ == "__main__":
    assert httpx2.__name__ in sys.modules  # imported once, not in every life
    main()
