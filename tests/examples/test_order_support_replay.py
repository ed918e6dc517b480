"""Runs of order support once more: the same version goes the same way, another one is found out."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from examples.order_support.agents import response_composer
from examples.order_support.models import Answer, ChatReply, Query, Reply
from examples.order_support.refund_rules import ReasonCode, RefundDecision
from examples.order_support.refunds import APPROVED_ABOVE, refund_eligibility
from examples.order_support.workflow import support
from fishplate import Agent, agent
from fishplate.testing.replay import Replayed, recorded_run, replay
from tests.examples.stage import LIAM, LIAMS_PENDING, LIAMS_PROCESSED, make_stage

LIAMS_DELIVERED = "#W6397299"
QUESTIONS = [
    f"Where is my order {LIAMS_PENDING}?",
    f"When will the courier deliver order {LIAMS_PROCESSED}?",
    f"Order {LIAMS_DELIVERED} arrived damaged. I want my money back.",
    "I want my money back.",
    "Do you sell tea?",
]


def recorded(folder: Path, database: Path, text: str) -> str:
    """Ask, in a store in the folder; the run's id."""
    stage = make_stage(database, folder=folder, traces=f"sqlite:///{folder / 'traces.db'}")

    async def main() -> str:
        async with stage.app as app:
            run = app.start(support, Query(text=text, channel="chat", customer=LIAM))
            while await run.ended_or_waiting() == "waiting":
                await stage.attend(run)
            await run.result()
            return run.id

    return asyncio.run(main())


def replayed(
    folder: Path, database: Path, run_id: str, workflow: Agent[[Query], Reply] = support
) -> Replayed:
    """Replay beside another outbox and payment service."""
    stage = make_stage(database)
    store, traces = (f"sqlite:///{folder / name}" for name in ("runs.db", "traces.db"))
    recording = recorded_run(run_id, store=store, traces=traces)
    return asyncio.run(replay(stage.app, workflow, recording))


def rows(database: Path) -> list[str]:
    """All that the shop holds."""
    with closing(sqlite3.connect(database)) as shop:
        return list(shop.iterdump())


@pytest.mark.parametrize("text", QUESTIONS)
def test_the_same_version_goes_the_same_way(tmp_path: Path, database: Path, text: str) -> None:
    """Every kind of question is answered as it was, and neither shop nor payment hears of it."""
    run_id = recorded(tmp_path, database, text)
    before = rows(database)
    found = replayed(tmp_path, database, run_id)

    assert found.difference is None
    assert found.compared > 2
    assert found.choices is not None
    assert found.choices > 0
    assert rows(database) == before


def test_a_changed_rule_is_found_below_the_refund(tmp_path: Path, database: Path) -> None:
    """The agent whose decision is another is named, and not the steps that follow from it."""
    run_id = recorded(tmp_path, database, QUESTIONS[2])

    @agent(name="refund_eligibility")
    async def generous(
        order_id: str, reason_code: ReasonCode, days_since_delivery: int
    ) -> RefundDecision:
        return RefundDecision(
            eligible=True,
            refund_amount=APPROVED_ABOVE,
            refund_method="original_payment",
            explanation=f"{order_id}: {reason_code} after {days_since_delivery} days",
        )

    other = support.replace(refund_eligibility, generous)
    found = replayed(tmp_path, database, run_id, other).difference

    assert found is not None
    assert found.path.endswith("refund_eligibility/0.get_order_details")
    assert (found.part, found.now) == ("call", "nothing")


def test_another_wording_is_found_in_the_reply(tmp_path: Path, database: Path) -> None:
    """A changed composer differs in its own answer, at the field that changed."""
    run_id = recorded(tmp_path, database, QUESTIONS[0])

    @agent(name="response_composer", inline=True)
    def curt(query: Query, answer: Answer) -> Reply:
        return ChatReply(text=f"{query.channel}: {type(answer).__name__}")

    other = support.replace(response_composer, curt)
    found = replayed(tmp_path, database, run_id, other).difference

    assert found is not None
    assert (found.path, found.part) == ("response_composer", "output")
    assert found.pointer.endswith("/text")
    assert str(found.now).startswith("chat: ")
