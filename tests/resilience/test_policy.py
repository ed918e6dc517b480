"""Policies are data: they refuse what cannot be, and survive JSON."""

import math
from collections.abc import Callable
from inspect import signature
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fishplate.core.errors import JsonValue
from fishplate.resilience.policy import Breaker, Bulkhead, Cache, Policy, RateLimit, Retry
from fishplate.resilience.settings import Settings

IMPOSSIBLE: list[tuple[Callable[[], object], str]] = [
    (lambda: Retry(attempts=0), "Retry(attempts=0): attempts is a whole number, at least 1"),
    (lambda: Retry(attempts=True), "Retry(attempts=True): attempts is a whole number"),
    (lambda: Retry(attempts=11), "Retry(attempts=11): attempts is at most 10"),
    (lambda: Retry(base=-0.1), "Retry(base=-0.1): base is a finite number of seconds, above 0"),
    (lambda: Retry(base=math.nan), "Retry(base=nan): base is a finite number"),
    (lambda: Retry(cap=math.inf), "Retry(cap=inf): cap is a finite number"),
    (lambda: Retry(base=9, cap=8), "Retry(base=9, cap=8): base is at most cap"),
    (lambda: Retry(max_server_delay=0), "Retry(max_server_delay=0): max_server_delay is"),
    (lambda: Retry(max_wait=-1), "Retry(max_wait=-1): max_wait is a finite number"),
    (lambda: Retry(budget=1), "Retry(budget=1): budget is True or False"),  # pyright: ignore[reportArgumentType] -- refused
    (lambda: Breaker(calls=0), "Breaker(calls=0): calls is a whole number, at least 1"),
    (lambda: Breaker(failure_rate=1.1), "failure_rate is a finite number, above 0 and at most 1"),
    (lambda: Breaker(failure_rate=0), "Breaker(failure_rate=0): failure_rate is"),
    (lambda: Breaker(consecutive=0), "Breaker(consecutive=0): consecutive is"),
    (lambda: Breaker(window=0), "Breaker(window=0): window is"),
    (lambda: Breaker(open_for=31), "Breaker(open_for=31, open_cap=30.0): open_for is at most"),
    (lambda: Breaker(jitter=1), "Breaker(jitter=1): jitter is a finite number, at least 0"),
    (lambda: Breaker(successes=0), "Breaker(successes=0): successes is"),
    (lambda: Breaker(slow_call=0), "Breaker(slow_call=0): slow_call is"),
    (lambda: Breaker(slow_rate=2), "Breaker(slow_rate=2): slow_rate is"),
    (lambda: Bulkhead(0), "Bulkhead(concurrent=0): concurrent is a whole number, at least 1"),
    (lambda: Bulkhead(1.5), "Bulkhead(concurrent=1.5): concurrent is a whole number"),  # pyright: ignore[reportArgumentType] -- refused
    (lambda: Bulkhead(queued=-1), "Bulkhead(queued=-1): queued is a whole number, at least 0"),
    (lambda: Bulkhead(wait=-1), "Bulkhead(wait=-1): wait is a finite number of seconds"),
    (RateLimit, "RateLimit(): set requests_per_minute=, tokens_per_minute= or both"),
    (lambda: RateLimit(requests_per_minute=0.5), "requests_per_minute is a finite number of req"),
    (lambda: RateLimit(tokens_per_minute=True), "RateLimit(tokens_per_minute=True)"),
    (lambda: Cache(ttl=0, scope="orders"), "Cache(ttl=0): ttl is a finite number of seconds"),
    (lambda: Cache(ttl=1, scope="orders:read"), "scope is the first word of a data scope"),
    (lambda: Cache(ttl=1, scope=""), "Cache(scope=''): scope is a text that is not empty"),
    (lambda: Policy(timeout=0), "Policy(timeout=0): timeout is a finite number of seconds"),
    (lambda: Policy(timeout=2, attempt_timeout=3), "Policy(attempt_timeout=3): attempt_timeout"),
    (lambda: Policy(timeout=2, reserve=2), "Policy(reserve=2): reserve is a finite number"),
    (lambda: Policy(timeout=10**400), "timeout is a finite number of seconds, above 0"),
    (lambda: Policy(retry=3), "Policy(retry=3): retry is Retry(...) or 'off'"),  # pyright: ignore[reportArgumentType] -- refused
    (lambda: Policy(breaker="on"), "Policy(breaker='on'): breaker is Breaker(...) or 'off'"),  # pyright: ignore[reportArgumentType] -- refused
    (lambda: Policy(cache="off"), "Policy(cache='off'): cache is Cache(...)"),  # pyright: ignore[reportArgumentType] -- refused
]


