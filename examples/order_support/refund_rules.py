"""Who gets money back, and how much: one table, which an auditor can read without the code.

The windows and the restocking fee are the example's own; the table stays within `data/policy.md`:
only a delivered order can be returned, and the money goes to the original payment method. If that
is a gift card, the refund is store credit on it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal, TypeAlias, get_args

from examples.order_support.shop_rules import (
    CENT,
    Money,
    Order,
    OrderStatus,
    PaymentKind,
    paid_per_method,
)
from fishplate.core.errors import JsonValue

ReasonCode: TypeAlias = Literal["damaged", "late", "wrong_item", "changed_mind"]
RefundMethod: TypeAlias = Literal["original_payment", "store_credit"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Days:
    """Days since delivery, both ends included; `last=None` is without end."""

    first: int
    last: int | None

    def __contains__(self, days: int) -> bool:
        return self.first <= days and (self.last is None or days <= self.last)


@dataclass(frozen=True, kw_only=True, slots=True)
class RefundRule:
    """One row: for these orders, reasons, days and payment methods, this is the answer.

    Attributes:
        name: Unique in the table; what a trace or an audit calls the row.
        days: "any" looks at no days; "unknown" is for an order that has no day of delivery yet.
        share_percent: Of what is still paid, 0 to 100; 0 exactly if not eligible.
        method: Where the money goes; "original_payment" if there is none.
        explanation: What the customer is told. May name `{order_id}`, `{days}` (such as "1 day"),
            `{amount}`, `{fee}`, and of the row's days the `{last}` and the one `{before}` them.
    """

    name: str
    statuses: frozenset[OrderStatus]
    reasons: frozenset[ReasonCode]
    days: Days | Literal["any", "unknown"]
    paid_by: frozenset[PaymentKind]
    share_percent: int
    method: RefundMethod
    explanation: str

    @property
    def eligible(self) -> bool:
        """Whether money goes back."""
        return self.share_percent > 0

    def when(self) -> dict[str, JsonValue]:
        """The combinations that the row is for, as JSON Schema of `facts_of`."""
        days: dict[str, JsonValue] = {}
        match self.days:
            case Days(first=first, last=last):
                days = {"type": "integer", "minimum": first}
                if last is not None:
                    days["maximum"] = last
            case "unknown":
                days = {"anyOf": [{"type": "null"}, {"type": "integer", "maximum": -1}]}
            case "any":
                pass
        return {
            "properties": {
                "status": {"enum": [*sorted(self.statuses)]},
                "reason": {"enum": [*sorted(self.reasons)]},
                "paid_by": {"enum": [*sorted(self.paid_by)]},
                "days": days,
            }
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class RefundFacts:
    """What the table looks at.

    Attributes:
        days: Since delivery, 0 on the day itself; None or below 0 if there is no such day yet.
        paid_by: Kind of the first payment method that money is still held of.
    """

    status: OrderStatus
    reason: ReasonCode
    days: int | None
    paid_by: PaymentKind

    def to_json(self) -> dict[str, JsonValue]:
        """The facts by name."""
        return {**asdict(self)}


@dataclass(frozen=True, kw_only=True, slots=True)
class RefundDecision:
    """What the table says about one request.

    Attributes:
        refund_amount: To the cent, in the shop's currency; 0 if not eligible.
        refund_method: Where it goes; "original_payment" if not eligible.
        explanation: One or two sentences for the customer.
    """

    eligible: bool
    refund_amount: Money
    refund_method: RefundMethod
    explanation: str


ANY_REASON: frozenset[ReasonCode] = frozenset(get_args(ReasonCode))
ANY_PAYMENT: frozenset[PaymentKind] = frozenset(get_args(PaymentKind))
ACCOUNT: frozenset[PaymentKind] = frozenset({"credit_card", "paypal"})
GIFT_CARD: frozenset[PaymentKind] = frozenset({"gift_card"})
OUR_FAULT: frozenset[ReasonCode] = frozenset({"damaged", "wrong_item"})
LATE: frozenset[ReasonCode] = frozenset({"late"})
CHANGED_MIND: frozenset[ReasonCode] = frozenset({"changed_mind"})
DELIVERED: frozenset[OrderStatus] = frozenset({"delivered"})


def _refused(
    name: str,
    explanation: str,
    *,
    status: OrderStatus = "delivered",
    reasons: frozenset[ReasonCode] = ANY_REASON,
    days: Days | Literal["any", "unknown"] = "any",
) -> RefundRule:
    return RefundRule(
        name=name,
        statuses=frozenset({status}),
        reasons=reasons,
        days=days,
        paid_by=ANY_PAYMENT,
        share_percent=0,
        method="original_payment",
        explanation=explanation,
    )


def _granted(
    name: str,
    explanation: str,
    *,
    reasons: frozenset[ReasonCode],
    days: Days,
    share_percent: int = 100,
) -> tuple[RefundRule, RefundRule]:
    """Make the two rows of one grant: to the account that paid, or onto the gift card that paid."""
    account = RefundRule(
        name=f"{name}, paid by account",
        statuses=DELIVERED,
        reasons=reasons,
        days=days,
        paid_by=ACCOUNT,
        share_percent=share_percent,
        method="original_payment",
        explanation=f"{explanation} goes back to the original payment method.",
    )
    gift_card = RefundRule(
        name=f"{name}, paid by gift card",
        statuses=DELIVERED,
        reasons=reasons,
        days=days,
        paid_by=GIFT_CARD,
        share_percent=share_percent,
        method="store_credit",
        explanation=f"{explanation} goes back to the gift card as store credit.",
    )
    return account, gift_card


RULES: tuple[RefundRule, ...] = (
    _refused(
        "pending",
        "Order {order_id} has not been sent yet, so there is nothing to return. "
        "It can still be cancelled.",
        status="pending",
    ),
    _refused(
        "pending (item modified)",
        "Order {order_id} was modified and has not been sent yet. "
        "It can no longer be cancelled, but it can be returned once it has been delivered.",
        status="pending (item modified)",
    ),
    _refused(
        "processed",
        "Order {order_id} is being sent. It can be returned once it has been delivered.",
        status="processed",
    ),
    _refused(
        "cancelled",
        "Order {order_id} was cancelled, and its payment has been refunded with that.",
        status="cancelled",
    ),
    _refused(
        "return requested",
        "A return has already been requested for order {order_id}.",
        status="return requested",
    ),
    _refused(
        "exchange requested",
        "An exchange has already been requested for order {order_id}, so it cannot be returned.",
        status="exchange requested",
    ),
    _refused(
        "delivered, day unknown",
        "The day on which order {order_id} was delivered is not on record, "
        "so a refund cannot be decided here.",
        days="unknown",
    ),
    *_granted(
        "our fault, in time",
        "Order {order_id} was delivered {days} ago, within the {last} days for damaged or wrong "
        "items: the full {amount}",
        reasons=OUR_FAULT,
        days=Days(first=0, last=60),
    ),
    _refused(
        "our fault, too late",
        "Order {order_id} was delivered {days} ago. "
        "Damaged or wrong items can be returned within {before} days of delivery.",
        reasons=OUR_FAULT,
        days=Days(first=61, last=None),
    ),
    *_granted(
        "late, in time",
        "Order {order_id} was delivered {days} ago, within the {last} days for late orders: "
        "the full {amount}",
        reasons=LATE,
        days=Days(first=0, last=30),
    ),
    _refused(
        "late, too late",
        "Order {order_id} was delivered {days} ago. "
        "An order that came late can be returned within {before} days of delivery.",
        reasons=LATE,
        days=Days(first=31, last=None),
    ),
    *_granted(
        "changed mind, in time",
        "Order {order_id} was delivered {days} ago, within {last} days: the full {amount}",
        reasons=CHANGED_MIND,
        days=Days(first=0, last=14),
    ),
    *_granted(
        "changed mind, with restocking fee",
        "Order {order_id} was delivered {days} ago, within {last} days but after more than "
        "{before}: {amount}, the price less a restocking fee of {fee},",
        reasons=CHANGED_MIND,
        days=Days(first=15, last=30),
        share_percent=90,
    ),
    _refused(
        "changed mind, too late",
        "Order {order_id} was delivered {days} ago. "
        "An order that is no longer wanted can be returned within {before} days of delivery.",
        reasons=CHANGED_MIND,
        days=Days(first=31, last=None),
    ),
)
"""Every combination meets exactly one row, so the rows' order has no meaning."""

