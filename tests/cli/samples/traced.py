"""Agents whose runs are worth looking at."""

from fishplate import ErrorClass, Failure, agent, current, tool, workflow


@tool(effect="readonly")
async def get_order(order_id: str) -> dict[str, str]:
    """The row of an order; of another one for W2."""
    return {"order_id": "W9" if order_id == "W2" else order_id, "note": "\u202e\x1b[31m"}


@agent(version="1.1.0", tools=[get_order])
async def lookup(order_id: str) -> str:
    """Asks for the row."""
    return (await get_order(order_id))["order_id"]


@agent
async def priced(order_id: str) -> str:
    """As a request to a model tells what it used."""
    current().note(input_tokens=321, output_tokens=12, cost_nanos=47_850)
    return order_id


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
