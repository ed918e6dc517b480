"""The words of the replies: every answer over every channel, and what each has to say."""

from datetime import date
from decimal import Decimal
from itertools import product
from typing import get_args

import pytest

from examples.order_support.clarification import QUESTIONS
from examples.order_support.models import (
    SMS_LENGTH,
    Answer,
    Basis,
    Clarification,
    DeliveryAnswer,
    DeliveryState,
    EmailReply,
    NotFound,
    OrderAnswer,
    RefundAnswer,
    RefundOutcome,
    SmsReply,
    Unsettled,
)
from examples.order_support.refund_rules import RULES, ReasonCode, RefundMethod, decide
from examples.order_support.shop_rules import (
    Address,
    Fulfillment,
    Item,
    Order,
    OrderStatus,
    Payment,
)
from examples.order_support.wording import CLOSING, GREETING, reply_to, word
from tests.examples.stage import NOON

ORDER_ID = "#W1234567"
# More than any order of the shop costs, and than any window of the rules is long.
DEAR, LONG_AGO = Decimal("99999.99"), 100
DAY = date(2026, 11, 5)

ORDERS = [
    OrderAnswer(order_id=ORDER_ID, status=status, items=("Lamp",) * 12, total=DEAR)
    for status in get_args(OrderStatus)
]
DELIVERIES = [
    DeliveryAnswer(
        order_id=ORDER_ID,
        state=state,
        day=day,
        place=place,
        basis=basis,
        as_of=NOON,
        age=3_600 if basis == "last_known" else None,
    )
    for state, day, place, basis in product(
        get_args(DeliveryState), (None, DAY), (None, "Indianapolis, IN"), get_args(Basis)
    )
]
CLARIFICATIONS = [Clarification(question=question) for question in QUESTIONS.values()]


def _order(status: OrderStatus, payment_method_id: str) -> Order:
    address = Address(address1="", address2="", city="", state="", country="", zip="")
    payment = Payment(transaction_type="payment", amount=DEAR, payment_method_id=payment_method_id)
    return Order(
        order_id=ORDER_ID,
        user_id="somebody_1",
        address=address,
        items=(Item(name="Lamp", product_id="1", item_id="1", price=DEAR, options={}),),
        status=status,
        fulfillments=(Fulfillment(tracking_id=(), item_ids=()),),
        payment_history=(payment,),
    )


def _refund(
    status: OrderStatus, reason: ReasonCode, days: int, paid_by: str, outcome: RefundOutcome
) -> RefundAnswer:
    decision = decide(_order(status, paid_by), reason, days)
    return RefundAnswer(
        order_id=ORDER_ID,
        outcome=outcome if decision.eligible else "not_due",
        refund=1_000_000 if decision.eligible and outcome == "paid" else None,
        refund_amount=decision.refund_amount,
        refund_method=decision.refund_method,
        explanation=decision.explanation,
        counts_days=status == "delivered" and days >= 0,
    )


REFUNDS = [
    _refund(*facts)
    for facts in product(
        get_args(OrderStatus),
        get_args(ReasonCode),
        (-1, 0, 14, 15, 30, 31, 60, 61, LONG_AGO),
        ("gift_card_1", "paypal_1"),
        ("paid", "asked_before", "rejected", "expired"),
    )
]
UNSETTLED = [Unsettled(why="late"), Unsettled(why="unclear")]
ANSWERS: list[Answer | Clarification] = [
    *ORDERS,
    *DELIVERIES,
    *CLARIFICATIONS,
    *REFUNDS,
    *UNSETTLED,
    NotFound(),
]


def test_every_short_message_fits() -> None:
    """Whatever there is to say, a short message holds it: 160 characters, all of them ASCII."""
    for answer in ANSWERS:
        reply = reply_to(answer, "sms")

        assert isinstance(reply, SmsReply)
        assert 0 < len(reply.text) <= SMS_LENGTH
        assert reply.text.isascii(), reply.text


