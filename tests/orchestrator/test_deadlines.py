"""Deadlines shrink on their way down, and a fallback always has time of its own."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fishplate import (
    App,
    ErrorClass,
    FishplateError,
    Policy,
    Retry,
    Static,
    StepError,
    agent,
    current,
    parallel,
    tool,
    workflow,
)
from tests.engines.running import failure_of, in_app, now


@agent
async def nap(seconds: float) -> float:
    """Sleep."""
    await asyncio.sleep(seconds)
    return seconds


@agent
async def left(seconds: float) -> float:
    """Sleep, and then tell how much time there is."""
    await asyncio.sleep(seconds)
    return current().deadline


@agent
async def spare(seconds: float) -> float:
    """Take a moment to answer for somebody else."""
    await asyncio.sleep(0.05)
    return -1.0


def test_a_step_has_no_more_time_than_the_workflow_that_it_is_in() -> None:
    """`current().deadline` is the least of all limits around a call, at every depth."""

    @workflow(policy=Policy(timeout=10))
    async def inner(seconds: float) -> float:
        await nap(seconds)
        return await left.using(Policy(timeout=30))(0.0)

    @workflow(policy=Policy(timeout=20))
    async def outer(seconds: float) -> float:
        await nap(seconds)
        return await inner(seconds)

    async def scenario(_: App) -> list[float]:
        return [await outer(4.0), await left(1.0), await outer.using(Policy(timeout=11))(4.0)]

    assert in_app(scenario) == pytest.approx([6.0, 299.0, 3.0])


def test_the_calls_of_a_body_have_no_more_time_than_the_body() -> None:
    """Child calls, and their branches side by side, end with the call that made them."""

    @agent(agents=[left, nap], policy=Policy(timeout=8, attempt_timeout=5))
    async def body(seconds: float) -> list[float]:
        await nap(seconds)
        alone = await left(0.0)
        side = await parallel(left(1.0), left(2.0))
        return [alone, *side]

    async def scenario(_: App) -> list[float]:
        return await body(1.0)

    assert in_app(scenario) == pytest.approx([4.0, 3.0, 2.0])


@given(st.lists(st.floats(0.5, 1000), min_size=3, max_size=3))
def test_the_least_of_all_limits_counts(limits: list[float]) -> None:
    """Whichever order the limits of nested calls stand in, none gives back what another took."""
    outer_limit, middle_limit, inner_limit = (Policy(timeout=limit) for limit in limits)

    @agent(agents=[left])
    async def middle(seconds: float) -> float:
        return await left.using(inner_limit)(seconds)

    @agent(agents=[middle])
    async def outer(seconds: float) -> float:
        return await middle.using(middle_limit)(seconds)

    async def scenario(_: App) -> float:
        return await outer.using(outer_limit)(0.25)

    assert in_app(scenario) == pytest.approx(min(*limits, 300.0) - 0.25)


def test_a_tool_below_a_deadline_is_cut_off_with_what_calls_it() -> None:
    """Its own ten seconds count only as far as the workflow around it has time."""

    @tool(effect="readonly", policy=Policy(retry="off"))
    async def slow(seconds: float) -> float:
        await asyncio.sleep(seconds)
        return seconds

    @workflow(tools=[slow], policy=Policy(timeout=2))
    async def flow(seconds: float) -> float:
        return await slow(seconds)

    async def scenario(_: App) -> tuple[str, float]:
        with pytest.raises(StepError) as failure:
            await flow(60.0)
        return failure.value.code, now()

    assert in_app(scenario) == ("step_timeout", 2.0)


@pytest.mark.parametrize(
    ("timeout", "reserve", "ended"),
    [
        (10, None, 9.0),  # a tenth
        (1, None, 0.8),  # at least 0.2
        (100, None, 95.0),  # at most 5
        (10, 3, 7.0),  # as declared
    ],
)
def test_a_step_leaves_a_reserve_to_its_fallback(
    timeout: float, reserve: float | None, ended: float
) -> None:
    """A step that uses all of its time is ended early enough for the fallback to answer."""
    ends: list[float] = []

    @agent
    async def answer(seconds: float) -> float:
        ends.append(now())
        return await asyncio.sleep(0.1, current().deadline)

    @workflow(policy=Policy(timeout=timeout))
    async def flow(seconds: float) -> float:
        return await nap.using(Policy(reserve=reserve)).or_else(answer)(seconds)

    async def scenario(app: App) -> tuple[str, str, float]:
        run = app.start(flow, 1000.0)
        return await run.ended(), run.degraded[0].reason, await run.result()

    assert in_app(scenario) == ("degraded", "deadline", pytest.approx(timeout - ended))
    assert ends == pytest.approx([ended])


def test_every_fallback_but_the_last_leaves_time_to_the_next() -> None:
    """A chain of agents that all hang ends with the answer of the last one, within the time."""
    second, third = (agent(nap.function, name=name) for name in ("second", "third"))

    @workflow(policy=Policy(timeout=10))
    async def flow(seconds: float) -> float:
        return await nap.or_else(second).or_else(third).or_else(spare)(seconds)

    async def scenario(app: App) -> tuple[str, float, float]:
        run = app.start(flow, 1000.0)
        return await run.ended(), await run.result(), now()

    state, answer, ended = in_app(scenario)

    assert (state, answer) == ("degraded", -1.0)
    assert ended < 10


def test_a_step_that_will_not_end_takes_no_more_than_half_of_the_reserve() -> None:
    """What is cut off may clean up for a while, but the fallback still has time."""

    @agent
    async def stubborn(seconds: float) -> float:
        while True:
            try:
                await asyncio.sleep(seconds)
            except asyncio.CancelledError:
                await asyncio.sleep(seconds)

    @workflow(policy=Policy(timeout=1))
    async def flow(seconds: float) -> float:
        return await stubborn.or_else(spare)(seconds)

    async def scenario(app: App) -> tuple[str, float]:
        state = await app.start(flow, 60.0).ended()
        return state, now()

    assert in_app(scenario) == ("degraded", pytest.approx(0.95))


def test_a_step_with_a_fallback_ends_before_the_run_does() -> None:
    """The run's working time is the outermost deadline: the fallback answers within it."""

    @workflow
    async def flow(seconds: float) -> float:
        return await nap.or_else(spare)(seconds)

    async def scenario(app: App) -> tuple[str, float]:
        state = await app.start(flow, 1000.0).ended()
        return state, now()

    assert in_app(scenario) == ("degraded", pytest.approx(295.05))