_PAYMENT_KINDS: Mapping[str, PaymentKind] = {kind: kind for kind in ANY_PAYMENT}


class RefundTable:
    """The rules as the agents use them.

    Args:
        rows: Of which every combination meets exactly one; by default `RULES`.
    """

    def __init__(self, rows: Sequence[RefundRule] = RULES) -> None:
        self._rows = rows

    def row_for(self, facts: RefundFacts) -> RefundRule:
        """Find the one row that a combination meets."""
        (rule,) = (
            rule
            for rule in self._rows
            if facts.status in rule.statuses
            and facts.reason in rule.reasons
            and facts.paid_by in rule.paid_by
            and _meets(rule.days, facts.days)
        )
        return rule


def facts_of(order: Order, reason_code: ReasonCode, days_since_delivery: int | None) -> RefundFacts:
    """What the table looks at.

    Args:
        order: The customer's own order.
        reason_code: What the customer says.
        days_since_delivery: 0 on the day of delivery; None or below 0 if there is no such day yet.
    """
    held = paid_per_method(order)
    # An order paid in two parts goes by the first part that is still paid.
    method_id = next((each for each, amount in held.items() if amount > 0), next(iter(held)))
    return RefundFacts(
        status=order.status,
        reason=reason_code,
        days=days_since_delivery,
        paid_by=payment_kind(method_id),
    )


