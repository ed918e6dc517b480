"""A refund in a process that dies at a commit of its choice; run by `test_crash_points`.

Arguments: folder, effect of the payment tool, and `before` or `after` with the number of the commit
at which the process kills itself; or `resume`, which opens the store and lets open runs end.
`approved` and `approved_body` in place of the effect sleep, ask for an approval, then pay keyed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import sys
from pathlib import Path

from pydantic import BaseModel

from fishplate import (
    App,
    Principal,
    Rejected,
    Run,
    agent,
    approval,
    current,
    route,
    sleep,
    tool,
    workflow,
)
from fishplate.core.errors import NeedsAttention
from fishplate.journal import writer as journal_writer
from fishplate.journal.batch import Batch, Synchronous

FOLDER, EFFECT, SIDE, COMMIT = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
IS_KEYED = EFFECT != "at_most_once"
LEAD = Principal(name="ann", roles=frozenset({"lead"}))
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
    effect="keyed" if IS_KEYED else "at_most_once",
    key_ttl=86_400 if IS_KEYED else None,
    scopes=["payments:write"],
)
def pay(order_id: str, amount: int) -> Receipt:
    """Pay; the bank keeps one charge for a key, if it takes keys."""
    key = current().idempotency_key if IS_KEYED else None
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


@agent(inline=True)
def explain(rejected: Rejected) -> str:
    """Say why nothing was paid."""
    return rejected.reason


@workflow(tools=[pay])
async def approved(order_id: str) -> str:
    """Sleep, and refund an order when somebody has agreed."""
    order = await lookup(order_id)
    await sleep(0.001)
    receipt = await approval(pay(order.order_id, order.amount), roles=["lead"], within=3600)
    return await route(compose, explain, on=receipt)


@agent(agents=[lookup, compose], tools=[pay])
async def approved_body(order_id: str) -> str:
    """Do the same in a body."""
    order = await lookup(order_id)
    await sleep(0.001)
    receipt = await approval(pay(order.order_id, order.amount), roles=["lead"], within=3600)
    return receipt.reason if isinstance(receipt, Rejected) else await compose(receipt)


UNITS = {"approved": approved, "approved_body": approved_body}


async def ended(app: App, run: Run[str]) -> str:
    """What a run gives that somebody approves as soon as it asks for that."""
    while await run.ended_or_waiting() == "waiting":
        if await asyncio.to_thread(_asks, run.id):
            await app.approve(run.id, None, principal=LEAD)
        await asyncio.sleep(0.002)  # until its sleep is over
    return await run.result()


def _asks(run_id: str) -> bool:
    """Whether a run waits for an approval; read beside the app, whose commits are counted."""
    with contextlib.closing(sqlite3.connect(FOLDER / "runs.db")) as store:
        found = store.execute(
            "SELECT 1 FROM wait WHERE run = ? AND kind = 'approval' AND answer IS NULL", (run_id,)
        )
        return found.fetchone() is not None


async def opened(app: App) -> list[Run[str]]:
    """The runs that are ready in this life, and those that wait."""
    waiting = [await app.run(wait.run) for wait in await app.waits()]
    return list({run.id: run for run in (*app.resumed, *waiting)}.values())


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
    changes = connection.total_changes
    found = commit(connection, batch, synchronous)
    if SIDE == "after" and connection.total_changes == changes:
        commits -= 1  # it has only read: the store is as after the one before
    elif SIDE == "after" and commits == COMMIT:
        os.kill(os.getpid(), signal.SIGKILL)
    return found


async def main() -> None:
    """Start a run, or let the ones that are open go on, and tell how it ended."""
    unit = UNITS.get(EFFECT, support)
    bank("DELETE FROM charge WHERE 0")
    if SIDE == "resume":
        async with App(unit, store=STORE) as app:
            for run in await opened(app):
                try:
                    tell(await ended(app, run))
                except NeedsAttention as found:
                    tell(found.code)
        return
    journal_writer.commit = deadly_commit
    async with App(unit, store=STORE) as app:
        tell(await ended(app, app.start(unit, "#W1")))
    tell(commits)


asyncio.run(main())
