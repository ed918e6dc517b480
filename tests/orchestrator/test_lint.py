"""Doubts about calls within calls: retries, time and targets, seen over the whole run."""

from collections.abc import Sequence

import pytest

from fishplate import (
    Agent,
    Breaker,
    Bulkhead,
    Policy,
    Prompt,
    RateLimit,
    Retry,
    agent,
    model_agent,
    tool,
    workflow,
)
from fishplate.agents.agent import AnyAgent
from fishplate.orchestrator.lint import lint_calls
from fishplate.orchestrator.protected import protected_calls
from fishplate.resilience.lint import Finding

TWICE = Policy(retry=Retry(attempts=2))


def findings(*agents: AnyAgent, working_time: float = 300) -> list[Finding]:
    """Look at runs of some agents."""
    return lint_calls(protected_calls(agents, working_time=working_time))


def codes(found: Sequence[Finding]) -> list[tuple[str, str]]:
    """Code and step of each finding."""
    return [(finding.code, finding.step) for finding in found]


async def ask(number: str) -> str:
    """Stand for any behaviour."""
    return number


read = tool(ask, name="read", effect="readonly")
reader = agent(ask, name="reader")
pay = tool(ask, name="pay", effect="keyed", key_ttl=86_400, policy=Policy(retry="off"))


@agent(tools=[read])
async def order_of(number: str) -> str:
    """Read by way of a tool, which retries by default."""
    return await read(number)


@workflow
async def inner(number: str) -> str:
    """Call the reader in a step."""
    return await order_of.using(TWICE)(number)


@workflow
async def outer(number: str) -> str:
    """Call the workflow in a step, tried again too."""
    return await inner.using(TWICE)(number)


def test_retries_within_retries_are_told_with_their_product() -> None:
    """Each layer that retries is told once, with how many calls it may come to."""
    found = findings(outer)

    assert codes(found) == [("nested_retries", "inner"), ("nested_retries", "inner/order_of")]
    assert "up to 2 x 6 = 12 calls" in found[0].message
    assert "'read' below it makes 3 in each: up to 2 x 3 = 6 calls" in found[1].message
    assert "keep the retry at 'read'" in found[1].remedy


def test_one_owner_of_retries_is_no_finding() -> None:
    """Wherever it is."""
    assert findings(order_of) == []
    assert findings(reader.using(TWICE)) == []


def test_a_retry_around_an_effect_is_told() -> None:
    """Once the tool was called, the failure of what calls it is final."""

    @agent(tools=[pay])
    async def refund(number: str) -> str:
        return await pay(number)

    [found] = findings(refund.using(TWICE))

    assert found.code == "retry_on_effect"
    assert "Once 'pay' was called, its failure is final" in found.message
    assert findings(refund) == []


def test_a_timeout_that_what_calls_it_cannot_give_is_an_error() -> None:
    """A limit above the time around it never acts, be it a workflow's or the run's."""

    @workflow(policy=Policy(timeout=5))
    async def hurried(number: str) -> str:
        return await order_of.using(Policy(timeout=6))(number)

    [found] = findings(hurried)

    assert (found.code, found.severity, found.step) == (
        "timeout_above_deadline",
        "error",
        "order_of",
    )
    assert "timeout=6, and what calls it is over after 5 s" in found.message
    assert codes(findings(hurried, working_time=4)) == [
        ("timeout_above_deadline", "hurried"),
        ("timeout_above_deadline", "order_of"),
    ]


def test_the_timeout_of_an_attempt_has_to_fit_too() -> None:
    """The default timeout grows with it, so that it is the declared number that does not fit."""
    slow = read.using(Policy(attempt_timeout=200, retry=Retry(attempts=2)))

    [found] = findings(slow, working_time=100)

    assert "attempt_timeout=200" in found.message
    assert findings(slow, working_time=500) == []


@pytest.mark.parametrize(
    ("reserve", "severity"), [(1, None), (2, None), (3, "warning"), (4, "error"), (400, "error")]
)
def test_a_reserve_has_to_fit_into_the_time_around_the_call(
    reserve: float, severity: str | None
) -> None:
    """No more than half of that time is kept, so that a longer reserve is not what it says."""

    @agent
    async def guess(number: str) -> str:
        return number

    @workflow(policy=Policy(timeout=4))
    async def flow(number: str) -> str:
        return await order_of.using(Policy(reserve=reserve)).or_else(guess)(number)

    found = findings(flow)

    expected = [] if severity is None else [("reserve_above_deadline", severity)]
    assert [(one.code, one.severity) for one in found] == expected
    if found:
        assert f"reserve={reserve}" in found[0].message
        assert "is over after 4 s" in found[0].message


def test_a_reserve_for_nobody_is_told() -> None:
    """Without a timeout there is nothing to take it from, without a fallback nobody to keep it."""
    assert codes(findings(order_of.using(Policy(reserve=1)))) == [("never_acts", "order_of")]
    assert findings(order_of.using(Policy(reserve=1, timeout=4))) == []


