"""The support workflow, declared: a graph that is checked before anything runs."""

from examples.order_support.agents import (
    cached_eta,
    extraction,
    intent,
    logistics,
    order_lookup,
    response_composer,
)
from examples.order_support.clarification import clarify
from examples.order_support.models import Query, Reply, Unclear
from examples.order_support.refunds import refund
from fishplate import route, when, workflow


@workflow(version="2.0.0")
async def support(query: Query) -> Reply:
    """Answer a customer's question about an order."""
    what = await intent(query)
    request = await extraction(query, what)
    answer = await route(
        order_lookup,
        refund,
        logistics.or_else(cached_eta),
        when(Unclear, lambda unclear: clarify(unclear, query)),
        on=request,
    )
    return await response_composer(query, answer)
