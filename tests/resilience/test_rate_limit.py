"""A rate limit grants what a minute allows, at once or evenly, and never more."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from fishplate.resilience.policy import RateLimit
from fishplate.resilience.rate_limit import RateLimiter


def test_requests_come_back_evenly() -> None:
    """Sixty a minute may be used at once, and then one a second."""
    limiter = RateLimiter(RateLimit(requests_per_minute=60), 0.0)

    assert sum(limiter.take(0, 0.0) == 0 for _ in range(100)) == 60
    assert limiter.take(0, 0.25) == pytest.approx(0.75)
    assert limiter.take(0, 1.0) == 0


def test_the_scarcer_of_the_two_limits_decides() -> None:
    """Nothing is taken of one bucket when the other one is empty."""
    limiter = RateLimiter(RateLimit(requests_per_minute=60, tokens_per_minute=600), 0.0)

    assert limiter.take(500, 0.0) == 0
    assert limiter.take(200, 0.0) == pytest.approx(10)
    assert limiter.requests == 59
    assert limiter.take(200, 10.0) == 0


def test_a_limit_that_is_not_set_does_not_bind() -> None:
    """Any number of tokens passes a limit of requests."""
    limiter = RateLimiter(RateLimit(requests_per_minute=1), 0.0)

    assert limiter.take(10**9, 0.0) == 0
    assert limiter.take(10**9, 0.0) == pytest.approx(60)
    assert limiter.can_ever_take(10**9)
    assert limiter.to_json() == {"requests": 0.0}


def test_what_was_not_used_is_credited_and_what_was_used_on_top_is_debited() -> None:
    """An estimate costs nothing in the long run."""
    limiter = RateLimiter(RateLimit(tokens_per_minute=1000), 0.0)
    limiter.take(800, 0.0)

    limiter.give_back(800 - 300)
    assert limiter.tokens == 700
    assert limiter.to_json() == {"tokens": 700}
    limiter.give_back(300 - 1100)
    assert limiter.tokens == -100
    assert limiter.take(0, 0.0) == pytest.approx(6)


def test_a_request_above_the_whole_minute_never_passes() -> None:
    """No waiting would help it."""
    limiter = RateLimiter(RateLimit(tokens_per_minute=1000), 0.0)

    assert limiter.can_ever_take(1000)
    assert not limiter.can_ever_take(1001)


class Limiting(RuleBasedStateMachine):
    """Any order of requests, corrections and pauses, beside a count of what was granted."""

    REQUESTS = 30
    TOKENS = 600

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        settings = RateLimit(requests_per_minute=self.REQUESTS, tokens_per_minute=self.TOKENS)
        self.limiter = RateLimiter(settings, self.now)
        self.granted = 0
        self.used = 0

    @rule(seconds=st.floats(0, 90))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    @rule(tokens=st.integers(0, 600))
    def take(self, tokens: int) -> None:
        """Ask once; if it is refused, it passes after exactly the wait that was told."""
        before = (self.limiter.requests, self.limiter.tokens)
        wait = self.limiter.take(tokens, self.now)
        if wait > 0:
            assert self.limiter.requests >= before[0]
            assert self.limiter.tokens >= before[1]
            assert self.limiter.take(tokens, self.now + wait * 0.99) > 0
            self.now += wait
            assert self.limiter.take(tokens, self.now) == 0
        self.granted += 1
        self.used += tokens

    @rule(surplus=st.integers(-100, 100))
    def correct(self, surplus: int) -> None:
        """Credit or debit the difference to an estimate."""
        self.limiter.give_back(surplus)
        self.used -= surplus

    @invariant()
    def never_more_than_the_minutes_allow(self) -> None:
        """One minute's worth at once, and from then on what the passed time has brought."""
        minutes = self.now / 60
        assert self.granted <= self.REQUESTS * (1 + minutes) + 1e-3
        assert self.limiter.requests >= -1e-6
        assert self.limiter.requests <= self.REQUESTS
        assert self.limiter.tokens <= self.TOKENS


TestLimiting = Limiting.TestCase
TestLimiting.settings = settings(max_examples=60, stateful_step_count=30)
