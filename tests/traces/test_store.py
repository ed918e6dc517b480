"""The trace store: what it keeps of runs, how much of it, and what becomes of trouble."""

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from fishplate import App, ErrorClass, Failure, agent, current, tool, wait_for, workflow
from fishplate.core.clock import FixedClock
from fishplate.core.errors import UsageError
from fishplate.core.events import HeadTuple
from fishplate.core.run_context import Principal, RunContext, Surroundings
from fishplate.core.sqlite_file import StoreError, store_path
from fishplate.orchestrator.releases import Releases
from fishplate.traces.blocks import NOTHING
from fishplate.traces.capture import Capture
from fishplate.traces.feed import Tally
from fishplate.traces.items import Began, Item, bare
from fishplate.traces.queries import (
    RunFilter,
    TracedRun,
    WholeTrace,
    list_traces,
    lost,
    whole_json,
    whole_trace,
)
from fishplate.traces.rollups import totals
from fishplate.traces.store import StoreWriter, TraceStore, open_trace_reader, tidy

CANARY = "canary-5ecre7-x9Zk42"
EVIL = "\x1b[31m\u202e<script>\ud800"


@tool(effect="readonly")
async def look(number: str) -> dict[str, str]:
    """A tool that answers with a header."""
    current().note(row=7)
    return {"number": number, "note": f"Authorization: Bearer {CANARY}"}


@agent(version="1.2.0", tools=[look])
async def body(number: str) -> str:
    """Calls the tool."""
    return (await look(number))["number"]


@agent
async def ask_model(number: str) -> str:
    """Tells what it has paid."""
    current().spent(cost_nanos=47_850, currency="USD", input_tokens=100, output_tokens=20)
    return number


@agent
async def failing(number: str) -> str:
    """Fails with a secret in its message."""
    raise Failure(f"no answer for password={CANARY}", error_class=ErrorClass.OVERLOAD, code="down")


