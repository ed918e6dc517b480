"""What a run says that it has spent."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import BaseModel

from fishplate import (
    App,
    ErrorClass,
    Policy,
    Prompt,
    Retry,
    agent,
    current,
    model_agent,
    tool,
    wait_for,
    workflow,
)
from fishplate.core.spending import RunUsage
from fishplate.models.model import Cost, Usage
from fishplate.models.prices import Price, PriceTable
from fishplate.testing import ScriptedModel

PRICES = PriceTable({"scripted": Price(input=Decimal("0.15"), output=Decimal("0.6"))})
TOKENS = Usage(input_tokens=100, output_tokens=10)
ONE_REQUEST = 100 * 150 + 10 * 600


@tool(effect="readonly")
async def search(text: str) -> str:
    """A search that takes money."""
    current().spent(cost_nanos=700, currency="EUR")
    return text


@model_agent("fast", policy=Policy(retry=Retry(attempts=2)))
def ask(text: str) -> Prompt[str]:
    """Ask."""
    return Prompt(user=text)


@agent(tools=[search], agents=[ask])
async def body(text: str) -> str:
    """Pays in two currencies."""
    return await ask(await search(text))


@agent
async def free(text: str) -> str:
    """Pays nothing."""
    return text


class Word(BaseModel):
    """What it waits for."""

    text: str


@agent
async def said(first: str, word: Word) -> str:
    """Both."""
    return first + word.text


@workflow
async def patient(text: str) -> str:
    """Pays before and after it waits."""
    return await ask(await said(await ask(text), await wait_for("go", Word)))


async def test_a_run_tells_what_all_of_its_calls_have_spent() -> None:
    """Requests, tokens and costs of every depth, by currency; nothing is spent by nothing."""
    model = ScriptedModel(["good"], usage=TOKENS)
    async with App(body, free, models={"fast": model}, prices=PRICES) as app:
        run, other = app.start(body, "x"), app.start(free, "x")
        assert await run.result() == "good"
        assert await other.result() == "x"

    assert run.usage == RunUsage(
        requests=2,
        input_tokens=100,
        output_tokens=10,
        costs={"EUR": 700, "USD": ONE_REQUEST},
    )
    assert run.cost == {"EUR": 700, "USD": ONE_REQUEST}
    assert (other.usage, other.cost) == (RunUsage(costs={}), {})


async def test_a_cost_that_nobody_knows_is_no_cost() -> None:
    """An attempt that broke off may have cost something, so the run's cost is unknown."""
    model = ScriptedModel([ErrorClass.TRANSIENT, "good"], usage=TOKENS)
    async with App(ask, models={"fast": model}, prices=PRICES) as app:
        run = app.start(ask, "x")
        await run.result()

    assert run.cost is None
    assert run.usage is not None
    assert (run.usage.requests, run.usage.unpriced_requests) == (2, 1)
    assert run.usage.costs == {"USD": ONE_REQUEST}


class BrokenBook:
    """A price book that has a bug."""

    def cost(self, model: str, usage: Usage, at: datetime) -> Cost:
        """Fails."""
        raise KeyError(model, usage, at)


async def test_a_price_book_that_fails_loses_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    """The answer is there, its tokens are counted, its cost is unknown, and the log says why."""
    model = ScriptedModel(["good"], usage=TOKENS)
    async with App(ask, models={"fast": model}, prices=BrokenBook()) as app:
        run = app.start(ask, "x")
        assert await run.result() == "good"

    assert run.usage == RunUsage(
        requests=1, input_tokens=100, output_tokens=10, costs={}, unpriced_requests=1
    )
    assert "BrokenBook raised KeyError" in caplog.text


async def test_what_was_spent_before_a_wait_counts(tmp_path: Path) -> None:
    """A run that goes on when it has its answer goes on counting."""
    model = ScriptedModel(["first", "last"], usage=TOKENS)
    store = f"sqlite:///{tmp_path}/runs.db"
    async with App(patient, models={"fast": model}, prices=PRICES, store=store) as app:
        run = app.start(patient, "x")
        assert await run.ended_or_waiting() == "waiting"
        assert run.cost == {"USD": ONE_REQUEST}
        await app.signal(run.id, "go", Word(text="on"))
        assert await run.result() == "last"

        assert run.cost == {"USD": 2 * ONE_REQUEST}


async def test_what_another_process_has_spent_is_read_from_its_records(tmp_path: Path) -> None:
    """A run that a later life goes on with counts recorded answers, and says it may be more."""
    store = f"sqlite:///{tmp_path}/runs.db"
    before = ScriptedModel(["first"], usage=TOKENS)
    async with App(patient, models={"fast": before}, prices=PRICES, store=store) as app:
        run = app.start(patient, "x")
        await run.ended_or_waiting()
    after = ScriptedModel(["last"], usage=TOKENS)
    async with App(patient, models={"fast": after}, prices=PRICES, store=store) as app:
        await app.signal(run.id, "go", Word(text="on"))
        later = await app.run(run.id)
        assert await later.result() == "last"

        assert later.cost == {"USD": 2 * ONE_REQUEST}
        assert later.usage == RunUsage(
            requests=2,
            input_tokens=200,
            output_tokens=20,
            costs={"USD": 2 * ONE_REQUEST},
            is_whole=False,
        )


async def test_an_unknown_price_of_another_life_is_no_cost(tmp_path: Path) -> None:
    """A recorded answer whose price nobody knew leaves the cost of the resumed run unknown."""
    store = f"sqlite:///{tmp_path}/runs.db"
    before = ScriptedModel(["first"], usage=TOKENS)
    async with App(patient, models={"fast": before}, store=store) as app:
        run = app.start(patient, "x")
        await run.ended_or_waiting()
    after = ScriptedModel(["last"], usage=TOKENS)
    async with App(patient, models={"fast": after}, prices=PRICES, store=store) as app:
        await app.signal(run.id, "go", Word(text="on"))
        later = await app.run(run.id)
        await later.result()

        assert later.cost is None
        assert later.usage is not None
        assert later.usage.unpriced_requests == 1
