"""Runs that the crash test is tried on: they write into their working folder."""

from __future__ import annotations

import asyncio
import sqlite3
import uuid
from pathlib import Path

from fishplate import agent, current, tool, workflow


def _charge(order_id: str, key: str | None) -> None:
    """Write a charge into the bank's books; with a key once for it."""
    books = sqlite3.connect("bank.db")
    with books:
        books.execute("CREATE TABLE IF NOT EXISTS charge (order_id TEXT, key TEXT)")
        books.execute(
            "INSERT INTO charge SELECT ?, ? WHERE ? IS NULL OR NOT EXISTS "
            "(SELECT 1 FROM charge WHERE key = ?)",
            (order_id, key, key, key),
        )
    books.close()


@agent(inline=True)
def look_up(order_id: str) -> int:
    """Find what an order costs."""
    return len(order_id)


@tool(effect="keyed", key_ttl=86_400)
def pay(order_id: str, amount: int) -> str:
    """Pay where keys are kept."""
    _charge(order_id, current().idempotency_key)
    return f"paid {amount}"


@tool(effect="at_most_once")
def pay_by_hand(order_id: str, amount: int) -> str:
    """Pay where nobody keeps keys, and says so."""
    _charge(order_id, None)
    return f"paid {amount}"


@tool(effect="keyed", key_ttl=86_400)
def pay_carelessly(order_id: str, amount: int) -> str:
    """Pay without the key that the tool promises to send."""
    _charge(order_id, None)
    return f"paid {amount}"


@workflow(tools=[pay])
async def keyed(order_id: str) -> str:
    """Refund once, whatever happens."""
    return await pay(order_id, await look_up(order_id))


@agent(tools=[pay])
async def pay_in_time(order_id: str) -> str:
    """Ask for the time before the payment, as whoever keeps office hours."""
    assert current().now().tzinfo is not None
    return await pay(order_id, 3)


@workflow(tools=[pay_by_hand])
async def by_hand(order_id: str) -> str:
    """Refund at most once."""
    return await pay_by_hand(order_id, await look_up(order_id))


@workflow(tools=[pay_carelessly])
async def careless(order_id: str) -> str:
    """Refund more often than is said."""
    return await pay_carelessly(order_id, await look_up(order_id))


@tool(effect="keyed", key_ttl=86_400)
def pay_where_it_closes(order_id: str) -> str:
    """Pay at a bank that closes behind its first customer."""
    if Path("bank.db").exists():
        raise ConnectionRefusedError
    _charge(order_id, current().idempotency_key)
    return "paid"


@tool(effect="at_most_once")
def pay_elsewhere(order_id: str) -> str:
    """Pay at another bank."""
    _charge(order_id, None)
    return "paid elsewhere"


@workflow(tools=[pay_where_it_closes, pay_elsewhere])
async def closing(order_id: str) -> str:
    """Refund at one bank or the other."""
    return await pay_where_it_closes.or_else(pay_elsewhere)(order_id)


@agent
def moody() -> str:
    """Write something else in every run."""
    Path("mood").write_text(f"{uuid.uuid4()}\n", encoding="utf-8")
    return "done"


@agent
async def endless() -> str:
    """Never end."""
    await asyncio.Event().wait()
    return "never"


@agent
def counting() -> int:
    """Count the runs that a file tells of, one more each time."""
    file, written = Path("runs.txt"), Path("written.txt")
    count = int(file.read_text(encoding="utf-8")) + 1
    written.write_text(str(count), encoding="utf-8")
    written.replace(file)  # at once: the body runs beside the commits, one of which is deadly
    return count
