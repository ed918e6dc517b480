"""What is missing is asked for: the run waits for the answer, goes on with it, or says so."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from examples.order_support.clarification import CUSTOMERS_ANSWER_WITHIN, QUESTIONS, fuller_query
from examples.order_support.extract import order_ids
from examples.order_support.models import CustomerAnswer, Missing, Query, Reply, Unclear
from examples.order_support.plain import support_plain
from examples.order_support.workflow import support
from fishplate import Agent, InputError
from tests.examples.stage import LIAM, LIAMS_PROCESSED, NOON, Stage, make_stage

BOTH = pytest.mark.parametrize("unit", [support, support_plain], ids=lambda unit: unit.name)
STATUS = f"What is the status of my order {LIAMS_PROCESSED}?"
ITS_STATUS = f"Order {LIAMS_PROCESSED} is being sent."


@pytest.fixture
def stage(filled_database: Path) -> Stage:
    """An app over the filled database."""
    return make_stage(filled_database)


class Lack(NamedTuple):
    """A message that lacks something, the answer to our question, and words of the reply."""

    query: Query
    missing: Missing
    answer: CustomerAnswer
    words: str


LACKS = (
    Lack(Query(text=STATUS), "customer", CustomerAnswer(text="Me.", customer=LIAM), ITS_STATUS),
    Lack(
        Query(text="What is the status of my order?", customer=LIAM),
        "order",
        CustomerAnswer(text=f"It is {LIAMS_PROCESSED.removeprefix('#W')}"),
        ITS_STATUS,
    ),
    Lack(
        Query(text="What is the status of orders #W1654931 and #W6231698?", customer=LIAM),
        "single_order",
        CustomerAnswer(text="The first one, #W1654931."),
        "Order #W1654931 is pending",
    ),
    Lack(
        Query(text="I want a refund for order #W8488728.", customer=LIAM),
        "reason",
        CustomerAnswer(text="I changed my mind."),
        "within 30 days of delivery",
    ),
    Lack(
        Query(text="So much trouble with you this week!", customer=LIAM),
        "intent",
        CustomerAnswer(text=STATUS),
        ITS_STATUS,
    ),
)


@BOTH
@pytest.mark.parametrize("lack", LACKS, ids=lambda lack: lack.missing)
async def test_an_answer_goes_on_through_the_workflow(
    stage: Stage, unit: Agent[[Query], Reply], lack: Lack
) -> None:
    """The same run asks the question, waits, and gives the answer to what was asked at first."""
    async with stage.app:
        run = stage.app.start(unit, lack.query)
        assert await run.ended_or_waiting() == "waiting"
        sent = await asyncio.to_thread(stage.outbox.message, run.id)
        assert sent is not None
        assert sent.text.endswith(QUESTIONS[lack.missing])
        await stage.app.signal(run.id, "answer", lack.answer)
        reply = await run.result()

    assert lack.words in reply.text


@BOTH
async def test_a_question_that_nobody_answers_is_closed(
    filled_database: Path, tmp_path: Path, unit: Agent[[Query], Reply]
) -> None:
    """When the time is over the reply says so; the run has waited through a new process."""
    first = make_stage(filled_database, folder=tmp_path)
    async with first.app:
        run = first.app.start(unit, Query(text=STATUS))
        assert await run.ended_or_waiting() == "waiting"
    later = NOON + timedelta(seconds=CUSTOMERS_ANSWER_WITHIN)
    stage = make_stage(filled_database, folder=tmp_path, now=later)
    async with stage.app:
        (again,) = stage.app.resumed
        reply: Reply = await again.result()

    assert again.id == run.id
    assert reply.text == (
        "We have asked you a question and heard nothing since, so we end here. "
        "Please write to us again."
    )


@BOTH
async def test_an_answer_that_does_not_help_ends_the_run(
    stage: Stage, unit: Agent[[Query], Reply]
) -> None:
    """One question a run: there is no second one, and the customer is told what to write."""
    async with stage.app:
        asked = await stage.ask(unit, STATUS, None)

    assert "does not tell us yet" in asked.reply.text


async def test_an_answer_of_another_shape_is_refused(stage: Stage) -> None:
    """It changes nothing: the run waits on, and takes a good answer."""
    async with stage.app:
        run = stage.app.start(support, Query(text=STATUS))
        assert await run.ended_or_waiting() == "waiting"
        with pytest.raises(InputError):
            await stage.app.signal(run.id, "answer", {"words": "It's me."})
        assert run.state == "waiting"
        await stage.app.signal(run.id, "answer", CustomerAnswer(text="Me.", customer=LIAM))
        reply = await run.result()

    assert reply.text.startswith(ITS_STATUS)


@pytest.mark.parametrize(
    ("before", "said", "found"),
    [
        ("refund for #W1111111", "it was late", ("#W1111111",)),
        ("refund for #W1111111", "no, for #W2222222", ("#W2222222",)),
        ("orders #W1111111 and #W2222222", "2222222", ("#W2222222",)),
        ("orders #W1111111", "#W2222222 or #W3333333", ("#W2222222", "#W3333333")),
    ],
)
async def test_an_order_in_the_answer_is_the_one_that_counts(
    before: str, said: str, found: tuple[str, ...]
) -> None:
    """What the answer names takes the place of what was named before; else that stays."""
    query = await fuller_query(
        Unclear(missing="reason"), Query(text=before), CustomerAnswer(text=said)
    )

    assert order_ids(query.text) == found
