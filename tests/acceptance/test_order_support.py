"""What the reference application promises: contract, isolation, honest fallbacks, one semantics."""

import asyncio
import json
from pathlib import Path

import pytest

from examples.order_support.demo import SCENES
from examples.order_support.models import Channel, Query, Reply
from examples.order_support.plain import support_plain
from examples.order_support.refunds import refund_eligibility
from examples.order_support.shop_rules import Identity, NameZipIdentity
from examples.order_support.tools import cancel_pending_order
from examples.order_support.workflow import support
from fishplate import Agent, Contract, DeclarationError, agent
from tests.examples.stage import LIAMS_PENDING, LIAMS_PROCESSED, Asked, Stage, make_stage

EXAMPLE = Path(__file__).parents[2] / "examples" / "order_support"
EMMA = NameZipIdentity(first_name="Emma", last_name="Kim", zip="46214")
UNKNOWN_ORDER = "#W0000001"

QUESTIONS = (
    "What is the status of my order {}?",
    "Where is my parcel? I would like to track order {}.",
    "Part of order {} arrived broken. I want my money back.",
)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """The app over a database of its own."""
    return make_stage(tmp_path / "shop.db")


# P1, P8: the contract is the published one.


def test_the_refund_contract_is_the_published_one() -> None:
    """The agent stands under its contract file, which says this and no more."""
    path = EXAMPLE / "refund_eligibility.json"

    assert json.loads(path.read_text(encoding="utf-8")) == {
        "agent": "refund_eligibility",
        "input_schema": {
            "order_id": "string",
            "reason_code": "enum[damaged, late, wrong_item, changed_mind]",
            "days_since_delivery": "integer",
        },
        "output_schema": {
            "eligible": "boolean",
            "refund_amount": "number",
            "refund_method": "enum[original_payment, store_credit]",
            "explanation": "string",
        },
    }
    assert refund_eligibility.contract == Contract.load(path)


def test_code_that_does_not_keep_the_contract_is_refused() -> None:
    """An agent that gives another output than its contract file promises is not declared."""
    path = EXAMPLE / "refund_eligibility.json"

    with pytest.raises(DeclarationError) as refusal:

        @agent(contract=path, name="refund_eligibility")
        async def wrong(
            order_id: str, reason_code: str, days_since_delivery: int
        ) -> dict[str, int]:
            return {order_id: days_since_delivery, reason_code: 0}

    assert "contract_mismatch" in {problem.code for problem in refusal.value.problems}


# P7: another customer's order is as good as none.


@pytest.mark.parametrize("unit", [support, support_plain], ids=lambda unit: unit.name)
@pytest.mark.parametrize("channel", ["email", "chat", "sms"])
async def test_anothers_order_is_answered_as_an_unknown_one(
    stage: Stage, unit: Agent[[Query], Reply], channel: Channel
) -> None:
    """Whatever is asked, over whatever channel, the reply is the same to the byte."""
    async with stage.app:
        for question in QUESTIONS:
            replies = [
                await _text(stage, unit, question.format(order_id), EMMA, channel)
                for order_id in (LIAMS_PROCESSED, LIAMS_PENDING, UNKNOWN_ORDER)
            ]

            assert len(set(replies)) == 1, question
            assert "could not find" in replies[0]


async def test_the_carrier_is_never_asked_for_anothers_parcel(stage: Stage) -> None:
    """Nothing is fetched for an order that the customer does not own."""
    async with stage.app:
        asked = await stage.ask(support, QUESTIONS[1].format(LIAMS_PROCESSED), EMMA)

        assert stage.carrier.requests == 0
        assert "refund_eligibility" not in asked.agents


# P5: one broken dependency stays its own problem.


async def test_a_carrier_that_is_down_degrades_its_own_answers_alone(stage: Stage) -> None:
    """Status and refund are answered as ever; the parcel's answer says that it is an estimate."""
    async with stage.app:
        stage.carrier.set_mode("down")
        status, parcel, refund = [
            await stage.ask(support, question.format(LIAMS_PROCESSED)) for question in QUESTIONS
        ]

    assert [asked.state for asked in (status, parcel, refund)] == [
        "succeeded",
        "degraded",
        "succeeded",
    ]
    assert [reason.source for reason in parcel.degraded] == ["estimate"]
    assert "Our own estimate, of 2026-11-01" in parcel.reply.text


