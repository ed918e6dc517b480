"""Spans that are sent by OTLP, and sinks that do not take them."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from fishplate import App, ErrorClass, Failure, agent, current, tool, workflow
from fishplate.core.errors import UsageError
from fishplate.traces.capture import Capture
from fishplate.traces.export import OtlpExport
from fishplate.traces.feed import Tally
from fishplate.traces.otlp import SpanForm, SpanShape, traces_body
from fishplate.traces.vocabulary import SCHEMA_URL
from tests.traces.collector import Collector, spans_of

CANARY = "canary-5ecre7-x9Zk42"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


@tool(effect="readonly")
async def look(number: str) -> dict[str, str]:
    """A tool with a secret in its answer."""
    return {"number": number, "header": f"Authorization: Bearer {CANARY}"}


@agent(version="1.2.0", tools=[look])
async def body(number: str) -> str:
    """Calls the tool, and tells all kinds of facts."""
    current().note(confidence=0.5, sure=True, count=-3, many=["a", "b"], secret=CANARY)
    return (await look(number))["number"]


@agent
async def failing(number: str) -> str:
    """Fails with a secret."""
    raise Failure(f"password={CANARY} {number}", error_class=ErrorClass.OVERLOAD, code="down")


@agent
async def spare(number: str) -> str:
    """Answers instead."""
    return number


@workflow
async def flow(number: str) -> str:
    """Two steps, of which one is answered by another."""
    return await failing.or_else(spare)(await body(number))


@pytest.fixture
def collector() -> Iterator[Collector]:
    """One that takes everything."""
    found = Collector()
    yield found
    found.close()


def sent(export: OtlpExport, runs: int = 1, traces: str | None = None) -> dict[str, Tally]:
    """Run the workflow; what became of its spans."""

    async def main() -> dict[str, Tally]:
        async with App(flow, export=export, traces=traces) as app:
            for number in range(runs):
                run = app.start(flow, str(number), traceparent=f"00-{TRACE}-{PARENT}-01")
                assert await run.result() == str(number)
            return {**await app.flush_traces()}

    return asyncio.run(main())


def test_a_trace_arrives_whole(collector: Collector) -> None:
    """Ids, parents, names, kinds, times and status are those of the run, below its caller."""
    tally = sent(OtlpExport(endpoint=collector.url, headers={"x-team": "blue"}, service="shop"))

    spans = {span["name"]: span for span in collector.spans}
    names = {span["span_id"]: span["name"] for span in collector.spans}
    assert {
        name: names.get(span["parent_id"], span["parent_id"]) for name, span in spans.items()
    } == {
        "invoke_workflow flow": PARENT,
        "invoke_agent body": "invoke_workflow flow",
        "execute_tool look": "invoke_agent body",
        "invoke_agent failing": "invoke_workflow flow",
        "fallback → spare": "invoke_workflow flow",
        "invoke_agent spare": "invoke_workflow flow",
    }
    assert {span["trace_id"] for span in collector.spans} == {TRACE}
    assert {span["service"] for span in collector.spans} == {"shop"}
    assert spans["invoke_workflow flow"]["status"] == 1
    assert spans["invoke_agent failing"]["status"] == 2
    assert spans["invoke_agent failing"]["attributes"]["error.type"] == "down"
    assert all(span["took_ns"] >= 0 and span["start_ns"] > 1.7e18 for span in collector.spans)
    headers = {name.lower(): value for name, value in collector.headers[0].items()}
    assert (headers["x-team"], headers["content-type"]) == ("blue", "application/x-protobuf")
    assert tally["export"] == Tally(kept=6, dropped=0, lost=0, waiting=0, failure=None)


@pytest.mark.parametrize("capture", ["off", "metadata", "redacted"])
def test_no_secret_goes_out(collector: Collector, capture: Capture) -> None:
    """Contents go out only as far as they may, and never with a secret."""
    sent(OtlpExport(endpoint=collector.url, capture=capture, secrets=(CANARY,)))

    assert all(CANARY.encode() not in body for body in collector.bodies)
    found = next(span for span in collector.spans if span["name"] == "execute_tool look")
    assert ("input.value" in found["attributes"]) is (capture != "off")
    if capture == "redacted":
        assert found["attributes"]["gen_ai.tool.call.arguments"] == '{"number":"0"}'


@pytest.mark.parametrize("status", [400, 429, 500, 503])
def test_a_sink_that_refuses_harms_no_run(status: int) -> None:
    """What is not taken is lost and counted, and the reason is told."""
    collector = Collector(status)
    tally = sent(OtlpExport(endpoint=collector.url, timeout=0.3), runs=5)["export"]
    collector.close()

    assert (tally.kept, tally.lost) == (0, 30)
    assert str(status) in str(tally.failure)


def partial(rejected: int, message: str) -> bytes:
    """An answer by which a sink says that it has not taken all."""
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = rejected
    answer.partial_success.error_message = message
    return answer.SerializeToString()


@pytest.mark.parametrize(("rejected", "kept"), [(0, 6), (2, 4), (6, 0), (99, 0), (-3, 6)])
def test_what_a_sink_refuses_of_a_batch_is_counted(
    rejected: int, kept: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A partial success is a loss of what was rejected; the reason is told once, without secrets.

    A sink that rejects nothing has a warning to give, and costs nothing.
    """
    collector = Collector(answer=partial(rejected, f"\x1b[1mtoo old\n{CANARY} " + "x" * 9_000))
    tally = sent(OtlpExport(endpoint=collector.url, secrets=(CANARY,)))["export"]
    collector.close()

    assert (tally.kept, tally.lost) == (kept, 6 - kept)
    assert "too old" in str(tally.failure)
    assert len(str(tally.failure)) < 400
    told = [record.getMessage() for record in caplog.records if "too old" in record.getMessage()]
    assert len(told) == 1
    assert "\x1b" not in told[0]
    assert CANARY not in caplog.text + str(tally.failure)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [(b"", "text/html"), (b"{}", "application/json"), (partial(0, ""), "application/x-protobuf")],
)
def test_an_answer_that_says_nothing_costs_nothing(answer: bytes, kind: str) -> None:
    """An empty answer is one whatever its type, and so is a partial success of everything."""
    collector = Collector(answer=answer, kind=kind)
    tally = sent(OtlpExport(endpoint=collector.url))["export"]
    collector.close()

    assert tally == Tally(kept=6, dropped=0, lost=0, waiting=0, failure=None)