def test_a_limit_of_tokens_where_none_are_used_is_told() -> None:
    """Only models use tokens; requests are counted everywhere."""
    limit = RateLimit(requests_per_minute=60, tokens_per_minute=9_000)

    [found] = findings(read.using(Policy(rate_limit=limit)))

    assert found.code == "never_acts"
    assert "RateLimit(tokens_per_minute=9000), which never acts" in found.message
    assert findings(read.using(Policy(rate_limit=RateLimit(requests_per_minute=60)))) == []


def test_a_limit_of_tokens_is_no_doubt_where_a_model_is_asked() -> None:
    """Requests to models say how many tokens they take, so the limit acts on them."""

    @model_agent("fast", policy=Policy(rate_limit=RateLimit(tokens_per_minute=9_000)))
    def answer(question: str) -> Prompt[str]:
        """Answer."""
        return Prompt(user=question)

    assert "never_acts" not in {found.code for found in findings(answer)}


def test_one_agent_is_judged_by_the_time_of_each_place() -> None:
    """Where it is called twice, its timeout may fit at one place and not at the other."""
    patient = order_of.using(Policy(timeout=6))

    @workflow
    async def calm(number: str) -> str:
        return await patient(number)

    @workflow(policy=Policy(timeout=5))
    async def hurried(number: str) -> str:
        return await patient(number)

    assert codes(findings(calm, hurried)) == [("timeout_above_deadline", "order_of")]


def test_a_default_timeout_may_be_cut_off() -> None:
    """Nobody asked for the ten seconds of a tool."""
    assert findings(read.using(Policy(retry=Retry())), working_time=3) == []


@pytest.mark.parametrize("is_same", [True, False])
def test_a_fallback_that_needs_what_failed_is_told(is_same: bool) -> None:
    """One target that is down, and one open breaker, would be the end of both."""
    first = tool(ask, name="first", effect="readonly", target="carrier")
    second = tool(ask, name="second", effect="readonly", target="carrier" if is_same else "archive")

    @agent(tools=[first])
    async def track(number: str) -> str:
        return await first(number)

    @agent(tools=[second])
    async def guess(number: str) -> str:
        return await second(number)

    @workflow
    async def flow(number: str) -> str:
        return await track.or_else(guess)(number)

    expected = [("shared_failure", "track|guess")] if is_same else []
    assert codes(findings(flow)) == expected


def test_a_fallback_that_needs_less_is_no_finding() -> None:
    """It may read the same shop, if it does without what can fail."""
    carrier = tool(ask, name="carrier", effect="readonly")

    @agent(tools=[carrier, read])
    async def track(number: str) -> str:
        return await carrier(await read(number))

    @workflow
    async def flow(number: str) -> str:
        return await track.or_else(order_of)(number)

    assert findings(flow) == []


def test_a_breaker_before_what_never_leaves_the_process_is_told() -> None:
    """A workflow is no target, and an inline function neither waits nor hangs."""

    @agent(inline=True, policy=Policy(timeout=1, breaker=Breaker(), bulkhead=Bulkhead()))
    def rules(number: str) -> str:
        return number

    inline, plan = findings(rules), findings(inner.using(Policy(breaker=Breaker())))

    assert codes(inline) == [("idle_policy", "rules")]
    assert "declares timeout, breaker, bulkhead and runs on the event loop" in inline[0].message
    assert ("idle_policy", "inner") in codes(plan)
    assert findings(inner.using(Policy(bulkhead=Bulkhead())))[1:] == []


def shared(policy: Policy, name: str) -> Agent[[str], str]:
    """One of several tools of a target."""
    return tool(ask, name=name, effect="readonly", target="payments", policy=policy)


@pytest.mark.parametrize(
    ("mine", "yours"),
    [
        (Policy(breaker=Breaker(calls=5)), Policy(breaker=Breaker(calls=6))),
        (Policy(bulkhead=Bulkhead(5)), Policy(bulkhead=Bulkhead(6))),
        (
            Policy(rate_limit=RateLimit(requests_per_minute=5)),
            Policy(rate_limit=RateLimit(requests_per_minute=6)),
        ),
    ],
)
def test_different_settings_for_one_target_are_an_error(mine: Policy, yours: Policy) -> None:
    """The second call would be refused when it runs."""
    first, second = shared(mine, "first"), shared(yours, "second")

    [found] = findings(first, second)

    assert (found.code, found.severity) == ("conflicting_policies", "error")
    assert "tool 'second' and tool 'first' share the target 'payments'" in found.message
    assert findings(first, shared(mine, "third"), shared(Policy(), "fourth")) == []


def test_a_doubt_about_an_agent_is_told_once() -> None:
    """At the first place where it is called."""

    @workflow
    async def flow(number: str) -> str:
        eager = reader.using(Policy(retry=Retry(budget=False)))
        return await eager(await eager(number))

    assert codes(findings(flow)) == [("retry_without_budget", "reader")]
