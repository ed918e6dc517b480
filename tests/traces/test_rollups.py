"""Sums of what was spent: every request in one group, and no currency added to another."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fishplate import App, ErrorClass, Prompt, agent, current, each, model_agent, tool, workflow
from fishplate.core.clock import FixedClock
from fishplate.core.errors import JsonValue
from fishplate.core.events import HeadTuple, SpanKind
from fishplate.core.run_context import Principal, RunContext, Surroundings
from fishplate.core.spending import MOST_NANOS, MOST_SUM, MOST_TOKENS
from fishplate.models.model import Usage
from fishplate.models.prices import Price, PriceTable
from fishplate.orchestrator.releases import Releases
from fishplate.testing import ScriptedModel
from fishplate.traces.capture import Reader
from fishplate.traces.items import Began, Item, bare
from fishplate.traces.packing import Packer
from fishplate.traces.queries import RunFilter, list_traces
from fishplate.traces.redaction import Redactor
from fishplate.traces.rollups import GROUPINGS, Grouping, Spent, spending
from fishplate.traces.rows import write
from fishplate.traces.store import open_trace_reader
from fishplate.traces.waterfall import run_cost
from tests.traces.reading import empty_store

FOREVER: Final = (0, 2**50)
USAGE: Final = Usage(input_tokens=100, output_tokens=10)
PRICES: Final = PriceTable(
    {
        "dollars": Price(input=Decimal(1), output=Decimal(2)),
        "euros": Price(input=Decimal(1), output=Decimal(2), currency="EUR"),
    }
)


@model_agent("cheap", version="1.2.0")
def answer(question: str) -> Prompt[str]:
    """Answer a customer."""
    return Prompt(user=question)


@model_agent("dear")
def judge(question: str) -> Prompt[str]:
    """Look at an answer."""
    return Prompt(user=question)


@tool(effect="readonly")
async def search(words: str) -> str:
    """Takes money, and does not tell how much for `odd`."""
    is_known = words != "odd"
    current().spent(cost_nanos=500 if is_known else None, currency="EUR" if is_known else None)
    return words


@agent(tools=[search], agents=[judge])
async def look(question: str) -> str:
    """Pays for two searches, and asks a model."""
    await search(question)
    return await search(await judge(question))


@agent
async def double(question: str) -> list[str]:
    """Two of it."""
    return [question, question]


@workflow
async def support(question: str) -> list[str]:
    """Each of two answers is looked at."""
    answers = await each(answer, await double(question))
    return await each(look, answers)


def kept(folder: Path, *tenants: str) -> sqlite3.Connection:
    """The store of an app in which `support` has run, for each of some tenants."""
    url = f"sqlite:///{folder}/traces.db"
    models = {
        "cheap": ScriptedModel(["odd", "even"] * 3, name="dollars", usage=USAGE),
        "dear": ScriptedModel(["fine"] * 6, name="euros", usage=USAGE),
    }

    async def main() -> None:
        async with App(support, models=models, prices=PRICES, traces=url) as app:
            for tenant in tenants:
                run = app.start(support, "Where?", principal=Principal(tenant=tenant))
                await run.result()

    asyncio.run(main())
    return open_trace_reader(url)


def by(connection: sqlite3.Connection, grouping: Grouping) -> dict[str, Spent]:
    """The groups of all that was spent."""
    return {one.group: one for one in spending(connection, *FOREVER, by=grouping).groups}


def test_what_was_spent_is_summed_by_who_spent_it(tmp_path: Path) -> None:
    """Agent, step, release, tenant and model; in a step all items of an `each` are one."""
    connection = kept(tmp_path, "acme", "umbrella")

    agents = by(connection, "agent")
    assert {name: (one.calls, one.costs) for name, one in agents.items()} == {
        "answer": (4, {"USD": 4 * 120_000}),
        "judge": (4, {"EUR": 4 * 120_000}),
        "search": (8, {"EUR": 6 * 500}),
    }
    assert {name: one.unpriced for name, one in agents.items()} == {
        "answer": 0,
        "judge": 0,
        "search": 2,
    }
    assert (agents["answer"].input_tokens, agents["answer"].output_tokens) == (400, 40)
    assert {*by(connection, "step")} == {
        "each/answer",
        "each~2/look/judge",
        "each~2/look/search",
    }
    assert [name.partition("+")[0] for name in by(connection, "release")] == [
        "answer 1.2.0",
        "judge 0.0.0",
        "search 0.0.0",
    ]
    assert {name: one.calls for name, one in by(connection, "tenant").items()} == {
        "acme": 8,
        "umbrella": 8,
    }
    models = by(connection, "model")
    assert {name: one.calls for name, one in models.items()} == {"": 8, "dollars": 4, "euros": 4}
    connection.close()


def test_a_run_has_a_sum_for_each_currency(tmp_path: Path) -> None:
    """Amounts of different currencies are not added, and an unknown one makes the whole unknown."""
    connection = kept(tmp_path, "acme")
    [run] = list_traces(connection, RunFilter())

    assert run.costs == {"USD": 240_000, "EUR": 240_000 + 3 * 500}
    assert (run.whole_costs, run.unpriced, run.model_calls) == (None, 1, 8)
    assert list_traces(connection, RunFilter(dearer_than=241_500)) == [run]
    assert list_traces(connection, RunFilter(dearer_than=241_501)) == []
    connection.close()


def test_a_failed_request_has_its_model_and_no_known_price(tmp_path: Path) -> None:
    """Attempts that broke off are calls of unknown price, of the model that was asked."""
    url = f"sqlite:///{tmp_path}/traces.db"
    model = ScriptedModel([ErrorClass.BUG] * 3, name="dollars", usage=USAGE)

    async def main() -> None:
        async with App(answer, models={"cheap": model}, prices=PRICES, traces=url) as app:
            await app.start(answer, "Where?").ended()

    asyncio.run(main())
    connection = open_trace_reader(url)
    [found] = spending(connection, *FOREVER, by="model").groups
    connection.close()

    assert (found.group, found.calls, found.unpriced) == ("dollars", 1, 1)
    assert (found.costs, found.errors) == ({}, 1)


Leaf: TypeAlias = tuple[SpanKind, str, dict[str, JsonValue] | None]
PATHS: Final = ("flow/0.a", "flow/1.a", "each.0/b", "each.11/b/0.a-model", "c~2|d/3.e.1")


@st.composite
def leaves(draw: st.DrawFn) -> Leaf:
    """A span with what it has spent, or with nothing of that kind."""
    kind: SpanKind = draw(st.sampled_from(("model", "tool", "agent")))
    path = draw(st.sampled_from(PATHS))
    if draw(st.booleans()):
        return kind, path, None
    facts: dict[str, JsonValue] = {
        "requests": draw(st.integers(1, 3)),
        "unpriced_requests": draw(st.integers(0, 3)),
        "input_tokens": draw(st.integers(0, MOST_TOKENS)),
    }
    if draw(st.booleans()):
        facts["cost_nanos"] = draw(st.integers(0, MOST_NANOS))
        facts["cost_currency"] = draw(st.sampled_from(("USD", "EUR", "JPY")))
    if kind == "model":
        facts["model"] = draw(st.sampled_from(("m", "n")))
    return kind, path, facts


@given(
    runs=st.lists(
        st.tuples(st.sampled_from(["acme", "umbrella"]), st.lists(leaves(), max_size=6)), max_size=6
    ),
    batch=st.integers(1, 9),
)
def test_the_sums_of_all_groups_are_those_of_all_runs(
    runs: list[tuple[str, list[Leaf]]], batch: int
) -> None:
    """However it is grouped, nothing is counted twice or left out, in any currency."""
    connection = empty_store()
    packer = Packer(Reader("off", Redactor()))
    items = [item for number, run in enumerate(runs) for item in told(number + 1, *run)]
    for start in range(0, len(items), batch):
        write(connection, packer.pack(items[start : start + batch]))
    kept_runs = list_traces(connection, RunFilter(limit=100))
    wanted = sums((one.costs, one.model_calls, one.input_tokens, one.unpriced) for one in kept_runs)

    assert len(kept_runs) == len(runs)
    for grouping in GROUPINGS:
        found = spending(connection, *FOREVER, by=grouping)
        parts = [(one.costs, one.calls, one.input_tokens, one.unpriced) for one in found.groups]
        whole = found.whole
        assert sums(parts) == wanted
        assert sums([(whole.costs, whole.calls, whole.input_tokens, whole.unpriced)]) == wanted
    tenants = spending(connection, *FOREVER, by="tenant").groups
    for one in tenants:
        own = [run for run in kept_runs if run.tenant == one.group]
        assert one.calls == sum(run.model_calls for run in own)
    connection.close()


def sums(found: Iterable[tuple[Mapping[str, int], int, int, int]]) -> Counter[str]:
    """Amounts by currency, and counts by word."""
    total: Counter[str] = Counter()
    for costs, calls, tokens, unpriced in found:
        total.update({**costs, "calls": calls, "tokens": tokens, "unpriced": unpriced})
    return +total


def told(number: int, tenant: str, leaves: list[Leaf]) -> list[Item]:
    """What a run tells: its beginning, a span for each leaf, one every 7 minutes, and its end."""
    clock = FixedClock(datetime(2026, 11, 22, tzinfo=UTC))
    around = Surroundings(
        clock=clock, sink=lambda _: None, resources={}, working_time=300, heads=Releases({})
    )
    context = RunContext(around, Principal(tenant=tenant), number)
    start = context.started_ns
    items: list[Item] = [Began(context, "flow", -start)]
    for at, (kind, path, facts) in enumerate(leaves):
        when = start + at * 7 * 60_000_000_000
        head: HeadTuple = (kind, "a-model" if kind == "model" else "a", "1.0.0")
        items.append(bare((number, at + 2, 1, head, path, when, when + 9, "ok", facts)))
    flow: HeadTuple = ("workflow", "flow", "1.0.0")
    items.append(bare((number, 1, None, flow, "flow", start, start, "ok", None)))
    return items


@pytest.mark.parametrize(
    ("path", "step"),
    [
        ("whole~2/0.say", "whole~2/say"),
        ("each.11/say", "each/say"),
        ("many/0.1.say", "many/say"),
        ("0.say|other", "say|other"),
    ],
)
def test_a_step_is_the_same_for_every_item_and_round(path: str, step: str) -> None:
    """Numbers that a run counts are no part of a step's name; those of its code are."""
    facts: dict[str, JsonValue] = {"requests": 1}
    connection = empty_store()
    write(connection, Packer(Reader("off", Redactor())).pack(told(1, "t", [("tool", path, facts)])))

    assert {*by(connection, "step")} == {step}
    connection.close()


