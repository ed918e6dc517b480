"""A refund in a process that dies at a commit of its choice; run by `test_crash_points`.

Arguments: folder, effect of the payment tool, and `before` or `after` with the number of the commit
at which the process kills itself; or `resume`, which opens the store and lets open runs end.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
from pathlib import Path

from pydantic import BaseModel

from fishplate import App, agent, current, tool, workflow
from fishplate.core.errors import NeedsAttention
from fishplate.journal import writer as journal_writer
from fishplate.journal.batch import Batch, Synchronous

FOLDER, EFFECT, SIDE, COMMIT = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
STORE = f"sqlite:///{FOLDER / 'runs.db'}"


class Order(BaseModel):
    """An order."""

    order_id: str
    amount: int


class Receipt(BaseModel):
    """A charge."""

    order_id: str
    charged: int


def bank(statement: str, *values: object) -> None:
    """Change the bank's books, which are on the disk when this returns."""
    with sqlite3.connect(FOLDER / "bank.db") as books:
        books.execute("CREATE TABLE IF NOT EXISTS charge (key TEXT, order_id TEXT, amount INTEGER)")
        books.execute(statement, values)
    books.close()


@agent(inline=True)
def lookup(order_id: str) -> Order:
    """Find the order."""
    return Order(order_id=order_id, amount=5)


@tool(
    effect="keyed" if EFFECT == "keyed" else "at_most_once",
    key_ttl=86_400 if EFFECT == "keyed" else None,
    scopes=["payments:write"],
)
def pay(order_id: str, amount: int) -> Receipt:
    """Pay; the bank keeps one charge for a key, if it takes keys."""
    key = current().idempotency_key if EFFECT == "keyed" else None
    bank(
        "INSERT INTO charge SELECT ?, ?, ? WHERE ? IS NULL OR NOT EXISTS "
        "(SELECT 1 FROM charge WHERE key = ?)",
        key,
        order_id,
        amount,
        key,
        key,
    )
    return Receipt(order_id=order_id, charged=amount)


@agent(agents=[lookup], tools=[pay])
async def refund(order: Order) -> Receipt:
    """Look again, then pay."""
    again = await lookup(order.order_id)
    return await pay(again.order_id, again.amount)


@agent(inline=True)
def compose(receipt: Receipt) -> str:
    """Write the answer."""
    return f"{receipt.charged} for {receipt.order_id}"


@workflow
async def support(order_id: str) -> str:
    """Refund an order."""
    order = await lookup(order_id)
    receipt = await refund(order)
    return await compose(receipt)


def tell(what: object) -> None:
    """Say something to the test."""
    sys.stdout.write(f"{what}\n")


commits = 0
commit = journal_writer.commit


def deadly_commit(
    connection: sqlite3.Connection, batch: Batch, synchronous: Synchronous
) -> list[object]:
    """Commit, and kill the process on one side of the chosen commit."""
    global commits  # noqa: PLW0603 -- one process, one count
    commits += 1
    if SIDE == "before" and commits == COMMIT:
        os.kill(os.getpid(), signal.SIGKILL)
    found = commit(connection, batch, synchronous)
    if SIDE == "after" and commits == COMMIT:
        os.kill(os.getpid(), signal.SIGKILL)
    return found


async def main() -> None:
    """Start a run, or let the ones that are open go on, and tell how it ended."""
    bank("DELETE FROM charge WHERE 0")
    if SIDE == "resume":
        async with App(support, store=STORE) as app:
            for run in app.resumed:
                try:
                    tell(await run.result())
                except NeedsAttention as found:
                    tell(found.code)
        return
    journal_writer.commit = deadly_commit
    async with App(support, store=STORE) as app:
        tell(await app.start(support, "#W1").result())
    tell(commits)


asyncio.run(main())
