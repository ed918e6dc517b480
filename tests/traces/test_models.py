"""Requests to models in a kept trace: what they used, what they cost, and what they made up."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from fishplate import App, ErrorClass, Policy, Prompt, Retry, model_agent, workflow
from fishplate.models.model import ModelAnswer, Usage
from fishplate.models.prices import Price, PriceTable
from fishplate.testing import ScriptedModel
from fishplate.testing.scripted_model import Scripted
from fishplate.traces.explain import explain
from fishplate.traces.queries import RunFilter, TracedRun, WholeTrace, list_traces, whole_trace
from fishplate.traces.store import open_trace_reader

USAGE = Usage(input_tokens=321, output_tokens=12, cache_read_tokens=100)
PRICES = PriceTable(
    {"scripted": Price(input=Decimal("0.15"), cache_read=Decimal("0.075"), output=Decimal("0.60"))}
)
TWICE = Policy(retry=Retry(attempts=2, base=0.001, cap=0.001))


@model_agent("fast", version="1.0.0")
def answer(question: str) -> Prompt[str]:
    """Answer a customer."""
    return Prompt(system="You answer customers.", user=question)


@workflow
async def inner(question: str) -> str:
    """One request."""
    return await answer(question)


@workflow
async def outer(question: str) -> str:
    """Two requests, one of them a workflow down."""
    return await answer(await inner(question))


def traced(folder: Path, prices: PriceTable | None, *said: str) -> WholeTrace:
    """Run `outer` with a model that says this."""
    url = f"sqlite:///{folder}/traces.db"
    model = ScriptedModel(said, usage=USAGE)

    async def main() -> None:
        async with App(outer, models={"fast": model}, prices=prices, traces=url) as app:
            await app.start(outer, "Where is W1?").result()

    asyncio.run(main())
    connection = open_trace_reader(url)
    [run] = list_traces(connection, RunFilter())
    found = whole_trace(connection, run.id)
    connection.close()
    assert found is not None
    return found


def test_the_cost_of_a_run_is_that_of_its_requests(tmp_path: Path) -> None:
    """Two requests of 221 x 0.15 + 100 x 0.075 + 12 x 0.60 millionths, however deep they stand."""
    trace = traced(tmp_path, PRICES, "Where is W1 now?", "W1 is on its way.")

    assert trace.run.whole_costs == {"USD": 2 * 47_850}
    assert (trace.run.model_calls, trace.run.input_tokens, trace.run.output_tokens) == (2, 642, 24)
    models = [one for one in trace.spans if one.span.kind == "model"]
    assert [(one.span.attributes or {})["cost_nanos"] for one in models] == [47_850, 47_850]


@workflow
async def patient(question: str) -> str:
    """One request, of two attempts at most."""
    return await answer.using(TWICE)(question)


def spent(folder: Path, *said: Scripted) -> TracedRun:
    """What a run of `patient` has used whose model says this."""
    url = f"sqlite:///{folder}/traces.db"
    model = ScriptedModel(said, usage=USAGE)

    async def main() -> None:
        async with App(patient, models={"fast": model}, prices=PRICES, traces=url) as app:
            await app.start(patient, "Where is W1?").ended()

    asyncio.run(main())
    connection = open_trace_reader(url)
    [run] = list_traces(connection, RunFilter())
    connection.close()
    return run


def test_an_attempt_that_broke_off_makes_the_cost_unknown(tmp_path: Path) -> None:
    """What a request took that failed on its way nobody has said, so the sum is a lower bound."""
    run = spent(tmp_path, ErrorClass.TRANSIENT, "W1 is on its way.")

    assert (run.model_calls, run.unpriced) == (2, 1)
    assert (run.whole_costs, run.costs) == (None, {"USD": 47_850})


def test_a_request_that_was_refused_costs_nothing(tmp_path: Path) -> None:
    """A provider that answers that the quota is spent has not begun."""
    run = spent(tmp_path, ErrorClass.QUOTA_EXHAUSTED)

    assert (run.state, run.model_calls, run.whole_costs) == ("failed", 1, {})


def test_every_attempt_that_was_answered_is_counted(tmp_path: Path) -> None:
    """An answer that ended in an error has its tokens and its price too."""
    run = spent(tmp_path, ModelAnswer(finish_reason="error"), "W1 is on its way.")

    assert (run.model_calls, run.input_tokens, run.output_tokens) == (2, 642, 24)
    assert run.whole_costs == {"USD": 2 * 47_850}


def test_a_cost_that_nobody_knows_is_not_zero(tmp_path: Path) -> None:
    """Without prices the tokens are known, and the cost is not."""
    trace = traced(tmp_path, None, "Where is W1 now?", "W1 is on its way.")

    assert (trace.run.whole_costs, trace.run.unpriced) == (None, 2)
    assert trace.run.input_tokens == 642


@pytest.mark.parametrize(
    ("said", "verdict"),
    [("W1 is on its way.", "none"), ("W7 comes on 3 May.", "reasoning")],
)
def test_what_a_model_made_up_is_blamed_on_it(tmp_path: Path, said: str, verdict: str) -> None:
    """An id or a number that nothing holds that the model was given came from the model."""
    found = explain(traced(tmp_path, PRICES, "Where is W1 now?", said))

    assert found.verdict == verdict
    if verdict == "reasoning":
        assert "'W7'" in found.findings[0].evidence
