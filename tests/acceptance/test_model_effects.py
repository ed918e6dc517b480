"""A model that chooses what to pay: its word is kept before anything goes out, and holds."""

from __future__ import annotations

import asyncio
import itertools
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from fishplate import (
    App,
    DeclarationError,
    ErrorClass,
    Failure,
    Policy,
    Prompt,
    Retry,
    agent,
    current,
    model_agent,
    tool,
    workflow,
)
from fishplate.models.model import Features, ModelAnswer, ModelRequest, ToolCall
from fishplate.testing import ScriptedModel
from fishplate.testing.crashtest import CrashPoint
from fishplate.testing.crashtest.lives import Place, Subject

ASKED = Path("asked")
BANK = Path("bank.db")


class Fickle:
    """A model that wants to pay another amount each time it is asked what to do.

    It writes down that it was asked, so that it stays fickle when its process has died.
    """

    name = "fickle"
    pinned = None
    features = Features(has_tools=True)

    async def request(self, request: ModelRequest) -> ModelAnswer:
        """Ask for a payment; or, once it is told the receipt, repeat that."""
        return await asyncio.to_thread(self._answered, request)

    def _answered(self, request: ModelRequest) -> ModelAnswer:
        last = request.messages[-1]
        if last.role == "tool":
            return ModelAnswer(text=f"You get {last.text}.")
        with ASKED.open("a", encoding="utf-8") as asked:
            asked.write("?")
        amount = len(ASKED.read_text(encoding="utf-8"))
        call = ToolCall(id="c", name="pay", arguments=json.dumps({"amount": amount}))
        return ModelAnswer(calls=(call,), finish_reason="tool_call")


@tool(effect="keyed", key_ttl=86_400, scopes=["payments:write"])
def pay(amount: int) -> int:
    """Pay at a bank that keeps one charge for a key."""
    key = current().idempotency_key
    with closing(sqlite3.connect(BANK)) as books, books:
        books.execute("CREATE TABLE IF NOT EXISTS charge (key TEXT PRIMARY KEY, amount INTEGER)")
        books.execute("INSERT OR IGNORE INTO charge VALUES (?, ?)", (key, amount))
        (charged,) = books.execute("SELECT amount FROM charge WHERE key = ?", (key,)).fetchone()
    return int(charged)


@model_agent("fast", tools=[pay])
def clerk(text: str) -> Prompt[str]:
    """Decide what is paid back."""
    return Prompt(user=text)


@workflow
async def desk(text: str) -> str:
    """Let the clerk decide."""
    return await clerk(text)


def _rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as store:
        return store.execute(query).fetchall()


def _chosen(store: Path) -> int | None:
    """The amount that the recorded response of the model asks for; `None` if none is recorded."""
    for (data,) in _rows(store, "SELECT data FROM step WHERE key LIKE '%/0.clerk-model'"):
        assert isinstance(data, (str, bytes))
        return int(json.loads(json.loads(data)["calls"][0]["arguments"])["amount"])
    return None


def _crashes(folder: Path, subject: Subject) -> Iterator[tuple[CrashPoint, Place]]:
    """Kill a run at its first commit, another one at its second, and so on, on both sides."""
    for number in itertools.count(1):
        died = False
        for point in (
            CrashPoint(side="before", commit=number),
            CrashPoint(side="after", commit=number),
        ):
            place = Place(folder / f"{number}-{point.side}", ())
            if place.live(subject, point):
                died = True
                yield point, place
        if not died:
            return


@pytest.mark.timeout(240)  # as many processes as there are commits, twice
def test_what_a_model_chose_is_done_once_wherever_the_process_dies(tmp_path: Path) -> None:
    """At every crash point there is one charge, and it is of the response that was recorded."""
    subject = Subject(
        app=App(desk, models={"fast": Fickle()}),
        agent=desk,
        document={"text": "money back"},
        files=(),
        seconds=60,
    )
    recorded_before = 0
    for point, place in _crashes(tmp_path, subject):
        chosen = _chosen(place.store) if place.store.exists() else None
        bank = place.work / BANK
        assert chosen is not None or not bank.exists(), f"{point}: paid before it was recorded"

        place.live(subject, None)

        charges = _rows(bank, "SELECT amount FROM charge")
        assert charges == [(_chosen(place.store),)], point
        assert _rows(place.store, "SELECT state FROM run") == [("succeeded",)], point
        assert _rows(place.store, "SELECT state, attempts > 0 FROM effect") == [("succeeded", 1)]
        asked = len((place.work / ASKED).read_text(encoding="utf-8"))
        if chosen is not None:  # else it was asked again, if it had been asked at all
            recorded_before += 1
            assert charges == [(chosen,)], point
            assert asked == chosen, f"{point}: a recorded response was asked for again"
    assert recorded_before >= 3


