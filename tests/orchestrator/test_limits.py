"""Time limits of steps and runs: who ends whom, when, and what is told."""

import asyncio
from typing import Any, cast

import pytest

from fishplate import (
    App,
    ErrorClass,
    Policy,
    StepError,
    agent,
    current,
    workflow,
)
from tests.engines.running import in_app, now


@agent
async def nap(seconds: float) -> float:
    """Sleep."""
    await asyncio.sleep(seconds)
    return seconds


def test_a_step_that_takes_too_long_fails_in_time() -> None:
    """The failure names the step, the limit and what to do."""
    slow = nap.using(Policy(timeout=2))

    async def scenario(app: App) -> tuple[Any, float]:
        with pytest.raises(StepError) as failure:
            await slow(60.0)
        return failure.value, now()

    failure, ended = in_app(scenario)

    assert (failure.code, failure.error_class, failure.step) == (
        "step_timeout",
        ErrorClass.DEADLINE,
        "nap",
    )
    assert failure.details == {"timeout": 2}
    assert ended == 2.0


def test_a_call_that_does_not_wait_costs_no_timer() -> None:
    """Nothing is scheduled on the loop for a call that answers at once."""

    @agent(policy=Policy(timeout=2))
    async def at_once(number: int) -> int:
        return number

    async def scenario(app: App) -> int:
        await at_once(0)  # the first call of an agent reads its source
        loop = cast("Any", asyncio.get_running_loop())
        loop.call_at = loop.call_later = None
        try:
            return await at_once(1)
        finally:
            del loop.call_at, loop.call_later

    assert in_app(scenario) == 1


def test_a_fallback_answers_a_step_that_took_too_long() -> None:
    """A time limit is a failure that a fallback may answer."""

    @agent
    async def quick(seconds: float) -> float:
        return 0.0

    @workflow
    async def flow(seconds: float) -> float:
        return await nap.using(Policy(timeout=2)).or_else(quick)(seconds)

    async def scenario(app: App) -> tuple[float, str, float]:
        run = app.start(flow, 60.0)
        return await run.result(), run.degraded[0].reason, now()

    assert in_app(scenario) == (0.0, "step_timeout", 2.0)


@pytest.mark.parametrize(
    ("inner", "outer", "told"),
    [(1, 5, ("step_timeout", "nap", 1.0)), (5, 1, ("step_timeout", "flow", 1.0))],
)
def test_of_limits_within_limits_the_one_that_passed_is_told(
    inner: float, outer: float, told: tuple[str, str, float]
) -> None:
    """The failure names the step whose time was over."""

    @workflow
    async def flow(seconds: float) -> float:
        return await nap.using(Policy(timeout=inner))(seconds)

    async def scenario(app: App) -> tuple[str, str, float]:
        with pytest.raises(StepError) as failure:
            await flow.using(Policy(timeout=outer))(60.0)
        return failure.value.code, failure.value.step, now()

    assert in_app(scenario) == told


def test_a_run_has_its_working_time() -> None:
    """When it is over the run fails with `deadline`, whatever it is doing."""

    @agent
    async def ask(seconds: float) -> list[float]:
        before = current().deadline
        await asyncio.sleep(seconds)
        return [before, current().deadline]

    async def scenario(app: App) -> tuple[list[float], str, float]:
        deadlines = await ask(2.0)
        with pytest.raises(StepError) as failure:
            await nap(60.0)
        return deadlines, failure.value.code, now()

    assert in_app(scenario, working_time=5) == ([5.0, 3.0], "deadline", 7.0)
