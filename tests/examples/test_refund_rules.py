"""The refund table: total, without overlap, and each row with its boundaries."""

from decimal import Decimal
from itertools import product
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.order_support.refund_rules import (
    RULES,
    ReasonCode,
    RefundDecision,
    RefundFacts,
    RefundMethod,
    RefundTable,
    decide,
    payment_kind,
)
from examples.order_support.shop_rules import Address, Order, OrderStatus, Payment, PaymentKind

STATUSES: tuple[OrderStatus, ...] = get_args(OrderStatus)
REASONS: tuple[ReasonCode, ...] = get_args(ReasonCode)
PAID_BY: tuple[PaymentKind, ...] = get_args(PaymentKind)
EVERY_DAY: list[int | None] = [None, *range(-2, 120), 10_000]

# What an order of 99.99 gets back: reason, first and last day of the window, share, amount.
WINDOWS: list[tuple[ReasonCode, int, int, str]] = [
    ("damaged", 0, 60, "99.99"),
    ("wrong_item", 0, 60, "99.99"),
    ("late", 0, 30, "99.99"),
    ("changed_mind", 0, 14, "99.99"),
    ("changed_mind", 15, 30, "89.99"),
]
METHODS: dict[PaymentKind, RefundMethod] = {
    "credit_card": "original_payment",
    "paypal": "original_payment",
    "gift_card": "store_credit",
}


def _order(
    status: OrderStatus = "delivered", paid_by: PaymentKind = "paypal", amount: str = "99.99"
) -> Order:
    payment = Payment(
        transaction_type="payment",
        amount=Decimal(amount),
        payment_method_id=f"{paid_by}_1234567",
    )
    return Order(
        order_id="#W1234567",
        user_id="jo_doe_1234",
        address=Address(
            address1="1 Main St", address2="", city="Reno", country="USA", state="NV", zip="89501"
        ),
        items=(),
        status=status,
        fulfillments=(),
        payment_history=(payment,),
    )


def test_every_combination_meets_exactly_one_row() -> None:
    """The table is total and without overlap, and no row is dead."""
    table = RefundTable()
    met = {
        table.row_for(RefundFacts(status=status, reason=reason, days=days, paid_by=paid_by)).name
        for status, reason, days, paid_by in product(STATUSES, REASONS, EVERY_DAY, PAID_BY)
    }

    assert met == {rule.name for rule in RULES}
    assert len(met) == len(RULES)


@pytest.mark.parametrize("paid_by", PAID_BY)
@pytest.mark.parametrize(("reason", "first", "last", "amount"), WINDOWS)
def test_a_refund_is_granted_from_the_first_to_the_last_day_of_its_window(
    reason: ReasonCode, first: int, last: int, amount: str, paid_by: PaymentKind
) -> None:
    """Both ends of a window count, and every day between them."""
    for days in range(first, last + 1):
        decision = decide(_order(paid_by=paid_by), reason, days)

        assert decision.eligible
        assert decision.refund_amount == Decimal(amount)
        assert decision.refund_method == METHODS[paid_by]


@pytest.mark.parametrize("paid_by", PAID_BY)
@pytest.mark.parametrize(
    ("reason", "last"), [("damaged", 60), ("wrong_item", 60), ("late", 30), ("changed_mind", 30)]
)
def test_the_day_after_the_window_is_too_late(
    reason: ReasonCode, last: int, paid_by: PaymentKind
) -> None:
    """One day after the last one, and long after it, nothing is refunded."""
    for days in (last + 1, last + 2, 10_000):
        assert _is_refused(decide(_order(paid_by=paid_by), reason, days))


@pytest.mark.parametrize("days", [None, -1, -10_000])
@pytest.mark.parametrize("reason", REASONS)
def test_without_a_day_of_delivery_nothing_is_refunded(
    reason: ReasonCode, days: int | None
) -> None:
    """A delivered order whose day is not known, or lies ahead, is not decided by guess."""
    decision = decide(_order(), reason, days)

    assert _is_refused(decision)
    assert "not on record" in decision.explanation


