"""Two token buckets of one credential: requests a minute and model tokens a minute."""

from __future__ import annotations

import math
from typing import Final

from fishplate.core.errors import JsonValue
from fishplate.resilience.policy import RateLimit

MINUTE: Final = 60.0
# What is missing below this, of a request or a token, is rounding.
ROUNDING: Final = 1e-9
ENOUGH: Final = 1 - ROUNDING


class RateLimiter:
    """Takes a request and its tokens at once, or nothing. Times are seconds of a monotonic clock.

    Each level rises evenly to what a minute grants. The level of tokens may be below zero, since a
    call may turn out to have used more than was debited. A limit that is not set is infinite.

    Args:
        settings: What a minute grants.
        now: The time.

    Attributes:
        settings: What a minute grants.
        requests: Level of the requests at the time of the last call of a method.
        tokens: Level of the tokens at that time.
    """

    __slots__ = ("_at", "_most_requests", "_most_tokens", "requests", "settings", "tokens")

    def __init__(self, settings: RateLimit, now: float) -> None:
        self.settings = settings
        self._most_requests = self.requests = settings.requests_per_minute or math.inf
        self._most_tokens = self.tokens = settings.tokens_per_minute or math.inf
        self._at = now

    def can_ever_take(self, tokens: int) -> bool:
        """Whether a request of that many tokens is below what a minute grants."""
        return tokens <= self._most_tokens

    def take(self, tokens: int, now: float) -> float:
        """Take one request and its tokens.

        Args:
            tokens: Estimate of the input plus the most that may come out.
            now: The time.

        Returns:
            0 if they were taken; else the seconds after which they may be, and nothing was taken.
        """
        # Part of every call's fast path, where a call of min() costs as much as all of this.
        requests, level = self.requests, self.tokens
        if now > self._at:
            minutes = (now - self._at) / MINUTE
            self._at = now
            most = self._most_requests
            if requests < most:
                requests += minutes * most
                self.requests = requests = requests if requests < most else most  # noqa: FURB136
            most = self._most_tokens
            if level < most:  # never of a limit that is not set
                level += minutes * most
                self.tokens = level = level if level < most else most  # noqa: FURB136
        if requests >= ENOUGH and level >= tokens - ROUNDING:
            self.requests = requests - 1
            if tokens:
                self.tokens = level - tokens
            return 0.0
        minutes_for_requests = max(1 - requests, 0.0) / self._most_requests
        minutes_for_tokens = max(tokens - level, 0.0) / self._most_tokens
        return MINUTE * max(minutes_for_requests, minutes_for_tokens)

    def give_back(self, tokens: int, *, requests: int = 0) -> None:
        """Credit what was debited and not used; a negative number debits what was used on top.

        Args:
            tokens: Estimate minus use.
            requests: 1 if the request was never sent.
        """
        self.requests = min(self.requests + requests, self._most_requests)
        self.tokens = min(self.tokens + tokens, self._most_tokens)

    def to_json(self) -> dict[str, JsonValue]:
        """Both levels at the time of the last call; a limit that is not set is left out."""
        found: dict[str, JsonValue] = {}
        if self.settings.requests_per_minute is not None:
            found["requests"] = round(self.requests, 3)
        if self.settings.tokens_per_minute is not None:
            found["tokens"] = round(self.tokens, 3)
        return found
