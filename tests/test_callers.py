"""Runs that stand in the trace of a caller."""

from pathlib import Path

import pytest
from pydantic import BaseModel

from fishplate import App, agent, current, wait_for, workflow
from fishplate.core.errors import UsageError

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-00"


@agent
async def ask(_: str) -> list[str]:
    """What a body would send on."""
    return [current().traceparent, current().baggage, current().run_id]


class Word(BaseModel):
    """What is waited for."""

    text: str


@workflow
async def waiting(_: str) -> list[str]:
    """Waits once, and then tells what it would send on."""
    word = await wait_for("word", Word)
    return await ask(word.text)


async def test_a_run_stands_in_the_trace_of_its_caller() -> None:
    """The caller's trace id, flags and baggage go on to whom the body calls."""
    async with App(ask) as app:
        run = app.start(ask, "x", traceparent=PARENT, baggage="team=blue;ttl=5")
        parent, baggage, run_id = await run.result()

        [span] = app.spans(run)
        assert (run.trace_id, parent) == (TRACE, f"00-{TRACE}-{span.span_id:016x}-00")
        assert (baggage, run_id) == ("team=blue;ttl=5", run.id)


async def test_two_runs_of_one_caller_stay_apart() -> None:
    """Two runs in one trace have different ids, keys and spans."""
    async with App(ask) as app:
        first = app.start_json(ask, {"_": "x"}, traceparent=PARENT)
        second = app.start_json(ask, {"_": "x"}, traceparent=PARENT)
        await first.result()
        await second.result()

        assert first.trace_id == second.trace_id == TRACE
        assert first.id != second.id
        assert len(app.spans(first)) == 1


async def test_a_malformed_header_starts_a_trace_of_its_own() -> None:
    """A bad header never fails a request, and takes no baggage with it."""
    async with App(ask) as app:
        run = app.start(ask, "x", traceparent="00-rubbish", baggage="team=blue")
        parent, baggage, _ = await run.result()

        [span] = app.spans(run)
        assert (parent.split("-")[1], span.parent_id) == (run.trace_id, None)
        assert baggage == "team=blue"


async def test_baggage_needs_no_trace(tmp_path: Path) -> None:
    """Baggage without a `traceparent` is passed on, also after a restart, and in the store."""
    store, traces = f"sqlite:///{tmp_path}/runs.db", f"sqlite:///{tmp_path}/traces.db"
    async with App(waiting, ask, store=store, traces=traces) as app:
        run = await app.start_once(waiting("x"), key="1", baggage="team=blue;ttl=5")
        assert await run.ended_or_waiting() == "waiting"
        run_id, trace_id = run.id, run.trace_id
    async with App(waiting, ask, store=store, traces=traces) as app:
        run = await app.run(run_id)
        await app.signal(run_id, "word", {"text": "hello"})
        parent, baggage, _ = await run.result()

        assert (parent.split("-")[1], parent[-2:]) == (trace_id, "01")
        assert baggage == "team=blue;ttl=5"
        assert (await app.flush_traces())["store"].lost == 0


async def test_a_header_that_is_no_text_starts_nothing() -> None:
    """Whoever hands over bytes is told so, before a run begins."""
    async with App(ask) as app:
        with pytest.raises(UsageError, match="decode it"):
            app.start(ask, "x", traceparent=PARENT.encode())  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType] -- the slip


async def test_a_resumed_run_stays_in_the_trace(tmp_path: Path) -> None:
    """After the end of its process a kept run still stands in its caller's trace."""
    store = f"sqlite:///{tmp_path}/runs.db"
    async with App(waiting, ask, store=store) as app:
        run = await app.start_once(waiting("x"), key="1", traceparent=PARENT, baggage="team=blue")
        assert await run.ended_or_waiting() == "waiting"
        run_id = run.id
    async with App(waiting, ask, store=store) as app:
        run = await app.run(run_id)
        await app.signal(run_id, "word", {"text": "hello"})
        parent, baggage, _ = await run.result()

        assert (parent.split("-")[1], baggage) == (TRACE, "team=blue")
