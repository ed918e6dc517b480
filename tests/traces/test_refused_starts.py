"""A run that its store refuses has a trace: whoever has its id finds out what became of it."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path

import pytest

from fishplate import App, agent, workflow
from fishplate.core.errors import FishplateError
from fishplate.traces.explain import explain
from fishplate.traces.queries import WholeTrace, whole_trace
from fishplate.traces.store import open_trace_reader

LARGE = "a" * 9_000_000
HALF_A_CHARACTER = "a \ud83d of two"


@agent
async def echo(number: int, text: str) -> int:
    """Tell how long a text is."""
    return number + len(text)


@workflow
async def flow(number: int, text: str) -> int:
    """One step."""
    return await echo(number, text)


def _trace_of(folder: Path, text: str, *, is_awaited: bool) -> tuple[FishplateError, WholeTrace]:
    """The failure of a run that is refused, and the one trace that is kept then."""
    traces = f"sqlite:///{folder}/traces.db"

    async def main() -> tuple[FishplateError, str]:
        async with App(flow, store=f"sqlite:///{folder}/runs.db", traces=traces) as app:
            run = None if is_awaited else app.start(flow, 1, text)
            with pytest.raises(FishplateError) as failed:
                await (flow(1, text) if run is None else run.result())
            return failed.value, "" if run is None else run.id

    failure, run_id = asyncio.run(main())
    with closing(open_trace_reader(traces)) as connection:
        [(found,)] = connection.execute("SELECT id FROM run").fetchall()
        trace = whole_trace(connection, found)
    assert trace is not None
    assert run_id in {"", found}
    return failure, trace


@pytest.mark.parametrize("is_awaited", [False, True])
@pytest.mark.parametrize(
    ("text", "code"), [(LARGE, "payload_too_large"), (HALF_A_CHARACTER, "invalid_input")]
)
def test_a_run_that_the_store_refuses_has_failed(
    tmp_path: Path, text: str, code: str, *, is_awaited: bool
) -> None:
    """It had no step, and its trace says by the code of its failure why it has not begun."""
    failure, trace = _trace_of(tmp_path, text, is_awaited=is_awaited)

    assert failure.code == code
    assert (trace.run.state, trace.run.error, trace.run.agent) == ("failed", code, "flow")
    assert [(one.span.path, one.span.status) for one in trace.spans] == [("flow", "error")]
    assert explain(trace).verdict == "contract", "nobody was asked anything, so no tool is to blame"


def test_an_input_without_json_is_blamed_on_who_gave_it(tmp_path: Path) -> None:
    """It is the input of the workflow that breaks a contract, and no output of anybody."""
    failure, _ = _trace_of(tmp_path, HALF_A_CHARACTER, is_awaited=False)

    assert str(failure).startswith("the input of workflow 'flow' breaks its contract: at /text: ")
