"""When parcels travel: dates that we derive, since the shop's data has none.

Each date follows from the SHA-256 of the order id and from `DATA_DAY`, so it is the same on every
machine, and no answer may pass it off as a fact of the data: `source` says so.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from hashlib import sha256
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter

from examples.order_support.shop_database import DATA
from examples.order_support.shop_rules import Order

DATA_DAY = date(2026, 11, 1)
"""The day that the shop's data stands for: nothing has been delivered after it."""

SHOP_TIME = timezone(timedelta(hours=-5), "EST")
"""The shop counts days by this clock; its policy knows no summer time."""

DERIVED = "derived by the example, not in the shop's data"

_DELIVERED_STATUSES = frozenset({"delivered", "return requested", "exchange requested"})
_OLDEST_DELIVERY_DAYS = 75  # past every window of the refund rules, so each side of each occurs
_DEPOTS = ("Memphis, TN", "Louisville, KY", "Indianapolis, IN", "Ontario, CA", "Newark, NJ")


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryDates:
    """An order's way to the customer, in days of the shop's clock.

    Attributes:
        shipped_on: None while the order has not left, and for a cancelled one.
        delivered_on: None unless it has been delivered.
        expected_on: The day of arrival, while it is on its way; else None.
        source: Where the dates come from.
    """

    shipped_on: date | None = None
    delivered_on: date | None = None
    expected_on: date | None = None
    source: str = DERIVED


class Parcel(BaseModel):
    """What the carrier knows of a parcel; also the carrier's answer, as JSON.

    Attributes:
        tracking_id: Twelve digits.
        status: `returned_to_sender` is what became of a cancelled order's parcel.
        eta: The day of arrival, while it is in transit; else None.
        delivered_on: The day of delivery, if it was delivered; else None.
        location: City and state of the last scan.
        source: Where the dates and places come from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tracking_id: str
    status: Literal["in_transit", "delivered", "returned_to_sender"]
    eta: date | None
    delivered_on: date | None
    location: str
    source: str = DERIVED


def delivery_dates(order: Order) -> DeliveryDates:
    """Derive an order's dates; a pending or cancelled order has none."""
    if order.status in _DELIVERED_STATUSES:
        delivered_on = DATA_DAY - timedelta(
            days=_pick("delivered", order.order_id, 0, _OLDEST_DELIVERY_DAYS)
        )
        travelled = timedelta(days=_pick("travelled", order.order_id, 2, 6))
        return DeliveryDates(shipped_on=delivered_on - travelled, delivered_on=delivered_on)
    if order.status == "processed":
        return DeliveryDates(
            shipped_on=DATA_DAY - timedelta(days=_pick("shipped", order.order_id, 0, 3)),
            expected_on=DATA_DAY + timedelta(days=_pick("expected", order.order_id, 1, 5)),
        )
    return DeliveryDates()


def days_since_delivery(order: Order, now: datetime) -> int | None:
    """Count the days from the day of delivery to today, both by the shop's clock.

    Args:
        order: Any order.
        now: Wall clock with a time zone.

    Returns:
        0 on the day of delivery itself; None if the order has not been delivered by now.

    Raises:
        ValueError: `now` has no time zone.
    """
    if now.tzinfo is None:
        raise ValueError(f"now={now!r} has no time zone. Give an aware datetime, such as UTC.")
    delivered_on = delivery_dates(order).delivered_on
    if delivered_on is None:
        return None
    days = (now.astimezone(SHOP_TIME).date() - delivered_on).days
    return days if days >= 0 else None


def implausible(order: Order, parcel: Parcel, now: datetime) -> str | None:
    """What speaks against the carrier's answer about an order's parcel, or against the order.

    Args:
        order: As the shop knows it.
        parcel: As the carrier knows it.
        now: Wall clock with a time zone.

    Returns:
        One clause; None if both agree.
    """
    is_delivered = order.status in _DELIVERED_STATUSES
    if (parcel.status == "delivered") != is_delivered and order.status != "cancelled":
        return f"the carrier says {parcel.status!r}, and the shop {order.status!r}"
    if parcel.delivered_on is not None and parcel.delivered_on > now.astimezone(SHOP_TIME).date():
        return f"the carrier has delivered it on {parcel.delivered_on}, a day to come"
    return None


def parcels(orders: Iterable[Order]) -> dict[str, Parcel]:
    """Derive the carrier's book from the shop's orders: each parcel by its tracking id."""
    return {
        tracking_id: _parcel(order, tracking_id)
        for order in orders
        for fulfillment in order.fulfillments
        for tracking_id in fulfillment.tracking_id
    }


def known_parcels() -> dict[str, Parcel]:
    """Derive the carrier's book from the shop's data as it was delivered with the example."""
    orders = TypeAdapter(dict[str, Order]).validate_json((DATA / "orders.json").read_bytes())
    return parcels(orders.values())


def _parcel(order: Order, tracking_id: str) -> Parcel:
    dates = delivery_dates(order)
    if dates.delivered_on is not None:
        return Parcel(
            tracking_id=tracking_id,
            status="delivered",
            eta=None,
            delivered_on=dates.delivered_on,
            location=f"{order.address.city}, {order.address.state}",
        )
    return Parcel(
        tracking_id=tracking_id,
        status="in_transit" if dates.expected_on is not None else "returned_to_sender",
        eta=dates.expected_on,
        delivered_on=None,
        location=_DEPOTS[_pick("depot", tracking_id, 0, len(_DEPOTS) - 1)],
    )


def _pick(purpose: str, key: str, least: int, most: int) -> int:
    """Pick a whole number from `least` to `most`, both included, the same one every time."""
    digest = sha256(f"{purpose}:{key}".encode()).digest()
    return least + int.from_bytes(digest[:8], "big") % (most - least + 1)
