"""What the carrier said last about each parcel, for the time when it says nothing."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

from examples.order_support.delivery import Parcel


@dataclass(frozen=True, kw_only=True, slots=True)
class Sighting:
    """What the carrier said of a parcel, and when, by an aware wall clock."""

    parcel: Parcel
    at: datetime


class ParcelMemory:
    """The last sighting of each parcel, the longest unseen forgotten first.

    Args:
        capacity: Most parcels remembered; at least 1.
    """

    # Agents use it on the event loop and between two awaits, so it needs no lock.

    def __init__(self, capacity: int = 10_000) -> None:
        self._capacity = capacity
        self._sightings: OrderedDict[str, Sighting] = OrderedDict()

    def remember(self, sighting: Sighting) -> None:
        """Keep a sighting in the place of an earlier one of the same parcel."""
        tracking_id = sighting.parcel.tracking_id
        self._sightings[tracking_id] = sighting
        self._sightings.move_to_end(tracking_id)
        if len(self._sightings) > self._capacity:
            self._sightings.popitem(last=False)

    def recall(self, tracking_id: str) -> Sighting | None:
        """Give the parcel's last sighting; None if there is none."""
        return self._sightings.get(tracking_id)
