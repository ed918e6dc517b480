"""Replays: the record answers for the world, and the first difference is named."""

from __future__ import annotations

import asyncio
import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from fishplate import (
    App,
    DeclaredError,
    ErrorClass,
    Failure,
    Policy,
    Prompt,
    Retry,
    approval,
    current,
    each,
    model_agent,
    sleep,
    tool,
    wait_for,
    workflow,
)
from fishplate import agent as make_agent
from fishplate.core.errors import UsageError
from fishplate.core.run_context import Principal
from fishplate.testing import ScriptedModel
from fishplate.testing.replay import ABSENT, UNKNOWN, Replayed, recorded_run, replay
from fishplate.traces.capture import Capture
from fishplate.traces.store import TraceStore

WRITTEN: list[str] = []
CALLED: list[str] = []
ATTEMPTS: list[str] = []


class Row(BaseModel):
    """What the shop knows of an order."""

    order_id: str
    amount: Decimal


class Word(BaseModel):
    """What somebody says."""

    text: str


class Unknown(DeclaredError):  # noqa: N818 -- an answer
    """There is no such order."""

    order_id: str


@tool(effect="readonly", errors=[Unknown])
async def get_order(order_id: str) -> Row:
    """Read an order."""
    CALLED.append(order_id)
    if order_id == "W0":
        raise Unknown(order_id=order_id)
    return Row(order_id=order_id, amount=Decimal(len(CALLED)))


@tool(effect="keyed", key_ttl=3600, scopes=["payments:write"])
async def pay(order_id: str, amount: Decimal) -> str:
    """Pay, which would be seen."""
    WRITTEN.append(order_id)
    return f"{order_id}:{amount}:{current().uuid()}"


@make_agent(version="1.0.0", tools=[get_order, pay])
async def refund(order_id: str) -> str:
    """Read, then pay; the time and a random number are in the answer."""
    try:
        row = await get_order(order_id)
    except Unknown as error:
        return f"no {error.order_id}"
    draw = current().random.random()
    return f"{await pay(row.order_id, row.amount)} {draw} {current().now().isoformat()}"


@make_agent
async def compose(text: str) -> str:
    """Put into words."""
    return f"done: {text}"


@workflow(version="1.0.0")
async def support(order_id: str) -> str:
    """Two steps."""
    return await compose(await refund(order_id))


@pytest.fixture(autouse=True)
def _nothing_happened() -> None:
    WRITTEN.clear()
    CALLED.clear()


class Records:
    """A store and a trace store in a folder."""

    def __init__(self, folder: Path) -> None:
        self.store = f"sqlite:///{folder}/runs.db"
        self.traces = f"sqlite:///{folder}/traces.db"

    def run(self, what: Any, *arguments: object, capture: Capture = "full", **app: Any) -> str:
        """Run something that is recorded in both; its id."""

        async def main() -> str:
            traces = TraceStore(url=self.traces, capture=capture)
            async with App(what, store=self.store, traces=traces, **app) as made:
                run = made.start(what, *arguments, principal=Principal(name="ada"))
                await run.ended()
                return run.id

        return asyncio.run(main())

    def replay(
        self,
        run_id: str,
        what: Any,
        *,
        by: Literal["store", "traces", "both"] = "both",
        recorded: tuple[str, ...] = (),
        **app: Any,
    ) -> Replayed:
        """Replay it; nothing that was called or written before counts."""
        recording = recorded_run(
            run_id,
            store=None if by == "traces" else self.store,
            traces=None if by == "store" else self.traces,
        )
        WRITTEN.clear()
        CALLED.clear()
        found = asyncio.run(replay(App(what, **app), what, recording, recorded=recorded))
        assert (WRITTEN, CALLED) == ([], []), "no tool is executed"
        return found


@pytest.fixture
def records(tmp_path: Path) -> Records:
    """Stores that are not there yet."""
    return Records(tmp_path)


