"""Policies: frozen data that says how a call is protected. Durations are seconds.

A part that is not set is off, or the default of what is called (see `resolve`); `"off"` says off.
Each class refuses impossible numbers with a `ValueError` that names the field and its bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY
from types import MappingProxyType
from typing import ClassVar, Final, Literal, TypeAlias

from fishplate.core.data import dataclass
from fishplate.resilience.checks import (
    check_count,
    check_flag,
    check_number,
    check_part,
    check_word,
)
from fishplate.resilience.settings import Settings

Off: TypeAlias = Literal["off"]

# Ten attempts with the default delays take half a minute; more is a schedule, not a retry.
MOST_ATTEMPTS: Final = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Retry(Settings):
    """Try again when the class of the failure allows it and repeating is safe.

    Attributes:
        attempts: Most attempts in total, the first included; 1 to 10.
        base: The first delay is drawn from 0 to `base`, each later one from twice as much; above 0.
        cap: No delay is drawn from more than this; at least `base`.
        max_server_delay: If the target asks for a longer delay, the call fails at once; above 0.
        budget: Whether a retry needs credit of the target's retry budget.
        max_wait: How long a call waits in all for a local rejection (open breaker, full bulkhead,
            local rate limit) to pass, which uses no attempt; 0 fails at once.

    Source: full jitter as in https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """

    attempts: int = 3
    base: float = 0.5
    cap: float = 8.0
    max_server_delay: float = 120.0
    budget: bool = True
    max_wait: float = 1.0

    def __post_init__(self) -> None:
        """Refuse impossible numbers."""
        check_count("Retry", "attempts", self.attempts)
        if self.attempts > MOST_ATTEMPTS:
            msg = (
                f"Retry(attempts={self.attempts!r}): attempts is at most {MOST_ATTEMPTS}: "
                "a longer outage is answered by a fallback or a later run"
            )
            raise ValueError(msg)
        check_number("Retry", "base", self.base, above=0)
        check_number("Retry", "cap", self.cap, above=0)
        if self.base > self.cap:
            msg = f"Retry(base={self.base!r}, cap={self.cap!r}): base is at most cap"
            raise ValueError(msg)
        check_number("Retry", "max_server_delay", self.max_server_delay, above=0)
        check_flag("Retry", "budget", self.budget)
        check_number("Retry", "max_wait", self.max_wait, at_least=0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Breaker(Settings):
    """Stop calling a target that fails, and probe it one call at a time until it answers again.

    It opens on many failures within the window, on several in a row, or on many slow calls.

    Attributes:
        calls: Fewest calls in the window before their share of failures or slow calls opens it.
        failure_rate: Share of failed calls that opens it; above 0, at most 1.
        consecutive: Failures in a row that open it.
        window: Length of the sliding window; above 0.
        open_for: How long it stays open the first time, doubled on every re-opening; above 0.
        open_cap: Where the doubling ends; at least `open_for`.
        jitter: Each opening is that share longer or shorter at random; at least 0, below 1.
        successes: Probes that have to succeed one after the other to close it.
        slow_call: A call of at least that length counts as slow; `None`: only a call that was
            cut off by its deadline does.
        slow_rate: Share of slow calls that opens it; above 0, at most 1.
    """

    calls: int = 10
    failure_rate: float = 0.5
    consecutive: int = 5
    window: float = 30.0
    open_for: float = 15.0
    open_cap: float = 30.0
    jitter: float = 0.2
    successes: int = 2
    slow_call: float | None = None
    slow_rate: float = 0.8

    def __post_init__(self) -> None:
        """Refuse impossible numbers."""
        check_count("Breaker", "calls", self.calls)
        check_number("Breaker", "failure_rate", self.failure_rate, unit="", above=0, at_most=1)
        check_count("Breaker", "consecutive", self.consecutive)
        check_number("Breaker", "window", self.window, above=0)
        check_number("Breaker", "open_for", self.open_for, above=0)
        check_number("Breaker", "open_cap", self.open_cap, above=0)
        if self.open_for > self.open_cap:
            msg = (
                f"Breaker(open_for={self.open_for!r}, open_cap={self.open_cap!r}): "
                "open_for is at most open_cap"
            )
            raise ValueError(msg)
        check_number("Breaker", "jitter", self.jitter, unit="", at_least=0, below=1)
        check_count("Breaker", "successes", self.successes)
        if self.slow_call is not None:
            check_number("Breaker", "slow_call", self.slow_call, above=0)
        check_number("Breaker", "slow_rate", self.slow_rate, unit="", above=0, at_most=1)


@dataclass(frozen=True, slots=True)
class Bulkhead(Settings):
    """Bound how many calls a target has at a time, so that a slow one cannot hold everything.

    Attributes:
        concurrent: Most calls at a time; at least 1.
        queued: Most calls that wait for a slot, first come, first served; 0 rejects at once.
        wait: How long a call waits for a slot; at least 0.
    """

    concurrent: int = 10
    _: KW_ONLY
    queued: int = 20
    wait: float = 1.0

    def __post_init__(self) -> None:
        """Refuse impossible numbers."""
        check_count("Bulkhead", "concurrent", self.concurrent)
        check_count("Bulkhead", "queued", self.queued, at_least=0)
        check_number("Bulkhead", "wait", self.wait, at_least=0)


@dataclass(frozen=True, kw_only=True, slots=True)
class RateLimit(Settings):
    """Stay below what a target grants per minute; one bucket each, and at least one is set.

    Attributes:
        requests_per_minute: Most requests a minute, and most at once; above 0.
        tokens_per_minute: Most tokens of models a minute, and most at once; above 0. Each request
            reserves an estimate, and the provider's count settles it.
    """

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None

    def __post_init__(self) -> None:
        """Refuse impossible numbers, and a limit of nothing."""
        if self.requests_per_minute is None and self.tokens_per_minute is None:
            msg = "RateLimit(): set requests_per_minute=, tokens_per_minute= or both"
            raise ValueError(msg)
        if self.requests_per_minute is not None:
            # Below one request the bucket would never hold one.
            value = self.requests_per_minute
            check_number("RateLimit", "requests_per_minute", value, unit="requests", at_least=1)
        if self.tokens_per_minute is not None:
            value = self.tokens_per_minute
            check_number("RateLimit", "tokens_per_minute", value, unit="tokens", at_least=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cache(Settings):
    """Answer from memory what was answered before.

    Attributes:
        ttl: Seconds for which an answer holds; above 0.
        scope: The data that the answer is about, e.g. `orders`. A tool that is not `readonly` and
            whose scopes begin with this word (`orders:write`) forgets the answers when it has run.
    """

    ttl: float
    scope: str

    def __post_init__(self) -> None:
        """Refuse impossible numbers and scopes."""
        check_number("Cache", "ttl", self.ttl, above=0)
        check_word("Cache", "scope", self.scope)
        if ":" in self.scope:
            msg = (
                f"Cache(scope={self.scope!r}): scope is the first word of a data scope, "
                "e.g. 'orders'"
            )
            raise ValueError(msg)


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy(Settings):
    """How a call is protected.

    Attributes:
        timeout: Seconds for the whole call, retries and waiting included; above 0.
        attempt_timeout: Seconds for one attempt from its dispatch; above 0, at most `timeout`.
        reserve: Seconds of the call's time that its attempts leave to a fallback and to composing
            an answer; below `timeout`. Default: a tenth of the time, 0.2 to 5 s.
        retry: Try again.
        breaker: Stop calling a target that fails.
        bulkhead: Bound how many calls run at a time.
        rate_limit: Stay below what the target grants per minute.
        cache: Answer from memory.
    """

    timeout: float | None = None
    attempt_timeout: float | None = None
    reserve: float | None = None
    retry: Retry | Off | None = None
    breaker: Breaker | Off | None = None
    bulkhead: Bulkhead | Off | None = None
    rate_limit: RateLimit | None = None
    cache: Cache | None = None

    _parts: ClassVar[Mapping[str, type[Settings]]] = MappingProxyType(
        {
            "retry": Retry,
            "breaker": Breaker,
            "bulkhead": Bulkhead,
            "rate_limit": RateLimit,
            "cache": Cache,
        }
    )

    def __post_init__(self) -> None:
        """Refuse impossible numbers, and settings that contradict each other."""
        if self.timeout is not None:
            check_number("Policy", "timeout", self.timeout, above=0)
        if self.attempt_timeout is not None:
            check_number(
                "Policy", "attempt_timeout", self.attempt_timeout, above=0, at_most=self.timeout
            )
        if self.reserve is not None:
            check_number("Policy", "reserve", self.reserve, at_least=0, below=self.timeout)
        check_part("Policy", "retry", self.retry, Retry, may_be_off=True)
        check_part("Policy", "breaker", self.breaker, Breaker, may_be_off=True)
        check_part("Policy", "bulkhead", self.bulkhead, Bulkhead, may_be_off=True)
        check_part("Policy", "rate_limit", self.rate_limit, RateLimit, may_be_off=False)
        check_part("Policy", "cache", self.cache, Cache, may_be_off=False)