@workflow
async def flow(number: str) -> str:
    """Two steps."""
    return await ask_model(await body(number))


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Of a store that is not there yet."""
    return f"sqlite:///{tmp_path}/traces.db"


def read(url: str) -> list[WholeTrace]:
    """All traces of a store, newest first."""
    connection = open_trace_reader(url)
    runs = list_traces(connection, RunFilter())
    found = [whole_trace(connection, run.id) for run in runs]
    connection.close()
    return [one for one in found if one is not None]


def every_byte(folder: Path) -> bytes:
    """All that stands in the files of a folder, the log of SQLite among them."""
    return b"\0".join(path.read_bytes() for path in sorted(folder.iterdir()))


def kept(store: TraceStore | str, *arguments: object, what: Any = flow) -> list[str]:
    """Run something in a new app, once for each argument; the ids."""

    async def main() -> list[str]:
        found: list[str] = []
        async with App(what, traces=store) as app:
            for one in arguments:
                run = app.start(what, one)
                await run.ended()
                found.append(run.id)
        return found

    return asyncio.run(main())


def test_a_run_is_kept_with_its_spans_and_contents(url: str) -> None:
    """Tree, times, attributes, inputs and outputs of a run are read back."""
    [run_id] = kept(url, "17")
    [trace] = read(url)

    run = trace.run
    assert (run.id, run.agent, run.state, run.release) == (run_id, "flow", "succeeded", flow.label)
    assert (run.tenant, run.principal, run.error, run.spans) == ("default", "anonymous", None, 4)
    names = {one.span.span_id: one.span.name for one in trace.spans}
    assert [
        (one.span.kind, one.span.name, names.get(one.span.parent_id or 0), one.given)
        for one in trace.spans
    ] == [
        ("workflow", "flow", None, {"number": "17"}),
        ("agent", "body", "flow", {"number": "17"}),
        ("tool", "look", "body", {"number": "17"}),
        ("agent", "ask_model", "flow", {"number": "17"}),
    ]
    assert trace.spans[2].span.attributes == {"row": 7}
    assert trace.spans[3].gave == "17"
    start, end = run.started_ns, run.started_ns + (run.duration_ns or 0)
    assert all(start <= one.span.start_ns <= one.span.end_ns <= end for one in trace.spans)


def test_tokens_and_cost_are_summed_over_leaves_alone(url: str) -> None:
    """What a run used is the sum of its leaves; a leaf without a price makes the cost unknown."""

    @agent
    async def unpriced(number: str) -> str:
        current().spent(cost_nanos=None, input_tokens=5)
        return number

    @workflow
    async def inner(number: str) -> str:
        return await ask_model(await ask_model(number))

    @workflow
    async def outer(number: str) -> str:
        return await ask_model(await inner(number))

    @workflow
    async def with_unknown(number: str) -> str:
        return await unpriced(await ask_model(number))

    kept(url, "1", what=outer)
    kept(url, "1", what=with_unknown)
    second, first = read(url)

    assert (first.run.model_calls, first.run.input_tokens, first.run.output_tokens) == (3, 300, 60)
    assert first.run.whole_costs == {"USD": 3 * 47_850}
    assert second.run.whole_costs is None
    assert (second.run.costs, second.run.unpriced) == ({"USD": 47_850}, 1)
    connection = open_trace_reader(url)
    found = {one.agent: one for one in totals(connection, 0, 2**50)}
    connection.close()
    assert (found["ask_model"].costs, found["outer"].costs) == ({"USD": 4 * 47_850}, {})
    assert (found["unpriced"].unpriced, found["unpriced"].calls) == (1, 1)


def test_a_failed_run_tells_why(url: str) -> None:
    """State, code and the error itself are kept."""
    kept(url, "1", what=failing)
    [trace] = read(url)

    assert (trace.run.state, trace.run.error) == ("failed", "down")
    gave: Any = trace.spans[0].gave
    assert (gave["error"]["code"], gave["error"]["class"]) == ("down", "overload")


@pytest.mark.parametrize("capture", ["off", "metadata", "redacted"])
def test_a_secret_is_found_nowhere(
    tmp_path: Path, capture: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret of environment, header, tool result, exception and prompt is in no file."""
    monkeypatch.setenv("CARRIER_API_KEY", CANARY)

    @agent
    async def leaking(prompt: str) -> str:
        current().note(headers={"x-api-key": CANARY}, said=f"it is {CANARY}", reason=prompt)
        raise RuntimeError(f"cannot reach https://user:{CANARY}@host/")

    store = TraceStore(url=f"sqlite:///{tmp_path}/traces.db", capture=capture)
    kept(store, f"my secret is {CANARY}", os.environ["CARRIER_API_KEY"], what=leaking)
    kept(store, CANARY, what=flow)

    assert CANARY.encode() not in every_byte(tmp_path)
    assert len(read(store.url)) == 3


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-Abcdef0123456789",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_0123456789abcdefghijABCDEFGHIJ012345",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_what_looks_like_a_secret_is_hidden(tmp_path: Path, secret: str) -> None:
    """Nobody has to name a secret that has the shape of one, wherever it stands in a text."""
    url = f"sqlite:///{tmp_path}/traces.db"
    filler = "x " * 1020  # so that the limit cuts the text within the secret
    kept(url, f"{filler}{secret}{filler}", f"see {secret}")

    assert secret[:12].encode() not in every_byte(tmp_path)
    given = [trace.spans[0].given for trace in read(url)]
    assert {"number": "see [redacted]"} in given


def test_capture_says_how_much_is_kept(tmp_path: Path) -> None:
    """Nothing with `off`, sizes and keys with `metadata`, all with `full`."""
    found: dict[str, Any] = {}
    for capture in ("off", "metadata", "full"):
        store = TraceStore(url=f"sqlite:///{tmp_path}/{capture}.db", capture=capture)
        kept(store, "17", what=body)
        [trace] = read(store.url)
        found[capture] = trace.spans[1]

    assert (found["off"].given, found["off"].gave) == (NOTHING, NOTHING)
    assert (found["off"].span.attributes, found["metadata"].span.attributes) == (None, {"row": 7})
    assert (found["metadata"].given["keys"], found["metadata"].given["bytes"]) == (["number"], 15)
    assert found["full"].gave == {"number": "17", "note": f"Authorization: Bearer {CANARY}"}


def test_hostile_text_is_bounded_and_stays_text(url: str) -> None:
    """Ten million characters, control signs and lone surrogates harm neither store nor reader."""

    @agent
    async def hostile(size: int) -> list[str]:
        current().note(evil=EVIL * 3, large="y" * 10_000_000, nan=float("nan"))
        current().note(deep=json.loads("[" * 100 + "]" * 100), many=list(range(1000)))
        return ["z" * size]

    kept(url, 10_000_000, what=hostile)
    [trace] = read(url)

    assert Path(url.removeprefix("sqlite:///")).stat().st_size < 200_000
    facts: Any = trace.spans[0].span.attributes
    assert facts["evil"] == EVIL.replace("\ud800", "?") * 3
    assert facts["large"].endswith("[cut: 10000000 characters, sha256 " + facts["large"][-17:])
    assert (facts["nan"], len(facts["many"])) == (None, 51)
    gave: Any = trace.spans[0].gave
    assert len(gave[0]) < 3_000
    json.dumps(whole_json(trace), allow_nan=False).encode()