@pytest.mark.parametrize("by", ["store", "both"])
@pytest.mark.parametrize("order_id", ["W1", "W0"])
def test_the_same_version_goes_the_same_way(records: Records, by: Any, order_id: str) -> None:
    """Equal code gives no difference; tools are answered from the record, effects too."""
    run_id = records.run(support, order_id)
    found = records.replay(run_id, support, by=by)

    assert found.difference is None
    assert (found.compared, found.answered) == ((4, 2) if order_id == "W1" else (3, 1))
    assert found.before == found.now == support.label


@pytest.mark.parametrize("recorded", [(), ("pay", "refund")])
def test_what_the_record_answers_for_is_not_run_by_itself(
    records: Records, recorded: tuple[str, ...]
) -> None:
    """A run of a tool is not replayed, since that would do what it did; nor is one by a tool."""
    payment = records.run(pay, "W1", Decimal(1))
    other = records.run(refund, "W1")

    for run_id, what in ((payment, pay), (other, refund if recorded else pay)):
        with pytest.raises(UsageError, match="calls it") as refused:
            records.replay(run_id, what, recorded=recorded)
        assert (refused.value.code, WRITTEN) == ("not_replayable", [])


def test_a_whole_trace_is_enough(records: Records) -> None:
    """What a run was given and gave stands in a full trace; the time is that of the step."""

    @make_agent(name="refund", tools=[get_order])
    async def asks(order_id: str) -> str:
        try:
            return str((await get_order(order_id)).amount)
        except Unknown as error:
            return f"no {error.order_id}"

    flow = support.replace(refund, asks)
    for order_id in ("W1", "W0"):
        run_id = records.run(flow, order_id)
        assert records.replay(run_id, flow, by="traces").difference is None


@make_agent
async def stamp(order_id: str) -> str:
    """Asks for the time twice, and calls nobody."""
    return f"{order_id} {current().now().isoformat()} {current().now().isoformat()}"


@make_agent(policy=Policy(retry=Retry(attempts=2, base=0.001)))
async def stamp_later(order_id: str) -> str:
    """Asks for the time, and succeeds the second time only."""
    first = current().now()
    ATTEMPTS.append(order_id)
    if len(ATTEMPTS) % 2:
        raise Failure("not yet", error_class=ErrorClass.TRANSIENT)
    return f"{order_id} {first.isoformat()}"


@workflow
async def stamped(order_id: str) -> str:
    """Two steps that call nobody."""
    return await stamp_later(await stamp(order_id))


@pytest.mark.parametrize("by", ["traces", "both"])
@pytest.mark.parametrize("what", [stamp, stamped])
def test_what_calls_nobody_is_told_the_same_times(records: Records, by: Any, what: Any) -> None:
    """They stand on its span, attempt by attempt; without a trace it is told when it began."""
    run_id = records.run(what, "W1")
    assert records.replay(run_id, what, by=by).difference is None


def changed(**made: Any) -> Any:
    """The workflow with another `refund`."""

    @make_agent(name="refund", version="1.1.0", tools=[get_order, pay])
    async def other(order_id: str) -> str:
        row = await get_order(made.get("asks", order_id))
        if made.get("pays", True):
            await pay(row.order_id, row.amount + made.get("more", 0))
        if made.get("twice"):
            await get_order(order_id)
        return "another"

    return support.replace(refund, other)


def test_another_answer_of_an_agent_is_named(records: Records) -> None:
    """The first agent that gives something else is the difference, with both."""
    run_id = records.run(support, "W1")
    found = records.replay(run_id, changed())

    assert found.difference is not None
    assert (found.difference.path, found.difference.part) == ("refund", "output")
    assert str(found.difference.before).startswith("W1:1")
    assert found.difference.now == "another"
    assert found.before.startswith("1.0.0")
    assert found.now != found.before


