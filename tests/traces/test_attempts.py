"""Attempts of a call: each is a span of its own, and one that failed says so."""

import asyncio
from pathlib import Path

from fishplate import App, ErrorClass, Failure, Policy, Retry, tool, workflow
from fishplate.traces.failures import Failures
from fishplate.traces.queries import RunFilter, WholeTrace, list_traces, whole_trace
from fishplate.traces.rollups import totals
from fishplate.traces.store import open_trace_reader
from fishplate.traces.vocabulary import described

_answers: list[str] = []


@tool(effect="readonly", policy=Policy(retry=Retry(attempts=3, base=0.001, cap=0.001)))
async def flaky(number: str) -> str:
    """Fails at its first attempt."""
    _answers.append(number)
    if len(_answers) == 1:
        raise Failure("away", error_class=ErrorClass.TRANSIENT, code="away")
    return number


@workflow(tools=[flaky])
async def flow(number: str) -> str:
    """Calls it."""
    return await flaky(number)


def _traced(folder: Path) -> tuple[WholeTrace, int]:
    url = f"sqlite:///{folder / 'traces.db'}"
    _answers.clear()

    async def main() -> str:
        async with App(flow, traces=url) as app:
            run = app.start(flow, "1")
            await run.result()
            return run.id

    run_id = asyncio.run(main())
    with open_trace_reader(url) as connection:
        found = whole_trace(connection, run_id)
        errors = sum(one.errors for one in totals(connection, 0, 1 << 62))
        assert list_traces(connection, RunFilter())
    assert found is not None
    return found, errors


def test_a_failed_attempt_is_seen_as_failed_and_blamed_for_nothing(tmp_path: Path) -> None:
    """Each attempt has its number and its status; one that was repeated fails no call."""
    trace, errors = _traced(tmp_path)

    spans = [one.span for one in trace.spans if one.span.name == "attempt.ended"]
    told = [(one.status, (one.attributes or {})["attempt"]) for one in spans]
    assert told == [("error", 1), ("ok", 2)]
    assert spans[0].end_ns > spans[0].start_ns
    failed = described(spans[0])
    assert (failed.is_error, failed.attributes["error.type"]) == (True, "away")
    assert (trace.run.state, errors) == ("succeeded", 0)
    assert not list(Failures(trace).failures())