def test_a_foreign_a_future_and_a_broken_file_are_refused(tmp_path: Path) -> None:
    """What is no trace store is not written to, and the error says what it is."""
    foreign, future, broken, runs = (tmp_path / name for name in ("a.db", "b.db", "c.db", "d.db"))
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE customer (name TEXT)")
    kept(f"sqlite:///{future}", "1")
    with sqlite3.connect(future) as connection:
        connection.execute("PRAGMA user_version = 99")
    broken.write_bytes(b"not a database at all, but long enough to look at" * 100)
    asyncio.run(_open_runs(f"sqlite:///{runs}"))

    codes: list[str] = []
    for path in (foreign, future, broken, runs):
        with pytest.raises(StoreError) as refused:
            kept(f"sqlite:///{path}", "1")
        codes.append(refused.value.code)
    assert codes == ["foreign_store", "future_store", "foreign_store", "foreign_store"]


def test_a_folder_is_told_as_one(tmp_path: Path) -> None:
    """Who names a folder is told so, by who writes and who reads, and not of a failing disk."""
    url = f"sqlite:///{tmp_path}"
    with pytest.raises(StoreError, match="is a folder: name a file in it"):
        kept(url, "1")
    with pytest.raises(StoreError, match="is a folder: name a file in it"):
        open_trace_reader(url)


async def _open_runs(store: str) -> None:
    async with App(flow, store=store):
        pass


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"url": "postgres://x"}, "bad_store"),
        ({"url": "sqlite:///t.db", "max_age": 0}, "bad_setting"),
        ({"url": "sqlite:///t.db", "max_bytes": 5}, "bad_setting"),
        ({"url": "sqlite:///t.db", "capture": "everything"}, "bad_setting"),
    ],
)
def test_settings_are_judged_at_once(settings: dict[str, Any], code: str) -> None:
    """A setting that cannot be meant is refused before anything runs."""
    with pytest.raises(UsageError) as refused:
        TraceStore(**settings)
    assert refused.value.code == code


