"""Where a run stands that has not ended: what it waits for, and when it was heard of last."""

import asyncio
import gc
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from fishplate import App, Rejected, TimedOut, agent, approval, sleep, tool, wait_for, workflow
from fishplate.core.run_context import Principal
from fishplate.journal.inbox import Request
from fishplate.journal.sending import send
from fishplate.traces.queries import (
    RunFilter,
    TracedRun,
    WholeTrace,
    list_traces,
    told_until_ns,
    whole_trace,
)
from fishplate.traces.standing import brief_note, notes_on
from fishplate.traces.store import open_trace_reader

LEAD = Principal(name="ann", roles=frozenset({"lead"}))
CALLED = asyncio.Event()


class Parcel(BaseModel):
    """What has arrived."""

    number: str


@tool(effect="keyed", key_ttl=3600)
async def pay(order: str) -> str:
    """Pays."""
    return f"paid {order}"


@workflow(tools=[pay])
async def refund(order: str) -> str | Rejected:
    """Waits for a person."""
    return await approval(pay(order), roles=["lead", "boss"], within=3600)


@workflow
async def arrival(order: str) -> Parcel | TimedOut:
    """Waits for a signal."""
    return await wait_for("parcel", Parcel, within=60)


@agent
async def again(order: str) -> str:
    """Says it again."""
    return order


@workflow
async def later(order: str) -> str:
    """Waits for the time to come."""
    await sleep(7200)
    return await again(order)


@agent(agents=[again])
async def slow(order: str) -> str:
    """Calls somebody, says so, and waits for a word that never comes."""
    await again(order)
    CALLED.set()
    await asyncio.Event().wait()
    return order


def urls(folder: Path) -> tuple[str, str]:
    """Of a store of runs, and of one of traces."""
    return f"sqlite:///{folder}/runs.db", f"sqlite:///{folder}/traces.db"


def only_run(url: str) -> WholeTrace:
    """The only run of a trace store."""
    connection = open_trace_reader(url)
    [run] = list_traces(connection, RunFilter())
    found = whole_trace(connection, run.id)
    assert found is not None
    assert told_until_ns(connection, run) == found.told_until_ns
    connection.close()
    return found


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (refund, "in step approval it waits for a decision of lead or boss about 'pay' since 2"),
        (arrival, "it waits for the signal 'parcel' since 2"),
        (later, "in step sleep it waits since 2"),
    ],
)
def test_a_run_that_waits_says_for_what(tmp_path: Path, what: Any, said: str) -> None:
    """Its state is `waiting`, with the step, who or what answers, since when, and until when."""
    store, traces = urls(tmp_path)

    async def main() -> None:
        async with App(what, store=store, traces=traces) as app:
            assert await app.start(what, "W1").ended_or_waiting() == "waiting"

    asyncio.run(main())
    run = only_run(traces).run
    [note] = notes_on(run, run.started_ns, run.started_ns)
    assert (run.state, run.duration_ns) == ("waiting", None)
    assert said in note
    assert ", until 2" in note
    assert brief_note(run, 0, 0) == f"waits {note.partition('it waits ')[2]}"


def test_a_run_that_goes_on_waits_no_more(tmp_path: Path) -> None:
    """Its trace says how it ended, and nothing of what it has waited for."""
    store, traces = urls(tmp_path)

    async def main() -> None:
        async with App(refund, store=store, traces=traces) as app:
            run = app.start(refund, "W1")
            await run.ended_or_waiting()
        async with App(refund, store=store, traces=traces) as app:
            await app.approve(run.id, "approval", principal=LEAD)
            await (await app.run(run.id)).result()

    asyncio.run(main())
    run = only_run(traces).run
    assert (run.state, run.waits) == ("succeeded", ())
    assert list(notes_on(run, 0, 0)) == []


def test_a_run_that_is_cancelled_while_it_waits_has_ended(tmp_path: Path) -> None:
    """Though it tells no span any more, its trace does not say for ever that it waits."""
    store, traces = urls(tmp_path)

    async def main() -> None:
        async with App(refund, store=store, traces=traces) as app:
            run = app.start(refund, "W1")
            await run.ended_or_waiting()
            run.cancel()
            assert await run.ended() == "cancelled"

    asyncio.run(main())
    run = only_run(traces).run
    assert (run.state, run.duration_ns is None, run.waits) == ("cancelled", False, ())


@pytest.mark.parametrize("is_held", [True, False])
def test_a_run_that_another_process_cancels_has_ended(tmp_path: Path, is_held: bool) -> None:
    """The app that drives the store tells the trace, also of a run that nobody holds."""
    store, traces = urls(tmp_path)

    async def main() -> None:
        async with App(refund, store=store, traces=traces) as app:
            run = app.start(refund, "W1")
            await run.ended_or_waiting()
            request = Request("cancel", run.id, LEAD, details={})
            held = [run] if is_held else []
            del run
            gc.collect()
            done = await asyncio.to_thread(
                send, tmp_path / "runs.db", request, now_ms=lambda: 0, pause=time.sleep
            )
            assert (done["state"], len(held)) == ("cancelled", is_held)
            async with asyncio.timeout(20):
                await app.flush_traces()  # what was told of its beginning may still gather
                while (await asyncio.to_thread(only_run, traces)).run.state == "waiting":
                    await app.flush_traces()

    asyncio.run(main())
    run = only_run(traces).run
    assert (run.state, run.duration_ns is None) == ("cancelled", False)


def test_a_run_whose_end_nobody_told_says_when_it_was_heard_of_last(tmp_path: Path) -> None:
    """Whether it still works nobody knows from its trace, and so it says."""
    _, traces = urls(tmp_path)

    async def main() -> WholeTrace:
        async with App(slow, again, traces=traces) as app:
            run = app.start(slow, "W1")
            await CALLED.wait()
            await app.flush_traces()
            found = await asyncio.to_thread(only_run, traces)
            run.cancel()
            await run.ended()
        return found

    trace = asyncio.run(main())
    assert trace.run.state == "running"
    [note] = notes_on(trace.run, trace.told_until_ns, trace.told_until_ns + 12 * 60 * 10**9)
    assert "the last that was told of it is 12 min old" in note
    assert "its process has ended" in note


def run_of(*, state: str = "succeeded", spans: int = 0, contents: int = 0) -> TracedRun:
    """A run of which so much is missing."""
    whole = ("1", "2", None, "a", "1", "t", "p", state, 0, 1, None, 1, 0, 0, 0, 0)
    costs: dict[str, int] = {}
    return TracedRun._make((*whole, costs, spans, contents, ()))


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7_200, "2 h"), (172_800, "2 days"), (-5, "0 s")],
)
def test_an_age_is_told_in_the_unit_that_fits(seconds: int, said: str) -> None:
    """Seconds up to two minutes, minutes up to two hours, hours up to two days, then days."""
    assert f"is {said} old" in brief_note(run_of(state="running"), 0, seconds * 10**9)


def test_a_run_says_what_is_missing_of_it() -> None:
    """Spans, contents, or both."""
    [spans] = notes_on(run_of(spans=41_699), 0, 0)
    [both] = notes_on(run_of(spans=1, contents=2), 0, 0)

    assert "41,699 spans of this run were dropped" in spans
    assert "1 spans and the inputs and outputs of 2 calls of this run were dropped" in both
    assert brief_note(run_of(spans=41_699, contents=1), 0, 0) == "41,700 missing"
