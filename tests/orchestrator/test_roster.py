"""What is refused before it runs: names, depth, pools, waits."""

from typing import Any

import pytest
from pydantic import BaseModel

from fishplate import (
    Agent,
    App,
    DeclarationError,
    UsageError,
    agent,
    approval,
    current,
    sleep,
    tool,
    wait_for,
    workflow,
)
from fishplate.core.outcome import Rejected
from tests.engines.running import in_app


class Query(BaseModel):
    """A question."""

    text: str


@agent(version="1.2.0")
async def echo(query: Query) -> str:
    """Say it again."""
    return query.text


@agent
async def stale(text: str) -> str:
    """An old answer."""
    current().degrade("old", source="cache")
    return text


@agent(name="echo")
async def other_echo(query: Query) -> str:
    """Another agent of the same name."""
    return query.text


@agent(agents=[echo])
async def caller(query: Query) -> str:
    """Call the first."""
    return await echo(query)


@agent(agents=[other_echo])
async def other_caller(query: Query) -> str:
    """Call the second."""
    return await other_echo(query)


@workflow
async def flow(query: Query) -> str:
    """Call the first through a body."""
    return await caller(query)


@workflow
async def outer_flow(query: Query) -> str:
    """Call the first through a body and a workflow."""
    return await flow(query)


@pytest.mark.parametrize(
    "agents",
    [
        (echo, other_echo),
        (caller, other_echo),
        (caller, other_caller),
        (flow, other_caller),
        (outer_flow, other_echo),
        (other_echo, outer_flow),
        (flow, flow.replace(echo, other_echo)),
    ],
)
def test_names_are_unique_in_an_app(agents: tuple[Agent[..., Any], ...]) -> None:
    """Also those of agents that bodies and nested workflows call: a name means one agent."""
    with pytest.raises(DeclarationError) as refusal:
        App(*agents)

    assert refusal.value.code == "repeated_name"


def test_one_agent_may_be_reached_in_many_ways() -> None:
    """Given twice, called twice, configured differently: it is the same agent."""
    variant = flow.replace(echo, other_echo)

    assert set(App(echo, caller, flow, outer_flow, echo).agents) == {
        "echo",
        "caller",
        "flow",
        "outer_flow",
    }
    assert set(App(variant).agents) == {"flow"}


@agent(pool="carriers")
async def track(text: str) -> str:
    """Hold a slot."""
    return text


@agent(pool="carriers", agents=[track])
async def track_twice(text: str) -> str:
    """Hold a slot while another one is waited for."""
    return await track(text)


async def test_a_call_that_would_wait_for_its_own_pool_is_refused() -> None:
    """When every slot is held by one that waits for a slot, nobody goes on."""
    with pytest.raises(DeclarationError) as declared:
        App(track_twice)
    async with App():
        with pytest.raises(DeclarationError) as started:
            await track_twice("x")

    assert declared.value.code == started.value.code == "nested_pool"
    assert "'carriers'" in str(declared.value)


@tool(effect="keyed", key_ttl=60)
async def charge(text: str) -> str:
    """Charge money."""
    return text


@workflow(tools=[charge])
async def approved(text: str) -> str | Rejected:
    """Wait for somebody."""
    return await approval(charge(text), roles=["lead"], within=60)


@workflow
async def signalled(text: str) -> Query:
    """Wait for something."""
    return await wait_for("go", Query)


@workflow
async def slow(text: str) -> str:
    """Wait for nothing."""
    await sleep(5)
    return await stale(text)


@workflow
async def slow_below(text: str) -> str:
    """Wait below a step."""
    return await slow(text)


@agent(agents=[slow])
async def slow_body(text: str) -> str:
    """Wait below a body."""
    return await slow(text)


@pytest.mark.parametrize("unit", [approved, signalled, slow, slow_below, slow_body])
async def test_nothing_waits_in_memory(unit: Agent[[str], Any]) -> None:
    """What waits is refused when it is started, before any of its steps has done anything."""
    async with App() as app:
        with pytest.raises(UsageError) as refusal:
            app.start(unit, "x")
        with pytest.raises(UsageError):
            await unit("x")

    assert refusal.value.code == "no_store"
    assert app.traces.spans() == []


def nested(inner: Agent[[str], str], depth: int) -> Agent[[str], str]:
    """A workflow around an agent, so many times."""
    for level in range(depth):
        inner = around(inner, level)
    return inner


def around(inner: Agent[[str], str], level: int) -> Agent[[str], str]:
    """A workflow around an agent."""

    @workflow(name=f"flow{level}")
    async def deeper(text: str) -> str:
        return await inner(text)

    return deeper


def test_deep_nesting_is_refused_before_it_ends_pythons_stack() -> None:
    """A hundred levels run; what is deeper is told before any of it runs."""
    deep, too_deep = nested(stale, 99), nested(stale, 100)

    async def scenario(app: App) -> str:
        with pytest.raises(DeclarationError) as refusal:
            await too_deep("x")
        assert await deep("x") == "x"
        return refusal.value.code

    assert in_app(scenario) == "too_deep"