async def test_a_store_that_cannot_be_written_harms_no_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Runs succeed while the file is unavailable; what is lost is counted, and said once."""
    url = f"sqlite:///{tmp_path}/missing/traces.db"
    async with App(flow, traces=url) as app:
        for _ in range(3):
            assert await flow("1") == "1"
            await app.flush_traces()
        tally = (await app.flush_traces())["store"]

    assert (tally.kept, tally.lost) == (0, 12)
    assert "not available" in str(tally.failure)
    assert sum("cannot be kept" in record.message for record in caplog.records) == 1
    assert "12 lost" in caplog.text


async def test_a_locked_file_is_written_again_when_it_is_free(url: str) -> None:
    """Losing a batch does not lose what comes after it."""
    async with App(flow, traces=url) as app:
        await flow("1")
        await app.flush_traces()
        path = url.removeprefix("sqlite:///")
        connection = sqlite3.connect(path)
        connection.execute("DROP TABLE rollup_hour")  # as good as a full disk: the batch fails
        connection.commit()
        assert await flow("2") == "2"
        broken = (await app.flush_traces())["store"]
        connection.close()

    assert (broken.kept, broken.lost) == (4, 4)


def test_what_the_queue_has_no_room_for_is_counted(url: str) -> None:
    """A full queue drops and counts; the count stands in the store as well."""

    async def main() -> Tally:
        async with App(flow, traces=TraceStore(url=url, capacity=5)) as app:
            for number in range(50):
                assert await flow(str(number)) == str(number)
            tally = (await app.flush_traces())["store"]
            await flow("again")
            await app.flush_traces()
        return tally

    tally = asyncio.run(main())
    assert tally is not None
    assert tally.dropped > 100
    connection = open_trace_reader(url)
    assert lost(connection) >= tally.dropped
    connection.close()


def test_old_runs_are_taken_out_whole(url: str) -> None:
    """What is older than the limit goes, and so do the oldest runs of a file that is too large."""
    ids = kept(TraceStore(url=url, capture="full"), *[f"{n:0>12000}" for n in range(150)])
    connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    (latest,) = connection.execute("SELECT max(started_ns) FROM run").fetchone()
    settings = TraceStore(url=url, max_bytes=1_000_000)
    tidy(connection, settings, latest // 1_000_000)
    left = [run for (run,) in connection.execute("SELECT id FROM run ORDER BY id")]
    orphans = "SELECT count(*) FROM block WHERE last_run NOT IN (SELECT id FROM run)"

    assert left == sorted(ids)[-len(left) :]
    assert 0 < len(left) < 150
    assert connection.execute(orphans).fetchone() == (0,)
    assert Path(url.removeprefix("sqlite:///")).stat().st_size < 1_100_000
    tidy(connection, settings, latest // 1_000_000 + 31 * 86_400_000)
    assert connection.execute("SELECT count(*) FROM run").fetchone() == (0,)
    assert connection.execute("SELECT count(*) FROM rollup_hour").fetchone() == (0,)
    connection.close()


def test_a_store_stays_within_its_size_at_every_batch(tmp_path: Path) -> None:
    """File and log together are larger than the limit by a batch at most, though no time passes."""
    most, batch = 1_000_000, 100_000
    store = TraceStore(url=f"sqlite:///{tmp_path}/traces.db", max_bytes=most)
    writer = StoreWriter(store, lambda: 0.0)
    clock = FixedClock(datetime(2026, 11, 2, tzinfo=UTC))
    around = Surroundings(
        clock=clock, sink=lambda _: None, resources={}, working_time=60, heads=Releases({})
    )
    head: HeadTuple = ("agent", "body", "1")
    sizes: list[int] = []
    for number in range(1, 101):
        run = RunContext(around, Principal(), number << 64 | number, f"{number:09}")
        path = "x" * batch
        items: list[Item] = [
            Began(run, "body", 0),
            bare((run.trace_id, 7, None, head, path, 1, 5, "ok", None)),
        ]
        assert writer.take(items, 0).kept == 1
        writer.rest()
        files = [tmp_path / "traces.db", tmp_path / "traces.db-wal"]
        sizes.append(sum(one.stat().st_size for one in files))
    writer.close()

    assert max(sizes) <= most + batch
    kept_runs = [trace.run.id for trace in read(store.url)]
    assert kept_runs[0] == "000000100"
    assert len(kept_runs) >= 5


def test_the_list_is_filtered(url: str) -> None:
    """State, agent, trace, latency and cost restrict the list together, newest first."""
    [good] = kept(url, "1")
    [bad] = kept(url, "1", what=failing)
    connection = open_trace_reader(url)

    def found(**wanted: Any) -> list[str]:
        return [run.id for run in list_traces(connection, RunFilter(**wanted))]

    assert found() == [bad, good]
    assert found(states=["failed", "cancelled"]) == [bad]
    assert found(agent="flow") == [good]
    assert found(agent="flow", states=["failed"]) == []
    assert found(dearer_than=47_850) == [good]
    assert found(slower_than=3_600) == []
    assert found(limit=1) == [bad]
    run: TracedRun = list_traces(connection, RunFilter(limit=1))[0]
    assert found(trace_id=run.trace_id) == [bad]
    connection.close()


def test_a_trace_is_found_by_its_id_whoever_began_it(url: str) -> None:
    """All runs that a caller has started in its trace; one of our own; and one of any other id."""
    called = "0af7651916cd43dd8448eb211c80319c"

    async def main() -> None:
        async with App(flow, traces=url) as app:
            for number in ("1", "2"):
                await app.start(
                    flow, number, traceparent=f"00-{called}-00f067aa0ba902b7-01"
                ).result()

    kept(url, "1")
    asyncio.run(main())
    connection = open_trace_reader(url)
    second, first, own = list_traces(connection, RunFilter())
    connection.close()
    with closing(sqlite3.connect(store_path(url))) as store:
        store.execute(
            "INSERT INTO run SELECT 'untimed', ?, caller_span, agent, release, tenant, "
            "principal, state, started_ns, duration_ns, error, spans, model_calls, input_tokens, "
            "output_tokens, unpriced, NULL FROM run WHERE id = ?",
            ("ab" * 16, own.id),
        )
        store.commit()
    connection = open_trace_reader(url)

    def found(trace_id: str, **wanted: Any) -> list[str]:
        return [run.id for run in list_traces(connection, RunFilter(trace_id=trace_id, **wanted))]

    assert found(called) == [second.id, first.id]
    assert found(called, limit=1) == [second.id]
    assert found(called, states=["failed"]) == []
    assert found(own.trace_id) == [own.id]
    assert found("ab" * 16) == ["untimed"]
    assert found("cd" * 16) == []
    connection.close()


class Word(BaseModel):
    """What is waited for."""

    text: str


@workflow
async def waiting(number: str) -> str:
    """Works, waits, and works again."""
    first = await ask_model(number)
    await wait_for("word", Word)
    return await ask_model.named("later")(first)


def test_a_resumed_run_goes_on_in_its_trace(tmp_path: Path) -> None:
    """Both lives of a run are one trace; what is replayed says so, and is not counted again."""
    url, store = f"sqlite:///{tmp_path}/traces.db", f"sqlite:///{tmp_path}/runs.db"
    ada = Principal(name="ada", tenant="t1")

    async def first() -> str:
        async with App(waiting, store=store, traces=url) as app:
            run = app.start(waiting, "1", principal=ada)
            assert await run.ended_or_waiting() == "waiting"
            return run.id

    async def second(run_id: str) -> None:
        async with App(waiting, store=store, traces=url) as app:
            run = await app.run(run_id)
            await app.signal(run_id, "word", {"text": "x"}, principal=ada)
            assert await run.result() == "1"

    run_id = asyncio.run(first())
    [before] = read(url)
    asyncio.run(second(run_id))
    [after] = read(url)

    assert (before.run.state, after.run.state) == ("waiting", "succeeded")
    assert (after.run.tenant, after.run.trace_id) == ("t1", before.run.trace_id)
    assert after.run.started_ns == before.run.started_ns
    replayed = [one for one in after.spans if (one.span.attributes or {}).get("replayed")]
    assert [one.span.name for one in replayed] == ["ask_model"]
    assert (after.run.model_calls, after.run.costs) == (2, {"USD": 2 * 47_850})


def test_a_span_that_two_processes_have_told_is_shown_once(url: str) -> None:
    """One may die when it has told a span and not yet recorded its step; the next tells it again.

    What the step has used is counted twice all the same, since it was made twice.
    """
    [run_id] = kept(url, "17")
    [before] = read(url)
    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    connection.execute("INSERT INTO block SELECT n + 1, last_run, spans, content FROM block")
    connection.execute("INSERT INTO run_block SELECT ?, max(n) FROM block", (run_id,))
    connection.commit()
    connection.close()

    assert read(url) == [before]


def test_what_came_before_a_short_wait_is_kept(tmp_path: Path) -> None:
    """A run that waits and goes on within one batch has both parts in its trace."""
    url, store = f"sqlite:///{tmp_path}/traces.db", f"sqlite:///{tmp_path}/runs.db"

    async def main() -> int:
        async with App(waiting, store=store, traces=url) as app:
            run = app.start(waiting, "1")
            assert await run.ended_or_waiting() == "waiting"
            await app.signal(run.id, "word", {"text": "x"})
            await run.result()
            return len(app.spans(run))

    told = asyncio.run(main())
    [found] = read(url)

    assert len(found.spans) == found.run.spans == told
    assert (found.run.state, found.run.model_calls) == ("succeeded", 2)


def test_without_a_store_sqlite_is_not_loaded() -> None:
    """Who keeps nothing does not pay for it."""
    code = (
        "import sys, fishplate; fishplate.App();"
        "print([m for m in sys.modules if m.startswith(('sqlite3', 'fishplate.traces.'))])"
    )
    told = subprocess.check_output([sys.executable, "-c", code], text=True)

    assert told.strip() == "['fishplate.traces.recorder']"


def test_a_row_that_sqlite_refuses_is_dropped_alone(tmp_path: Path) -> None:
    """What else the batch holds is written, and the refused spans are counted as lost."""
    url = f"sqlite:///{tmp_path}/traces.db"
    clock = FixedClock(datetime(2026, 11, 2, tzinfo=UTC))
    around = Surroundings(
        clock=clock, sink=lambda _: None, resources={}, working_time=60, heads=Releases({})
    )
    items: list[Item] = []
    for number, end_ns in ((1, 2**70), (2, 5)):
        run = RunContext(around, Principal(), number << 64 | number, str(number))
        items.append(Began(run, "body", 0))
        head: HeadTuple = ("agent", "body", "1")
        items.append(bare((run.trace_id, 7, None, head, "body", 1, end_ns, "ok", None)))
    writer = StoreWriter(TraceStore(url=url))

    assert writer.take(items, 0).kept == 1
    writer.close()
    [trace] = read(url)
    assert trace.run.id == "2"
    with sqlite3.connect(tmp_path / "traces.db") as connection:
        assert connection.execute("SELECT dropped, lost FROM loss").fetchall() == [(0, 1)]
