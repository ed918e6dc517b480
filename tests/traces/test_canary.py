"""A secret that goes everywhere a secret can go, looked for everywhere a trace can go."""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from fishplate import App, Principal, Prompt, agent, current, model_agent, tool, workflow
from fishplate.cli import main
from fishplate.core.current import Passage
from fishplate.testing import ScriptedModel
from fishplate.traces.capture import Capture
from fishplate.traces.export import OtlpExport
from fishplate.traces.store import TraceStore
from tests.traces.collector import Collector

CANARY = "canary-5ecre7-x9Zk42"


@tool(effect="readonly")
async def look(number: str) -> dict[str, str]:
    """A secret in a result, in a header, in what was retrieved."""
    current().note(headers={"x-api-key": CANARY})
    current().spent(cost_nanos=1, currency="USD", input_tokens=1)
    current().note(**{f"key {CANARY}": CANARY, "kind": CANARY, "model": CANARY})
    current().decided(CANARY, CANARY, given={CANARY: CANARY}, when={"title": CANARY})
    current().doubt(CANARY, about=CANARY)
    current().retrieved(f"notes {CANARY}", [Passage(id=f"note {CANARY}", score=0.5)], query=CANARY)
    return {"number": number, "note": f"Authorization: Bearer {CANARY}"}


@agent(tools=[look])
async def body(number: str) -> str:
    """A secret in a reason of degradation, and in what it hands on."""
    current().degrade(f"no {CANARY}", source=CANARY)
    return (await look(number))["note"]


@model_agent("fast")
def ask(text: str) -> Prompt[str]:
    """A secret in a prompt."""
    return Prompt(system=f"The password is {CANARY}.", user=text)


@agent
async def failing(text: str) -> str:
    """A secret in an exception, and in its cause."""
    raise RuntimeError(f"cannot read {CANARY} {text}") from OSError(f"https://ada:{CANARY}@host/")


@workflow
async def flow(number: str) -> str:
    """All of them."""
    return await failing(await ask(await body(number)))


@pytest.fixture
def collector() -> Iterator[Collector]:
    """One that takes everything."""
    found = Collector()
    yield found
    found.close()


@pytest.mark.parametrize("capture", ["off", "metadata", "redacted"])
def test_a_secret_is_found_nowhere(  # noqa: PLR0917 -- the places that it is looked for in
    tmp_path: Path,
    collector: Collector,
    capture: Capture,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Not in the store, its WAL, what is sent, the logs, nor what any command prints or writes."""
    monkeypatch.setenv("CARRIER_API_KEY", CANARY)
    caplog.set_level(logging.DEBUG)
    url = f"sqlite:///{tmp_path}/traces.db"
    seen: list[bytes] = []

    async def run() -> str:
        export = OtlpExport(endpoint=collector.url, metrics=collector.metrics_url, capture=capture)
        traces = TraceStore(url=url, capture=capture)
        models = {"fast": ScriptedModel([f"it is {CANARY}"])}
        async with App(flow, traces=traces, export=export, models=models) as app:
            who = Principal(name=CANARY, tenant=CANARY)
            run = app.start(flow, f"number {CANARY}", principal=who)
            assert await run.ended() == "failed"
            tallies = await app.flush_traces()
            assert (tallies["store"].kept, tallies["export"].kept) == (8, 8)
            seen.extend(await asyncio.to_thread(_bytes_of, tmp_path))
            return run.id

    run_id = asyncio.run(run())
    seen += [*_bytes_of(tmp_path), *collector.bodies]
    assert {*collector.paths} == {"/v1/traces", "/v1/metrics"}
    here = ("--traces", url)
    for words in (
        ("trace", *here),
        ("trace", *here, "--json"),
        ("trace", *here, "--search", "number"),
        ("trace", "show", run_id, *here, "--content"),
        ("trace", "show", run_id, *here, "--json"),
        ("trace", "explain", run_id, *here),
        ("trace", "export", run_id, *here, "--content"),
        ("trace", "export", run_id, *here, "--content", "--html", str(tmp_path / "run.html")),
        ("trace", "replay", run_id, *here),
    ):
        main(words)
        out, err = capsys.readouterr()
        assert out or err
        seen += [out.encode(), err.encode()]
    seen += [caplog.text.encode(), *_bytes_of(tmp_path)]

    assert any(b"ask-model" in one for one in seen), "something is looked at"
    assert all(CANARY.encode() not in one for one in seen)
    assert all(CANARY not in str(vars(record)) for record in caplog.records)


def _bytes_of(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()]
