"""A workflow that waits for the time to come."""

from fishplate import agent, sleep, workflow


@agent
async def said(order_id: str) -> str:
    """Says it again."""
    return order_id


@workflow
async def later(order_id: str) -> str:
    """Waits an hour."""
    await sleep(3600)
    return await said(order_id)
