"""Refunds through the workflow: what is paid at once, what waits for a lead, and what is said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from examples.order_support.models import Query, Reply
from examples.order_support.payment_process import PaymentProcess
from examples.order_support.plain import support_plain
from examples.order_support.refunds import APPROVED_ABOVE, LEADS_DECIDE_WITHIN
from examples.order_support.shop_rules import EmailIdentity, NameZipIdentity
from examples.order_support.workflow import support
from fishplate import Agent, Principal, Run
from fishplate.core.errors import FishplateError
from fishplate.journal.waits import Wait
from tests.examples.payment_service import charges
from tests.examples.stage import LEAD, LIAM, NOON, Stage, make_stage

EMMA = NameZipIdentity(first_name="Emma", last_name="Kim", zip="46214")
SMALL = Query(text="Part of order #W6397299 arrived broken. I want my money back.", customer=LIAM)
LARGE = Query(text="Please refund order W4646940, I changed my mind.", customer=EMMA)
NOT_DUE = Query(text="I changed my mind about order #W8488728 and want a refund.", customer=LIAM)

BOTH = pytest.mark.parametrize("unit", [support, support_plain], ids=lambda unit: unit.name)


@pytest.fixture
def stage(filled_database: Path) -> Stage:
    """An app over the filled database, which refunds do not change."""
    return make_stage(filled_database)


@asynccontextmanager
async def _waiting(
    stage: Stage, query: Query = LARGE, unit: Agent[[Query], Reply] = support
) -> AsyncGenerator[tuple[Run[Reply], Wait]]:
    """A run in its app that waits for one thing."""
    async with stage.app:
        run = stage.app.start(unit, query)
        assert await run.ended_or_waiting() == "waiting"
        (wait,) = await stage.app.waits(run.id)
        yield run, wait


async def _charged(stage: Stage) -> dict[str, int]:
    return dict(await asyncio.to_thread(charges, await stage.payments.url()))


@BOTH
async def test_a_small_refund_is_paid_at_once(stage: Stage, unit: Agent[[Query], Reply]) -> None:
    """Up to the limit the rules suffice, and the payment service has one charge."""
    async with stage.app:
        run = stage.app.start(unit, SMALL)
        reply = await run.result()
        charged = await _charged(stage)

    assert Decimal("1800.96") <= APPROVED_ABOVE
    assert reply.text.endswith("We have sent it, as refund number 1.")
    assert charged == {"#W6397299": 1}


@BOTH
async def test_a_large_refund_waits_for_a_lead(stage: Stage, unit: Agent[[Query], Reply]) -> None:
    """Above the limit nothing is paid before a lead agrees to exactly this amount, then once."""
    async with _waiting(stage, unit=unit) as (run, wait):
        assert (wait.kind, wait.name, wait.roles) == ("approval", "pay_back", ("support_lead",))
        assert b'"refund_amount":2519.6' in wait.arguments
        assert await _charged(stage) == {}
        await stage.app.approve(run.id, wait.key, principal=LEAD)
        reply = await run.result()
        charged = await _charged(stage)

    assert "2519.60" in reply.text
    assert reply.text.endswith("We have sent it, as refund number 1.")
    assert charged == {"#W4646940": 1}


async def test_nobody_but_a_lead_agrees(stage: Stage) -> None:
    """Without the role, or about one's own request, there is no say, and nothing moves."""
    async with stage.app:
        run = stage.app.start(support, LARGE, principal=LEAD)
        assert await run.ended_or_waiting() == "waiting"
        (wait,) = await stage.app.waits(run.id)
        for who in (LEAD, Principal(name="bob", roles=frozenset({"clerk"}))):
            with pytest.raises(FishplateError) as denied:
                await stage.app.approve(run.id, wait.key, principal=who)
            assert denied.value.code == "decision_denied"
        assert await _charged(stage) == {}
        assert run.state == "waiting"


@BOTH
async def test_a_rejection_is_answered(stage: Stage, unit: Agent[[Query], Reply]) -> None:
    """Who is refused is told so, without the lead's name or note, and no money moves."""
    async with _waiting(stage, unit=unit) as (run, wait):
        await stage.app.reject(run.id, wait.key, principal=LEAD, note="a known trickster")
        reply = await run.result()
        charged = await _charged(stage)

    assert (run.state, charged) == ("succeeded", {})
    assert reply.text == (
        "A colleague has looked at the refund of 2519.60 for order #W4646940, and declined it. "
        "No money has moved. Please write to us if you disagree."
    )


@BOTH
async def test_an_approval_that_nobody_gives_is_answered(
    filled_database: Path, tmp_path: Path, unit: Agent[[Query], Reply]
) -> None:
    """When the time is over the customer is told that nobody has decided, and no money moves."""
    async with _waiting(make_stage(filled_database, folder=tmp_path), unit=unit):
        pass
    later = NOON + timedelta(seconds=LEADS_DECIDE_WITHIN)
    stage = make_stage(filled_database, folder=tmp_path, now=later)
    async with stage.app:
        (run,) = stage.app.resumed
        reply: Reply = await run.result()
        charged = await _charged(stage)

    assert charged == {}
    assert reply.text == (
        "Nobody here could decide in time about the refund of 2519.60 for order #W4646940. "
        "No money has moved. Please ask for it again."
    )


async def test_what_is_not_due_is_not_paid(stage: Stage) -> None:
    """A refund that the rules refuse meets no lead and no payment service."""
    async with stage.app:
        asked = await stage.ask(support, NOT_DUE.text)
        charged = await _charged(stage)

    assert charged == {}
    assert asked.agents.isdisjoint({"pay_back", "refund_answer"})
    assert "within 30 days of delivery" in asked.reply.text


@BOTH
async def test_an_order_is_refunded_once(stage: Stage, unit: Agent[[Query], Reply]) -> None:
    """Who asks again is told so, whatever the reason by then, and the service is not asked."""
    async with stage.app:
        await stage.ask(unit, SMALL.text)
        again = await stage.ask(unit, "Order #W6397299 came much too late. I want a refund.")
        charged = await _charged(stage)

    assert "has been asked for before, and it is made once" in again.reply.text
    assert charged == {"#W6397299": 1}


async def test_a_decision_is_kept_while_its_approval_waits(
    filled_database: Path, tmp_path: Path
) -> None:
    """What was decided on the day of the request is paid, though days have gone by since."""
    async with _waiting(make_stage(filled_database, folder=tmp_path)) as (run, _):
        pass
    stage = make_stage(filled_database, folder=tmp_path, now=NOON + timedelta(days=2))
    async with stage.app:
        again = await stage.app.run(run.id)
        await stage.attend(again)
        reply: Reply = await again.result()

    assert "was delivered 20 days ago" in reply.text
    assert "refund number" in reply.text


async def test_a_service_that_is_down_fails_the_run(filled_database: Path, left_url: str) -> None:
    """A refund that certainly was not made is no success: the run fails, and says why."""
    stage = make_stage(filled_database, payments=PaymentProcess(url=left_url))
    async with stage.app:
        run = stage.app.start(support, SMALL)
        with pytest.raises(FishplateError) as failed:
            await run.result()

    assert run.state == "failed"
    assert "the payment_api cannot be reached" in str(failed.value)


async def test_anothers_order_is_not_refunded(stage: Stage) -> None:
    """Whoever asks for the refund of an order that is not theirs moves no money."""
    emma = EmailIdentity(email="emma.kim7876@example.com")
    async with stage.app:
        asked = await stage.ask(support, SMALL.text, emma)
        charged = await _charged(stage)

    assert "could not find that order" in asked.reply.text
    assert charged == {}