@pytest.mark.parametrize(("make", "message"), IMPOSSIBLE, ids=[text for _, text in IMPOSSIBLE])
def test_an_impossible_setting_is_refused_by_name(make: Callable[[], object], message: str) -> None:
    """The message names the class, the field, the value and the bound."""
    with pytest.raises(ValueError) as refused:  # noqa: PT011 -- the whole message is compared
        make()

    assert message in str(refused.value)


# Settings without which the class could not be made at all.
LEAST: dict[type[Settings], dict[str, object]] = {
    Retry: {},
    Breaker: {},
    Bulkhead: {},
    RateLimit: {"requests_per_minute": 60},
    Cache: {"ttl": 1, "scope": "orders"},
    Policy: {},
}
NO_NUMBERS = {"budget", "scope", "retry", "breaker", "bulkhead", "rate_limit", "cache"}
NUMBERS = [
    (kind, name) for kind in LEAST for name in signature(kind).parameters if name not in NO_NUMBERS
]
NO_NUMBER_OF_OURS = [math.nan, math.inf, -math.inf, -1, -0.5, True, "1", [1]]


@pytest.mark.parametrize(
    ("kind", "name"), NUMBERS, ids=lambda part: getattr(part, "__name__", part)
)
@pytest.mark.parametrize("value", NO_NUMBER_OF_OURS, ids=repr)
def test_every_number_is_finite_and_not_negative(
    kind: type[Settings], name: str, value: object
) -> None:
    """No field of any policy takes NaN, an infinity, a negative number, a boolean or a text."""
    with pytest.raises(ValueError) as refused:  # noqa: PT011 -- the whole message is compared
        cast("Callable[..., object]", kind)(**{**LEAST[kind], name: value})

    assert str(refused.value).startswith(f"{kind.__name__}({name}=")
    assert f": {name} is " in str(refused.value)


seconds = st.floats(0.001, 3600)
retries = st.builds(
    Retry,
    attempts=st.integers(1, 10),
    base=st.floats(0.001, 1),
    cap=st.floats(1, 60),
    max_server_delay=seconds,
    budget=st.booleans(),
    max_wait=st.floats(0, 60),
)
breakers = st.builds(
    Breaker,
    calls=st.integers(1, 100),
    failure_rate=st.floats(0.01, 1),
    slow_call=st.none() | seconds,
    open_for=st.floats(0.1, 10),
    open_cap=st.floats(10, 100),
)
bulkheads = st.builds(
    Bulkhead, st.integers(1, 100), queued=st.integers(0, 100), wait=st.floats(0, 60)
)
limits = st.builds(RateLimit, requests_per_minute=st.floats(1, 1e6))
policies = st.builds(
    Policy,
    timeout=st.none() | st.floats(1, 100),
    attempt_timeout=st.none() | st.floats(0.1, 1),
    reserve=st.none() | st.floats(0, 0.9),
    retry=st.none() | st.just("off") | retries,
    breaker=st.none() | st.just("off") | breakers,
    bulkhead=st.none() | st.just("off") | bulkheads,
    rate_limit=st.none() | limits,
    cache=st.none() | st.builds(Cache, ttl=seconds, scope=st.just("orders")),
)


@given(policies)
def test_a_policy_survives_json(policy: Policy) -> None:
    """What is read back from JSON is the same policy, and of the same hash."""
    read = Policy.from_json(policy.to_json())

    assert read == policy
    assert hash(read) == hash(policy)


def test_the_json_of_a_policy_holds_what_is_set() -> None:
    """What is not set is left out, so that a new policy changes no release that does not use it."""
    assert Policy().to_json() == {}
    assert Policy(timeout=2, retry="off", bulkhead=Bulkhead(3)).to_json() == {
        "timeout": 2,
        "retry": "off",
        "bulkhead": {"concurrent": 3, "queued": 20, "wait": 1.0},
    }


REFUSED_JSON: list[tuple[JsonValue, str]] = [
    ({"timeuot": 2}, "Policy: unknown field 'timeuot'; the fields are timeout, attempt_timeout"),
    ({"retry": {"attempt": 2}}, "Retry: unknown field 'attempt'"),
    ({"retry": {"attempts": 2.5}}, "Retry(attempts=2.5): attempts is a whole number"),
    ({"retry": 3}, "Retry: expected a JSON object, got int"),
    ({"cache": {"ttl": 1, "scope": 3}}, "Cache(scope=3): scope is a text"),
    ([], "Policy: expected a JSON object, got list"),
]


@pytest.mark.parametrize(("value", "message"), REFUSED_JSON)
def test_json_that_is_no_policy_is_refused(value: JsonValue, message: str) -> None:
    """A typing error in a stored policy is never a policy that is quietly off."""
    with pytest.raises(ValueError) as refused:  # noqa: PT011 -- the whole message is compared
        Policy.from_json(value)

    assert message in str(refused.value)
