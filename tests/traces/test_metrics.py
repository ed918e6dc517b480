"""Metrics: what is counted from spans, what is read from the app, and what becomes of trouble."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from fishplate import App, Breaker, Bulkhead, ErrorClass, Failure, Policy, agent, current, tool
from fishplate import workflow as declare
from fishplate.core.errors import JsonValue
from fishplate.core.events import HeadTuple
from fishplate.traces.export import OtlpExport
from fishplate.traces.exporter import Exporter
from fishplate.traces.feed import Tally
from fishplate.traces.metrics import MOST_SERIES, Metrics
from tests.traces.collector import Collector

GUARDED = Policy(breaker=Breaker(), bulkhead=Bulkhead(2))


@tool(effect="readonly", policy=GUARDED, target="shop")
async def look(number: int) -> int:
    """Fails for 0."""
    if number == 0:
        raise Failure("no", error_class=ErrorClass.OVERLOAD, code="down")
    current().spent(cost_nanos=47_850, currency="EUR", input_tokens=number, output_tokens=2)
    return number


@agent(version="1.2.0", tools=[look], pool="inference")
async def body(number: int) -> int:
    """Calls the tool."""
    return await look(number)


@declare
async def flow(number: int) -> int:
    """One step."""
    return await body(number)


@pytest.fixture
def collector() -> Iterator[Collector]:
    """One that takes everything."""
    found = Collector()
    yield found
    found.close()


def sent(collector: Collector, *numbers: int, **more: Any) -> dict[str, Tally]:
    """Run the workflow once for each number; what became of its spans."""

    async def main() -> dict[str, Tally]:
        export = OtlpExport(endpoint=collector.url, metrics=collector.metrics_url, **more)
        async with App(flow, export=export) as app:
            for number in numbers:
                await app.start(flow, number).ended()
            return {**await app.flush_traces()}

    return asyncio.run(main())


def points(collector: Collector, name: str) -> list[dict[str, Any]]:
    """The points of a metric in the last request."""
    return collector.metrics[name]


def test_latency_tokens_cost_and_errors_are_counted(collector: Collector) -> None:
    """Histograms and sums have the conventional names, units and attributes."""
    sent(collector, 100, 100, 0)

    found = {
        (name, point["attributes"].get("error.type")): sum(point["counts"])
        for name, all_points in collector.metrics.items()
        for point in all_points
        if name.endswith(".duration")
    }
    assert found == {
        ("gen_ai.workflow.duration", None): 2,
        ("gen_ai.workflow.duration", "down"): 1,
        ("gen_ai.invoke_agent.duration", None): 2,
        ("gen_ai.invoke_agent.duration", "down"): 1,
        ("gen_ai.execute_tool.duration", None): 2,
        ("gen_ai.execute_tool.duration", "down"): 1,
    }
    [one] = [
        point
        for point in points(collector, "gen_ai.invoke_agent.duration")
        if "error.type" not in point["attributes"]
    ]
    assert (one["unit"], one["attributes"]["gen_ai.agent.name"]) == ("s", "body")
    assert one["attributes"]["gen_ai.agent.version"] == body.label
    tokens = {
        point["attributes"]["gen_ai.token.type"]: point["value"]
        for point in points(collector, "gen_ai.client.token.usage")
    }
    assert tokens == {"input": 200.0, "output": 4.0}
    [cost] = points(collector, "fishplate.cost")
    assert (cost["is"], cost["value"], cost["unit"]) == ("sum", 95_700, "n{currency}")
    assert cost["attributes"]["fishplate.cost.currency"] == "EUR"
    errors = {
        point["attributes"]["gen_ai.operation.name"]: point["value"]
        for point in points(collector, "fishplate.errors")
    }
    assert errors == {"invoke_workflow": 1, "invoke_agent": 1, "execute_tool": 1}


def test_costs_are_told_for_each_currency_alone() -> None:
    """Amounts of different currencies are different series, and calls of unknown price a third."""
    counted = Metrics()
    head: HeadTuple = ("model", "say-model", "1.0.0")
    for cost, currency, unpriced in ((5, "EUR", 0), (7, "USD", 1), (9, "EUR", 2)):
        facts: dict[str, JsonValue] = {
            "requests": 3,
            "unpriced_requests": unpriced,
            "cost_nanos": cost,
            "cost_currency": currency,
        }
        counted.add(head, 1_000, facts)
    counted.add(head, 1_000, {"cost_nanos": 1_000_000})  # nothing was asked for

    found = {
        (name, attributes.get("fishplate.cost.currency")): value
        for name, _, attributes, value in counted.sums()
    }
    assert found == {
        ("fishplate.cost", "EUR"): 14,
        ("fishplate.cost", "USD"): 7,
        ("fishplate.cost.unknown", None): 3,
    }


def test_breakers_and_queues_are_told_as_they_are(collector: Collector) -> None:
    """A breaker has one state; pools, bulkheads and the export have queues."""

    async def main() -> None:
        export = OtlpExport(endpoint=collector.url, metrics=collector.metrics_url)
        async with App(flow, export=export) as app:
            await app.start(flow, 1).result()
            app.targets.force_open("shop", by="ada", why="a drill")

    asyncio.run(main())

    states = {
        point["attributes"]["fishplate.state"]: point["value"]
        for point in points(collector, "fishplate.breaker.state")
        if point["attributes"]["fishplate.target"] == "shop"
    }
    assert states == {"closed": 0, "open": 0, "half_open": 0, "forced_open": 1, "disabled": 0}
    for name, key, value in (
        ("fishplate.pool.queued", "fishplate.pool", "inference"),
        ("fishplate.bulkhead.queued", "fishplate.target", "shop"),
        ("fishplate.traces.dropped", "fishplate.destination", "export"),
        ("fishplate.traces.queued", "fishplate.destination", "export"),
    ):
        [one] = points(collector, name)
        assert (one["is"], one["value"], one["attributes"]) == ("gauge", 0, {key: value})
    assert points(collector, "fishplate.runs.active")[0]["value"] == 0


def test_metrics_are_sent_when_they_are_due(collector: Collector) -> None:
    """They are cumulative, and go out though nothing happens."""
    now = 0.0
    settings = OtlpExport(endpoint=collector.url, metrics=collector.metrics_url, metrics_every=5)
    exporter = Exporter(settings, lambda: (), lambda: now)

    assert exporter.rest() == 5
    assert collector.paths == []
    now = 5.0
    assert exporter.rest() == 5
    assert collector.paths == ["/v1/metrics"]
    now = 7.0
    assert exporter.rest() == 3
    exporter.close()
    assert collector.paths == ["/v1/metrics"] * 2


def test_without_an_address_no_metrics_are_sent(collector: Collector) -> None:
    """Many readers of spans take no metrics, so nobody gets them unasked."""

    async def main() -> None:
        async with App(flow, export=OtlpExport(endpoint=collector.url)) as app:
            await app.start(flow, 1).result()

    asyncio.run(main())

    assert set(collector.paths) == {"/v1/traces"}


@pytest.mark.parametrize(
    ("status", "answer", "told"), [(404, b"", "404"), (200, b"<html></html>", "a web page")]
)
def test_a_sink_that_takes_no_metrics_costs_no_span(
    collector: Collector, status: int, answer: bytes, told: str
) -> None:
    """Spans arrive and runs succeed; the reason is told, also if a page says that all is well."""
    refusing = Collector(status, answer, kind="text/html")

    async def main() -> Tally:
        export = OtlpExport(
            endpoint=collector.url, metrics=refusing.metrics_url, metrics_every=0.000_001
        )
        async with App(flow, export=export) as app:
            assert await app.start(flow, 1).result() == 1
            return (await app.flush_traces())["export"]

    tally = asyncio.run(main())
    refusing.close()

    assert (tally.kept, tally.lost) == (3, 0)
    assert told in str(tally.failure)
    assert len(collector.spans) == 3


def test_the_number_of_series_is_bounded() -> None:
    """Beyond the bound all that is new is counted together."""
    metrics = Metrics()
    for number in range(MOST_SERIES + 10):
        head: HeadTuple = ("agent", f"agent-{number}", "1.0.0")
        metrics.add(head, 1_000, None)
    found = list(metrics.histograms())

    assert len(found) == MOST_SERIES + 1
    assert found[-1][2] == {"otel.metric.overflow": True}
    assert sum(found[-1][3].counts) == 10
