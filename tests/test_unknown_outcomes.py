"""A lost answer is looked up: found, sent again if nothing happened, or left to a person."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytest

from fishplate import (
    Agent,
    App,
    CannotSay,
    ErrorClass,
    Failure,
    NotDone,
    Policy,
    Retry,
    Run,
    agent,
    current,
    tool,
)
from fishplate.core.clock import FixedClock
from fishplate.core.errors import FishplateError, NeedsAttention

START = datetime(2026, 1, 1, tzinfo=UTC)


class Bank:
    """The other side, and what it is made to do.

    Attributes:
        charges: Amounts by idempotency key.
        sent: Keys of the requests of the keyed charge, in order.
        asked: Keys that were looked up, in order.
        loses: Whether the answer of a charge gets lost.
        forgets: Whether a charge that gets lost has not happened.
        says: Whether a lookup can say what happened.
        holds: Whether a charge answers nothing for as long as anybody waits.
    """

    def __init__(self) -> None:
        self.charges: dict[str, int] = {}
        self.sent: list[str] = []
        self.asked: list[str] = []
        self.loses = True
        self.forgets = False
        self.says = True
        self.holds = False
        self.reached = asyncio.Event()


BANK = Bank()


@pytest.fixture(autouse=True)
def _fresh() -> None:
    BANK.__init__()  # type: ignore[misc]  # a fresh bank for the tools, which know this one


@tool(effect="readonly", policy=Policy(retry=Retry(attempts=1)))
async def find_charge(amount: int) -> str | NotDone | CannotSay:
    """What became of a charge."""
    key = current().idempotency_key
    BANK.asked.append(key)
    if not BANK.says:
        return CannotSay()
    return f"paid {amount}" if BANK.charges.get(key) == amount else NotDone()


@tool(
    effect="verifiable",
    lookup=find_charge,
    settle_time=0,
    policy=Policy(retry=Retry(attempts=1)),
)
async def charge(amount: int) -> str:
    """Charge somebody; the other side refuses a key that it knows."""
    key = current().idempotency_key
    assert key not in BANK.charges
    if not BANK.forgets:
        BANK.charges[key] = amount
    BANK.reached.set()
    if BANK.holds:
        await asyncio.get_running_loop().create_future()
    if BANK.loses:
        BANK.loses = BANK.forgets = False
        raise ConnectionResetError
    return f"paid {amount}"


@agent(tools=[charge])
async def pay(amount: int) -> str:
    """Pay."""
    return await charge(amount)


@tool(effect="readonly", policy=Policy(retry=Retry(attempts=1)))
async def broken(amount: int) -> str | NotDone:
    """Fail to say what became of a charge."""
    raise LookupError(amount)


@tool(effect="verifiable", lookup=broken, settle_time=0)
async def lost(amount: int) -> str:
    """Charge somebody, and lose the answer."""
    raise ConnectionResetError(amount)


@tool(effect="verifiable", lookup=find_charge, settle_time=60)
async def slow(amount: int) -> str:
    """Charge somebody at a bank that shows it a minute later, and lose the answer."""
    BANK.charges[current().idempotency_key] = amount
    raise ConnectionResetError


class Lives:
    """The lives of a process that drives one store, by a clock of the test's."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "runs.db"
        self.clock = FixedClock(START)

    def app(self) -> App:
        """An app over the store."""
        return App(pay, store=f"sqlite:///{self.path}", clock=self.clock)

    async def settled(self) -> tuple[str, str | None]:
        """Live until nothing more can be done; state and reason of the only run."""
        async with self.app() as app:
            await app.settled()
        return self.run()

    def run(self) -> tuple[str, str | None]:
        """State and reason of the only run."""
        [found] = self.rows("SELECT state, attention FROM run")
        return found[0], found[1]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the store holds."""
        store = sqlite3.connect(self.path)
        found = store.execute(query).fetchall()
        store.close()
        return found


@pytest.fixture
def lives(tmp_path: Path) -> Lives:
    """The lives of a process."""
    return Lives(tmp_path)


async def _end_of(run: Run[Any]) -> object:
    try:
        return await run.result()
    except FishplateError as error:
        return error


async def test_a_lost_answer_is_looked_up(lives: Lives) -> None:
    """What the other side has done is the answer, and is not done again."""
    async with lives.app() as app:
        found = await app.start(pay, 5).result()

    assert found == "paid 5"
    [key] = BANK.charges
    assert BANK.asked == [key]
    assert await asyncio.to_thread(lives.rows, "SELECT state, attempts FROM effect") == [
        ("succeeded", 1)
    ]


async def test_what_certainly_did_nothing_is_sent_again(lives: Lives) -> None:
    """It goes out under the same key, once more."""
    BANK.forgets = True
    async with lives.app() as app:
        found = await app.start(pay, 5).result()

    assert found == "paid 5"
    assert BANK.asked == [*BANK.charges]
    assert await asyncio.to_thread(lives.rows, "SELECT state, attempts FROM effect") == [
        ("succeeded", 2)
    ]


async def test_what_cannot_be_said_needs_attention(lives: Lives) -> None:
    """The call is neither failed nor repeated, and the evidence counts the lookups."""
    BANK.says = False
    async with lives.app() as app:
        end = await _end_of(app.start(pay, 5))

    assert isinstance(end, NeedsAttention)
    assert end.code == "unknown_outcome"
    assert await asyncio.to_thread(lives.rows, "SELECT state, lookups FROM effect") == [
        ("unknown", 1)
    ]


@pytest.mark.parametrize("is_done", [True, False])
async def test_an_unknown_outcome_is_looked_up_later(lives: Lives, is_done: bool) -> None:
    """When the truth is found the run is open again and goes on, with one charge in the end."""
    BANK.says, BANK.forgets = False, not is_done
    async with lives.app() as app:
        await _end_of(app.start(pay, 5))
    BANK.says = True
    early = await lives.settled()
    lives.clock.advance(5)
    late = await lives.settled()

    assert early == ("needs_attention", "unknown_outcome")
    assert late == ("succeeded", None)
    assert [*BANK.charges.values()] == [5]
    assert len(BANK.asked) == 2
    assert await asyncio.to_thread(lives.rows, "SELECT principal, action FROM audit") == [
        ("fishplate", "reconcile")
    ]


async def test_after_the_last_lookup_nobody_asks_any_more(lives: Lives) -> None:
    """The other side is asked five times, and then it is a person's turn."""
    BANK.says = False
    async with lives.app() as app:
        await _end_of(app.start(pay, 5))
    for seconds in (5, 30, 300, 3600, 86_400):
        lives.clock.advance(seconds)
        await lives.settled()

    assert len(BANK.asked) == 5
    assert await asyncio.to_thread(lives.run) == ("needs_attention", "unknown_outcome")