def test_a_page_for_people_has_taken_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """What answers 200 with a page is no sink: its spans are lost, and the log says it once."""
    collector = Collector(answer=f"<html>log in, {CANARY}</html>".encode(), kind="text/html")

    async def main() -> Tally:
        async with App(flow, export=OtlpExport(endpoint=collector.url)) as app:
            for number in range(2):
                await app.start(flow, str(number)).result()
                await app.flush_traces()
            return (await app.flush_traces())["export"]

    tally = asyncio.run(main())
    collector.close()

    assert (tally.kept, tally.lost) == (0, 12)
    assert "a web page" in str(tally.failure)
    assert "usually is /v1/traces" in str(tally.failure)
    told = [record.getMessage() for record in caplog.records]
    assert len([text for text in told if "a web page" in text]) == 1
    assert CANARY not in caplog.text + str(tally.failure)


def test_the_export_is_no_part_of_a_trace(collector: Collector) -> None:
    """Its requests carry no `traceparent`, so a sink that traces itself adds nothing to ours."""
    sent(OtlpExport(endpoint=collector.url))

    assert not {"traceparent", "baggage"} & {name.lower() for name in collector.headers[0]}


def test_a_run_with_baggage_alone_is_exported(collector: Collector) -> None:
    """A caller that names no span is no parent of the root."""

    async def main() -> Tally:
        async with App(flow, export=OtlpExport(endpoint=collector.url)) as app:
            await app.start(flow, "1", baggage="team=blue").result()
            return (await app.flush_traces())["export"]

    assert asyncio.run(main()).kept == 6
    [root] = [span for span in collector.spans if span["name"] == "invoke_workflow flow"]
    assert root["parent_id"] is None


def test_a_dead_sink_harms_neither_runs_nor_store(tmp_path: Path) -> None:
    """A store beside it keeps all, and the address told in the failure holds no secret."""
    collector = Collector()
    endpoint = collector.url.replace("://", f"://ada:{CANARY}@")
    collector.close()
    tally = sent(OtlpExport(endpoint=endpoint), traces=f"sqlite:///{tmp_path}/traces.db")

    assert (tally["export"].lost, tally["store"].kept) == (6, 6)
    assert "ConnectionRefusedError" in str(tally["export"].failure)
    assert CANARY not in str(tally["export"].failure)


def test_a_slow_sink_drops_and_counts() -> None:
    """While a sink holds a request the runs go on, and what finds no room is dropped."""
    collector = Collector()

    async def main() -> tuple[Tally, Tally]:
        export = OtlpExport(endpoint=collector.url, capacity=20, timeout=20)
        async with App(flow, export=export) as app:
            collector.hold.clear()
            for number in range(100):
                assert await app.start(flow, str(number)).result() == str(number)
                await asyncio.sleep(0)
            assert app.traces.spans()
            collector.hold.set()
            before = (await app.flush_traces())["export"]
            await app.start(flow, "again").result()
            return before, (await app.flush_traces())["export"]

    before, after = asyncio.run(main())
    collector.close()

    assert before.dropped > 0
    assert after.kept == before.kept + 6


