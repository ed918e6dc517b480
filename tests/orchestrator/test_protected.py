"""The calls of a run with their policies: every step, fallback and granted call, each told once."""

from fishplate import (
    Breaker,
    Policy,
    Retry,
    agent,
    tool,
    workflow,
)
from fishplate.agents.agent import AnyAgent
from fishplate.orchestrator.protected import ProtectedCall, protected_calls, shared_parts
from tests.cli.samples.forms import forms


async def ask(number: str) -> str:
    """Stand for any behaviour."""
    return number


read = tool(ask, name="read", effect="readonly")
guess = agent(ask, name="guess")


@agent(tools=[read])
async def order_of(number: str) -> str:
    """Read by way of a tool."""
    return await read(number)


def calls_of(*agents: AnyAgent, working_time: float = 300) -> list[ProtectedCall]:
    """All calls of runs of some agents, in order."""
    roots = protected_calls(agents, working_time=working_time)
    return [call for root in roots for call in root.all()]


def test_every_form_of_composition_is_read() -> None:
    """A step in any block, nested or bound, is a call with the path that it has in a trace."""
    paths = {call.path for call in calls_of(forms)}

    for path, step in forms.plan.steps():
        if type(step).__name__ == "CallStep":
            assert path in paths


def test_a_step_stands_with_its_own_policy() -> None:
    """Two steps of one agent under two policies are two calls."""

    @workflow
    async def flow(number: str) -> str:
        first = await guess.using(Policy(timeout=2))(number)
        return await guess.using(Policy(timeout=3)).named("again")(first)

    assert [(call.path, call.policy.timeout) for call in calls_of(flow)] == [
        ("flow", None),
        ("guess", 2),
        ("again", 3),
    ]


def test_a_fallback_is_a_call_of_its_own() -> None:
    """It stands behind its step, under the key that it has in a trace."""

    @workflow
    async def flow(number: str) -> str:
        return await order_of.or_else(guess)(number)

    found = calls_of(flow)

    assert [(call.path, call.role) for call in found] == [
        ("flow", "run"),
        ("order_of", "step"),
        ("order_of/read", "granted"),
        ("order_of|guess", "fallback"),
    ]
    assert [call.path for call in found[1].fallbacks] == ["order_of|guess"]


def test_time_shrinks_on_the_way_down() -> None:
    """A call has what the shortest timeout around it leaves."""

    @workflow(policy=Policy(timeout=9))
    async def flow(number: str) -> str:
        return await order_of.using(Policy(timeout=4))(number)

    assert [(call.path, call.time) for call in calls_of(flow, working_time=60)] == [
        ("flow", 60),
        ("order_of", 9),
        ("order_of/read", 4),
    ]


def test_what_an_agent_calls_is_told_once() -> None:
    """A tree of agents that call one another in many ways stays as small as their number."""
    unit = order_of
    for level in range(50):

        @agent(name=f"level_{level}", agents=[unit, unit.named("twin")])
        async def above(number: str) -> str:
            return number

        unit = above

    found = calls_of(unit)

    assert len(found) < 50 * 5
    assert found[-1].told_at is not None
    assert found[0].below.targets == {"tool/read"}


def test_what_holds_below_is_known_to_what_calls_it() -> None:
    """Attempts multiply down to a leaf; effects and targets are those of all leaves."""
    pay = tool(ask, name="pay", effect="idempotent", target="payments")

    @agent(tools=[read, pay])
    async def refund(number: str) -> str:
        return await pay(await read(number))

    @agent(agents=[refund.using(Policy(retry=Retry(attempts=2)))])
    async def desk(number: str) -> str:
        return number

    [root, *_] = calls_of(desk)

    assert root.below.attempts == 2 * 3
    assert root.below.effects == ("pay",)
    assert root.below.targets == {"tool/read", "payments"}


def test_what_is_declared_for_a_target_holds_for_all_who_share_it() -> None:
    """The settings and who declares them, for those that have a default."""
    careful = Policy(breaker=Breaker(calls=5))
    first = tool(ask, name="first", effect="readonly", target="payments")
    second = tool(ask, name="second", effect="readonly", target="payments", policy=careful)

    agreed, conflicts = shared_parts(calls_of(first, second))

    assert agreed["payments", "breaker"].settings == Breaker(calls=5)
    assert agreed["payments", "breaker"].owner == "tool 'second'"
    assert conflicts == []
