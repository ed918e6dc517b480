"""The memory of parcels keeps the last sighting of each, and not more than it may."""

from datetime import timedelta

from examples.order_support.delivery import Parcel
from examples.order_support.parcel_memory import ParcelMemory, Sighting
from tests.examples.stage import NOON


def _sighting(tracking_id: str, minutes: int = 0) -> Sighting:
    parcel = Parcel(
        tracking_id=tracking_id, status="in_transit", eta=None, delivered_on=None, location=""
    )
    return Sighting(parcel=parcel, at=NOON + timedelta(minutes=minutes))


def test_the_last_sighting_counts() -> None:
    """A later sighting takes the place of an earlier one; another parcel's has no part in it."""
    memory = ParcelMemory()

    memory.remember(_sighting("1"))
    memory.remember(_sighting("1", minutes=5))

    assert memory.recall("1") == _sighting("1", minutes=5)
    assert memory.recall("2") is None


def test_the_longest_unseen_parcel_is_forgotten_first() -> None:
    """Being seen again keeps a parcel; the capacity is never exceeded."""
    memory = ParcelMemory(capacity=2)

    for tracking_id in ("1", "2", "1", "3"):
        memory.remember(_sighting(tracking_id))

    assert [memory.recall(each) is not None for each in ("1", "2", "3")] == [True, False, True]
