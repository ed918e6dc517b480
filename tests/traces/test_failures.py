"""Where a failure began: in the call that failed, whoever caught it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from fishplate import (
    App,
    DeclaredError,
    ErrorClass,
    Failure,
    agent,
    current,
    tool,
    workflow,
)
from fishplate.traces.capture import Capture
from fishplate.traces.explain import Explanation, explain
from fishplate.traces.queries import RunFilter, list_traces, whole_trace
from fishplate.traces.store import TraceStore, open_trace_reader

TRIED: list[str] = []


class NotFoundError(DeclaredError):
    """There is no such order."""

    order_id: str


@tool(effect="readonly")
async def carrier(order_id: str) -> str:
    """A service that is down, or comes back when it is asked again."""
    TRIED.append(order_id)
    if TRIED.count(order_id) > 1 and order_id == "back":
        return "sent"
    raise Failure("503", error_class=ErrorClass.PERMANENT, code="down")


@tool(effect="readonly", errors=[NotFoundError])
async def archive(order_id: str) -> str:
    """Says honestly that there is no such order."""
    raise NotFoundError(order_id=order_id)


@agent(tools=[carrier])
async def partial(order_id: str) -> str:
    """Answers less than it should without the carrier."""
    try:
        return await carrier(order_id)
    except Failure:
        current().degrade("carrier_down", source="guess")
        return "perhaps sent"


@agent(tools=[carrier])
async def asks(order_id: str) -> str:
    """Hands on what the carrier says, or that it fails."""
    return await carrier(order_id)


@agent(agents=[asks])
async def partial_above(order_id: str) -> str:
    """Answers less than it should without an agent that asks the carrier."""
    try:
        return await asks(order_id)
    except Failure:
        current().degrade("carrier_down", source="guess")
        return "perhaps sent"


@agent(tools=[carrier])
async def old_after_two_tries(order_id: str) -> str:
    """Gets an answer when it asks again, and answers from old data for another reason."""
    for _ in range(2):
        try:
            await carrier(order_id)
        except Failure:
            continue
    current().degrade("rates are of yesterday", source="cache", age=5)
    return "sent"


@agent(tools=[archive])
async def old_of_none(order_id: str) -> str:
    """Takes it for an answer that there is none, and answers from old data."""
    try:
        return await archive(order_id)
    except NotFoundError:
        current().degrade("rates are of yesterday", source="cache", age=5)
        return "nothing"


@agent(tools=[carrier])
async def fails_after_two_tries(order_id: str) -> str:
    """Gets an answer when it asks again, and fails for a reason of its own."""
    for _ in range(2):
        try:
            await carrier(order_id)
        except Failure:
            continue
    raise Failure("no", error_class=ErrorClass.PERMANENT, code="own")


@workflow
async def partly(order_id: str) -> str:
    """One step, that gives less than it should."""
    return await partial_above(order_id)


def explained(
    folder: Path, what: Any, argument: Any, *, capture: Capture = "redacted"
) -> Explanation:
    """Run something, and say what is to blame."""
    url = f"sqlite:///{folder}/traces.db"

    async def main() -> None:
        async with App(what, traces=TraceStore(url=url, capture=capture)) as app:
            await app.start(what, argument).ended()

    TRIED.clear()
    asyncio.run(main())
    connection = open_trace_reader(url)
    [run] = list_traces(connection, RunFilter())
    trace = whole_trace(connection, run.id)
    connection.close()
    assert trace is not None
    return explain(trace)


def told(found: Explanation) -> tuple[list[str], list[str]]:
    """Which steps are blamed, and which are in doubt."""
    return [one.path for one in found.findings], [one.path for one in found.doubts]


@pytest.mark.parametrize("capture", ["redacted", "off"])
@pytest.mark.parametrize(
    ("what", "step"),
    [(partial, "partial/0.carrier"), (partly, "partial_above/0.asks/0.carrier")],
)
def test_the_call_that_failed_is_blamed_and_not_who_made_do_without_it(
    tmp_path: Path, what: Any, step: str, capture: Capture
) -> None:
    """A body that catches a failure and says that its answer is worse for it is not the first."""
    found = explained(tmp_path, what, "W1", capture=capture)

    assert (found.verdict, told(found)) == ("tool", ([step], []))


def test_the_evidence_says_what_stood_in_for_the_failed_call(tmp_path: Path) -> None:
    """What the body has told of its answer is not lost."""
    [found] = explained(tmp_path, partly, "W1").findings

    text = "tool 'carrier': it failed with 'down': 503; 'partial_above' answered from guess"
    assert found.evidence == f"{text}: carrier_down"


@pytest.mark.parametrize(
    ("what", "argument", "blamed", "doubted"),
    [
        (old_after_two_tries, "back", "old_after_two_tries", "old_after_two_tries/0.carrier"),
        (fails_after_two_tries, "back", "fails_after_two_tries", "fails_after_two_tries/0.carrier"),
        (old_of_none, "W1", "old_of_none", "old_of_none/0.archive"),
    ],
)
def test_a_failure_that_was_made_up_for_is_a_doubt(
    tmp_path: Path, what: Any, argument: str, blamed: str, doubted: str
) -> None:
    """The same call answered when it was asked again, or its error was declared: an answer too."""
    assert told(explained(tmp_path, what, argument)) == ([blamed], [doubted])
