"""What bodies tell at run time is content; and no value of one run costs another run its spans."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fishplate import App, Principal, agent, current
from fishplate.core.current import Passage
from fishplate.core.errors import UsageError
from fishplate.traces.capture import Capture
from fishplate.traces.export import OtlpExport
from fishplate.traces.feed import Feed, Taken, Tally
from fishplate.traces.items import Item
from fishplate.traces.queries import RunFilter, WholeTrace, list_traces, whole_trace
from fishplate.traces.store import TraceStore, open_trace_reader
from tests.core.test_told import HOSTILE
from tests.traces.collector import Collector

WORD = "said-by-a-user"
SECRET = "canary-5ecre7-x9Zk42"
ANYBODY = Principal()
TOLD: list[Any] = []
"""What `hostile` tells."""


@agent
async def telling(text: str) -> str:
    """Tells `text` wherever a body can."""
    call = current()
    noted: dict[str, Any] = {text: 1, "kind": text, "free": text, "rows": [text]}
    call.note(**noted)
    call.spent(cost_nanos=5, currency="USD")
    call.retrieved(text, [Passage(id=text, text=text)], used=[text], query=text)
    call.decided(text, text, given={text: text}, when={"properties": {text: {"const": text}}})
    call.doubt(text, about="telling")
    call.degrade(text, source=text)
    return text


@agent
async def pretending(text: str) -> str:
    """Tells `text` under the names under which fishplate tells."""
    current().note(effect=text, idempotency=text, provider=text, snapshot=text, finish_reason=text)
    return "done"


@agent
async def hostile(text: str) -> str:
    """Tells whatever lies ready."""
    call = current()
    for value in TOLD:
        call.note(value=value)
        call.decided(f"\ud800{text}", "\ud800", given={"value": value})
    call.retrieved("\ud800", [Passage(id="\ud800")], query="\ud800")
    return text


@agent
async def quiet(text: str) -> str:
    """Tells nothing."""
    return text


def traced(url: str) -> list[WholeTrace]:
    """All traces of a store, newest first."""
    connection = open_trace_reader(url)
    found = [whole_trace(connection, run.id) for run in list_traces(connection, RunFilter())]
    connection.close()
    return [one for one in found if one is not None]


def told(
    folder: Path, capture: Capture, text: str, secrets: tuple[str, ...] = ()
) -> tuple[list[WholeTrace], bytes]:
    """Traces of a run that tells `text`, and every byte that was kept or sent of it."""
    collector = Collector()
    store = TraceStore(url=f"sqlite:///{folder}/traces.db", capture=capture, secrets=secrets)
    export = OtlpExport(
        endpoint=collector.url, metrics=collector.metrics_url, capture=capture, secrets=secrets
    )

    async def main() -> None:
        async with App(telling, traces=store, export=export) as app:
            assert await app.start(telling, text).ended() == "degraded"

    try:
        asyncio.run(main())
    finally:
        collector.close()
    files = [path.read_bytes() for path in sorted(folder.iterdir())]
    return traced(store.url), b"\0".join([*files, *collector.bodies])


def test_what_a_body_tells_is_absent_where_content_is_off(tmp_path: Path) -> None:
    """Names, keys, reasons and sources are content, in the store, in spans and in metrics."""
    [trace], everything = told(tmp_path, "off", WORD)

    assert WORD.encode() not in everything
    spans = {one.span.kind: one.span for one in trace.spans}
    assert (spans["retrieval"].name, spans["decision"].name) == ("retrieval", "rule")
    assert spans["agent"].attributes == {
        "requests": 1,
        "cost_nanos": 5,
        "cost_currency": "USD",
        "degraded": [{"step": "telling", "age": None}],
    }


@pytest.mark.parametrize("capture", ["off", "metadata"])
def test_fishplates_own_names_are_no_way_around(tmp_path: Path, capture: Capture) -> None:
    """What a body says under them passes as a single word alone, where no content is kept."""
    url = f"sqlite:///{tmp_path}/traces.db"

    async def main() -> None:
        async with App(pretending, traces=TraceStore(url=url, capture=capture)) as app:
            for text in ("patient 4711 is ill", "ill"):
                await app.start(pretending, text).result()

    asyncio.run(main())
    kept = [one.spans[0].span.attributes or {} for one in traced(url)]
    assert "patient" not in str(kept)
    assert [one["effect"] for one in kept if "effect" in one] == ["ill"]


def test_metadata_keeps_keys_and_no_texts(tmp_path: Path) -> None:
    """With `metadata` the keys of facts stay, without secrets, and names do not."""
    [trace], everything = told(tmp_path, "metadata", SECRET, secrets=(SECRET,))

    assert SECRET.encode() not in everything
    [root] = [one.span for one in trace.spans if one.span.kind == "agent"]
    assert (root.attributes or {})["[redacted]"] == 1


@pytest.mark.parametrize("capture", ["metadata", "redacted"])
def test_a_secret_in_what_a_body_tells_is_hidden(tmp_path: Path, capture: Capture) -> None:
    """Also where a span is named by it."""
    [trace], everything = told(tmp_path, capture, f"it is {SECRET.upper()}", secrets=(SECRET,))

    assert SECRET.upper().encode() not in everything
    if capture == "redacted":
        names = {one.span.name for one in trace.spans}
        assert names == {"telling", "it is [redacted]", "it is [redacted]: it is [redacted]"}


def test_a_long_name_is_cut(tmp_path: Path) -> None:
    """Names are bounded, whatever is kept."""
    [trace], _ = told(tmp_path, "full", "x" * 100_000)

    assert max(len(one.span.name) for one in trace.spans) < 300


def kept(
    folder: Path, collector: Collector, principal: Principal = ANYBODY
) -> tuple[Tally, Tally, list[WholeTrace]]:
    """Three runs in one batch, of which the second tells what is in `TOLD`."""
    store = TraceStore(url=f"sqlite:///{folder}/traces.db")
    export = OtlpExport(endpoint=collector.url, metrics=collector.metrics_url, capture="redacted")

    async def main() -> tuple[Tally, Tally]:
        async with App(hostile, quiet, traces=store, export=export) as app:
            for one in (quiet, hostile, quiet):
                run = app.start(one, "x", principal=principal)
                assert await run.result() == "x"
            tallies = await app.flush_traces()
            return tallies["store"], tallies["export"]

    return (*asyncio.run(main()), traced(store.url))


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(HOSTILE, min_size=1, max_size=3))
def test_no_value_costs_another_span_its_place(
    tmp_path_factory: pytest.TempPathFactory, values: list[object]
) -> None:
    """Whatever a body tells, every span of the batch is kept and sent."""
    TOLD[:] = values
    collector = Collector()
    try:
        stored, sent, traces = kept(tmp_path_factory.mktemp("hostile"), collector)
    finally:
        collector.close()

    everything = 4 + len(values)
    assert (stored.kept, stored.lost, stored.failure) == (everything, 0, None)
    assert (sent.kept, sent.lost, sent.failure) == (everything, 0, None)
    assert sorted(len(trace.spans) for trace in traces) == [1, 1, 2 + len(values)]


def test_who_somebody_is_harms_nothing(tmp_path: Path) -> None:
    """A principal's name and tenant are bounded, without secrets, and writable."""
    TOLD.clear()
    collector = Collector()
    principal = Principal(name="\ud800password=hunter22", tenant="\ud800" * 10_000)
    try:
        stored, _, traces = kept(tmp_path, collector, principal)
    finally:
        collector.close()

    assert (stored.kept, stored.lost) == (4, 0)
    assert {trace.run.principal for trace in traces} == {"?password=[redacted]"}
    assert all(len(trace.run.tenant) < 300 for trace in traces)


