"""The support workflow, declared: a graph that is checked before anything runs."""

from examples.order_support.agents import (
    cached_eta,
    clarify,
    extraction,
    intent,
    logistics,
    order_lookup,
    refund,
    response_composer,
)
from examples.order_support.models import Query, Reply
from fishplate import route, workflow


@workflow(version="1.0.0")
async def support(query: Query) -> Reply:
    """Answer a customer's question about an order."""
    what = await intent(query)
    request = await extraction(query, what)
    answer = await route(order_lookup, refund, logistics.or_else(cached_eta), clarify, on=request)
    return await response_composer(query, answer)
