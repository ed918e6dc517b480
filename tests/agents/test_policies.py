"""Which policies an agent cannot have: what could never run, or would leave an effect out."""

from collections.abc import Callable

import pytest

from fishplate import Breaker, Cache, DeclarationError, Policy, Retry, agent, tool, workflow

CACHED = Policy(cache=Cache(ttl=10, scope="orders"))


@tool(effect="readonly", scopes=["orders:read"])
async def read(number: str) -> str:
    """Read an order."""
    return number


@tool(effect="idempotent", scopes=["orders:write"])
async def close(number: str) -> str:
    """Close an order."""
    return number


@agent(tools=[close])
async def closer(number: str) -> str:
    """Close an order by way of a tool."""
    return await close(number)


@workflow(tools=[close])
async def closing(number: str) -> str:
    """Close an order in a step."""
    return await close(number)


def declared_tool() -> object:
    """Declare a tool that changes something with a cache."""

    @tool(effect="idempotent", policy=CACHED)
    async def remembered(number: str) -> str:
        return number

    return remembered


def declared_agent() -> object:
    """Declare an agent with a cache that calls a tool that changes something."""

    @agent(tools=[close], policy=CACHED)
    async def remembered(number: str) -> str:
        return await close(number)

    return remembered


def declared_workflow() -> object:
    """Declare a workflow with a cache, one of whose steps changes something."""

    @workflow(policy=CACHED)
    async def remembered(number: str) -> str:
        return await closer(number)

    return remembered


def declared_step() -> object:
    """Declare a workflow that puts a cache around such a step."""

    @workflow
    async def remembered(number: str) -> str:
        return await closer.using(CACHED)(number)

    return remembered


def replaced() -> object:
    """Put what changes something below a cache."""

    @agent(agents=[reader], policy=CACHED)
    async def remembered(number: str) -> str:
        return await reader(number)

    @workflow
    async def flow(number: str) -> str:
        return await remembered(number)

    return flow.replace(reader, closer)


@agent(tools=[read])
async def reader(number: str) -> str:
    """Read an order by way of a tool."""
    return await read(number)


@pytest.mark.parametrize(
    "make",
    [
        declared_tool,
        declared_agent,
        declared_workflow,
        declared_step,
        replaced,
        lambda: close.using(CACHED),
        lambda: closer.using(CACHED),
        lambda: closing.using(CACHED),
    ],
)
def test_a_cache_never_stands_before_an_effect(make: Callable[[], object]) -> None:
    """The second call would leave the effect out, so the policy is refused at declaration."""
    with pytest.raises(DeclarationError) as refused:
        make()

    assert refused.value.code == "cached_effect"
    assert "has the effect 'idempotent'" in str(refused.value)


def test_what_only_reads_may_be_remembered() -> None:
    """A fallback that changes something is no part of what is remembered."""
    assert read.using(CACHED).policy == CACHED
    assert reader.or_else(closer).using(CACHED).policy == CACHED


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        (Policy(timeout=0.05), "Policy(timeout=0.05): timeout is above 0.05 seconds"),
        (Policy(timeout=0.01, breaker=Breaker()), "Policy(timeout=0.01): timeout is above 0.05"),
        (Policy(timeout=1, reserve=0.96), "timeout, less reserve=0.96, is above 0.05 seconds"),
        (Policy(reserve=11), "Policy(reserve=11): reserve is a finite number of seconds, at least"),
    ],
)
def test_a_policy_that_leaves_no_time_is_refused_with_the_agent(policy: Policy, says: str) -> None:
    """Whether the time is enough depends on the defaults of what is called, so on the agent."""
    with pytest.raises(DeclarationError) as refused:
        read.using(policy)

    assert refused.value.code == "impossible_policy"
    assert says in str(refused.value)
    assert refused.value.problems[0].where is not None


def test_a_short_timeout_is_fine_where_no_attempt_is_watched() -> None:
    """A body that only computes may have a limit of milliseconds."""
    assert closer.using(Policy(timeout=0.01)).policy.timeout == 0.01
    assert read.using(Policy(timeout=0.06, retry=Retry(attempts=2))).policy.timeout == 0.06
