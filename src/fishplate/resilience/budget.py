"""The retry budget of a target: retries stay a small share of calls, whoever makes them."""

from __future__ import annotations

from typing import Final

from fishplate.resilience.window import Window

SHARE_OF_CALLS: Final = 0.2
UNASKED_PER_SECOND: Final = 1.0
SPAN: Final = 10.0

RETRY_COST: Final = 1
# A call that timed out held the target for its whole time; repeating it loads the target twice.
RETRY_AFTER_TIMEOUT_COST: Final = 2

FIRSTS: Final = 0
SPENT: Final = 1


class RetryBudget:
    """Credit for retries: a fifth of the first attempts and one a second, over the last 10 seconds.

    Both terms are needed: agents call at low rates, where a share alone never allows a first retry,
    and a rate alone protects nobody. A call never waits for credit.

    Args:
        now: The time in seconds, on a clock that never goes back.

    Attributes:
        window: First attempts and spent credit; a call's fast path counts in it directly.

    Source: the shape of `RetryBudget` in https://github.com/twitter/finagle
        (finagle-core/src/main/scala/com/twitter/finagle/service/RetryBudget.scala), with another
        rate and a dearer retry after a timeout.
    """

    __slots__ = ("window",)

    def __init__(self, now: float) -> None:
        self.window = Window(SPAN, 2, now)

    def credit(self, now: float) -> float:
        """What may be spent now; at least 0."""
        firsts, spent = self.window.sums(now)
        # Calls leave the window before the retries they paid for do, so the sum may be negative.
        return max(SHARE_OF_CALLS * firsts + UNASKED_PER_SECOND * SPAN - spent, 0.0)

    def first_attempt(self, now: float) -> None:
        """Count a call's first attempt."""
        if now >= self.window.ends:
            self.window.roll(now)
        self.window.current[FIRSTS] += 1

    def try_spend(self, cost: int, now: float) -> bool:
        """Take `cost` from the credit, if there is as much; whether it was taken."""
        if self.credit(now) < cost:
            return False
        self.window.current[SPENT] += cost
        return True
