"""The trace of a run: one span for every call and decision."""

from typing import Any

from fishplate import (
    App,
    ErrorClass,
    Failure,
    agent,
    current,
    parallel,
    tool,
    workflow,
)
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
        (1, "agent spare parallel/broken|spare ok"),
        (1, "decision fallback → spare parallel/broken ok"),
        (1, "workflow inner parallel/inner ok"),
        (2, "agent body parallel/inner/body ok"),
        (3, "tool look parallel/inner/body/0.look ok"),
    ]
    reason = {"reason": "down", "source": "spare", "step": "parallel/broken", "age": None}
    assert facts == [{"row": 7}, {"error": "down"}, {"degraded": [reason]}]
