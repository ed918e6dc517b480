"""A cancellation reaches everything that runs, nothing begins after it, and nothing is left."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pydantic import BaseModel

from fishplate import (
    App,
    ErrorClass,
    Failure,
    Policy,
    StepError,
    agent,
    each,
    parallel,
    workflow,
)
from fishplate.core.suspension import CANCEL_GRACE
from tests.engines.running import in_app, named, now

log: list[str] = []


@pytest.fixture(autouse=True)
def _clear_log() -> None:
    log.clear()


class Plan(BaseModel):
    """Names of things to do."""

    names: list[str]


@agent
async def work(name: str) -> str:
    """Work for a minute; say when it begins and ends."""
    log.append(f"{name} begins")
    try:
        await asyncio.sleep(60)
    finally:
        log.append(f"{name} ends at {now():g}")
    return name


@agent
async def deaf(name: str) -> str:
    """Answer, cancelled or not."""
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        log.append(f"{name} does not listen")
    return name


@agent
async def fail_soon(name: str) -> str:
    """Fail after a second."""
    await asyncio.sleep(1)
    raise Failure("no luck", error_class=ErrorClass.TRANSIENT, code=name)


@agent
async def after(name: str) -> str:
    """Say that it was reached."""
    log.append(f"after {name}")
    return name


@agent(agents=[work, after])
async def body(name: str) -> str:
    """Work in a body, side by side with more."""
    await after(name)
    both = await parallel(work(f"{name}.1"), work(f"{name}.2"))
    return both[0]


@workflow
async def inner(name: str) -> str:
    """A body below a nested workflow."""
    return await body(name)


@workflow
async def wide(plan: Plan) -> str:
    """Everything at once: plain, in a body, nested; and a step after it."""
    _, below, _ = await parallel(each(work, plan.names), inner("in"), work("alone"))
    return await after.named("last")(below)


@workflow
async def stepwise(name: str) -> str:
    """A step that does not listen, and one after it."""
    first = await deaf(name)
    return await after(first)


def test_cancelling_a_run_ends_every_call_of_it() -> None:
    """Plain steps, elements, bodies and nested workflows alike, and the run is over after that."""

    async def scenario(app: App) -> tuple[str, float]:
        run = app.start(wide, Plan(names=["a", "b"]))
        await asyncio.sleep(2)
        run.cancel()
        return await run.ended(), now()

    assert in_app(scenario) == ("cancelled", 2.0)
    assert sorted(line for line in log if line.endswith("ends at 2")) == [
        f"{name} ends at 2" for name in ("a", "alone", "b", "in.1", "in.2")
    ]
    assert "after in" in log
    assert not any("all" in line for line in log)


def test_every_cancelled_call_tells_its_span() -> None:
    """The trace of a cancelled run shows what ran, and that it was cancelled."""

    async def scenario(app: App) -> list[str]:
        run = app.start(wide, Plan(names=["a"]))
        await asyncio.sleep(2)
        run.cancel()
        await run.ended()
        return [f"{span.path} {span.status}" for span in app.spans(run)]

    assert sorted(in_app(scenario)) == [
        "parallel/each.0/work cancelled",
        "parallel/inner cancelled",
        "parallel/inner/body cancelled",
        "parallel/inner/body/0.after ok",
        "parallel/inner/body/1.0.work cancelled",
        "parallel/inner/body/1.1.work cancelled",
        "parallel/work cancelled",
        "wide cancelled",
    ]


def test_cancelling_the_caller_ends_the_run_it_awaits() -> None:
    """`await agent(x)` runs in the awaiting task and ends with it."""

    async def scenario(app: App) -> tuple[bool, float]:
        async def call() -> str:
            return await wide(Plan(names=["a"]))

        task = asyncio.get_running_loop().create_task(call())
        await asyncio.sleep(2)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled(), now()

    assert in_app(scenario) == (True, 2.0)
    assert "a ends at 2" in log


def test_a_failed_branch_ends_its_siblings() -> None:
    """They have ended when the failure is told."""

    @workflow
    async def flow(name: str) -> tuple[str, str, str]:
        return await parallel(work(name), fail_soon("soon"), inner("in"))

    async def scenario(app: App) -> tuple[str, float]:
        with pytest.raises(Failure) as failure:
            await flow("a")
        return failure.value.code, now()

    assert in_app(scenario) == ("soon", 1.0)
    assert {line for line in log if "ends" in line} == {
        "a ends at 1",
        "in.1 ends at 1",
        "in.2 ends at 1",
    }


@pytest.mark.parametrize("how", ["run", "caller", "timeout", "sibling"])
def test_no_step_begins_after_a_cancellation_that_was_swallowed(how: str) -> None:
    """A step that answers anyway is not believed: the walk ends there, whoever cancelled it."""

    @workflow
    async def beside(name: str) -> tuple[str, str]:
        return await parallel(stepwise(name), fail_soon("soon"))

    limited = stepwise.using(Policy(timeout=1))

    async def scenario(app: App) -> str:
        if how == "run":
            run = app.start(stepwise, "x")
            await asyncio.sleep(1)
            run.cancel()
            return await run.ended()
        if how == "caller":
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await stepwise("x")
            return "cancelled"
        call: Callable[[str], Awaitable[object]] = limited if how == "timeout" else beside
        with pytest.raises((StepError, Failure)) as failure:
            await call("x")
        assert isinstance(failure.value, (StepError, Failure))
        return failure.value.code

    told = {"timeout": "step_timeout", "sibling": "soon"}.get(how, "cancelled")

    assert in_app(scenario) == told
    assert log == ["x does not listen"]


def test_no_fallback_answers_for_a_cancelled_step() -> None:
    """A step that turns its cancellation into an error does not set a fallback going."""

    @agent
    async def converts(name: str) -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise ConnectionError from None
        return name

    @workflow
    async def flow(name: str) -> str:
        return await converts.or_else(after)(name)

    async def scenario(app: App) -> str:
        run = app.start(flow, "x")
        await asyncio.sleep(1)
        run.cancel()
        return await run.ended()

    assert in_app(scenario) == "failed"
    assert log == []


def test_a_body_hears_of_a_cancellation_that_its_child_swallowed() -> None:
    """The child answered regardless; the body's own await is cancelled, so it does not go on."""

    @agent(agents=[deaf, after])
    async def calls_deaf(name: str) -> str:
        found = await deaf(name)
        return await after(found)

    async def scenario(app: App) -> str:
        run = app.start(calls_deaf, "x")
        await asyncio.sleep(1)
        run.cancel()
        return await run.ended()

    assert in_app(scenario) == "cancelled"
    assert log == ["x does not listen"]


