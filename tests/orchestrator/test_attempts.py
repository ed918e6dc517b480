"""Attempts of one call: the same keys, and no second try after something has changed."""

import pytest

from fishplate import (
    App,
    Policy,
    StepError,
    agent,
    current,
    tool,
    workflow,
)
from fishplate.resilience.policy import Retry
from tests.engines.running import failure_of, in_app


def test_every_attempt_of_a_body_has_the_same_keys() -> None:
    """The second attempt counts its calls anew, and is not degraded by what the first one said."""
    keys: list[str] = []

    @agent
    async def child(text: str) -> str:
        keys.append(current().idempotency_key)
        if len(keys) == 1:
            current().degrade("slow", source="here")
        return text

    @agent(agents=[child], policy=Policy(retry=Retry(attempts=3)))
    async def body(text: str) -> str:
        found = await child(text)
        if len(keys) < 3:
            raise ConnectionResetError
        return found

    async def scenario(app: App) -> str:
        return await app.start(body, "x").ended()

    assert in_app(scenario) == "succeeded"
    assert len(keys) == 3
    assert len(set(keys)) == 1


class Till:
    """A tool that charges money, and fails as it is told to, attempt by attempt."""

    def __init__(self, *failures: type[Exception]) -> None:
        self.attempts = 0
        failing = list(failures)

        async def charge(text: str) -> str:
            self.attempts += 1
            if failing:
                raise failing.pop(0)
            return text

        policy = Policy(retry=Retry(attempts=2, base=0.001, cap=0.001))
        self.charge = tool(effect="keyed", key_ttl=60, policy=policy)(charge)


@agent
async def spare(text: str) -> str:
    """Answer in place of somebody else."""
    return f"spare {text}"


@pytest.mark.parametrize(
    ("failures", "told"),
    [
        ([ConnectionRefusedError, ConnectionRefusedError], "spare x"),
        ([ConnectionResetError, ConnectionRefusedError], "partial_effect"),
        ([ConnectionRefusedError, ConnectionResetError], "partial_effect"),
    ],
)
def test_one_attempt_that_may_have_acted_rules_out_a_fallback(
    failures: list[type[Exception]], told: str
) -> None:
    """However surely the others did nothing."""
    till = Till(*failures)
    charge = till.charge

    @workflow(tools=[charge])
    async def flow(text: str) -> str:
        return await charge.or_else(spare)(text)

    async def scenario(app: App) -> str:
        try:
            return await flow("x")
        except StepError as failure:
            return failure.code

    assert in_app(scenario) == told
    assert till.attempts == 2


def test_a_workflow_is_not_run_again_after_one_of_its_steps_has_acted() -> None:
    """Neither as a step nor as the run itself, whatever its policy says."""
    till = Till()
    charge = till.charge

    @agent
    async def fail(text: str) -> str:
        raise ConnectionResetError

    @workflow(tools=[charge], policy=Policy(retry=Retry(attempts=3)))
    async def flow(text: str) -> str:
        charged = await charge(text)
        return await fail(charged)

    @workflow
    async def outer(text: str) -> str:
        return await flow(text)

    assert failure_of(flow, "x").code == "connection"
    assert failure_of(outer, "x").code == "connection"
    assert till.attempts == 2
