"""A trace store that an earlier version has written is brought up to date, and keeps its sums."""

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import BaseModel

from fishplate import App, agent, wait_for, workflow
from fishplate.core.sqlite_file import StoreError
from fishplate.traces.blocks import NOTHING
from fishplate.traces.layout import LAYOUT
from fishplate.traces.queries import RunFilter, list_traces, whole_trace
from fishplate.traces.rollups import spending
from fishplate.traces.store import TraceStore, open_trace_reader
from tests.traces.reading import only_trace

STORES = Path(__file__).parent / "stores"


@agent
async def echo(text: str) -> str:
    """Says it again."""
    return text


def kept_for_ever(url: str) -> TraceStore:
    """A store whose runs never become too old: those of earlier versions do, day by day."""
    return TraceStore(url=url, max_age=1e12)


class Word(BaseModel):
    """What is waited for."""

    text: str


@workflow
async def waits(text: str) -> str:
    """Says it, waits, and says it again."""
    said = await echo(text)
    await wait_for("word", Word)
    return await echo.named("again")(said)


def test_costs_of_the_first_version_have_no_currency(tmp_path: Path) -> None:
    """Its sums were of an unknown currency: they are kept, apart from those of any known one."""
    path = tmp_path / "traces.db"
    url = f"sqlite:///{path}"
    shutil.copy(STORES / "version_1.db", path)
    with pytest.raises(StoreError, match="version 1") as refused:
        open_trace_reader(url)

    async def main() -> None:
        async with App(echo, traces=kept_for_ever(url)):
            await echo("again")

    asyncio.run(main())
    assert refused.value.code == "old_store"
    with closing(sqlite3.connect(path)) as store:
        assert store.execute("PRAGMA user_version").fetchone() == (LAYOUT.version,)
    with closing(open_trace_reader(url)) as reader:
        new, old = list_traces(reader, RunFilter())
        trace = whole_trace(reader, old.id)
        found = spending(reader, 0, 2**50, by="agent")

    assert (new.agent, new.costs) == ("echo", {})
    assert (old.agent, old.costs, old.input_tokens) == ("ask", {"XXX": 47_850}, 321)
    assert trace is not None
    assert [one.span.name for one in trace.spans] == ["ask", "answer", "answer-model"]
    [spent] = found.groups
    assert (spent.group, spent.calls, spent.costs) == ("answer", 1, {"XXX": 47_850})
    assert found.whole == spent._replace(group="")


def test_runs_of_the_second_version_are_whole(tmp_path: Path) -> None:
    """It knew of nothing that was missing and of no wait: its runs have neither."""
    path = tmp_path / "traces.db"
    url = f"sqlite:///{path}"
    shutil.copy(STORES / "version_2.db", path)

    async def main() -> None:
        async with App(echo, traces=kept_for_ever(url)) as app:
            await app.start(echo, "again").result()

    asyncio.run(main())
    with closing(open_trace_reader(url)) as reader:
        *_, failed, good = list_traces(reader, RunFilter())
        traces = [whole_trace(reader, run.id) for run in (failed, good)]

    assert (failed.state, failed.error, good.state) == ("failed", "down", "succeeded")
    assert good.costs == {"USD": 47_850}
    for trace in traces:
        assert trace is not None
        assert [one.span.name for one in trace.spans][:3] == ["status", "lookup", "read"]
        assert (trace.run.missing_spans, trace.run.missing_contents, trace.run.waits) == (0, 0, ())


def test_a_run_that_waits_since_the_fifth_version_goes_on(tmp_path: Path) -> None:
    """What an earlier version has kept of a run, and what this one keeps, are one trace."""
    url, store = f"sqlite:///{tmp_path}/traces.db", f"sqlite:///{tmp_path}/runs.db"
    shutil.copy(STORES / "version_5.db", tmp_path / "traces.db")
    shutil.copy(STORES / "version_5_runs.db", tmp_path / "runs.db")

    with closing(sqlite3.connect(tmp_path / "traces.db")) as earlier:
        [(run_id,)] = earlier.execute("SELECT id FROM run").fetchall()

    async def main() -> None:
        async with App(waits, store=store, traces=kept_for_ever(url)) as app:
            run = await app.run(run_id)
            await app.signal(run.id, "word", {"text": "go on"})
            assert await run.result() == "before"

    asyncio.run(main())
    trace = only_trace(url)
    told = [(one.span.path, one.given) for one in trace.spans if one.given is not NOTHING]

    assert (trace.run.state, trace.run.spans) == ("succeeded", len(trace.spans))
    assert told == [(path, {"text": "before"}) for path in ("waits", "echo", "again")]
    [replayed] = [one.span for one in trace.spans if (one.span.attributes or {}).get("replayed")]
    assert replayed.path == "echo"
