"""Finds every fact that a reply states, and judges each by the customer's own rows.

It knows the replies' words and not the agents. A sentence about an order that is not listed here is
a failure too, so that no new one goes unjudged.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import get_args

from examples.order_support.delivery import (
    SHOP_TIME,
    days_since_delivery,
    delivery_dates,
    parcels,
)
from examples.order_support.refund_rules import ReasonCode, decide
from examples.order_support.shop_rules import Order, OrderStatus

ORDER_ID = re.compile(r"#?\bW\d+")
AMOUNT = re.compile(r"(?<![\d.-])\d+\.\d+")
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
DAYS_AGO = re.compile(r"[Oo]rder (#W\d{7}) was delivered (\d+) days? ago")
CLAIM = re.compile(r"(?:[Oo]rder|for order|of order) (#W\d{7})(?=([^#]*))")

_SENT_BACK: frozenset[OrderStatus] = frozenset({"return requested", "exchange requested"})
_DELIVERED: frozenset[OrderStatus] = frozenset({"delivered", *_SENT_BACK})
_UNSENT: frozenset[OrderStatus] = frozenset({"pending", "pending (item modified)"})
_UNSENT_MODIFIED: frozenset[OrderStatus] = frozenset({"pending (item modified)"})
_SENDING: frozenset[OrderStatus] = frozenset({"processed"})
_CANCELLED: frozenset[OrderStatus] = frozenset({"cancelled"})

# How a sentence goes on after an order's id → which status the order has to have for it.
CLAIMS: Mapping[str, frozenset[OrderStatus]] = {
    r" has not been sent yet": _UNSENT,
    r" is pending and has not been sent yet": frozenset({"pending"}),
    r" is pending with modified items and has not been sent yet": _UNSENT_MODIFIED,
    r" was modified and has not been sent yet": _UNSENT_MODIFIED,
    r" is being sent": _SENDING,
    r" is on its way and expected on ": _SENDING,
    r" was cancelled": _CANCELLED,
    r" was delivered \d+ days? ago": frozenset({"delivered"}),
    r" was delivered, and its return has been requested": frozenset({"return requested"}),
    r" was delivered, and an exchange has been requested": frozenset({"exchange requested"}),
    r" was delivered(\.| on )": _DELIVERED,
    r", so it cannot be returned": frozenset({"exchange requested"}),
    r"\.$": frozenset({"return requested"}),
    r": \d+\.\d\d has gone ": frozenset({"delivered"}),
    r" has been asked for before, and it is made once": frozenset({"delivered"}),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What may be said to one customer.

    Attributes:
        orders: The customer's own, by id.
        now: The aware time of the reply.
    """

    orders: Mapping[str, Order]
    now: datetime

    def wrong(self, text: str) -> list[str]:
        """Everything that a reply states and no row, carrier or refund rule bears out."""
        return [
            *(f"order id {found}" for found in ORDER_ID.findall(text) if found not in self.orders),
            *(f"amount {found}" for found in AMOUNT.findall(text) if found not in self._amounts()),
            *(f"day {found}" for found in DAY.findall(text) if found not in self._days()),
            *self._wrong_day_counts(text),
            *self._wrong_claims(text),
        ]

    def _amounts(self) -> set[str]:
        amounts: set[Decimal] = set()
        for order in self.orders.values():
            total = sum((line.price for line in order.items), start=Decimal(0))
            amounts |= {total, *(entry.amount for entry in order.payment_history)}
            reasons: tuple[ReasonCode, ...] = get_args(ReasonCode)
            days = self._days_since(order)
            refunds = {decide(order, reason, days).refund_amount for reason in reasons}
            amounts |= refunds | {total - refund for refund in refunds}
        return {f"{amount:.2f}" for amount in amounts}

    def _days(self) -> set[str]:
        days = {self.now.astimezone(SHOP_TIME).date()}
        for order in self.orders.values():
            dates = delivery_dates(order)
            days |= {day for day in (dates.delivered_on, dates.expected_on) if day is not None}
        for parcel in parcels(self.orders.values()).values():
            days |= {day for day in (parcel.delivered_on, parcel.eta) if day is not None}
        return {day.isoformat() for day in days}

    def _days_since(self, order: Order) -> int | None:
        return days_since_delivery(order, self.now)

    def _wrong_day_counts(self, text: str) -> Iterator[str]:
        for order_id, days in DAYS_AGO.findall(text):
            order = self.orders.get(order_id)
            if order is not None and str(self._days_since(order)) != days:
                yield f"{order_id} delivered {days} days ago"

    def _wrong_claims(self, text: str) -> Iterator[str]:
        for paragraph in text.splitlines():
            # An e-mail's subject names the order and claims nothing.
            if re.fullmatch(r"(Your|A refund for|The delivery of) order #W\d{7}", paragraph):
                continue
            for order_id, rest in CLAIM.findall(paragraph):
                order = self.orders.get(order_id)
                meant = next((ok for claim, ok in CLAIMS.items() if re.match(claim, rest)), None)
                if order is not None and (meant is None or order.status not in meant):
                    yield f"{order_id} ({order.status}): {rest!r}"