def test_other_arguments_of_a_tool_are_named_before_what_follows(records: Records) -> None:
    """A tool that is asked for something else has no answer: that is the difference."""
    run_id = records.run(support, "W1")
    found = records.replay(run_id, changed(more=5)).difference

    assert found is not None
    assert (found.path, found.part, found.pointer) == ("refund/1.pay", "input", "/amount")
    assert (found.before, found.now) == ("1", "6")

    found = records.replay(run_id, changed(asks="W2")).difference
    assert found is not None
    assert (found.path, found.before, found.now) == ("refund/0.get_order", "W1", "W2")


def test_without_traces_the_digest_tells_other_arguments(records: Records) -> None:
    """A store has the digest of what a body asks for, and of effects the arguments."""
    run_id = records.run(support, "W1")
    found = records.replay(run_id, changed(asks="W2"), by="store").difference

    assert found is not None
    assert (found.path, found.part, found.before) == ("refund/0.get_order", "input", UNKNOWN)
    assert found.now == {"order_id": "W2"}
    found = records.replay(run_id, changed(more=5), by="store").difference
    assert found is not None
    assert (found.pointer, found.before, found.now) == ("/amount", "1", "6")


def test_calls_that_are_new_and_calls_that_are_gone_are_named(records: Records) -> None:
    """So is a call of another agent at the same place."""
    run_id = records.run(support, "W1")
    new = records.replay(run_id, changed(twice=True)).difference
    gone = records.replay(run_id, changed(pays=False)).difference

    assert new is not None
    assert gone is not None
    assert (new.path, new.part, new.before) == ("refund/2.get_order", "call", "nothing")
    assert (gone.path, gone.part, gone.now) == ("refund/1.pay", "call", "nothing")

    @make_agent(name="refund", tools=[get_order, pay])
    async def pays_first(order_id: str) -> str:
        return await pay(order_id, Decimal(1))

    other = records.replay(run_id, support.replace(refund, pays_first)).difference
    assert other is not None
    assert (other.path, other.before) == ("refund/0.pay", "get_order")


def test_an_answer_that_breaks_the_contract_at_hand_is_named(records: Records) -> None:
    """A tool whose contract has changed cannot give what it gave then."""

    class Wider(BaseModel):
        order_id: str
        amount: Decimal
        currency: str

    @tool(name="get_order", effect="readonly")
    async def wider(order_id: str) -> Wider:
        raise AssertionError(order_id)

    @make_agent(name="refund", tools=[wider])
    async def asks(order_id: str) -> str:
        return (await wider(order_id)).currency

    run_id = records.run(support, "W1")
    found = records.replay(run_id, support.replace(refund, asks)).difference

    assert found is not None
    assert (found.path, found.part, found.now) == ("refund/0.get_order", "output", ABSENT)
    assert "currency" in found.explanation


def test_an_input_that_is_refused_now_is_named(records: Records) -> None:
    """The run itself differs if its agent no longer takes what it took."""

    @make_agent(name="compose")
    async def stricter(number: int) -> str:
        return str(number)

    run_id = records.run(compose, "W1")
    found = records.replay(run_id, stricter).difference

    assert found is not None
    assert (found.path, found.part) == ("", "input")


def test_models_are_answered_from_the_record(records: Records) -> None:
    """No model is asked; another prompt is the difference, at the message that changed."""

    @model_agent("fast", name="word")
    def word(text: str) -> Prompt[str]:
        return Prompt(system="Say one word.", user=text)

    @model_agent("fast", name="word")
    def reworded(text: str) -> Prompt[str]:
        return Prompt(system="Say two words.", user=text)

    run_id = records.run(word, "hello", models={"fast": ScriptedModel(["good"])})
    silent = {"fast": ScriptedModel([])}
    same = records.replay(run_id, word, models=silent)
    other = records.replay(run_id, reworded, models=silent).difference

    assert (same.difference, same.answered) == (None, 1)
    assert other is not None
    assert (other.path, other.pointer) == ("word/0.word-model", "/messages/0/text")
    assert (other.before, other.now) == ("Say one word.", "Say two words.")


