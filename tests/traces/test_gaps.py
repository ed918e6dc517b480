"""Blame where spans are missing: nothing is concluded from what is not there."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fishplate import App, ErrorClass, Failure, Prompt, agent, current, model_agent, tool, workflow
from fishplate.core.errors import JsonValue
from fishplate.testing import ScriptedModel
from fishplate.traces.blocks import NOTHING
from fishplate.traces.explain import explain
from fishplate.traces.queries import WholeTrace
from tests.traces.reading import only_trace


@tool(effect="readonly")
async def broken(order_id: str) -> str:
    """A service that is down."""
    raise Failure("503", error_class=ErrorClass.OVERLOAD, code="down")


@tool(effect="readonly")
async def row(order_id: str) -> dict[str, str]:
    """Finds something."""
    return {"order_id": order_id, "status": "shipped 4711"}


@agent(tools=[broken])
async def careless(order_id: str) -> str:
    """Lets the failure out as a bug of its own."""
    try:
        return await broken(order_id)
    except Exception as error:
        raise KeyError(order_id) from error


@agent(tools=[broken, row])
async def careful(order_id: str) -> str:
    """Asks somebody else when the first is down."""
    try:
        return await broken(order_id)
    except Failure:
        return (await row(order_id))["status"]


@agent
async def rule(order_id: str) -> str:
    """Applies a row of rules that is not for the order."""
    when: dict[str, JsonValue] = {"properties": {"size": {"maximum": 3}}}
    current().decided("sizes", "small", given={"size": 9}, when=when)
    return order_id


@workflow
async def failing(order_id: str) -> str:
    """Fails with its step."""
    return await careless(order_id)


@workflow
async def recovering(order_id: str) -> str:
    """Succeeds though a tool fails."""
    return await careful(order_id)


@workflow
async def ruled(order_id: str) -> str:
    """Succeeds with a wrong row."""
    return await rule(order_id)


@model_agent("m", tools=[row])
def assistant(order_id: str) -> Prompt[str]:
    """Answer."""
    return Prompt(user=order_id)


def traced(folder: Path, what: Any, models: Mapping[str, ScriptedModel]) -> WholeTrace:
    """Run something; its whole trace."""
    url = f"sqlite:///{folder}/{what.name}.db"

    async def main() -> None:
        async with App(what, traces=url, models=models) as app:
            await app.start(what, "W1").ended()

    asyncio.run(main())
    return only_trace(url)


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> list[WholeTrace]:
    """Whole traces of runs, right and wrong."""
    folder = tmp_path_factory.mktemp("gaps")
    talking = {"m": ScriptedModel(["W1 is shipped, and 3 + 4 = 8."])}
    found = [traced(folder, what, {}) for what in (failing, recovering, ruled)]
    return [*found, traced(folder, assistant, talking)]


def without(trace: WholeTrace, *names: str) -> WholeTrace:
    """The trace after the spans of these names were dropped."""
    left = tuple(one for one in trace.spans if one.span.name not in names)
    run = trace.run._replace(missing_spans=len(trace.spans) - len(left))
    return replace(trace, run=run, spans=left)


def test_the_whole_traces_have_their_verdicts(traces: list[WholeTrace]) -> None:
    """What the tests below take away from is there."""
    assert [explain(one).verdict for one in traces] == ["tool", "none", "policy", "reasoning"]


def test_an_agent_is_not_blamed_for_what_was_dropped(traces: list[WholeTrace]) -> None:
    """Where the span of the tool is missing, the failure of its caller is a doubt."""
    failed, *_ = traces
    found = explain(without(failed, "broken"))

    assert (found.verdict, found.findings) == ("none", ())
    assert "what it rests on is not all there" in found.doubts[0].evidence


def test_a_tool_is_not_blamed_where_its_callers_are_missing(traces: list[WholeTrace]) -> None:
    """Somebody may have answered for the failure."""
    _, recovered, *_ = traces
    found = explain(without(recovered, "careful", "recovering"))

    assert found.verdict == "none"
    assert found.doubts[0].path.endswith("broken")


def test_what_shows_itself_is_blamed_all_the_same(traces: list[WholeTrace]) -> None:
    """A tool that failed below callers that are there; a row that is not for its facts."""
    failed, _, wrong_row, _ = traces
    failed = replace(failed, run=failed.run._replace(missing_spans=3))

    assert explain(failed).verdict == "tool"
    assert explain(without(wrong_row, "rule", "ruled")).verdict == "policy"


def test_words_are_not_judged_without_all_that_was_read(traces: list[WholeTrace]) -> None:
    """With contents missing, what a model seems to have made up is a doubt."""
    *_, talk = traces
    found = explain(replace(talk, run=talk.run._replace(missing_contents=1)))

    assert found.verdict == "none"
    assert {one.verdict for one in found.doubts} == {"reasoning"}


@given(data=st.data())
def test_a_part_of_a_run_never_has_another_verdict(
    traces: list[WholeTrace], data: st.DataObject
) -> None:
    """Whatever is dropped: the verdict is that of the whole run, or none."""
    whole = data.draw(st.sampled_from(traces))
    kept = data.draw(st.lists(st.booleans(), min_size=len(whole.spans), max_size=len(whole.spans)))
    spans = tuple(one for one, is_kept in zip(whole.spans, kept, strict=True) if is_kept)
    missing = len(whole.spans) - len(spans)
    part = replace(whole, run=whole.run._replace(missing_spans=missing), spans=spans)

    assert explain(part).verdict in {explain(whole).verdict, "none"}


def test_a_run_that_has_not_ended_is_not_judged_by_its_failures(traces: list[WholeTrace]) -> None:
    """A failure so far may still be answered for."""
    _, recovered, *_ = traces
    spans = tuple(one for one in recovered.spans if one.span.name == "broken")
    run = recovered.run._replace(state="running")
    found = explain(replace(recovered, run=run, spans=spans))

    assert (found.verdict, len(found.doubts)) == ("none", 1)


def test_a_text_that_is_nowhere_is_said_to_be_nowhere(traces: list[WholeTrace]) -> None:
    """A typing error, or something that was not kept: both are told, and nothing is blamed."""
    _, recovered, *_ = traces
    nowhere, given_in = explain(recovered, wrong="pending"), explain(recovered, wrong="W1")
    unkept = replace(
        recovered, spans=tuple(replace(one, given=NOTHING, gave=NOTHING) for one in recovered.spans)
    )

    assert "'pending' occurs in no input or output of this run" in nowhere.notes[0]
    assert "secrets are hidden, and long texts cut" in nowhere.notes[0]
    assert "'W1' stands in what 'recovering' was given" in given_in.notes[0]
    assert "those of 4 of its spans were not kept" in explain(unkept, wrong="4711").notes[0]
    assert explain(recovered, wrong="4711").notes == ()
    assert nowhere.to_json()["notes"] == list(nowhere.notes)


def test_the_origin_of_a_text_is_not_guessed(traces: list[WholeTrace]) -> None:
    """Where the step that brought it in was dropped, the first that is left is in doubt."""
    _, recovered, *_ = traces
    found = explain(without(recovered, "row"), wrong="4711")

    assert explain(recovered, wrong="4711").findings[0].path == "careful/1.row"
    assert found.findings == ()
    assert any("the first that holds '4711'" in one.evidence for one in found.doubts)
