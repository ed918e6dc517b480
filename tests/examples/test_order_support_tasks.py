"""The support workflow answers the retail tasks' customers, and says nothing that is not theirs."""

import asyncio
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from examples.order_support.models import Channel, EmailReply, Query, Reply
from examples.order_support.plain import support_plain
from examples.order_support.shop import Shop
from examples.order_support.shop_rules import EmailIdentity, Identity, NameZipIdentity, User
from examples.order_support.workflow import support
from fishplate import Agent
from tests.examples.recorded_calls import lines
from tests.examples.reply_facts import Facts
from tests.examples.stage import NOON, Asked, Stage, make_stage

CHANNELS: Sequence[Channel] = get_args(Channel)
# One for each kind of answer; each carries an order's id and is clear enough to be answered.
QUESTIONS = (
    "What is the status of my order {}?",
    "Where is my parcel? I would like to track order {}.",
    "Please refund order {}, I changed my mind.",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """The customer of a task: who they say they are, whom the shop knows, and what they say."""

    identity: Identity
    user: User
    text: str


def test_every_task_ends_in_an_answer(memory_shop: Shop, filled_database: Path) -> None:
    """Each customer's own words end in a reply, by either workflow, that is the same and true."""
    callers = list(_callers(memory_shop))
    questions = [(caller, caller.text) for caller in callers]

    declared = asyncio.run(_answers(support, make_stage(filled_database), questions))
    plain = asyncio.run(_answers(support_plain, make_stage(filled_database), questions))

    assert len(declared) == 74
    assert {asked.state for asked in declared} == {"succeeded"}
    assert [asked.reply for asked in plain] == [asked.reply for asked in declared]
    assert [asked.state for asked in plain] == [asked.state for asked in declared]
    for caller, asked in zip(callers, declared, strict=True):
        assert _facts(memory_shop, caller.user).wrong(_words(asked.reply)) == []


def test_every_order_of_these_customers_is_told_truly(
    memory_shop: Shop, filled_database: Path
) -> None:
    """Asked for status, parcel and refund, every reply keeps to the customer's rows."""
    users = {caller.user.user_id: caller for caller in _callers(memory_shop)}
    questions = [
        (caller, question.format(order_id))
        for caller in list(users.values())[::2]  # half of them, to be done in time
        for order_id in caller.user.orders
        for question in QUESTIONS
    ]

    answers = asyncio.run(_answers(support, make_stage(filled_database), questions))

    assert len(answers) > 200
    for (caller, text), asked in zip(questions, answers, strict=True):
        assert "question" not in asked.agents, text
        assert _facts(memory_shop, caller.user).wrong(_words(asked.reply)) == [], text


async def _answers(
    unit: Agent[[Query], Reply], stage: Stage, questions: Sequence[tuple[Caller, str]]
) -> list[Asked]:
    """Ask the questions one by one, so that each of three in a row meets every channel in time."""
    async with stage.app:
        return [
            await stage.ask(unit, text, caller.identity, CHANNELS[(number + number // 3) % 3])
            for number, (caller, text) in enumerate(questions)
        ]


def _facts(shop: Shop, user: User) -> Facts:
    return Facts(orders={each: shop.get_order_details(each) for each in user.orders}, now=NOON)


def _words(reply: Reply) -> str:
    return f"{reply.subject}\n{reply.text}" if isinstance(reply, EmailReply) else reply.text


def _callers(shop: Shop) -> Iterator[Caller]:
    for task in map(json.loads, lines("tasks.jsonl")):
        instructions = task["user_scenario"]["instructions"]
        found = [
            (identity, user)
            for identity in _identities(instructions["known_info"])
            if (user := shop.customer_of(identity)) is not None
        ]
        identity, user = found[0]
        yield Caller(identity=identity, user=user, text=instructions["reason_for_call"])


def _identities(known: str) -> Iterator[Identity]:
    """Every way in which a task's customer could say who they are, by the sentence about them."""
    for email in re.findall(r"[\w.]+@[\w.]+\w", known):
        yield EmailIdentity(email=email)
    names = re.findall(r"\b([A-Z]\w+) ([A-Z]\w+)\b", known)
    names += re.findall(r"\b([a-z]+)_([a-z]+)_\d+\b", known)
    for zip_code in re.findall(r"\b\d{5}\b", known):
        for first_name, last_name in names:
            yield NameZipIdentity(first_name=first_name, last_name=last_name, zip=zip_code)