def test_a_failure_is_answered_as_it_was_recorded(records: Records) -> None:
    """Code and class decide the same again: a fallback answers as it did, a retry tries again."""

    @tool(name="flaky", effect="readonly")
    async def flaky(number: int) -> int:
        CALLED.append("flaky")
        raise Failure("no answer", error_class=ErrorClass.OVERLOAD, code="down")

    retry = Policy(retry=Retry(attempts=2, base=0.001, cap=0.002))

    @make_agent(name="first", tools=[flaky], policy=retry)
    async def first(number: int) -> int:
        return await flaky(number)

    @make_agent(name="second")
    async def second(number: int) -> int:
        return -number

    @workflow(name="guarded")
    async def guarded(number: int) -> int:
        return await first.or_else(second)(number)

    run_id = records.run(guarded, 3)

    assert records.replay(run_id, guarded, by="store").difference is None
    assert records.replay(run_id, guarded, by="both").difference is None


def test_waits_are_answered_from_the_store(records: Records) -> None:
    """Signals, approvals and sleeps cost no time in a replay, and nobody is asked."""

    @workflow(name="waiting", tools=[pay])
    async def waiting(order_id: str) -> str:
        await sleep(0.01)
        said = await wait_for("word", Word)
        paid = await approval(pay(order_id, Decimal(2)), roles=["lead"], within=60)
        return await join(said, paid)

    @workflow(name="waiting", tools=[pay])
    async def waiting_for_others(order_id: str) -> str:
        await sleep(0.01)
        said = await wait_for("word", Word)
        paid = await approval(pay(order_id, Decimal(2)), roles=["boss"], within=60)
        return await join(said, paid)

    lead = Principal(name="grace", roles=frozenset({"lead"}))

    async def main() -> str:
        traces = TraceStore(url=records.traces, capture="full")
        async with App(waiting, store=records.store, traces=traces) as app:
            run = app.start(waiting, "W1", principal=Principal(name="ada"))
            await run.ended_or_waiting()
            await app.signal(run.id, "word", {"text": "please"})
            while not any(one.kind == "approval" for one in await app.waits(run.id)):  # noqa: ASYNC110 -- several steps on
                await asyncio.sleep(0.005)
            await app.approve(run.id, principal=lead)
            await run.result()
            return run.id

    run_id = asyncio.run(main())

    assert records.replay(run_id, waiting).difference is None
    found = records.replay(run_id, waiting_for_others).difference
    assert found is not None
    assert (found.part, found.before, found.now) == ("roles", ["lead"], ["boss"])
    with pytest.raises(UsageError, match="--store") as refused:
        records.replay(run_id, waiting, by="traces")
    assert refused.value.code == "not_replayable"


@make_agent(inline=True)
def join(said: Word, paid: object) -> str:
    """Both in one text."""
    return f"{said.text}: {paid}"


def test_branches_side_by_side_are_compared_each(records: Records) -> None:
    """Elements have paths of their own."""

    @make_agent(name="double", tools=[get_order])
    async def double(order_id: str) -> str:
        return (await get_order(order_id)).order_id * 2

    @make_agent(name="double", tools=[get_order])
    async def wrong_for_one(order_id: str) -> str:
        found = (await get_order(order_id)).order_id
        return found if order_id == "W2" else found * 2

    @workflow(name="many")
    async def many(order_ids: list[str]) -> list[str]:
        return await each(double, order_ids)

    run_id = records.run(many, ["W1", "W2", "W3"])
    found = records.replay(run_id, many.replace(double, wrong_for_one)).difference

    assert records.replay(run_id, many).difference is None
    assert found is not None
    assert (found.before, found.now) == ("W2W2", "W2")


