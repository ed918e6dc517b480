"""Defaults apply to what leaves the process, and what is declared always wins."""

import pytest

from fishplate.resilience.policy import Breaker, Bulkhead, Cache, Policy, RateLimit, Retry
from fishplate.resilience.resolve import Kind, ResolvedPolicy, pipeline_of, resolve


def parts(resolved: ResolvedPolicy) -> set[str]:
    """Names of the policies that are on."""
    names = ("timeout", "retry", "breaker", "bulkhead", "rate_limit", "cache", "attempt_timeout")
    return {name for name in names if getattr(resolved, name) is not None}


ALL = {"timeout", "retry", "breaker", "bulkhead"}
DEFAULTS: list[tuple[Kind, str | None, bool, set[str]]] = [
    ("agent", None, False, set()),
    ("workflow", None, False, set()),
    ("model", None, False, ALL),
    ("remote", None, False, ALL),
    ("tool", "readonly", False, {"retry"}),
    ("tool", "idempotent", False, {"retry"}),
    ("tool", "keyed", False, {"retry"}),
    ("tool", "at_most_once", False, set()),
    ("tool", "readonly", True, ALL),
    ("tool", "transactional", True, ALL - {"retry"}),
    ("tool", "verifiable", True, ALL - {"retry"}),
    ("tool", "at_most_once", True, ALL - {"retry"}),
]


@pytest.mark.parametrize(("kind", "effect", "named_target", "expected"), DEFAULTS)
def test_defaults_follow_what_is_called(
    kind: Kind, effect: str | None, named_target: bool, expected: set[str]
) -> None:
    """Without a policy, only what leaves the process is protected, and only safe calls repeat."""
    assert parts(resolve(Policy(), kind, effect, named_target=named_target)) == expected


def test_a_tool_with_a_policy_gets_the_other_defaults_too() -> None:
    """Whoever names a policy for a tool says that it leaves the process."""
    resolved = resolve(Policy(retry=Retry(attempts=2)), "tool", "readonly")

    assert parts(resolved) == ALL
    assert resolved.timeout == 10.0
    assert resolved.source("retry") == "declared"
    assert resolved.source("breaker") == "default"


def test_a_declared_setting_wins_over_the_default() -> None:
    """Also if it says off."""
    declared = Policy(timeout=3, retry="off", breaker=Breaker(calls=5), bulkhead="off")

    resolved = resolve(declared, "model")

    assert parts(resolved) == {"timeout", "breaker"}
    assert resolved.timeout == 3
    assert resolved.breaker == Breaker(calls=5)


def test_a_retry_declared_for_an_unsafe_effect_waits_for_proof() -> None:
    """It repeats an attempt only if that certainly had no effect."""
    assert resolve(Policy(retry=Retry()), "tool", "at_most_once").repeats == "without_effect"
    assert resolve(Policy(retry=Retry()), "tool", "keyed").repeats == "always"
    assert resolve(Policy(retry=Retry()), "agent").repeats == "always"


def test_the_default_timeout_leaves_room_for_the_declared_attempts() -> None:
    """Three attempts of five seconds do not fit into a tool's ten; the declared numbers win."""
    policy = Policy(attempt_timeout=5, retry=Retry(attempts=3))

    assert resolve(policy, "tool", "keyed").timeout == 5 * 3 + 0.5 + 1.0
    assert resolve(Policy(attempt_timeout=20, retry="off"), "tool", "keyed").timeout == 20
    assert resolve(Policy(attempt_timeout=1), "tool", "keyed").timeout == 10


def test_a_reserve_has_to_leave_time_to_the_call() -> None:
    """It is judged against the timeout that holds, be it a default."""
    with pytest.raises(ValueError, match=r"Policy\(reserve=10\): reserve is .* below 10"):
        resolve(Policy(reserve=10), "tool", "readonly")


@pytest.mark.parametrize("policy", [Policy(timeout=0.05), Policy(timeout=5, reserve=4.96)])
def test_a_timeout_has_to_let_an_attempt_begin(policy: Policy) -> None:
    """No attempt is started with 0.05 seconds left, so that such a call could never be made."""
    with pytest.raises(ValueError, match=r"is above 0.05 seconds .* no attempt is started"):
        resolve(policy, "tool", "readonly")
    assert resolve(policy, "agent").timeout == policy.timeout


def test_a_tool_without_an_effect_is_refused() -> None:
    """Whether a call may repeat is never guessed."""
    with pytest.raises(ValueError, match="a tool has a declared effect"):
        resolve(Policy(), "tool")


def test_waiting_for_local_rejections_follows_the_retry_policy() -> None:
    """A call without one waits as long as the default says."""
    assert resolve(Policy(retry=Retry(max_wait=7)), "agent").max_wait == 7
    assert resolve(Policy(retry="off"), "model").max_wait == 1


def test_only_protected_attempts_need_a_pipeline() -> None:
    """A limit on the whole call and a cache stand outside of the attempts."""
    assert not resolve(Policy(), "agent").needs_pipeline
    assert not resolve(Policy(timeout=2, cache=Cache(ttl=1, scope="a")), "agent").needs_pipeline
    assert resolve(Policy(attempt_timeout=2), "agent").needs_pipeline
    assert resolve(Policy(), "tool", "readonly").needs_pipeline


def test_the_pipeline_is_told_in_the_order_in_which_it_acts() -> None:
    """Users set numbers, and the order is the same for all."""
    policy = Policy(
        timeout=9,
        attempt_timeout=4,
        bulkhead=Bulkhead(3),
        rate_limit=RateLimit(requests_per_minute=60),
        cache=Cache(ttl=5, scope="orders"),
    )

    stages = pipeline_of(resolve(policy, "model"))

    assert [(stage.name, stage.source) for stage in stages] == [
        ("cache", "declared"),
        ("timeout", "declared"),
        ("retry", "default"),
        ("retry_budget", "default"),
        ("breaker", "default"),
        ("rate_limit", "declared"),
        ("bulkhead", "declared"),
        ("breaker_permit", "default"),
        ("attempt_timeout", "declared"),
    ]
    assert pipeline_of(resolve(Policy(timeout=9, reserve=2), "agent"))[0].settings == {
        "seconds": 9,
        "reserve": 2,
    }
    assert pipeline_of(resolve(Policy(reserve=2), "agent"))[0].settings == {"seconds": 2}
    assert stages[3].settings == {"share": 0.2, "per_second": 1.0, "window": 10.0}
    assert stages[6].settings == {"concurrent": 3, "queued": 20, "wait": 1.0}


def test_a_retry_without_budget_is_told_without_one() -> None:
    """What is off has no stage."""
    stages = pipeline_of(resolve(Policy(retry=Retry(budget=False)), "agent"))

    assert [stage.name for stage in stages] == ["retry"]
    assert stages[0].settings["repeats"] == "always"
    assert pipeline_of(resolve(Policy(), "agent")) == ()
