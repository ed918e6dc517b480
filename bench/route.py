"""The row `route`: a step that decides, and the branch that its answer chooses."""

from typing import Final, Literal

from pydantic import BaseModel, TypeAdapter

from bench.row import step_row
from fishplate import agent, route, workflow

STEPS: Final = 2


class Query(BaseModel):
    """What a customer writes."""

    text: str
    channel: str
    customer: str
    wants: int


class Status(BaseModel):
    """Where is it?"""

    kind: Literal["status"] = "status"
    order_id: str


class Refund(BaseModel):
    """Money back."""

    kind: Literal["refund"] = "refund"
    order_id: str


class Unclear(BaseModel):
    """Nobody knows yet."""

    kind: Literal["unclear"] = "unclear"
    order_id: str


class Reply(BaseModel):
    """What the customer reads."""

    text: str
    order_id: str


INTENTS: Final = (Status(order_id="o-1"), Refund(order_id="o-2"), Unclear(order_id="o-3"))
QUERIES: Final = tuple(
    Query(text="my order", channel="chat", customer="c-7", wants=wants)
    for wants in range(len(INTENTS))
)
REPLIES: Final = {
    request.order_id: Reply(text="done", order_id=request.order_id) for request in INTENTS
}

# The same as they come in without fishplate: documents that are still to be validated.
INTENT_DOCUMENTS: Final = tuple(request.model_dump() for request in INTENTS)
QUERY_DOCUMENTS: Final = tuple(query.model_dump() for query in QUERIES)
REPLY_DOCUMENTS: Final = {order_id: reply.model_dump() for order_id, reply in REPLIES.items()}
INTENT: Final[TypeAdapter[Status | Refund | Unclear]] = TypeAdapter(Status | Refund | Unclear)


@agent
async def intent(query: Query) -> Status | Refund | Unclear:
    """Look up what the customer wants."""
    return INTENTS[query.wants]


@agent
async def find(request: Status) -> Reply:
    """Look up a reply."""
    return REPLIES[request.order_id]


@agent
async def refund(request: Refund) -> Reply:
    """Look up a reply."""
    return REPLIES[request.order_id]


@agent
async def clarify(request: Unclear) -> Reply:
    """Look up a reply."""
    return REPLIES[request.order_id]


@workflow
async def routing(query: Query) -> Reply:
    """One step, and the branch that it chooses."""
    what = await intent(query)
    return await route(find, refund, clarify, on=what)


async def route_in_fishplate(runs: int) -> None:
    """So many runs of `routing`, over all branches in turns."""
    for run in range(runs):
        await routing(QUERIES[run % len(QUERIES)])


async def look_up_intent(query: Query) -> dict[str, object]:
    """The body of `intent` by hand: its answer is still to be validated."""
    return INTENT_DOCUMENTS[query.wants]


async def look_up_reply(request: Status | Refund | Unclear) -> dict[str, object]:
    """The body of the branches by hand."""
    return REPLY_DOCUMENTS[request.order_id]


async def route_barely(runs: int) -> None:
    """The same by hand: the class decides, and every input and output is validated."""
    branches = {Status: look_up_reply, Refund: look_up_reply, Unclear: look_up_reply}
    for run in range(runs):
        query = Query.model_validate(QUERY_DOCUMENTS[run % len(QUERIES)])
        request = INTENT.validate_python(await look_up_intent(query))
        branch = branches[type(request)]
        Reply.model_validate(await branch(request))


ROUTE: Final = step_row(
    "route",
    routing,
    limit=route_barely,
    ours=route_in_fishplate,
    runs=900,
    operations=STEPS,
    unit="µs/step",
)