def test_the_answers_above_meet_every_refund_rule() -> None:
    """The test of the lengths leaves no rule out."""
    days = {-1, 0, 14, 15, 30, 31, 60, 61, LONG_AGO}

    for rule in RULES:
        assert rule.days in {"any", "unknown"} or any(day in rule.days for day in days)  # pyright: ignore[reportOperatorIssue] -- words are in the set


def test_an_email_greets_and_has_a_subject() -> None:
    """An e-mail has a subject on one line, a greeting, a paragraph each, and an end."""
    for answer in ANSWERS:
        reply = reply_to(answer, "email")

        assert isinstance(reply, EmailReply)
        assert reply.subject == reply.subject.strip() != ""
        assert "\n" not in reply.subject
        assert reply.text.startswith(f"{GREETING}\n\n")
        assert reply.text.endswith(f"\n\n{CLOSING}")


def test_a_chat_says_what_an_email_says() -> None:
    """Between greeting and end, the same sentences stand in the same order, on one line."""
    for answer in ANSWERS:
        email, chat = reply_to(answer, "email"), reply_to(answer, "chat")

        body = email.text.removeprefix(f"{GREETING}\n\n").removesuffix(f"\n\n{CLOSING}")
        assert chat.text == body.replace("\n\n", " ")


@pytest.mark.parametrize("basis", ["estimate", "last_known"])
def test_what_the_carrier_did_not_say_now_is_labelled(basis: Basis) -> None:
    """An estimate, or an earlier answer, is called one and has its time, on every channel."""
    label = {"estimate": "Our own estimate", "last_known": "Its last answer"}[basis]
    for answer in DELIVERIES:
        if answer.basis == basis:
            wording = word(answer)

            for text in (" ".join(wording.sentences), wording.brief):
                assert f"{label}, of 2026-11-01 12:00 EST" in text
                assert ("cached 60 min ago" in text) == (basis == "last_known")


def test_a_count_of_days_is_called_our_estimate() -> None:
    """A reply that rests on the day of delivery says whose day that is, on every channel."""
    for answer in REFUNDS:
        wording = word(answer)

        for text in (" ".join(wording.sentences), wording.brief):
            rests = answer.counts_days and answer.outcome in {"not_due", "paid"}
            assert ("estimate" in text) == rests


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("original_payment", "back to the original payment method"),
        ("store_credit", "as store credit to the gift card"),
    ],
)
def test_a_refund_says_where_the_money_has_gone(method: RefundMethod, words: str) -> None:
    """The short form names amount and way, the long one the payment service's number too."""
    wording = word(_due("paid", method).model_copy(update={"refund": 7}))

    assert wording.brief == f"Order {ORDER_ID}: 12.50 has gone {words}."
    assert wording.sentences[-1] == "We have sent it, as refund number 7."


@pytest.mark.parametrize("outcome", ["rejected", "expired"])
def test_a_refund_that_nobody_agreed_to_is_none(outcome: RefundOutcome) -> None:
    """The reply names amount and order, and does not repeat that money goes back."""
    wording = word(_due(outcome))

    for text in (" ".join(wording.sentences), wording.brief):
        assert f"the refund of 12.50 for order {ORDER_ID}" in text
        assert "goes back" not in text
    assert "No money has moved" in " ".join(wording.sentences)


def _due(outcome: RefundOutcome, method: RefundMethod = "original_payment") -> RefundAnswer:
    return RefundAnswer(
        order_id=ORDER_ID,
        outcome=outcome,
        refund_amount=Decimal("12.50"),
        refund_method=method,
        explanation="12.50 goes back.",
        counts_days=False,
    )


def test_an_order_of_one_item_has_one_item() -> None:
    """One is not counted as several."""
    answer = OrderAnswer(
        order_id=ORDER_ID, status="delivered", items=("Lamp",), total=Decimal("9.5")
    )

    assert word(answer).brief == f"Order {ORDER_ID} was delivered. It holds 1 item for 9.50."
