"""Whose fault a wrong answer is."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from fishplate import (
    App,
    Cache,
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
from fishplate.core.errors import JsonValue
from fishplate.traces.explain import Explanation, explain
from fishplate.traces.queries import runs_beside, whole_trace
from fishplate.traces.store import open_trace_reader
from tests.traces.reading import only_trace


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
async def broken(order_id: str) -> Row:
    """A service that is down."""
    raise Failure("503", error_class=ErrorClass.OVERLOAD, code="down")


@agent(tools=[right_row, broken])
async def lookup(order_id: str) -> int:
    """Asks the tool that the order is about."""
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
    """A classifier with a confidence, which it does not act upon."""
    current().note(confidence=0.31 if text == "unsure" else 0.97, label="refund")
    return "refund"


LATE = Passage(id="p1", score=0.8, text="An order is late after a day.")


@agent
async def search(text: str) -> str:
    """Finds passages as good as the text says."""
    found: dict[str, tuple[list[Passage], list[str]]] = {
        "good": ([Passage(id="p1", score=0.8)], ["p1"]),
        "made up": ([Passage(id="p1", score=0.8)], ["p9"]),
        "late orders": (
            [Passage(id="p1", score=0.8, text="An order is late after a day.")],
            ["p1"],
        ),
        "gift cards": ([Passage(id="p1", score=0.8, text="An order is late after a day.")], ["p1"]),
    }
    passages, used = found[text]
    current().retrieved("policies", passages, used=used, query=text)
    return text


@agent
async def rule(days: int) -> str:
    """Applies the row for a fortnight, whatever is asked."""
    when: dict[str, JsonValue] = {"properties": {"days": {"maximum": 14}}}
    current().decided("returns", "a fortnight", given={"days": days}, when=when)
    return "due"


@agent(agents=[search, rule])
async def compare(text: str, days: int) -> str:
    """Doubts that the rule and what was found agree."""
    await rule(days)
    await search(text)
    current().doubt("the rule says 14 days and the passage 30", about=("rule", "search"))
    return text


@agent(tools=[right_row])
async def total(order_id: str) -> int:
    """Doubts what the tool has answered."""
    row = await right_row(order_id)
    if row.total < 10:
        current().doubt("nothing costs 7", about="right_row")
    return row.total


@agent(inline=True)
def longer(text: str) -> str:
    """Asks for more words, and gets them."""
    return f"{text} and more"


@agent
async def sure_later(text: str) -> str:
    """A classifier that is sure of more words."""
    current().note(confidence=0.4 if len(text) < 3 else 0.9, label="refund")
    return text


@workflow
async def asked_again(text: str) -> str:
    """Classifies twice."""
    return await sure_later(text=await longer(await sure_later(text)))


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


def explained(
    folder: Path, what: Any, *arguments: str | int, wrong: str | None = None
) -> Explanation:
    """Run something, and say what is to blame."""
    folder.mkdir(exist_ok=True)
    url = f"sqlite:///{folder}/traces.db"

    async def main() -> None:
        async with App(what, traces=url) as app:
            await app.start(what, *arguments).ended()

    asyncio.run(main())
    trace = only_trace(url)
    return explain(trace, wrong=wrong)


@pytest.mark.parametrize(
    ("what", "argument", "verdict", "step"),
    [
        (status, "down", "tool", "lookup/0.broken"),
        (with_spare, "down", "tool", "lookup/0.broken"),
        (classify, "unsure", "reasoning", "classify"),
        (search, "made up", "retrieval", "search"),
        (rule, 30, "policy", "rule"),
        (total, "1", "tool", "total/0.right_row"),
        (misshapen, "x", "contract", "misshapen"),
        (slow, "x", "policy", "slow"),
    ],
)
def test_the_first_step_that_went_wrong_is_named(
    tmp_path: Path, what: Any, argument: str | int, verdict: str, step: str
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
        (search, "late orders"),
        (rule, 14),
        (asked_again, "x"),
        (recovering, "x"),
        (politely, "x"),
    ],
)
def test_nobody_is_blamed_for_a_right_answer(
    tmp_path: Path, what: Any, argument: str | int
) -> None:
    """A failure that was answered for in full, by a retry or as a value, is no fault."""
    found = explained(tmp_path, what, argument)

    assert (found.verdict, found.findings) == ("none", ())


@pytest.mark.parametrize(
    ("text", "days", "verdict"),
    [("late orders", 10, "policy"), ("gift cards", 10, "retrieval"), ("gift cards", 30, "policy")],
)
def test_of_two_that_disagree_the_weaker_is_blamed(
    tmp_path: Path, text: str, days: int, verdict: str
) -> None:
    """Other evidence decides between suspects; without any it is the first of them."""
    found = explained(tmp_path, compare, text, days)

    assert found.verdict == verdict


def test_a_row_that_is_not_for_the_facts_says_why(tmp_path: Path) -> None:
    """The evidence names the table, the row, and the fact that the row is not for."""
    [found] = explained(tmp_path, rule, 30).findings

    assert "returns: a fortnight" in found.evidence
    assert "days: 30 is above 14" in found.evidence
    assert found.is_sure


def test_a_wrong_text_is_traced_to_the_step_that_it_comes_from(tmp_path: Path) -> None:
    """What is known to be wrong is found where it first stood, though nothing else shows it."""
    by_default = explained(tmp_path / "one", lookup, "1")
    told = explained(tmp_path / "two", lookup, "1", wrong="7")

    assert by_default.verdict == "none"
    assert (told.verdict, told.findings[0].path) == ("tool", "lookup/0.right_row")


def test_a_text_that_nothing_gave_is_traced_to_nobody(tmp_path: Path) -> None:
    """Where the text is nowhere, or was the caller's own, the verdict is as without it."""
    assert explained(tmp_path / "one", lookup, "1", wrong="8").verdict == "none"
    assert explained(tmp_path / "two", lookup, "1", wrong='"1"').verdict == "none"