class Dependency:
    """Counts its calls and answers after a while."""

    def __init__(self, seconds: float) -> None:
        self.calls = 0

        @tool(effect="readonly", policy=Policy(retry=Retry(attempts=3)))
        async def ask(number: float) -> float:
            self.calls += 1
            await asyncio.sleep(seconds)
            raise ConnectionResetError

        self.ask = ask


def test_what_cannot_be_useful_is_not_started() -> None:
    """With less time left than any attempt needs, the call fails without reaching anybody."""
    dependency = Dependency(0)
    ask = dependency.ask

    @workflow(tools=[ask], policy=Policy(timeout=1))
    async def flow(seconds: float) -> float:
        waited = await nap(seconds)
        return await ask(waited)

    assert failure_of(flow, 0.97).code == "deadline"
    assert dependency.calls == 0
    assert failure_of(flow, 0.5).code in {"connection", "step_timeout"}
    assert dependency.calls > 0


def test_an_agent_is_not_started_when_its_time_is_over() -> None:
    """A step that held the loop past the deadline is followed by no other one."""
    ran: list[str] = []

    @agent
    async def hold(app: str) -> str:
        await asyncio.sleep(0.96)
        return app

    @agent
    async def follow(text: str) -> str:
        ran.append(text)
        return text

    @workflow(policy=Policy(timeout=1))
    async def flow(text: str) -> str:
        return await follow(await hold(text))

    failure = failure_of(flow, "x")

    assert failure.error_class is ErrorClass.DEADLINE
    assert ran == []


def test_a_fixed_answer_is_never_too_late() -> None:
    """It takes no time, so it is given even if there is hardly any left."""

    @workflow(policy=Policy(timeout=1))
    async def flow(seconds: float) -> float:
        waited = await nap(seconds)
        return await nap.named("again").or_else(Static(0.0))(waited)

    async def scenario(app: App) -> tuple[str, float]:
        run = app.start(flow, 0.97)
        return await run.ended(), await run.result()

    assert in_app(scenario) == ("degraded", 0.0)


@pytest.mark.parametrize("timeout", [0.051, 0.06, 0.08, 0.2])
def test_a_short_time_limit_still_starts_an_attempt(timeout: float) -> None:
    """However short the timeout of a call is, half of it is enough for its first attempt."""
    dependency = Dependency(0)

    async def scenario(_: App) -> None:
        with pytest.raises(FishplateError):
            await dependency.ask.using(Policy(timeout=timeout, retry="off"))(1.0)

    in_app(scenario)

    assert dependency.calls == 1


def test_a_retry_is_not_scheduled_past_the_deadline_around_it() -> None:
    """The delay and the attempt have to fit into what the workflow has left."""
    dependency = Dependency(0.46)
    ask = dependency.ask

    @workflow(tools=[ask], policy=Policy(timeout=0.5))
    async def flow(seconds: float) -> float:
        return await ask(seconds)

    failure = failure_of(flow, 1.0)

    assert dependency.calls == 1
    assert failure.code == "connection"
    assert any("not enough time is left" in note for note in failure.__notes__)


def test_a_rejection_falls_back_at_once() -> None:
    """A call with a fallback does not wait for a full bulkhead or an open breaker."""
    dependency = Dependency(0)
    policy = Policy(retry=Retry(attempts=1, max_wait=5), timeout=20)
    patient = dependency.ask.using(policy)

    @workflow(tools=[dependency.ask])
    async def flow(seconds: float) -> float:
        return await patient.or_else(spare)(seconds)

    async def scenario(app: App) -> list[Any]:
        ended: list[Any] = []
        for _ in range(5):
            await app.start(flow, 1.0).ended()
        started = now()
        run = app.start(flow, 1.0)
        await run.ended()
        ended.append((run.degraded[0].reason, now() - started))
        return ended

    assert in_app(scenario) == [("breaker_open", pytest.approx(0.05))]
    assert dependency.calls == 5


def test_two_uses_of_an_agent_keep_their_own_policies() -> None:
    """A fallback that is a step elsewhere is protected as each use of it says."""

    @workflow
    async def flow(seconds: float) -> list[float]:
        first = await boom.or_else(left.using(Policy(timeout=7)))(seconds)
        second = await left.using(Policy(timeout=9))(seconds)
        return await pair(first, second)

    async def scenario(_: App) -> list[float]:
        return await flow(0.0)

    assert in_app(scenario) == pytest.approx([7.0, 9.0])


@agent
async def boom(seconds: float) -> float:
    """Fail."""
    raise ConnectionResetError


@agent(inline=True)
def pair(first: float, second: float) -> list[float]:
    """Both."""
    return [first, second]
