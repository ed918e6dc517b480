"""Workflows whose traces the peers read: the figure of decisions, and what goes wrong in a run."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from pydantic import BaseModel

from fishplate import (
    Agent,
    App,
    ErrorClass,
    Failure,
    Principal,
    Prompt,
    Rejected,
    agent,
    approval,
    current,
    model_agent,
    tool,
    workflow,
)
from fishplate.core.current import Passage
from fishplate.core.errors import JsonValue
from fishplate.models.model import Features, ModelAnswer, ModelRequest, Usage
from fishplate.models.prices import Price, PriceTable
from fishplate.testing import ScriptedModel
from fishplate.traces.export import OtlpExport

MODEL: Final = "openai:gpt-4o-mini"
SNAPSHOT: Final = "gpt-4o-mini-2024-07-18"
USAGE: Final = Usage(input_tokens=321, output_tokens=12, cache_read_tokens=100)
PRICES: Final = PriceTable(
    {
        # Dollars for a million tokens, as they are published.
        MODEL: Price(input=Decimal("0.15"), cache_read=Decimal("0.075"), output=Decimal("0.60"))
    }
)
REQUEST_NANOS: Final = 47_850
"""What `USAGE` costs: 221 tokens at 150 nanos, 100 at 75, 12 at 600: 33,150 + 7,500 + 7,200."""

HOSTILE: Final = "<script>alert(1)</script>\0\x1b[31m\u202e\ud800'\";--"

CLERK: Final = Principal(name="ada", roles=frozenset({"clerk"}))


class Case(BaseModel):
    """What is asked, and what was found about it."""

    order_id: str
    rules: list[str]


class Done(BaseModel):
    """What was done, and how it is said."""

    receipt: str
    words: str


class Echo:
    """A model that says what it was told last; it sorts every message under one label.

    Args:
        label: Its answer where an object is asked for.
    """

    def __init__(self, label: str) -> None:
        self.name = MODEL
        self.pinned: str | None = None
        self.features = Features(has_schemas=True)
        self._label = f'{{"label":"{label}","is_certain":true}}'

    async def request(self, request: ModelRequest) -> ModelAnswer:
        """See `Model.request`."""
        text = request.messages[-1].text if request.schema is None else self._label
        return ModelAnswer(text=text, usage=USAGE, snapshot=SNAPSHOT)


@tool(effect="keyed", scopes=["payments:write"], key_ttl=86_400)
async def payment_api(order_id: str) -> str:
    """Pay."""
    return f"receipt of {order_id}"


@model_agent("fast")
def inference(case: Case) -> Prompt[str]:
    """Say what was done."""
    return Prompt(system="You write to customers.", user=f"{case.order_id}: {case.rules}")


@agent
async def retrieval(order_id: str) -> Case:
    """Look up the rules."""
    found = [Passage(id="refunds", score=0.92), Passage(id="parcels", score=0.41)]
    current().retrieved("policies", found, used=["refunds"], query=order_id)
    return Case(order_id=order_id, rules=["refunds"])


@agent(inline=True)
def validation(case: Case) -> Case:
    """Judge what was found."""
    return case


@agent(tools=[payment_api], agents=[inference])
async def execution(case: Case) -> Done:
    """Pay, and have it said."""
    return Done(receipt=await payment_api(case.order_id), words=await inference(case))


@agent(inline=True)
def response(done: Done) -> str:
    """Answer."""
    return done.words


@workflow
async def decisions(order_id: str) -> str:
    """From the request over what is known and done to the answer."""
    case = await validation(await retrieval(order_id))
    return await response(await execution(case))


@agent
async def hostile(order_id: str) -> str:
    """Says what no reader should obey, and more than any can take."""
    many: list[JsonValue] = [HOSTILE] * 1_000
    current().note(evil=HOSTILE, many=many, nan=float("nan"), large="y" * 10_000_000)
    current().retrieved(HOSTILE, [Passage(id=HOSTILE, score=0.5)], query=HOSTILE)
    return order_id + "z" * 10_000_000


@agent
async def carrier(order_id: str) -> str:
    """Is down."""
    raise Failure("the carrier is down", error_class=ErrorClass.OVERLOAD, code="carrier_down")


@agent
async def estimate(order_id: str) -> str:
    """Answer without the carrier."""
    return f"{order_id}: soon"


@workflow
async def degrading(order_id: str) -> str:
    """Answered by another agent than the one that was asked."""
    return await carrier.or_else(estimate)(order_id)


@workflow
async def failing(order_id: str) -> str:
    """Answered by nobody."""
    return await carrier(order_id)


@agent(inline=True)
def verdict(done: Done | Rejected) -> str:
    """Tell what came of it."""
    return done.words if isinstance(done, Done) else done.reason


@workflow
async def waiting(order_id: str) -> str:
    """Nothing is paid before somebody agrees."""
    case = await retrieval(order_id)
    return await verdict(await approval(execution(case), roles=["clerk"], within=3600))


def app_of(unit: Agent[[str], str], export: OtlpExport, store: str | None = None) -> App:
    """An app with one of these workflows, whose requests cost as published."""
    model = ScriptedModel(["Done."], name=MODEL, snapshot=SNAPSHOT, usage=USAGE)
    return App(unit, models={"fast": model}, prices=PRICES, export=export, store=store)
