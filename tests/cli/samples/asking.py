"""A model agent and its app, for the tests of the command line."""

from typing import Literal

from pydantic import BaseModel, Field

from fishplate import App, Prompt, model_agent, tool
from fishplate.testing import ScriptedModel


class Query(BaseModel):
    """What a customer writes."""

    text: str


class Refund(BaseModel):
    """Asks for the money back."""

    kind: Literal["refund"] = "refund"
    order_id: str = Field(description="Number of the order, as #W and seven digits.")
    data: str


@tool(effect="readonly")
async def get(order_id: str) -> int:  # noqa: D103 -- what the tests are about
    return len(order_id)


@model_agent("fast", version="1.0.0", tools=[get])
def intent(query: Query) -> Prompt[Refund]:
    """Tell what a customer wants."""
    return Prompt(system="Say what the customer wants.", user=query.text)


app = App(intent, models={"fast": ScriptedModel([], name="openai:gpt-5-mini")})
