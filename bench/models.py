"""The row `model`: what a model agent adds around the answer of its model."""

from typing import Final, Literal

from pydantic import BaseModel

from bench.budgets import Budget, Figure
from bench.measure import Pace, Sample, Work, compare, compare_all, cpu_micros
from bench.model_wire import CannedAnswers, ask_by_adapter, ask_by_http
from bench.row import ROUNDS, Row
from fishplate import App, Prompt, model_agent
from fishplate.models.model import Features, Message, ModelAnswer, ModelRequest, Usage
from fishplate.testing import ScriptedModel

QUESTIONS: Final = 200
OF_PEERS: Final = 40  # a question costs them milliseconds
TEXT: Final = '{"kind":"refund","order_id":"#W1234567","reason":"damaged","amount_cents":1250}'
SYSTEM: Final = "Say what the customer wants."
ANSWER: Final = ModelAnswer(text=TEXT, usage=Usage(input_tokens=20, output_tokens=10))


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
    """A model that always says the same and keeps nothing, for what is done by hand."""

    name = "same"
    pinned = None
    features = Features(has_schemas=True, has_tools=True)

    async def request(self, request: ModelRequest) -> ModelAnswer:  # noqa: ARG002 -- a Model's
        """Give the answer."""
        return ANSWER


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
    return (*await _measure_agents(pace), await _measure_adapter(pace))


async def _measure_agents(pace: Pace) -> tuple[Figure, ...]:
    """Ours and those of others in one run, each on its own fake model."""
    # Imported where it is measured: it costs more than a second, and other rows need none of it.
    from bench.model_peers import peers  # noqa: PLC0415 -- as said

    rounds, size, smaller = pace.rounds(ROUNDS), pace.size(QUESTIONS), pace.size(OF_PEERS)
    sides: dict[str, Sample] = {
        "model": cpu_micros(lambda: ask_in_fishplate(size), operations=size)
    }
    asks = peers(system=SYSTEM, user=QUERY.text, output=Refund, text=TEXT)
    for name, ask in asks.items():
        sides[f"model: {name}"] = cpu_micros(_repeated(ask, smaller), operations=smaller)
    script = ScriptedModel([ANSWER] * size * (rounds + 1))
    async with App(reading, models={"fast": script}):
        found = await compare_all(
            cpu_micros(lambda: ask_barely(size), operations=size),
            sides,
            name="model",
            rounds=rounds,
            tell=pace.tell,
        )
    # 5.5 is what it costs by hand where the limit of `chain` costs its 2.3.
    budgets = {"model": Budget(added=100.0, limit_there=5.5)}
    return tuple(
        Figure(row=name, unit="µs/answer", comparison=comparison, budget=budgets.get(name))
        for name, comparison in found.items()
    )


def _repeated(ask: Work, times: int) -> Work:
    async def work() -> None:
        for _ in range(times):
            await ask()

    return work


async def _measure_adapter(pace: Pace) -> Figure:
    """What the adapter and the provider's library cost beside a bare HTTP request."""
    size = pace.size(OF_PEERS)
    async with CannedAnswers(TEXT) as server:
        comparison = await compare(
            cpu_micros(lambda: ask_by_http(server, SYSTEM, QUERY.text, size), operations=size),
            cpu_micros(lambda: ask_by_adapter(server, SYSTEM, QUERY.text, size), operations=size),
            name="model: provider adapter",
            rounds=pace.rounds(ROUNDS),
            tell=pace.tell,
        )
    return Figure(row="model: provider adapter", unit="µs/request", comparison=comparison)


def _lacks() -> tuple[str, ...]:
    from bench.model_peers import HOW, missing  # noqa: PLC0415 -- as above

    return tuple(
        f"`model` goes without {name}, which is not installed: {HOW}" for name in missing()
    )


MODEL_ROW: Final = Row(name="model", measure=_measure, lacks=_lacks)
