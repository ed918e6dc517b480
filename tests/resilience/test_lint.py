"""Doubts about one call's policies: each says what will happen, and is silent where it will not."""

from math import inf

import pytest

from fishplate.resilience.lint import Finding, Linted, lint_policy
from fishplate.resilience.policy import Breaker, Bulkhead, Policy, Retry
from fishplate.resilience.resolve import resolve


def findings(
    policy: Policy,
    effect: str | None = "readonly",
    *,
    key_ttl: float | None = None,
    time: float = 300,
) -> list[Finding]:
    """Look at a tool, or at an agent if there is no effect."""
    kind = "agent" if effect is None else "tool"
    linted = Linted(
        subject=f"{kind} 'it'",
        step="it",
        where="it.py:1",
        policy=resolve(policy, kind, effect, named_target=True),
        effect=effect,
        key_ttl=key_ttl,
        time=time,
    )
    return list(lint_policy(linted))


def codes(found: list[Finding]) -> list[str]:
    """The codes of findings."""
    return [finding.code for finding in found]


@pytest.mark.parametrize("effect", ["at_most_once", "verifiable", "transactional"])
def test_a_declared_retry_of_what_may_not_be_repeated_is_told(effect: str) -> None:
    """It says what will happen: only an attempt that did nothing is repeated."""
    [found] = findings(Policy(retry=Retry(attempts=3)), effect)

    assert (found.code, found.severity) == ("retry_on_effect", "warning")
    assert "repeated only if it certainly did nothing" in found.message
    assert findings(Policy(retry=Retry(attempts=1)), effect) == []
    assert findings(Policy(), effect) == []


@pytest.mark.parametrize("effect", ["readonly", "idempotent", "keyed"])
def test_a_retry_of_what_may_be_repeated_is_no_finding(effect: str) -> None:
    """Declared or default."""
    assert findings(Policy(retry=Retry()), effect) == []
    assert findings(Policy(), effect) == []


def test_a_key_that_is_forgotten_before_the_last_attempt_is_an_error() -> None:
    """A late attempt under a forgotten key would be a second effect."""
    [found] = findings(Policy(timeout=90), "keyed", key_ttl=60)

    assert (found.code, found.severity) == ("forgotten_key", "error")
    assert "until 90 s after its first attempt" in found.message
    assert findings(Policy(timeout=60), "keyed", key_ttl=60) == []
    assert findings(Policy(timeout=90), "keyed", key_ttl=60, time=60) == []
    assert findings(Policy(timeout=90, retry="off"), "keyed", key_ttl=60) == []


def test_attempts_that_do_not_fit_into_the_timeout_are_told() -> None:
    """Attempts at their limit and delays at their longest, against the time without the reserve."""
    three = Retry(attempts=3, base=1, cap=8)  # delays of up to 1 and 2 seconds

    [found] = findings(Policy(timeout=8.9, attempt_timeout=2, retry=three))
    [reserved] = findings(Policy(timeout=9, reserve=1, attempt_timeout=2, retry=three))

    assert found.code == reserved.code == "attempts_above_timeout"
    assert "3 attempts of 2 s and up to 3 s of delays take 9 s" in found.message
    assert "less a reserve of 1 s" in reserved.message
    assert "timeout= to 10 or more" in reserved.remedy
    assert findings(Policy(timeout=9, attempt_timeout=2, retry=three)) == []


def test_a_timeout_that_leaves_no_time_for_a_declared_delay_is_told() -> None:
    """Without a limit of an attempt, each needs at least what lets it begin."""
    assert codes(findings(Policy(timeout=1, retry=Retry(base=5, cap=9)))) == [
        "attempts_above_timeout"
    ]
    assert findings(Policy(timeout=1)) == []  # the retry is a default, and takes what is left


def test_a_reserve_may_take_the_time_of_a_single_attempt() -> None:
    """Nothing is left over for the fallback if the attempt may use it all."""
    policy = Policy(timeout=2, attempt_timeout=2, reserve=0.5, retry="off")

    assert codes(findings(policy)) == ["attempts_above_timeout"]


def test_a_retry_without_its_budget_is_told() -> None:
    """A number of attempts alone protects nobody from a storm of retries."""
    assert codes(findings(Policy(retry=Retry(budget=False)))) == ["retry_without_budget"]
    assert findings(Policy(retry=Retry(attempts=1, budget=False))) == []


@pytest.mark.parametrize(
    ("policy", "name"),
    [
        (Policy(timeout=2, bulkhead=Bulkhead(wait=3)), "Bulkhead(wait=) of 3 s"),
        (Policy(timeout=2, retry=Retry(max_wait=3)), "Retry(max_wait=) of 3 s"),
        (Policy(timeout=2, breaker=Breaker(slow_call=2)), "Breaker(slow_call=) of 2 s"),
        (
            Policy(timeout=9, attempt_timeout=1, breaker=Breaker(slow_call=2)),
            "since attempt_timeout ends the call or attempt after 1 s",
        ),
    ],
)
def test_a_setting_that_the_time_never_lets_act_is_told(policy: Policy, name: str) -> None:
    """An option without an effect is a mistake of its author."""
    [found] = findings(policy)

    assert found.code == "never_acts"
    assert name in found.message


def test_defaults_are_never_doubted() -> None:
    """A default that a short time cuts off was asked for by nobody."""
    assert findings(Policy(timeout=0.5)) == []
    assert findings(Policy(timeout=0.5), None, time=inf) == []
    assert findings(Policy(breaker=Breaker(slow_call=1))) == []


def test_a_finding_is_json() -> None:
    """A program reads the same as a person."""
    [found] = findings(Policy(retry=Retry(budget=False)))

    assert found.to_json() == {
        "code": "retry_without_budget",
        "severity": "warning",
        "step": "it",
        "message": found.message,
        "remedy": found.remedy,
        "where": "it.py:1",
    }
