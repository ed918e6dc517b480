"""Whose fault a wrong answer is."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from fishplate import (
    App,
    DeclaredError,
    ErrorClass,
    Failure,
    Policy,
    Retry,
    Static,
    agent,
    current,
    tool,
    workflow,
)
from fishplate.core.current import Passage
from fishplate.traces.explain import Explanation, explain
from fishplate.traces.queries import RunFilter, list_traces, whole_trace
from fishplate.traces.store import open_trace_reader


class Row(BaseModel):
    """An order."""

    order_id: str
    total: int


class NotFoundError(DeclaredError):
    """There is no such order."""

    order_id: str


@tool(effect="readonly")
async def right_row(order_id: str) -> Row:
    """The row that was asked for."""
    return Row(order_id=order_id, total=7)


@tool(effect="readonly")
async def wrong_row(order_id: str) -> Row:
    """The row of another order."""
    return Row(order_id=f"{order_id}0", total=7)


@tool(effect="readonly")
async def broken(order_id: str) -> Row:
    """A service that is down."""
    raise Failure("503", error_class=ErrorClass.OVERLOAD, code="down")


@agent(tools=[right_row, wrong_row, broken])
async def lookup(order_id: str) -> int:
    """Asks the tool that the order is about."""
    if order_id == "wrong":
        return (await wrong_row(order_id)).total
    if order_id == "down":
        return (await broken(order_id)).total
    return (await right_row(order_id)).total


@workflow
async def status(order_id: str) -> int:
    """One step."""
    return await lookup(order_id)


@workflow
async def with_spare(order_id: str) -> int:
    """Falls back to a fixed answer."""
    return await lookup.or_else(Static(0))(order_id)


@agent
async def classify(text: str) -> str:
    """A classifier with a confidence."""
    current().note(confidence=0.31 if text == "unsure" else 0.97, label="refund")
    return text


@agent
async def search(text: str) -> str:
    """Finds passages as good as the text says."""
    found: dict[str, tuple[list[Passage], list[str]]] = {
        "good": ([Passage(id="p1", score=0.8)], ["p1"]),
        "low": ([Passage(id="p1", score=0.1)], ["p1"]),
        "unused": ([Passage(id="p1", score=0.8)], []),
        "empty": ([], []),
        "made up": ([Passage(id="p1", score=0.8)], ["p9"]),
    }
    passages, used = found[text]
    current().retrieved("policies", passages, used=used, query=text)
    return text


@agent
async def misshapen(text: str) -> int:
    """Breaks its own contract."""
    answer: Any = text
    return answer  # type: ignore[no-any-return]


@agent(policy=Policy(timeout=0.01))
async def slow(text: str) -> str:
    """Takes longer than it may."""
    await asyncio.sleep(5)
    return text


@agent(policy=Policy(retry=Retry(attempts=2, base=0.001)))
async def recovering(text: str) -> str:
    """Fails once, and is tried again."""
    seen = TRIES.setdefault(text, 0)
    TRIES[text] += 1
    if seen % 2 == 0:
        raise ConnectionError
    return text


TRIES: dict[str, int] = {}


@agent(errors=[NotFoundError])
async def find(order_id: str) -> str:
    """Declares that there may be no such order."""
    raise NotFoundError(order_id=order_id)


@agent
async def tell(found: str | NotFoundError) -> str:
    """Says what was found."""
    return "nothing" if isinstance(found, NotFoundError) else found


@workflow
async def politely(order_id: str) -> str:
    """A declared error is an answer like any other."""
    return await tell(await find.catching(NotFoundError)(order_id))


def explained(folder: Path, what: Any, argument: str) -> Explanation:
    """Run something, and say what is to blame."""
    url = f"sqlite:///{folder}/traces.db"

    async def main() -> None:
        async with App(what, traces=url) as app:
            await app.start(what, argument).ended()

    asyncio.run(main())
    connection = open_trace_reader(url)
    [run] = list_traces(connection, RunFilter())
    trace = whole_trace(connection, run.id)
    connection.close()
    assert trace is not None
    return explain(trace)


@pytest.mark.parametrize(
    ("what", "argument", "verdict", "step"),
    [
        (status, "wrong", "tool", "lookup/0.wrong_row"),
        (status, "down", "tool", "lookup/0.broken"),
        (with_spare, "down", "tool", "lookup/0.broken"),
        (classify, "unsure", "reasoning", "classify"),
        (search, "low", "retrieval", "search"),
        (search, "unused", "retrieval", "search"),
        (search, "empty", "retrieval", "search"),
        (search, "made up", "retrieval", "search"),
        (misshapen, "x", "contract", "misshapen"),
        (slow, "x", "policy", "slow"),
    ],
)
def test_the_first_step_that_went_wrong_is_named(
    tmp_path: Path, what: Any, argument: str, verdict: str, step: str
) -> None:
    """Each kind of fault has its verdict, the step where it began, and evidence."""
    found = explained(tmp_path, what, argument)

    assert (found.verdict, found.findings[0].path) == (verdict, step)
    assert found.to_json()["step"] == step


@pytest.mark.parametrize(
    ("what", "argument"),
    [
        (status, "1"),
        (with_spare, "1"),
        (classify, "sure"),
        (search, "good"),
        (recovering, "x"),
        (politely, "x"),
    ],
)
def test_nobody_is_blamed_for_a_right_answer(tmp_path: Path, what: Any, argument: str) -> None:
    """A failure that was answered for in full, by a retry or as a value, is no fault."""
    found = explained(tmp_path, what, argument)

    assert (found.verdict, found.findings) == ("none", ())


def test_what_was_retrieved_is_a_span(tmp_path: Path) -> None:
    """Passages, scores and what was used stand in the trace, below the call that tells them."""

    async def main() -> list[Any]:
        async with App(search) as app:
            run = app.start(search, "good")
            await run.result()
            return [(one.kind, one.name, one.attributes) for one in app.spans(run)]

    retrieval, _ = asyncio.run(main())
    facts = {"passages": [{"id": "p1", "score": 0.8}], "used": ["p1"], "query": "good"}
    assert retrieval == ("retrieval", "policies", facts)
    assert list(tmp_path.iterdir()) == []
