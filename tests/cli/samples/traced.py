"""Agents whose runs are worth looking at."""

from fishplate import ErrorClass, Failure, agent, current, tool, workflow


@tool(effect="readonly")
async def get_order(order_id: str) -> dict[str, str]:
    """The row of an order; of another one for W2, named as no part of a run's id is."""
    return {"order_id": "WO9" if order_id == "W2" else order_id, "note": "\u202e\x1b[31m"}


@agent(version="1.1.0", tools=[get_order])
async def lookup(order_id: str) -> str:
    """Asks for the row."""
    return (await get_order(order_id))["order_id"]


@agent
async def priced(order_id: str) -> str:
    """Tells what it has paid."""
    current().spent(cost_nanos=47_850, currency="USD", input_tokens=321, output_tokens=12)
    return order_id


@tool(effect="readonly")
async def pay(order_id: str) -> str:
    """Takes money twice, and tells once how much."""
    current().spent(cost_nanos=1_500_000_000, currency="EUR")
    current().spent(cost_nanos=None)
    return order_id


@agent(tools=[pay])
async def paying(order_id: str) -> str:
    """Calls a service that takes money."""
    return await pay(order_id)


@agent
async def failing(order_id: str) -> str:
    """Always fails."""
    raise Failure("no answer", error_class=ErrorClass.OVERLOAD, code="down")


@workflow
async def support(order_id: str) -> str:
    """Two steps."""
    return await priced(await lookup(order_id))


@agent
async def hostile(order_id: str) -> str:
    """Repeats what it was told in every place that it has."""
    current().note(told=order_id)
    current().retrieved(order_id, [], query=order_id)
    raise Failure(order_id, error_class=ErrorClass.OVERLOAD, code="down")