def test_a_body_may_call_agents_to_clean_up() -> None:
    """Calls that begin after the cancellation are the body's own decision."""

    @agent(agents=[work, after])
    async def tidy(name: str) -> str:
        try:
            return await work(name)
        finally:
            await after("clean-up")

    async def scenario(app: App) -> str:
        run = app.start(tidy, "x")
        await asyncio.sleep(1)
        run.cancel()
        return await run.ended()

    assert in_app(scenario) == "cancelled"
    assert log == ["x begins", "x ends at 1", "after clean-up"]


def test_a_cancellation_of_something_else_is_a_failure() -> None:
    """A step that awaits a cancelled task was not cancelled itself; nobody waits for ever."""

    @agent
    async def strays(name: str) -> str:
        task = asyncio.get_running_loop().create_task(asyncio.sleep(60))
        task.cancel()
        await task
        return name

    @workflow
    async def flow(name: str) -> tuple[str, str]:
        return await parallel(work(name), strays(name))

    async def scenario(app: App) -> tuple[str, ErrorClass, float]:
        with pytest.raises(StepError) as failure:
            await flow("x")
        return failure.value.code, failure.value.error_class, now()

    assert in_app(scenario) == ("cancelled", ErrorClass.CANCELLED, 0.0)


def test_leaving_the_app_ends_its_runs() -> None:
    """Started runs are cancelled and have ended; one that does not listen is asked again."""
    runs: list[Any] = []

    @agent
    async def deaf_once(name: str) -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(60)
        return name

    async def scenario(app: App) -> None:
        async with App() as other:
            runs.extend([other.start(wide, Plan(names=["a"])), other.start(deaf_once, "x")])
            await asyncio.sleep(1)
        assert now() == 1 + CANCEL_GRACE

    in_app(scenario)

    assert [run.state for run in runs] == ["cancelled", "cancelled"]
    assert "a ends at 1" in log


def test_the_deadline_of_the_run_ends_what_ends_for_nobody() -> None:
    """A call that swallows every cancellation is closed where it stands, and its span says so."""

    @agent
    async def stuck(name: str) -> str:
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                log.append(f"no at {now():g}")

    @workflow
    async def flow(name: str) -> str:
        return await stuck(name)

    async def scenario(app: App) -> tuple[str, float, Any]:
        run = app.start(flow, "x")
        with pytest.raises(StepError) as failure:
            await run.result()
        [span] = named(app.spans(run), "stuck")
        return failure.value.code, now(), (span.status, span.attributes)

    code, ended, span = in_app(scenario, working_time=5)

    assert (code, ended) == ("deadline", 5 + CANCEL_GRACE)
    assert log == ["no at 5"]
    assert span == ("cancelled", {"abandoned": True})


@pytest.mark.parametrize(
    ("moment", "states"),
    [(59, {"cancelled"}), (60, {"cancelled", "succeeded"}), (61, {"succeeded"})],
)
def test_a_cancellation_as_a_run_ends_leaves_one_state(moment: int, states: set[str]) -> None:
    """At whatever moment it comes, the run ends once, as one thing, and says so in its span."""

    async def scenario(app: App) -> tuple[str, str]:
        run = app.start(stepwise.replace(deaf, work), "x")
        asyncio.get_running_loop().call_later(moment, run.cancel)
        state = await run.ended()
        [span] = named(app.spans(run), "stepwise")
        return state, span.status

    state, status = in_app(scenario)

    assert state in states
    assert status == {"cancelled": "cancelled", "succeeded": "ok"}[state]