@pytest.mark.parametrize(
    "settings",
    [
        {"endpoint": "ftp://x"},
        {"endpoint": "not an address"},
        {"endpoint": "http://127.0.0.1:1/", "timeout": 0},
        {"endpoint": "http://127.0.0.1:1/", "timeout": float("nan")},
        {"endpoint": "http://127.0.0.1:1/", "timeout": float("inf")},
        {"endpoint": "http://127.0.0.1:1/", "timeout": "4"},
        {"endpoint": "http://127.0.0.1:1/", "service": None},
        {"endpoint": "http://127.0.0.1:1/", "headers": "canary"},
        {"endpoint": "http://127.0.0.1:1/", "capacity": 0},
        {"endpoint": "http://127.0.0.1:1/", "capacity": 1.5},
        {"endpoint": "http://127.0.0.1:1/", "metrics": "127.0.0.1:1"},
        {"endpoint": "http://127.0.0.1:1/", "metrics_every": 0},
        {"endpoint": "http://127.0.0.1:1/", "capture": "Off"},
        {"endpoint": "http://127.0.0.1:99999/canary"},
        {"endpoint": "http://127.0.0.1:0/"},
        {"endpoint": "http://[canary/"},
        {"endpoint": "http://127.0.0.1:1/a canary"},
        {"endpoint": "http://127.0.0.1:1/\r\ncanary"},
        {"endpoint": "ftp://ada:canary@127.0.0.1/"},
        {"endpoint": None},
        {"endpoint": 4318},
        {"endpoint": "http://127.0.0.1:1/", "headers": {"authorization": "canary\n"}},
        {"endpoint": "http://127.0.0.1:1/", "headers": {"authorization": "canary\u2192"}},
        {"endpoint": "http://127.0.0.1:1/", "headers": {"authorization": b"canary"}},
        {"endpoint": "http://127.0.0.1:1/", "headers": {"x team": "canary"}},
        {"endpoint": "http://127.0.0.1:1/", "headers": {"content-length": "5"}},
    ],
)
def test_settings_are_judged_at_once(settings: dict[str, Any]) -> None:
    """A setting that cannot be meant is refused before anything runs."""
    with pytest.raises(UsageError) as refused:
        OtlpExport(**settings)
    assert refused.value.code == "bad_setting"
    assert "canary" not in str(refused.value)


@given(
    name=st.text(max_size=300),
    run_id=st.text("abcdefgh01234567", min_size=24, max_size=28) | st.just("é" * 26),
    ids=st.tuples(*[st.integers(0, 2**64 - 1)] * 2),
    times=st.tuples(*[st.integers(1, 2**64 - 1)] * 2),
    is_root=st.booleans(),
    is_marked=st.booleans(),
)
def test_spans_of_a_step_are_written_alike(  # noqa: PLR0917 -- what a span has
    name: str,
    run_id: str,
    ids: tuple[int, int],
    times: tuple[int, int],
    is_root: bool,
    is_marked: bool,
) -> None:
    """What is put into the bytes of another span is what the library writes, whatever it is."""
    words = {"word": "~ the id of the span's run"} if is_marked else {"word": name}
    shape = SpanShape(name, "INTERNAL", words, is_error=False, is_root=is_root)
    trace_id, (span_id, parent_id) = bytes.fromhex(TRACE), ids
    told = (trace_id, run_id, span_id, None if is_root else parent_id, *times)

    assert SpanForm(shape).span(*told) == shape.span(*told)


def test_every_kind_of_value_is_written() -> None:
    """What is read is what was written; a number beyond 64 bits is told as text."""
    values: dict[str, Any] = {
        "text": "é" * 200,
        "true": True,
        "large": 2**53,
        "negative": -3,
        "share": 0.25,
        "list": ["a", "b"],
        "empty": "",
    }
    written = {**values, "huge": 2**64, "lone": "a\ud800b"}
    shape = SpanShape("n" * 300, "CLIENT", written, is_error=True, is_root=False)
    spans = [
        shape.span(
            trace_id=bytes.fromhex(TRACE),
            run_id="r",
            span_id=number,
            parent_id=parent_id,
            start_ns=1_790_000_000_000_000_000,
            end_ns=1_790_000_000_000_000_005,
        )
        for number, parent_id in ((2**64 - 1, 1), (2, None))
    ]
    found, root = spans_of(traces_body("shop", spans))

    told = {**values, "huge": str(2**64), "lone": "a?b", "fishplate.run.id": "r"}
    assert found["attributes"] == root["attributes"] == told
    assert (found["service"], found["schema"]) == ("shop", SCHEMA_URL)
    assert (found["span_id"], found["parent_id"]) == ("f" * 16, "0" * 15 + "1")
    assert (root["span_id"], root["parent_id"]) == ("0" * 15 + "2", None)
    assert (found["name"], found["kind"], found["took_ns"], found["status"]) == ("n" * 300, 3, 5, 2)
