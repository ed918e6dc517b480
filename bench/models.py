"""The row `model`: what a model agent adds around the answer of its model."""

from typing import Final, Literal

from pydantic import BaseModel

from bench.budgets import Budget, Figure
from bench.measure import Pace, compare, cpu_micros
from bench.row import ROUNDS, Row
from fishplate import App, Prompt, model_agent
from fishplate.models.model import Features, Message, ModelAnswer, ModelRequest, Usage

QUESTIONS: Final = 200
TEXT: Final = '{"kind":"refund","order_id":"#W1234567","reason":"damaged","amount_cents":1250}'
SYSTEM: Final = "Say what the customer wants."


class Query(BaseModel):
    """What a customer writes."""

    text: str


class Refund(BaseModel):
    """Asks for the money back."""

    kind: Literal["refund"]
    order_id: str
    reason: str
    amount_cents: int


class SameAnswer:
    """A model that always says the same and keeps nothing, so that only what is around it costs.

    `ScriptedModel` remembers what it was asked, and its script would have to be as long as the
    measurement.
    """

    name = "same"
    pinned = None
    features = Features(has_schemas=True, has_tools=True)
    _answer = ModelAnswer(text=TEXT, usage=Usage(input_tokens=20, output_tokens=10))

    async def request(self, request: ModelRequest) -> ModelAnswer:  # noqa: ARG002 -- a Model's
        """Give the answer."""
        return self._answer


@model_agent("fast")
def reading(query: Query) -> Prompt[Refund]:
    """A short question with an answer of four fields."""
    return Prompt(system=SYSTEM, user=query.text)


QUERY: Final = Query(text="I want my money back.")
MODEL: Final = SameAnswer()


async def ask_barely(runs: int) -> None:
    """The same by hand: two messages, the model, and the validation of its answer."""
    for _ in range(runs):
        said = (Message(role="system", text=SYSTEM), Message(role="user", text=QUERY.text))
        answer = await MODEL.request(ModelRequest(messages=said))
        Refund.model_validate_json(answer.text)


async def ask_in_fishplate(runs: int) -> None:
    """So many questions, one after the other."""
    for _ in range(runs):
        await reading(QUERY)


async def _measure(pace: Pace) -> tuple[Figure, ...]:
    size = pace.size(QUESTIONS)
    async with App(reading, models={"fast": MODEL}):
        comparison = await compare(
            cpu_micros(lambda: ask_barely(size), operations=size),
            cpu_micros(lambda: ask_in_fishplate(size), operations=size),
            name="model",
            rounds=pace.rounds(ROUNDS),
            tell=pace.tell,
        )
    budget = Budget(added=100.0)
    return (Figure(row="model", unit="µs/answer", comparison=comparison, budget=budget),)


MODEL_ROW: Final = Row(name="model", measure=_measure)
