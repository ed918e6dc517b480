"""A bank whose answers get lost: what the tests of kept runs run."""

from pathlib import Path

from pydantic import BaseModel

from fishplate import agent, current, tool, workflow


class Order(BaseModel):
    """An order."""

    order_id: str
    total: int


@agent
def lookup(order_id: str) -> Order:
    """Find an order; says on disk that it did."""
    with Path("lookups").open("a") as file:
        file.write(f"{order_id}\n")
    return Order(order_id=order_id, total=5)


@tool(effect="idempotent", scopes=["payments:write"])
def give_back(order: Order, result: str) -> None:
    """Undo a payment; fails while there is a file `closed`."""
    if Path("closed").exists():
        raise ConnectionRefusedError
    Path("returned").write_text(f"{order.order_id}: {result}")


@tool(effect="at_most_once", scopes=["payments:write"], compensate=give_back)
def pay(order: Order) -> str:
    """Pay; the answer gets lost while there is a file `lost`."""
    with Path("charges").open("a") as file:
        file.write(f"{current().idempotency_key}\n")
    if Path("lost").exists():
        raise ConnectionResetError
    return f"paid {order.total}"


@workflow(tools=[pay])
async def refund(order_id: str) -> str:
    """Refund an order."""
    return await pay(await lookup(order_id))


@agent
async def failing() -> str:
    """Fail."""
    raise ValueError
