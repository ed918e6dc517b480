"""A trace store that an earlier version has written is brought up to date, and keeps its sums."""

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fishplate import App, agent
from fishplate.core.sqlite_file import StoreError
from fishplate.traces.layout import LAYOUT
from fishplate.traces.queries import RunFilter, list_traces, whole_trace
from fishplate.traces.rollups import spending
from fishplate.traces.store import open_trace_reader

STORES = Path(__file__).parent / "stores"


@agent
async def echo(text: str) -> str:
    """Says it again."""
    return text


def test_costs_of_the_first_version_have_no_currency(tmp_path: Path) -> None:
    """Its sums were of an unknown currency: they are kept, apart from those of any known one."""
    path = tmp_path / "traces.db"
    url = f"sqlite:///{path}"
    shutil.copy(STORES / "version_1.db", path)
    with pytest.raises(StoreError, match="version 1") as refused:
        open_trace_reader(url)

    async def main() -> None:
        async with App(echo, traces=url):
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
        async with App(echo, traces=url) as app:
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