async def test_an_effect_that_a_former_life_left_open_is_looked_up(lives: Lives) -> None:
    """Its process ended while it was on its way; the next one asks before it does anything."""
    BANK.holds = True
    async with lives.app() as app:
        app.start(pay, 5)
        await BANK.reached.wait()
    BANK.holds = BANK.loses = False
    async with lives.app() as app:
        [run] = app.resumed
        found = await run.result()

    assert found == "paid 5"
    assert [*BANK.charges.values()] == [5]
    assert len(BANK.asked) == 1


@pytest.mark.parametrize(("is_done", "state"), [(True, "succeeded"), (False, "failed")])
async def test_a_cancelled_run_ends_when_its_outcome_is_found(
    lives: Lives, is_done: bool, state: str
) -> None:
    """A run that was given up does nothing again, and its end says what it has done."""
    BANK.holds, BANK.forgets = True, not is_done
    async with lives.app() as app:
        run = app.start(pay, 5)
        await BANK.reached.wait()
        run.cancel()
        await run.ended()
        await app.settled()

    assert await asyncio.to_thread(lives.run) == ("cancelled", None)
    assert await asyncio.to_thread(lives.rows, "SELECT state, attempts FROM effect") == [(state, 1)]


async def test_a_lookup_that_fails_cannot_say(lives: Lives) -> None:
    """A failure proves nothing about the effect, and is told on the trace."""
    async with App(lost, store=f"sqlite:///{lives.path}", clock=lives.clock) as app:
        run = app.start(lost, 5)
        end = await _end_of(run)
        spans = {span.name: span.status for span in app.spans(run)}

    assert isinstance(end, NeedsAttention)
    assert spans["broken"] == "error"