STATES: dict[str, str] = {}


class State(BaseModel):
    """How far an order is."""

    order_id: str
    status: str


@tool(effect="readonly", policy=Policy(cache=Cache(ttl=60, scope="orders")))
async def remembered(order_id: str) -> State:
    """Remembers what it has read."""
    return State(order_id=order_id, status=STATES.get(order_id, "pending"))


@tool(effect="idempotent", scopes=["warehouse:write"])
async def cancel(order_id: str) -> State:
    """Changes an order, and does not say so."""
    STATES[order_id] = "cancelled"
    return State(order_id=order_id, status="cancelled")


@agent(tools=[remembered])
async def tell_status(order_id: str) -> str:
    """Says how far an order is."""
    return (await remembered(order_id)).status


def after(folder: Path, cancelled: Sequence[str]) -> Explanation:
    """Ask twice about an order, and say what is to blame for the second answer."""
    folder.mkdir(exist_ok=True)
    url = f"sqlite:///{folder}/traces.db"

    async def main() -> str:
        async with App(tell_status, cancel, traces=url) as app:
            await app.start(tell_status, "1").result()
            for order_id in cancelled:
                await app.start(cancel, order_id).result()
            run = app.start(tell_status, "1")
            assert await run.result() == "pending"
            return run.id

    STATES.clear()
    run_id = asyncio.run(main())
    connection = open_trace_reader(url)
    trace = whole_trace(connection, run_id)
    assert trace is not None
    found = explain(trace, runs_beside(connection, trace))
    connection.close()
    return found


def test_a_remembered_answer_that_another_run_has_changed_is_blamed(tmp_path: Path) -> None:
    """What the other run was told stands against it, with the step that told it."""
    found = after(tmp_path, ["1"])

    assert (found.verdict, found.findings[0].path) == ("tool", "tell_status/0.remembered")
    assert (
        "says status 'pending'; since then 'cancel' gave 'cancelled'" in found.findings[0].evidence
    )


@pytest.mark.parametrize("cancelled", [[], ["2"]])
def test_a_remembered_answer_that_still_holds_is_not_blamed(
    tmp_path: Path, cancelled: list[str]
) -> None:
    """Neither the age of an answer nor a change of something else is a fault."""
    assert after(tmp_path, cancelled).verdict == "none"


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