@pytest.mark.parametrize(
    ("status", "explanation"),
    [
        ("pending", "It can still be cancelled"),
        ("pending (item modified)", "can no longer be cancelled"),
        ("processed", "once it has been delivered"),
        ("cancelled", "was cancelled"),
        ("return requested", "return has already been requested"),
        ("exchange requested", "exchange has already been requested"),
    ],
)
def test_only_a_delivered_order_is_refunded(status: OrderStatus, explanation: str) -> None:
    """Whatever the reason, the day and the payment: another status is refused, and told why."""
    for reason, days, paid_by in product(REASONS, (None, 0, 14, 10_000), PAID_BY):
        decision = decide(_order(status=status, paid_by=paid_by), reason, days)

        assert _is_refused(decision)
        assert explanation in decision.explanation


@given(
    status=st.sampled_from(STATUSES),
    reason=st.sampled_from(REASONS),
    days=st.none() | st.integers(-5, 200),
    paid_by=st.sampled_from(PAID_BY),
    cents=st.integers(1, 1_000_000),
)
def test_a_refund_is_at_most_what_was_paid_and_exact_to_the_cent(
    status: OrderStatus, reason: ReasonCode, days: int | None, paid_by: PaymentKind, cents: int
) -> None:
    """A refund is whole cents, not above what was paid, and told in the explanation."""
    paid = Decimal(cents) / 100

    decision = decide(_order(status, paid_by, str(paid)), reason, days)

    assert 0 <= decision.refund_amount <= paid
    assert decision.refund_amount == round(decision.refund_amount, 2)
    assert "#W1234567" in decision.explanation
    assert "{" not in decision.explanation
    if decision.eligible:
        assert f"{decision.refund_amount:.2f}" in decision.explanation


def test_the_restocking_fee_is_rounded_to_the_cent() -> None:
    """Half a cent of a 90 % refund goes to the customer."""
    decision = decide(_order(amount="0.05"), "changed_mind", 15)

    assert decision.refund_amount == Decimal("0.05")


@pytest.mark.parametrize(
    ("reason", "days", "explanation"),
    [
        ("damaged", 3, "within the 60 days for damaged or wrong items: the full 99.99 goes back"),
        ("wrong_item", 61, "can be returned within 60 days of delivery"),
        ("late", 3, "within the 30 days for late orders: the full 99.99 goes back"),
        ("late", 31, "can be returned within 30 days of delivery"),
        ("changed_mind", 3, "within 14 days: the full 99.99 goes back"),
        (
            "changed_mind",
            20,
            "more than 14: 89.99, the price less a restocking fee of 10.00, goes back to the",
        ),
        ("changed_mind", 31, "can be returned within 30 days of delivery"),
    ],
)
def test_the_explanation_names_the_window_that_decided(
    reason: ReasonCode, days: int, explanation: str
) -> None:
    """What the customer reads is the table's own numbers."""
    assert explanation in decide(_order(), reason, days).explanation


def test_the_explanation_speaks_of_one_day() -> None:
    """The customer reads "1 day", not "1 days"."""
    assert "delivered 1 day ago" in decide(_order(), "damaged", 1).explanation
    assert "delivered 2 days ago" in decide(_order(), "damaged", 2).explanation


def test_what_was_refunded_before_is_not_refunded_again() -> None:
    """The share is of what is still paid, and goes the way of the method that still holds it."""
    first = Payment(
        transaction_type="payment", amount=Decimal("50.00"), payment_method_id="paypal_1"
    )
    second = first.model_copy(update={"payment_method_id": "gift_card_2"})
    refund = first.model_copy(update={"transaction_type": "refund"})
    order = _order().model_copy(update={"payment_history": (first, second, refund)})

    decision = decide(order, "damaged", 3)

    assert decision.refund_amount == Decimal("50.00")
    assert decision.refund_method == "store_credit"


def test_an_unknown_kind_of_payment_is_not_guessed() -> None:
    """A method id of no known kind is an error that names it."""
    with pytest.raises(ValueError, match="'voucher_12' is of no known kind"):
        payment_kind("voucher_12")


def _is_refused(decision: RefundDecision) -> bool:
    return not decision.eligible and decision.refund_amount == 0
