"""Model agents that tests ask, and how scripted models call their tools."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from fishplate import DeclaredError, Prompt, model_agent, tool
from fishplate.agents.limits import Limits
from fishplate.models.model import ModelAnswer, ModelSettings, ToolCall


class Question(BaseModel):
    """What is asked."""

    text: str


class Status(BaseModel):
    """Asks where an order is."""

    kind: Literal["status"] = "status"
    order_id: str = Field(pattern="^#W[0-9]{7}$")


class Refund(BaseModel):
    """Asks for the money back."""

    kind: Literal["refund"] = "refund"
    amount: int = Field(ge=1)


class NotKnownError(DeclaredError):
    """There is no such order."""

    order_id: str


@model_agent("fast", version="1.0.0")
def intent(question: Question) -> Prompt[Status | Refund]:
    """Tell what a customer wants."""
    return Prompt(system="Say what the customer wants.", user=question.text)


@model_agent("fast", settings=ModelSettings(max_tokens=10))
def say(question: Question) -> Prompt[str]:
    """Answer in words."""
    return Prompt(user=question.text, examples=(("1 + 1", "2"),))


@tool(effect="readonly", errors=[NotKnownError])
async def price_of(order_id: str) -> int:
    """Price of an order, in cents."""
    if order_id == "none":
        raise NotKnownError(order_id=order_id)
    return 1250


@model_agent("fast", tools=[price_of], repairs=2, limits=Limits(requests=4, tool_calls=2))
def refund(question: Question) -> Prompt[Refund]:
    """Decide about a refund."""
    return Prompt(user=question.text)


def calling(*calls: tuple[str, str]) -> ModelAnswer:
    """An answer that asks for calls: names, and arguments as text."""
    made = [
        ToolCall(id=f"call-{number}", name=name, arguments=arguments)
        for number, (name, arguments) in enumerate(calls)
    ]
    return ModelAnswer(calls=tuple(made), finish_reason="tool_call")
