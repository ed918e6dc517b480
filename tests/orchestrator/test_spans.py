"""The trace of a run: one span for every call and decision."""

import asyncio
from typing import Any

from fishplate import (
    App,
    Degraded,
    ErrorClass,
    Failure,
    Stale,
    Static,
    agent,
    current,
    graded,
    parallel,
    tool,
    workflow,
)
from fishplate.testing import VirtualClock, run_in_virtual_time
from tests.engines.running import in_app, named


def test_every_call_has_one_span_below_its_caller() -> None:
    """Ids, parents, paths, kinds, statuses and releases of a whole run."""

    @tool(effect="readonly")
    async def look(number: str) -> str:
        current().note(row=7)
        return number

    @agent(version="1.2.0", tools=[look])
    async def body(number: str) -> str:
        return await look(number)

    @agent
    async def broken(number: str) -> str:
        raise Failure("down", error_class=ErrorClass.OVERLOAD, code="down")

    @agent
    async def spare(number: str) -> str:
        return number

    @workflow
    async def inner(number: str) -> str:
        return await body(number)

    @workflow
    async def flow(number: str) -> str:
        first, _ = await parallel(inner(number), broken.or_else(spare)(number))
        return first

    async def scenario(app: App) -> tuple[list[tuple[int, str]], list[Any]]:
        run = app.start(flow, "1")
        await run.result()
        lines: list[tuple[int, str]] = []
        for tree in app.trace(run):
            for depth, span in tree.walk():
                assert f"{span.trace_id:032x}" == run.trace_id
                assert span.kind == "decision" or "+fp." in span.release
                lines.append((depth, f"{span.kind} {span.name} {span.path} {span.status}"))
        spans = app.spans(run)
        assert len({span.span_id for span in spans}) == len(spans)
        facts = [named(spans, name)[0].attributes for name in ("look", "broken", "flow")]
        return lines, facts

    lines, facts = in_app(scenario)

    assert sorted(lines) == [
        (0, "workflow flow flow degraded"),
        (1, "agent broken parallel/broken error"),
        (1, "agent spare parallel/broken|spare degraded"),
        (1, "decision fallback → spare parallel/broken ok"),
        (1, "workflow inner parallel/inner ok"),
        (2, "agent body parallel/inner/body ok"),
        (3, "tool look parallel/inner/body/0.look ok"),
    ]
    reason = {"reason": "down", "source": "spare", "step": "parallel/broken", "age": None}
    assert facts == [{"row": 7}, {"error": "down"}, {"degraded": [reason]}]


def test_the_mark_stands_on_the_span_of_every_step_that_the_value_went_into() -> None:
    """Of whoever answered instead, and of each step after it; with source, reason and age."""

    @agent
    async def source(number: str) -> str:
        raise Failure("down", error_class=ErrorClass.OVERLOAD, code="down")

    @agent
    async def other(number: str) -> str:
        raise ConnectionError

    @agent
    async def into(text: str) -> str:
        return text

    @agent
    async def judge(known: Degraded[str]) -> str:
        return known.value

    @agent
    async def aside(number: str) -> str:
        return number

    @workflow
    async def flow(number: str) -> str:
        found = await source.or_else(other).or_else(Static("nobody knows"))(number)
        await judge(await graded(into(found)))
        await aside.named("before")(number)
        return await into.named("after").or_else(other)(found)

    async def scenario(app: App) -> dict[str, list[Any]]:
        run = app.start(flow, "1")
        await run.result()
        return {
            span.path: [span.status, (span.attributes or {}).get("degraded")]
            for span in app.spans(run)
            if span.kind != "decision"
        }

    mark = [{"reason": "connection", "source": "static", "step": "source", "age": None}]
    seen = in_app(scenario)
    static = next(path for path in seen if path.startswith("source|source-static"))
    assert seen == {
        "source": ["error", None],
        "source|other": ["error", None],
        static: ["degraded", mark],
        "into": ["degraded", mark],
        "judge": ["degraded", mark],
        "before": ["ok", None],
        "after": ["degraded", mark],
        "flow": ["degraded", mark],
    }


def test_a_remembered_answer_has_its_own_age_on_every_span() -> None:
    """A value made from one remembered answer and answered by another has both ages."""
    is_up = True

    @agent
    async def stock(number: str) -> str:
        if not is_up:
            raise ConnectionError
        return number

    @agent
    async def price(number: str) -> str:
        if not is_up:
            raise ConnectionError
        return number

    @workflow
    async def flow(number: str) -> str:
        found = await stock.or_else(Stale(max_age=60, scope="stock"))(number)
        return await price.or_else(Stale(max_age=60, scope="price"))(found)

    async def scenario(app: App) -> tuple[list[Any], list[Any]]:
        nonlocal is_up
        await app.start(flow, "1").result()
        await asyncio.sleep(7)
        is_up = False
        run = app.start(flow, "1")
        await run.result()
        marks: list[Any] = [
            (span.attributes or {})["degraded"]
            for span in app.spans(run)
            if span.status == "degraded"
        ]
        return [(reason.step, reason.source, reason.age) for reason in run.degraded], marks

    async def main() -> Any:
        async with App(flow, clock=VirtualClock()) as app:
            return await scenario(app)

    reasons, marks = run_in_virtual_time(main())
    assert reasons == [("stock", "cache", 7.0), ("price", "cache", 7.0)]
    assert [[mark["step"] for mark in of_one] for of_one in marks] == [
        ["stock"],
        ["stock", "price"],
        ["stock", "price"],
    ]