def test_what_becomes_a_secret_while_the_app_is_open_is_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment is looked at again with every batch, and what was a secret stays one."""
    url = f"sqlite:///{tmp_path}/traces.db"

    async def main() -> None:
        async with App(quiet, traces=url) as app:
            await quiet("before")
            await app.flush_traces()
            monkeypatch.setenv("SMTP_PASS", SECRET)
            await quiet(f"one {SECRET}")
            await app.flush_traces()
            monkeypatch.delenv("SMTP_PASS")
            await quiet(f"two {SECRET}")

    asyncio.run(main())

    given_texts: list[Any] = [trace.spans[0].given for trace in traced(url)]
    # Runs that begin in the same millisecond stand in no order.
    assert {one["text"] for one in given_texts} == {"two [redacted]", "one [redacted]", "before"}


@pytest.mark.parametrize("secrets", ["hunter22", ("",), (3,), None])
def test_what_is_no_list_of_secrets_is_refused(secrets: Any) -> None:
    """Of a text every character would be a secret, and an empty one stands everywhere."""
    for make in (
        lambda: TraceStore(url="sqlite:///traces.db", secrets=secrets),
        lambda: OtlpExport(endpoint="http://127.0.0.1:1/", secrets=secrets),
    ):
        with pytest.raises(UsageError) as refused:
            make()
        assert refused.value.code == "bad_setting"
        assert "hunter22" not in str(refused.value)


def test_the_log_holds_nothing_that_an_exception_says(caplog: pytest.LogCaptureFixture) -> None:
    """Of an error that is not fishplate's own, the log and the tally name the type alone."""

    class Broken:
        """Fails with what it was given."""

        def take(self, items: Sequence[Item], dropped: int) -> Taken:
            """Fail."""
            raise ValueError(f"cannot read {SECRET} of {len(items)} {dropped}")

        def rest(self) -> float | None:
            """Nothing is to be done."""

        def close(self) -> None:
            """Nothing is open."""

    feed = Feed(Broken(), lambda _: None)
    feed.tell((1, 1, None, ("agent", "quiet", ""), "quiet", 1, 2, "ok", None))
    feed.flush()
    feed.close()

    assert (feed.tally.lost, feed.tally.failure) == (1, "ValueError")
    assert "ValueError" in caplog.text
    assert SECRET not in caplog.text