class Ear:
    """What a tool found in the store when it was called."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self.recorded: list[object] = []
        self.reserved: list[tuple[object, ...]] = []
        self.keys: list[str] = []


@tool(
    effect="keyed",
    key_ttl=86_400,
    scopes=["payments:write"],
    policy=Policy(retry=Retry(attempts=2, base=0.001, cap=0.001)),
)
def charge(amount: int) -> int:
    """Look at what is kept already; be down at first."""
    ear = current().resource(Ear)
    ear.keys.append(current().idempotency_key)
    ear.recorded = [key for (key,) in _rows(ear.store, "SELECT key FROM step")]
    ear.reserved = _rows(ear.store, "SELECT tool, call, state, arguments FROM effect")
    if len(ear.keys) == 1:
        raise Failure("down", error_class=ErrorClass.OVERLOAD, code="down")
    return amount


@model_agent("fast", tools=[charge])
def cashier(text: str) -> Prompt[str]:
    """Decide what is charged."""
    return Prompt(user=text)


async def test_a_models_call_goes_the_way_of_every_call(tmp_path: Path) -> None:
    """Recorded response, ledger, retries under one key, a span of its own: all are there."""
    path = tmp_path / "runs.db"
    ear = Ear(path)
    call = ToolCall(id="c", name="charge", arguments='{"amount": 7}')
    model = ScriptedModel([ModelAnswer(calls=(call,), finish_reason="tool_call"), "Done."])
    async with App(
        cashier,
        models={"fast": model},
        store=f"sqlite:///{path}",
        resources={Ear: lambda: ear},
    ) as app:
        run = app.start(cashier, "pay")
        assert await run.result() == "Done."
        spans = {span.name: span for span in app.spans(run)}

    assert ear.recorded == ["cashier/0.cashier-model"]
    assert ear.reserved == [("charge", "cashier/1.charge", "dispatched", b'{"amount":7}')]
    assert len(ear.keys) == 2
    assert len(set(ear.keys)) == 1
    assert _rows(path, "SELECT state FROM effect") == [("succeeded",)]
    assert (spans["charge"].kind, spans["charge"].path) == ("tool", "cashier/1.charge")
    assert spans["charge"].parent_id == spans["cashier"].span_id


async def test_a_message_with_one_bad_call_dispatches_none_of_its_calls(tmp_path: Path) -> None:
    """An unknown tool beside a payment stops both: nothing of a refused message goes out."""
    path = tmp_path / "runs.db"
    calls = (
        ToolCall(id="1", name="charge", arguments='{"amount": 7}'),
        ToolCall(id="2", name="drop_tables", arguments="{}"),
    )
    model = ScriptedModel([ModelAnswer(calls=calls, finish_reason="tool_call"), "No."])
    ear = Ear(path)
    async with App(
        cashier, models={"fast": model}, store=f"sqlite:///{path}", resources={Ear: lambda: ear}
    ) as app:
        assert await app.start(cashier, "pay").result() == "No."

    assert ear.keys == []
    assert _rows(path, "SELECT count(*) FROM effect") == [(0,)]


def test_a_caller_has_to_grant_what_a_models_tools_may_do() -> None:
    """A body that calls a model agent without a grant for it is refused at its declaration."""

    async def careless(text: str) -> str:
        """Call somebody who was never granted."""
        return await cashier(text)

    with pytest.raises(DeclarationError) as refused:
        agent(careless)
    assert "not_granted" in {problem.code for problem in refused.value.problems}
