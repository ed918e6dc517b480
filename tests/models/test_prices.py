"""Prices: whole nanos, rounded once, and unknown is never zero."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fishplate import App, ErrorClass, FishplateError, Prompt, model_agent
from fishplate.agents.limits import Limits
from fishplate.models.model import UNKNOWN_COST, Cost, ModelAnswer, Usage
from fishplate.models.prices import Price, PriceTable, PublishedPrices
from fishplate.testing import ScriptedModel
from tests.agents.asked import Question, calling, price_of

NOW: Final = datetime(2026, 11, 22, tzinfo=UTC)
SMALL: Final = Usage(input_tokens=321, output_tokens=12, cache_read_tokens=100)
CHEAP: Final = Price(input=Decimal("0.15"), output=Decimal("0.60"), cache_read=Decimal("0.075"))


@model_agent("fast", tools=[price_of], limits=Limits(cost_nanos=60_000))
def thrifty(question: Question) -> Prompt[str]:
    """Answer cheaply."""
    return Prompt(user=question.text)


@model_agent("fast")
def plain(question: Question) -> Prompt[str]:
    """Answer."""
    return Prompt(user=question.text)


@pytest.fixture(scope="module")
def published() -> PublishedPrices:
    """The installed table."""
    return PublishedPrices()


def test_a_published_price_is_exact(published: PublishedPrices) -> None:
    """321 tokens in, 100 of them cached, and 12 out are 0.00004785 dollars on this model."""
    assert published.cost("openai:gpt-4o-mini", SMALL, NOW) == Cost(nanos=47_850, source="table")


def test_a_table_of_ones_own_comes_first(published: PublishedPrices) -> None:
    """What the user says wins, and is told as such."""
    own = PriceTable({"openai:gpt-4o-mini": CHEAP}, otherwise=published)

    assert own.cost("openai:gpt-4o-mini", SMALL, NOW) == Cost(nanos=47_850, source="override")
    assert own.cost("openai:gpt-4o", SMALL, NOW).source == "table"


@pytest.mark.parametrize("usage", [Usage(), Usage(input_tokens=1), Usage(output_tokens=1)])
def test_what_nobody_has_counted_has_no_price(published: PublishedPrices, usage: Usage) -> None:
    """Unknown tokens are an unknown cost, with every book."""
    own = PriceTable({"m": CHEAP})

    assert own.cost("m", usage, NOW) is UNKNOWN_COST
    assert published.cost("openai:gpt-4o-mini", usage, NOW) is UNKNOWN_COST


def test_an_unknown_model_has_no_price(published: PublishedPrices) -> None:
    """Nothing is guessed of a model that no table has."""
    assert published.cost("openai:no-such-model", SMALL, NOW).nanos is None
    assert published.cost("scripted", SMALL, NOW).nanos is None
    assert PriceTable({}).cost("openai:gpt-4o-mini", SMALL, NOW).nanos is None


@given(tokens=st.integers(0, 10**9), out=st.integers(0, 10**9))
def test_nanos_are_the_exact_price_rounded_once(tokens: int, out: int) -> None:
    """The whole number is never further than half a nano from the exact price."""
    usage = Usage(input_tokens=tokens, output_tokens=out)
    nanos = PriceTable({"m": CHEAP}).cost("m", usage, NOW).nanos
    exact = (tokens * CHEAP.input + out * CHEAP.output) * 1000

    assert nanos is not None
    assert abs(nanos - exact) <= Decimal("0.5")


def test_what_is_no_price_is_refused() -> None:
    """A price is a decimal of at least 0."""
    with pytest.raises(ValueError, match="at least 0"):
        Price(input=Decimal(-1), output=Decimal(1))
    with pytest.raises(ValueError, match="finite"):
        Price(input=Decimal("NaN"), output=Decimal(1))
    for currency in ("eur", "EURO", ""):
        with pytest.raises(ValueError, match="ISO 4217"):
            Price(input=Decimal(1), output=Decimal(1), currency=currency)


@pytest.mark.parametrize(
    "cost", [Cost(nanos=-1), Cost(nanos=10**30), Cost(nanos=1, currency="$")], ids=str
)
async def test_a_cost_that_is_no_amount_of_money_is_unknown(cost: Cost) -> None:
    """Whatever a provider or a book says, no sum can shrink by it or be broken."""
    said = ModelAnswer(text="b", usage=Usage(input_tokens=-5, output_tokens=10**30), cost=cost)
    async with App(plain, models={"fast": ScriptedModel([said])}) as app:
        run = app.start(plain, Question(text="?"))
        await run.result()
        [told] = [span.attributes or {} for span in app.spans(run) if span.kind == "model"]

    assert (told["requests"], told["unpriced_requests"]) == (1, 1)
    assert not {"cost_nanos", "cost_currency", "input_tokens", "output_tokens"} & told.keys()


async def test_the_cost_stands_on_the_request() -> None:
    """A span says what its request costs, and whose word that is; a provider's own word wins."""
    said = ModelAnswer(text="b", usage=SMALL, cost=Cost(nanos=5, source="reported"))
    model = ScriptedModel([calling(("price_of", '{"order_id": "1"}')), said], usage=SMALL)
    prices = PriceTable({"scripted": CHEAP})
    async with App(thrifty, models={"fast": model}, prices=prices) as app:
        run = app.start(thrifty, Question(text="?"))
        await run.result()
        told = [span.attributes or {} for span in app.spans(run) if span.kind == "model"]

    assert [one["cost_nanos"] for one in told] == [47_850, 5]
    assert [one["cost_source"] for one in told] == ["override", "reported"]


@pytest.mark.parametrize(
    ("prices", "requests", "said"),
    [(PriceTable({"scripted": CHEAP}), 2, "cost_nanos="), (None, 1, "price of its model")],
)
async def test_money_is_limited(prices: PriceTable | None, requests: int, said: str) -> None:
    """An answer ends when its money is spent, and at once if nobody knows what it costs."""
    call = calling(("price_of", '{"order_id": "1"}'))
    model = ScriptedModel([call] * 5, usage=SMALL)
    async with App(thrifty, models={"fast": model}, prices=prices):
        with pytest.raises(FishplateError, match=said) as failed:
            await thrifty(Question(text="?"))

    assert failed.value.error_class is ErrorClass.BUDGET_EXCEEDED
    assert len(model.requests) == requests


async def test_money_of_two_currencies_is_not_added() -> None:
    """A price that changes its currency ends an answer whose money is limited."""
    call = calling(("price_of", '{"order_id": "1"}'))
    said = [
        call.model_copy(update={"cost": Cost(nanos=30_000, currency=currency, source="reported")})
        for currency in ("EUR", "USD", "EUR")
    ]
    model = ScriptedModel(said, usage=SMALL)
    async with App(thrifty, models={"fast": model}) as app:
        run = app.start(thrifty, Question(text="?"))
        with pytest.raises(FishplateError, match="in several currencies"):
            await run.result()

    assert len(model.requests) == 2