def test_a_sum_beyond_what_the_file_holds_is_shown_as_at_least_that() -> None:
    """It stops at the largest number, in a batch, over batches, in runs and in roll-ups."""
    connection = empty_store()
    dear: Leaf = (
        "tool",
        "a",
        {"requests": 1, "cost_nanos": MOST_SUM // 3, "cost_currency": "IRR"},
    )
    packer = Packer(Reader("off", Redactor()))
    items = told(1, "acme", [dear] * 5) + told(2, "umbrella", [dear] * 2)
    begin, *spans = items[:7]
    for batch in ([begin, *spans[:1]], spans[1:], items[7:]):
        write(connection, packer.pack(batch))
    runs = {run.tenant: run for run in list_traces(connection, RunFilter())}

    assert runs["acme"].costs == {"IRR": MOST_SUM}
    assert runs["acme"].whole_costs is None
    assert runs["umbrella"].costs == runs["umbrella"].whole_costs == {"IRR": 2 * (MOST_SUM // 3)}
    assert len(list_traces(connection, RunFilter(dearer_than=MOST_SUM))) == 1
    for grouping in GROUPINGS:
        assert spending(connection, *FOREVER, by=grouping).whole.costs == {"IRR": MOST_SUM}
    assert by(connection, "tenant")["umbrella"].costs == {"IRR": 2 * (MOST_SUM // 3)}
    assert run_cost(runs["acme"]) == ">= 9223372036.854775807 IRR"
    connection.close()