def test_an_agent_may_be_answered_from_the_record_too(records: Records) -> None:
    """What depends on more than its input is left out of the comparison by name."""

    @make_agent(name="refund")
    async def moody(order_id: str) -> str:
        return f"{len(CALLED)} {order_id}"

    flow = support.replace(refund, moody)
    CALLED.append("before")
    run_id = records.run(flow, "W1")
    found = records.replay(run_id, flow).difference

    assert found is not None
    assert found.path == "refund"
    assert records.replay(run_id, flow, recorded=("refund",)).difference is None


@pytest.mark.parametrize("capture", ["off", "metadata", "redacted"])
def test_what_is_not_whole_is_refused_with_what_to_do(records: Records, capture: Capture) -> None:
    """A trace without contents, or with a secret taken out, replays nothing; the store does."""

    @tool(name="secret", effect="readonly")
    async def secret(number: str) -> str:
        return f"password={number}-hunter2"

    @make_agent(name="body", tools=[secret])
    async def body(number: str) -> str:
        return await secret(number)

    run_id = records.run(body, "17", capture=capture)

    with pytest.raises(UsageError, match="--store") as refused:
        records.replay(run_id, body, by="traces")
    assert refused.value.code == "not_replayable"
    assert records.replay(run_id, body).difference is None


def test_what_was_cut_is_refused(records: Records) -> None:
    """A long text is cut also in a full trace, and says so."""

    @tool(name="long", effect="readonly")
    async def long(number: str) -> str:
        return number * 20_000

    @make_agent(name="body", tools=[long])
    async def body(number: str) -> str:
        return (await long(number))[:1]

    run_id = records.run(body, "1")

    with pytest.raises(UsageError, match="'long'"):
        records.replay(run_id, body, by="traces")
    assert records.replay(run_id, body).difference is None


def test_a_trace_with_gaps_is_refused(records: Records) -> None:
    """Where spans or contents were dropped, a difference would be one of the record."""

    @tool(name="known", effect="readonly")
    async def known(number: str) -> str:
        return number

    @make_agent(name="body", tools=[known])
    async def body(number: str) -> str:
        return await known(number)

    run_id = records.run(body, "1")
    with sqlite3.connect(records.traces.removeprefix("sqlite:///")) as connection:
        connection.execute("INSERT INTO run_gap (run, spans, contents) VALUES (?, 1, 2)", (run_id,))

    with pytest.raises(UsageError, match="1 spans and the contents of 2 calls") as refused:
        records.replay(run_id, body, by="traces")
    assert refused.value.code == "not_replayable"
    assert records.replay(run_id, body).difference is None


def test_only_ended_and_known_runs_are_replayed(records: Records) -> None:
    """A run that waits, a run that nobody knows, and no record at all are refused."""

    @workflow(name="waiting")
    async def waiting(order_id: str) -> str:
        return await join(await wait_for("word", Word), await compose(order_id))

    async def main() -> str:
        async with App(waiting, store=records.store) as app:
            run = app.start(waiting, "W1")
            assert await run.ended_or_waiting() == "waiting"
            return run.id

    run_id = asyncio.run(main())
    for wanted, code in ((run_id, "not_replayable"), ("nobody", "unknown_run")):
        with pytest.raises(UsageError) as refused:
            recorded_run(wanted, store=records.store)
        assert refused.value.code == code
    with pytest.raises(UsageError) as refused:
        recorded_run(run_id)
    assert refused.value.code == "missing_store"


def test_nothing_of_a_replay_is_kept(records: Records) -> None:
    """The app's own stores get neither a run nor a trace."""
    run_id = records.run(support, "W1")
    before = [Path(url.removeprefix("sqlite:///")).read_bytes() for url in vars(records).values()]
    recording = recorded_run(run_id, store=records.store)
    app = App(support, store=records.store, traces=records.traces)
    asyncio.run(replay(app, support, recording))

    after = [Path(url.removeprefix("sqlite:///")).read_bytes() for url in vars(records).values()]
    assert after == before
