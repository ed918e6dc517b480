"""The same workflow as a plain agent, which may branch, loop and catch as it likes.

It answers as the declared one does. What it gives up is the check of its calls before the first
run, and the graph. What waits is a workflow here too: a body waits by calling one.
"""

from typing import assert_never

from examples.order_support.agents import (
    cached_eta,
    extraction,
    intent,
    logistics,
    order_lookup,
    response_composer,
)
from examples.order_support.clarification import clarify
from examples.order_support.models import (
    Answer,
    Query,
    RefundRequest,
    Reply,
    ShippingRequest,
    StatusRequest,
    Unclear,
)
from examples.order_support.refunds import refund
from fishplate import agent

parcel_lookup = logistics.or_else(cached_eta)


@agent(
    version="2.0.0",
    agents=[
        intent,
        extraction,
        order_lookup,
        refund,
        logistics,
        cached_eta,
        clarify,
        response_composer,
    ],
)
async def support_plain(query: Query) -> Reply:
    """Answer a customer's question about an order."""
    what = await intent(query)
    request = await extraction(query, what)
    answer: Answer
    match request:
        case StatusRequest():
            answer = await order_lookup(request)
        case RefundRequest():
            answer = await refund(request)
        case ShippingRequest():
            answer = await parcel_lookup(request)
        case Unclear():
            answer = await clarify(request, query)
        case _:
            assert_never(request)
    return await response_composer(query, answer)