def decided_by(rule: RefundRule, order: Order, days_since_delivery: int | None) -> RefundDecision:
    """What a row says about everything that is still paid for an order."""
    paid = sum(paid_per_method(order).values(), start=Decimal(0))
    amount = (paid * rule.share_percent / 100).quantize(CENT, rounding=ROUND_HALF_UP)
    return RefundDecision(
        eligible=rule.eligible,
        refund_amount=amount,
        refund_method=rule.method,
        explanation=rule.explanation.format(
            order_id=order.order_id,
            days="1 day" if days_since_delivery == 1 else f"{days_since_delivery} days",
            amount=f"{amount:.2f}",
            fee=f"{paid - amount:.2f}",
            last=rule.days.last if isinstance(rule.days, Days) else None,
            before=rule.days.first - 1 if isinstance(rule.days, Days) else None,
        ),
    )


def decide(
    order: Order, reason_code: ReasonCode, days_since_delivery: int | None
) -> RefundDecision:
    """Decide a refund of everything that is still paid for an order; arguments as `facts_of`."""
    rule = RefundTable().row_for(facts_of(order, reason_code, days_since_delivery))
    return decided_by(rule, order, days_since_delivery)


def payment_kind(payment_method_id: str) -> PaymentKind:
    """Read the kind off a payment method's id, such as `gift_card_1725971`.

    Raises:
        ValueError: The id begins with no kind that the shop takes.
    """
    kind = _PAYMENT_KINDS.get(payment_method_id.rpartition("_")[0])
    if kind is None:
        raise ValueError(
            f"payment method {payment_method_id!r} is of no known kind. "
            f"Its id should begin with one of {', '.join(sorted(_PAYMENT_KINDS))}."
        )
    return kind


def _meets(rule_days: Days | Literal["any", "unknown"], days: int | None) -> bool:
    if rule_days == "any":
        return True
    if days is None or days < 0:
        return rule_days == "unknown"
    return rule_days != "unknown" and days in rule_days