# P6: you can see why.


async def test_an_outage_opens_the_breaker_which_closes_by_itself(stage: Stage) -> None:
    """Down: the cached answer, marked with its age, says so; up again: two probes close it."""
    question = QUESTIONS[1].format(LIAMS_PROCESSED)
    async with stage.app:
        await stage.ask(support, question)
        stage.carrier.set_mode("down")
        stage.clock.advance(600)
        down = [await stage.ask(support, question) for _ in range(2)]
        asked_before = stage.carrier.requests
        open_ = await stage.ask(support, question)
        assert stage.carrier.requests == asked_before
        stage.carrier.set_mode("healthy")
        stage.clock.advance(60)
        back = [await stage.ask(support, question) for _ in range(3)]

    for asked in (*down, open_):
        assert _reasons(asked) == [("carrier_unavailable", "cache", 600.0)]
        assert "cached 10 min ago" in asked.reply.text
    assert down[1].facts("breaker.opened") != []
    assert [fact["code"] for fact in open_.facts("call.rejected")] == ["breaker_open"]
    assert [asked.state for asked in back] == ["succeeded"] * 3
    told = [{span.name for span in asked.spans if "breaker" in span.name} for asked in back]
    assert told == [{"breaker.half_opened"}, {"breaker.closed"}, set()]


async def test_a_lookup_shows_the_caches_part_and_a_write_ends_it(stage: Stage) -> None:
    """Miss, hit with its age, and after a change of the order a miss again with the new status."""
    question = QUESTIONS[0].format(LIAMS_PENDING)
    async with stage.app:
        first = await stage.ask(support, question)
        stage.clock.advance(12)
        second = await stage.ask(support, question)
        await cancel_pending_order(LIAMS_PENDING, "no longer needed")
        third = await stage.ask(support, question)

    assert [_cache(asked) for asked in (first, second, third)] == [
        {"cache_hit": False},
        {"cache_hit": True, "cache_age": 12.0},
        {"cache_hit": False},
    ]
    assert second.reply == first.reply
    assert "is pending" in second.reply.text
    assert "was cancelled" in third.reply.text


# One semantics: declared, or plain Python.


def test_declared_and_plain_answer_alike(tmp_path: Path) -> None:
    """Over every message of the demo, both give the same reply, state and reasons."""
    stages = make_stage(tmp_path / "declared.db"), make_stage(tmp_path / "plain.db")

    async def play_both() -> tuple[list[Asked], list[Asked]]:
        async with asyncio.TaskGroup() as both:  # side by side, as one scene waits for the carrier
            declared = both.create_task(_play(stages[0], support))
            plain = both.create_task(_play(stages[1], support_plain))
        return declared.result(), plain.result()

    declared, plain = asyncio.run(play_both())

    assert len(declared) == len(SCENES) >= 10
    for scene, one, other in zip(SCENES, declared, plain, strict=True):
        assert one.reply == other.reply, scene.title
        assert one.state == other.state, scene.title
        assert _reasons(one) == _reasons(other), scene.title


async def _play(stage: Stage, unit: Agent[[Query], Reply]) -> list[Asked]:
    answers: list[Asked] = []
    async with stage.app:
        for scene in SCENES:
            if scene.cancelled_before is not None:
                await cancel_pending_order(scene.cancelled_before, "no longer needed")
            stage.clock.advance(scene.later)
            stage.carrier.set_mode(scene.carrier)
            asked = (scene.text, scene.customer, scene.channel, scene.answer)
            answers.append(await stage.ask(unit, *asked))
    return answers


async def _text(
    stage: Stage, unit: Agent[[Query], Reply], text: str, customer: Identity, channel: Channel
) -> str:
    asked = await stage.ask(unit, text, customer, channel)
    return asked.reply.model_dump_json()


def _cache(asked: Asked) -> dict[str, object]:
    (facts,) = asked.facts("get_order_details")
    return facts


def _reasons(asked: Asked) -> list[tuple[str, str, float | None]]:
    """Why an answer is degraded; where in the run that was differs between the two workflows."""
    return [(each.reason, each.source, each.age) for each in asked.degraded]
