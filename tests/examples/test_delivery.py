"""Derived delivery dates: the same everywhere, labelled so, counted by the shop's clock."""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from examples.order_support.delivery import (
    DATA_DAY,
    DERIVED,
    SHOP_TIME,
    days_since_delivery,
    delivery_dates,
    implausible,
    known_parcels,
)
from examples.order_support.shop_rules import Order, unbalanced

DATA = Path(__file__).parents[2] / "examples" / "order_support" / "data"
ORDERS = TypeAdapter(dict[str, Order]).validate_json((DATA / "orders.json").read_bytes())
NOON = datetime(2026, 11, 1, 17, tzinfo=UTC)
DELIVERED = [order for order in ORDERS.values() if order.status == "delivered"]


def test_the_dates_of_known_orders_never_change() -> None:
    """The derivation is fixed: who changes it changes what customers were told."""
    delivered = delivery_dates(ORDERS["#W2378156"])
    processed = delivery_dates(ORDERS["#W2611340"])

    assert str(delivered.shipped_on) == "2026-08-30"
    assert str(delivered.delivered_on) == "2026-09-02"
    assert str(processed.shipped_on) == "2026-10-29"
    assert str(processed.expected_on) == "2026-11-03"


def test_every_date_says_that_it_is_derived() -> None:
    """No date can be taken for one of the data."""
    assert {delivery_dates(order).source for order in ORDERS.values()} == {DERIVED}
    assert {parcel.source for parcel in known_parcels().values()} == {DERIVED}


def test_dates_follow_the_status() -> None:
    """A delivered order has its day, a processed one is expected, others have no dates."""
    for order in ORDERS.values():
        dates = delivery_dates(order)
        match order.status:
            case "delivered":
                assert dates.shipped_on is not None
                assert dates.delivered_on is not None
                assert dates.shipped_on < dates.delivered_on <= DATA_DAY
                assert dates.expected_on is None
            case "processed":
                assert dates.shipped_on is not None
                assert dates.expected_on is not None
                assert dates.shipped_on <= DATA_DAY < dates.expected_on
                assert dates.delivered_on is None
            case _:
                assert dates.shipped_on is dates.delivered_on is dates.expected_on is None


@pytest.mark.parametrize("status", ["return requested", "exchange requested"])
def test_a_request_does_not_change_the_day_of_delivery(status: str) -> None:
    """What was delivered stays delivered on the same day."""
    order = DELIVERED[0]

    asked = order.model_copy(update={"status": status})

    assert delivery_dates(asked) == delivery_dates(order)


def test_deliveries_lie_on_both_sides_of_every_refund_window() -> None:
    """On the data's day there are orders of 14 days and less, up to 30, up to 60, and more."""
    now = datetime.combine(DATA_DAY, time(12), SHOP_TIME)
    ages = [days_since_delivery(order, now) or 0 for order in DELIVERED]

    assert [
        sum(first <= age <= last for age in ages)
        for first, last in [(0, 14), (15, 30), (31, 60), (61, 75)]
    ] == [75, 68, 142, 88]


@given(order=st.sampled_from(DELIVERED), days=st.integers(0, 400), minutes=st.integers(0, 1439))
def test_days_are_counted_from_midnight_to_midnight_in_the_shop(
    order: Order, days: int, minutes: int
) -> None:
    """At any minute of the n-th day after delivery, given in any time zone, it is n days."""
    delivered_on = delivery_dates(order).delivered_on
    assert delivered_on is not None
    midnight = datetime.combine(delivered_on, time(), SHOP_TIME)

    now = (midnight + timedelta(days=days, minutes=minutes)).astimezone(UTC)

    assert days_since_delivery(order, now) == days


def test_before_the_delivery_there_are_no_days() -> None:
    """A clock before the day of delivery gives no number, nor does an order under way."""
    order = DELIVERED[0]
    delivered_on = delivery_dates(order).delivered_on
    assert delivered_on is not None
    midnight = datetime.combine(delivered_on, time(), SHOP_TIME)

    assert days_since_delivery(order, midnight) == 0
    assert days_since_delivery(order, midnight - timedelta(seconds=1)) is None
    assert days_since_delivery(ORDERS["#W2611340"], midnight) is None


def test_a_clock_without_a_time_zone_is_refused() -> None:
    """A naive time would count days in whatever zone the machine is in."""
    naive = datetime(2026, 11, 1)  # noqa: DTZ001 -- the case under test

    with pytest.raises(ValueError, match="has no time zone"):
        days_since_delivery(DELIVERED[0], naive)


def test_every_tracking_id_has_a_parcel_that_fits_its_order() -> None:
    """The carrier knows all 577 parcels, and says of each what the shop would say."""
    parcels = known_parcels()
    words = {
        "processed": "in_transit",
        "delivered": "delivered",
        "cancelled": "returned_to_sender",
    }

    assert len(parcels) == 577
    for order in ORDERS.values():
        dates = delivery_dates(order)
        for tracking_id in [each for part in order.fulfillments for each in part.tracking_id]:
            parcel = parcels[tracking_id]
            assert parcel.tracking_id == tracking_id
            assert parcel.status == words[order.status]
            assert (parcel.eta, parcel.delivered_on) == (dates.expected_on, dates.delivered_on)


def test_the_carrier_and_the_shop_agree_about_the_data() -> None:
    """No order of the data and no parcel of it is implausible."""
    parcels = known_parcels()
    for order in ORDERS.values():
        for tracking_id in [each for part in order.fulfillments for each in part.tracking_id]:
            assert implausible(order, parcels[tracking_id], NOON) is None


def test_a_parcel_that_contradicts_its_order_is_implausible() -> None:
    """Delivered before it was sent, not delivered at all, or delivered on a day to come."""
    order = DELIVERED[0]
    tracking_id = order.fulfillments[0].tracking_id[0]
    parcel = known_parcels()[tracking_id]
    lost = parcel.model_copy(update={"status": "in_transit"})
    early = parcel.model_copy(update={"delivered_on": date(2027, 1, 1)})
    unsent = order.model_copy(update={"status": "pending"})

    for spoiled, said, told in (
        (order, lost, "the carrier says 'in_transit', and the shop 'delivered'"),
        (order, early, "the carrier has delivered it on 2027-01-01, a day to come"),
        (unsent, parcel, "the carrier says 'delivered', and the shop 'pending'"),
    ):
        assert implausible(spoiled, said, NOON) == told


def test_the_amounts_of_the_data_agree() -> None:
    """Every order's lines come to what was paid; with other lines they do not."""
    assert [one.order_id for one in ORDERS.values() if unbalanced(one) is not None] == []
    spoiled = DELIVERED[0].model_copy(update={"items": ()})
    assert (unbalanced(spoiled) or "").startswith("its lines come to 0, and paid was ")
