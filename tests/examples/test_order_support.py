"""The support agents one by one, and the workflow's ways."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import get_args

import pytest

from examples.order_support.agents import (
    customer_order,
    extraction,
    intent,
    order_lookup,
)
from examples.order_support.clarification import QUESTIONS, question
from examples.order_support.delivery import days_since_delivery
from examples.order_support.intents import Intent as Label
from examples.order_support.models import (
    ChatReply,
    Intent,
    Missing,
    NoRefund,
    NotFound,
    OrderAnswer,
    Query,
    RefundDue,
    RefundRequest,
    ShippingRequest,
    StatusRequest,
    Unclear,
)
from examples.order_support.refund_rules import ReasonCode, RefundDecision, decide
from examples.order_support.refunds import (
    APPROVED_ABOVE,
    NOT_DELIVERED,
    refund_decision,
    refund_eligibility,
)
from examples.order_support.shop import Shop
from examples.order_support.shop_rules import EmailIdentity, Identity, NameZipIdentity, Order
from examples.order_support.workflow import support
from fishplate import InputError
from fishplate.core.errors import JsonValue
from tests.examples.stage import LIAM, LIAMS_PENDING, LIAMS_PROCESSED, NOON, Stage, make_stage

LIAMS_DELIVERED = "#W6397299"
NAMED_LIAM = NameZipIdentity(first_name="Liam", last_name="Thomas", zip="85049")


@pytest.fixture
def stage(filled_database: Path) -> Stage:
    """An app over the filled database, for tests that change nothing in it."""
    return make_stage(filled_database)


@pytest.fixture
def delivered(memory_shop: Shop) -> Order:
    """Liam's order that was delivered four days ago."""
    return memory_shop.get_order_details(LIAMS_DELIVERED)


def _sure(label: Label) -> Intent:
    return Intent(label=label, confidence=0.9, is_certain=True, alternatives=())


# The intent agent.


async def test_an_intent_comes_with_its_alternatives(stage: Stage) -> None:
    """The other three intents are told too, the likeliest first, and all beliefs sum to 1."""
    async with stage.app:
        found = await intent(Query(text="I want my money back for order #W6397299."))

    beliefs = [found.confidence, *(each.confidence for each in found.alternatives)]
    assert (found.label, found.is_certain) == ("refund_request", True)
    assert beliefs == sorted(beliefs, reverse=True)
    assert sum(beliefs) == pytest.approx(1)
    assert len({found.label, *(each.label for each in found.alternatives)}) == 4


async def test_the_trace_tells_what_the_model_believed(stage: Stage) -> None:
    """Label, confidence, alternatives and the classifier's version stand on the intent's span."""
    async with stage.app:
        asked = await stage.ask(support, "What is the status of my order #W6231698?")

    (facts,) = asked.facts("intent")
    assert facts.keys() == {"label", "confidence", "alternatives", "classifier"}
    assert facts["label"] == "order_status"


# The extraction.


@pytest.mark.parametrize(
    ("label", "text", "missing"),
    [
        ("order_status", "how far is it?", "order"),
        ("order_status", "how far are #W1111111 and #W2222222?", "single_order"),
        ("shipping_question", "where is parcel 123456789012?", "order"),
        ("refund_request", "money back for #W1111111", "reason"),
        ("refund_request", "it is broken, money back", "order"),
        ("other", "do you sell hats? #W1111111", "topic"),
    ],
)
async def test_what_a_message_lacks_is_named(label: Label, text: str, missing: Missing) -> None:
    """No order, several orders, no reason, no topic of ours: nothing of it is guessed."""
    found = await extraction(Query(text=text, customer=LIAM), _sure(label))

    assert found == Unclear(missing=missing)


async def test_an_uncertain_intent_is_not_acted_upon() -> None:
    """However complete the message is, an intent below the threshold leads to a question."""
    unsure = _sure("order_status").model_copy(update={"is_certain": False})

    found = await extraction(Query(text="status of #W1111111", customer=LIAM), unsure)

    assert found == Unclear(missing="intent")


async def test_without_a_customer_nothing_is_looked_up() -> None:
    """Whoever has not been identified is asked who they are."""
    found = await extraction(Query(text="status of #W1111111"), _sure("order_status"))

    assert found == Unclear(missing="customer")


