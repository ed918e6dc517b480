"""What somebody has decided about a run, in its trace: who, what, why, and how long it waited."""

import asyncio
from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel

from fishplate import App, Principal, agent, approval, tool, wait_for, workflow
from fishplate.cli import main
from fishplate.core.events import Span
from fishplate.traces.capture import Capture
from fishplate.traces.store import TraceStore
from tests.traces.reading import only_trace

LEAD = Principal(name="grace", roles=frozenset({"lead"}))
NOTE = "seen the receipt"


@tool(effect="readonly")
async def pay(order_id: str) -> str:
    """What is to be approved."""
    return f"paid {order_id}"


class Word(BaseModel):
    """What it waits for."""

    text: str


@agent
async def join(paid: object, word: Word) -> str:
    """Both."""
    return f"{paid} {word.text}"


@workflow(tools=[pay])
async def paying(order_id: str) -> str:
    """Waits for somebody, and then for a word."""
    paid = await approval(pay(order_id), roles=["lead"], within=60)
    return await join(paid, await wait_for("word", Word))


@workflow(tools=[pay])
async def hasty(order_id: str) -> str:
    """Waits for nearly no time."""
    return await join(
        await approval(pay(order_id), roles=["lead"], within=0.001), Word(text="late")
    )


def traced(folder: Path, capture: Capture = "redacted") -> TraceStore:
    """Where its traces are."""
    return TraceStore(url=f"sqlite:///{folder}/traces.db", capture=capture)


def decided(
    folder: Path, decision: Literal["approve", "reject"], capture: Capture = "redacted"
) -> str:
    """A run of which each wait is answered by a process of its own; its id."""
    store = f"sqlite:///{folder}/runs.db"

    async def begin() -> str:
        async with App(paying, store=store, traces=traced(folder, capture)) as app:
            run = app.start(paying, "W1")
            assert await run.ended_or_waiting() == "waiting"
            return run.id

    async def decide(run_id: str) -> None:
        async with App(paying, store=store, traces=traced(folder, capture)) as app:
            await getattr(app, decision)(run_id, principal=LEAD, note=NOTE)
            run = await app.run(run_id)
            assert await run.ended_or_waiting() == "waiting"

    async def end(run_id: str) -> None:
        async with App(paying, store=store, traces=traced(folder, capture)) as app:
            await app.signal(run_id, "word", Word(text="thanks"))
            await (await app.run(run_id)).result()

    run_id = asyncio.run(begin())
    asyncio.run(decide(run_id))
    asyncio.run(end(run_id))
    return run_id


def decisions(folder: Path) -> list[Span]:
    """Those of the only run."""
    trace = only_trace(traced(folder).url)
    return [one.span for one in trace.spans if one.span.kind == "decision"]


@pytest.mark.parametrize(("decision", "chosen"), [("approve", "approved"), ("reject", "rejected")])
def test_a_decision_is_told_once_and_replayed_by_whoever_remembers_it(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    decision: Literal["approve", "reject"],
    chosen: str,
) -> None:
    """It says who has decided what, why, and after how long, and is found by its words."""
    run_id = decided(tmp_path, decision)

    found = decisions(tmp_path)
    told, heard = (one for one in found if "replayed" not in (one.attributes or {}))
    assert [one.name for one in found if "replayed" in (one.attributes or {})] == [told.name]
    facts = dict(told.attributes or {})
    waited = facts.pop("waited")
    assert told.name == f"approval → {chosen}"
    assert facts == {
        "kind": "approval",
        "chosen": chosen,
        "of": "pay",
        "by": "grace",
        "reason": NOTE,
    }
    assert isinstance(waited, (int, float))
    assert told.end_ns - told.start_ns == round(waited * 1000) * 1_000_000
    assert (heard.name, (heard.attributes or {})["of"]) == ("signal → received", "word")

    traces = traced(tmp_path).url
    for command in (["trace", "--search", NOTE], ["trace", "show", run_id]):
        assert main([*command, "--traces", traces]) == 0
        shown = capsys.readouterr().out
        assert run_id in shown
        assert NOTE in shown


def test_a_time_that_is_over_is_a_decision_too(tmp_path: Path) -> None:
    """Nobody has decided: that is what is told."""

    async def main_() -> None:
        store = f"sqlite:///{tmp_path}/runs.db"
        async with App(hasty, store=store, traces=traced(tmp_path)) as app:
            await app.start(hasty, "W1").ended()

    asyncio.run(main_())

    [told] = decisions(tmp_path)
    assert told.name == "approval → expired"
    assert not {"by", "reason"} & {*(told.attributes or {})}


@pytest.mark.parametrize("capture", ["off", "metadata"])
def test_who_has_decided_and_why_is_content(tmp_path: Path, capture: Capture) -> None:
    """Where contents are not kept only what was decided is."""
    decided(tmp_path, "approve", capture)

    for told in decisions(tmp_path):
        assert {*(told.attributes or {})} - {"replayed"} == {"kind", "chosen", "of", "waited"}
