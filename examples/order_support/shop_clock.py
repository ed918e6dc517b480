"""The shop's time, which starts on the day that its data stands for.

The data stands still. By today's clock every parcel would have arrived long ago or be yet to be
sent, and every refund's window would be over.
"""

import time
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day

from examples.order_support.delivery import DATA_DAY, SHOP_TIME
from fishplate import current
from fishplate.core.clock import SystemClock


def noon_of_the_data() -> datetime:
    """Noon of the data's day, aware, in UTC."""
    return datetime.combine(DATA_DAY, time_of_day(12), SHOP_TIME).astimezone(UTC)


class Calendar:
    """Tells the shop's time by a run's clock, which is the world's: people answer by that one.

    Args:
        ahead: What the shop's time is ahead of the clock's.
    """

    def __init__(self, ahead: timedelta = timedelta()) -> None:
        self._ahead = ahead

    @classmethod
    def of_the_data(cls) -> "Calendar":
        """By the machine's clock it is noon of the data's day now."""
        return cls(noon_of_the_data() - SystemClock().now())

    def at(self, moment: datetime) -> datetime:
        """The shop's time at an aware moment of the clock."""
        return moment + self._ahead


def shop_now() -> datetime:
    """The shop's time, for the call that runs; aware."""
    return current().resource(Calendar).at(current().now())


class ShopClock:
    """Runs like any clock, but from noon of the data's day on, and can be told to skip."""

    def __init__(self) -> None:
        self._noon = noon_of_the_data()
        self._started_ns = time.perf_counter_ns()
        self._skipped_ns = 0

    def now(self) -> datetime:
        """Wall clock time, aware, in UTC."""
        return self._noon + timedelta(microseconds=(self.monotonic_ns() - self._started_ns) / 1000)

    def monotonic_ns(self) -> int:
        """Nanoseconds of a clock that never goes back."""
        return time.perf_counter_ns() + self._skipped_ns

    def skip(self, seconds: float) -> None:
        """Let `seconds`, 0 or more, go by at once."""
        if seconds < 0:
            raise ValueError(f"a clock does not go back: {seconds} seconds")
        self._skipped_ns += round(seconds * 1e9)