@pytest.mark.parametrize(
    ("label", "request_made"),
    [
        ("order_status", StatusRequest(order_id="#W1111111", customer=LIAM)),
        ("shipping_question", ShippingRequest(order_id="#W1111111", customer=LIAM)),
        (
            "refund_request",
            RefundRequest(order_id="#W1111111", customer=LIAM, reason_code="damaged"),
        ),
    ],
)
async def test_a_complete_message_becomes_a_request(
    label: Label, request_made: StatusRequest | ShippingRequest | RefundRequest
) -> None:
    """Each intent has its request; the order's id is written as the shop writes it."""
    query = Query(text="order w1111111 is broken", customer=LIAM)

    assert await extraction(query, _sure(label)) == request_made


@pytest.mark.parametrize("missing", get_args(Missing))
async def test_every_lack_has_its_question(missing: Missing) -> None:
    """What is missing is asked for, in words for the channel."""
    asked = await question(Unclear(missing=missing), Query(text="hello"))

    assert isinstance(asked, ChatReply)
    assert asked.text.endswith(QUESTIONS[missing])


# The order lookup.


@pytest.mark.parametrize(
    "customer",
    [
        LIAM,
        EmailIdentity(email="  LIAM.Thomas9081@example.com "),
        NAMED_LIAM,
        NameZipIdentity(first_name=" liam", last_name="THOMAS ", zip="85049 "),
    ],
)
async def test_a_customer_is_known_by_email_or_by_name_and_zip(
    stage: Stage, customer: Identity
) -> None:
    """Case and blanks around the parts do not matter."""
    async with stage.app:
        found = await customer_order(LIAMS_PROCESSED, customer)

    assert not isinstance(found, NotFound)
    assert found.user_id == "liam_thomas_7882"


@pytest.mark.parametrize(
    ("order_id", "customer"),
    [
        ("#W0000001", LIAM),
        ("#W2378156", LIAM),
        (LIAMS_PROCESSED, EmailIdentity(email="nobody@example.com")),
        (LIAMS_PROCESSED, NAMED_LIAM.model_copy(update={"zip": "85040"})),
        (LIAMS_PROCESSED.removeprefix("#"), LIAM),
    ],
)
async def test_only_a_customers_own_order_is_found(
    stage: Stage, order_id: str, customer: Identity
) -> None:
    """An unknown order, another's, and an order of nobody we know are one and the same answer."""
    async with stage.app:
        assert await customer_order(order_id, customer) == NotFound()


async def test_an_order_is_told_with_its_items_and_total(stage: Stage) -> None:
    """Status, the name of each line and the sum of their prices come from the order's row."""
    async with stage.app:
        answer = await order_lookup(StatusRequest(order_id=LIAMS_PROCESSED, customer=LIAM))

    assert answer == OrderAnswer(
        order_id=LIAMS_PROCESSED,
        status="processed",
        items=("Mechanical Keyboard", "Dumbbell Set", "Running Shoes"),
        total=Decimal("920.26"),
    )


# The refund.


SECTIONS = {
    "damaged": "Damaged and wrong items",
    "wrong_item": "Damaged and wrong items",
    "late": "Late orders",
    "changed_mind": "Change of mind",
}


@pytest.mark.parametrize("reason_code", get_args(ReasonCode))
async def test_a_refund_is_decided_by_the_rules(
    stage: Stage, delivered: Order, reason_code: ReasonCode
) -> None:
    """The decision is what the rule table says of the order's row and the days by the clock."""
    expected = decide(delivered, reason_code, days_since_delivery(delivered, NOON))

    async with stage.app:
        found = await refund_decision(
            RefundRequest(order_id=LIAMS_DELIVERED, customer=LIAM, reason_code=reason_code)
        )

    if not expected.eligible:
        assert found == NoRefund(
            order_id=LIAMS_DELIVERED,
            explanation=expected.explanation,
            section=SECTIONS[reason_code],
            counts_days=True,
        )
    else:
        assert found == RefundDue(
            order_id=LIAMS_DELIVERED,
            refund_amount=expected.refund_amount,
            refund_method=expected.refund_method,
            needs_approval=expected.refund_amount > APPROVED_ABOVE,
            explanation=expected.explanation,
            section=SECTIONS[reason_code],
            counts_days=True,
        )