async def test_an_answer_before_the_other_side_has_settled_counts_for_nothing(
    lives: Lives,
) -> None:
    """The lookup is made when `settle_time` is over, and not before."""

    def app() -> App:
        return App(slow, store=f"sqlite:///{lives.path}", clock=lives.clock)

    async with app() as first:
        await _end_of(first.start(slow, 5))
    lives.clock.advance(59)
    async with app() as second:
        await second.settled()
    assert BANK.asked == []
    lives.clock.advance(1)
    async with app() as third:
        await third.settled()

    assert await asyncio.to_thread(lives.run) == ("succeeded", None)
    assert await asyncio.to_thread(lives.rows, "SELECT attempts FROM effect") == [(1,)]


ANSWERS: list[Exception] = []


@tool(
    effect="keyed",
    key_ttl=3600,
    policy=Policy(retry=Retry(attempts=3, base=0.001, cap=0.001, budget=False), breaker="off"),
)
async def transfer(amount: int) -> str:
    """Transfer money, to a bank that answers as it is told to."""
    if ANSWERS:
        raise ANSWERS.pop(0)
    return f"transferred {amount}"


@pytest.mark.parametrize(
    ("answers", "state"),
    [
        ([ConnectionResetError(), *[ConnectionRefusedError() for _ in range(2)]], "unknown"),
        ([ConnectionResetError(), Failure("no", error_class=ErrorClass.PERMANENT)], "unknown"),
        ([ConnectionRefusedError() for _ in range(3)], "failed"),
        ([ConnectionRefusedError(), Failure("no", error_class=ErrorClass.PERMANENT)], "failed"),
        ([ConnectionResetError(), ConnectionRefusedError()], "succeeded"),
    ],
)
async def test_a_refusal_says_nothing_of_an_attempt_before_it(
    lives: Lives, answers: list[Exception], state: str
) -> None:
    """An effect has failed only if no attempt of it can have happened."""
    ANSWERS[:] = answers
    async with App(transfer, store=f"sqlite:///{lives.path}") as app:
        await _end_of(app.start(transfer, 5))

    assert await asyncio.to_thread(lives.rows, "SELECT state FROM effect") == [(state,)]


def _keyed(caches: Literal["all", "success"]) -> Agent[[int], str]:
    @tool(
        effect="keyed",
        key_ttl=3600,
        key_caches=caches,
        lookup=find_charge,
        settle_time=0,
        policy=Policy(retry=Retry(attempts=3, base=0.001)),
    )
    async def charge_keyed(amount: int) -> str:
        """Charge somebody at a bank that answers the first request with its failure."""
        key = current().idempotency_key
        BANK.sent.append(key)
        if len(BANK.sent) == 1:
            if not BANK.forgets:
                BANK.charges[key] = amount
            raise Failure("the bank answered 500", error_class=ErrorClass.TRANSIENT, is_answer=True)
        return f"paid {amount}"

    return charge_keyed


REPLAYED, SENT_AGAIN = _keyed("all"), _keyed("success")


@pytest.mark.parametrize(("unit", "sent"), [(REPLAYED, 1), (SENT_AGAIN, 2)])
async def test_a_key_that_brings_a_failure_back_is_not_sent_again(
    unit: Agent[[int], str], sent: int, tmp_path: Path
) -> None:
    """Where the other side remembers failures, an answered failure is looked up, not repeated."""
    async with App(unit, store=f"sqlite:///{tmp_path}/runs.db"):
        assert await unit(5) == "paid 5"
    assert (len(BANK.sent), len(BANK.asked)) == (sent, 2 - sent)


async def test_an_answered_failure_that_did_nothing_fails_the_call(tmp_path: Path) -> None:
    """The lookup proves that nothing happened, and the key would bring the failure back."""
    BANK.forgets = True
    async with App(REPLAYED, store=f"sqlite:///{tmp_path}/runs.db"):
        with pytest.raises(Failure, match="answered 500"):
            await REPLAYED(5)
    assert len(BANK.sent) == 1
