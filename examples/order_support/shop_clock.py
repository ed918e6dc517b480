"""The clock of the example: it starts on the day that the shop's data stands for."""

import time
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day

from examples.order_support.delivery import DATA_DAY, SHOP_TIME


class ShopClock:
    """Runs like any clock, but from noon of the data's day on.

    The shop's data stands still. By today's clock every parcel would have arrived long ago or be
    yet to be sent, and every refund's window would be over.
    """

    def __init__(self) -> None:
        self._noon = datetime.combine(DATA_DAY, time_of_day(12), SHOP_TIME).astimezone(UTC)
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