@pytest.mark.parametrize(
    ("days_later", "amount"),
    [
        (10, Decimal("1800.96")),
        (11, Decimal("1620.86")),
        (26, Decimal("1620.86")),
        (27, None),
    ],
)
async def test_days_are_counted_by_the_clock(
    stage: Stage, days_later: int, amount: Decimal | None
) -> None:
    """An order of four days ago: the full price up to day 14, less a fee up to 30, then nothing."""
    stage.clock.advance(days_later * 86_400)

    async with stage.app:
        found = await refund_decision(
            RefundRequest(order_id=LIAMS_DELIVERED, customer=LIAM, reason_code="changed_mind")
        )

    assert (found.refund_amount if isinstance(found, RefundDue) else None) == amount


@pytest.mark.parametrize(
    ("order_id", "words"),
    [
        (LIAMS_PENDING, "has not been sent yet"),
        (LIAMS_PROCESSED, "is being sent"),
    ],
)
async def test_before_its_delivery_an_order_counts_no_days(
    stage: Stage, order_id: str, words: str
) -> None:
    """The rules then decide by the status, and no estimate of ours has a part in it."""
    async with stage.app:
        found = await refund_decision(
            RefundRequest(order_id=order_id, customer=LIAM, reason_code="damaged")
        )

    assert isinstance(found, NoRefund)
    assert not found.counts_days
    assert words in found.explanation


async def test_a_delivery_in_the_clocks_future_is_not_on_record(filled_database: Path) -> None:
    """By a clock that stands before the day of delivery, no days are made up."""
    early = make_stage(filled_database, now=datetime(2026, 1, 1, tzinfo=UTC))
    async with early.app:
        found = await refund_decision(
            RefundRequest(order_id=LIAMS_DELIVERED, customer=LIAM, reason_code="damaged")
        )

    assert isinstance(found, NoRefund)
    assert not found.counts_days
    assert "not on record" in found.explanation


async def test_an_unknown_order_is_not_eligible(stage: Stage) -> None:
    """Asked alone, the agent keeps its contract for any id: there is nothing to refund."""
    async with stage.app:
        decision = await refund_eligibility("#W0000001", "damaged", NOT_DELIVERED)

    assert decision == RefundDecision(
        eligible=False,
        refund_amount=Decimal(0),
        refund_method="original_payment",
        explanation="There is no order #W0000001.",
    )


# The workflow.


@pytest.mark.parametrize(
    ("text", "agents"),
    [
        (
            "What is the status of my order #W6231698?",
            {"order_lookup", "customer_order"},
        ),
        (
            "Part of order #W6397299 arrived broken. I want my money back.",
            {
                "refund_decision",
                "customer_order",
                "refund_eligibility",
                "cited_rule",
                "pay_back",
                "refund_answer",
            },
        ),
        (
            "Where is my parcel? I would like to track order #W6231698.",
            {"logistics", "customer_order"},
        ),
        (
            "I want a refund for order #W6397299.",
            {"question", "fuller_query", "still_unclear"},
        ),
    ],
)
async def test_a_question_takes_its_way(stage: Stage, text: str, agents: set[str]) -> None:
    """Between extraction and composer, each kind of question meets its own agents and no other."""
    async with stage.app:
        asked = await stage.ask(support, text)

    assert asked.agents == {"intent", "extraction", "response_composer"} | agents


def test_the_workflow_changes_nothing_but_what_it_has_to() -> None:
    """Within its reach, one tool gives money back under a key, one asks a question; four read."""
    effects = {
        name: unit.about.effect.effect
        for name, unit in support.reachable().items()
        if unit.about.effect is not None
    }

    assert {name: effect for name, effect in effects.items() if effect != "readonly"} == {
        "issue_refund": "keyed",
        "ask_customer": "idempotent",
    }
    assert len(effects) == 6


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        ({"text": "a" * 10_001}, "/text"),
        ({}, ""),
        ({"text": "hello", "channel": "fax"}, "/channel"),
        ({"text": "hello", "customer": {"email": 1}}, "/customer"),
    ],
)
def test_a_broken_query_is_refused(document: dict[str, JsonValue], pointer: str) -> None:
    """What breaks the contract of the query starts no run; the error says where it broke."""
    with pytest.raises(InputError) as refusal:
        support.signature.decode(document, subject="the query")

    assert refusal.value.pointer.startswith(pointer)
