"""The local engine: one semantics with the walker, in the task that awaits."""

import asyncio
import gc
import weakref

import pytest
from pydantic import BaseModel

from fishplate import (
    Agent,
    App,
    ErrorClass,
    Failure,
    agent,
    current,
    each,
    parallel,
    repeat,
    route,
    workflow,
)
from tests.engines.running import in_app, now


class Left(BaseModel):
    """One way."""

    left: str


class Right(BaseModel):
    """The other way."""

    right: str


class Count(BaseModel):
    """A number that grows."""

    number: int
    done: bool = False


@agent
async def choose(text: str) -> Left | Right:
    """A way."""
    return Left(left=text) if text < "m" else Right(right=text)


@agent
async def go_left(left: Left) -> str:
    """Go left."""
    return f"left {left.left}"


@agent
async def go_right(right: Right) -> str:
    """Go right."""
    return f"right {right.right}"


@agent
async def grow(count: Count) -> Count:
    """Grow by one, to three."""
    await asyncio.sleep(1)
    return Count(number=count.number + 1, done=count.number >= 2)


@agent
async def where(text: str) -> str:
    """Say in which task and at which path it runs."""
    await asyncio.sleep(1)
    task = asyncio.current_task()
    assert task is not None
    return f"{text} {id(task)} {current().path}"


@workflow
async def way(text: str) -> str:
    """Go one of two ways."""
    chosen = await choose(text)
    return await route(go_left, go_right, on=chosen)


@workflow
async def same(text: str) -> str:
    """Give what was given."""
    return text


@agent
async def gather_up(ways: list[str], count: Count, own: str) -> tuple[list[str], Count, str]:
    """All of it."""
    return ways, count, own


@workflow
async def everything(texts: list[str]) -> tuple[list[str], Count, str]:
    """Every form that does not wait."""
    ways, count, own = await parallel(
        each(way, texts, concurrency=2),
        repeat(grow, Count(number=0), until="done", at_most=5),
        same("x"),
    )
    return await gather_up(ways, count, own)


def test_every_form_runs() -> None:
    """Side by side takes as long as the longest; one after the other, the sum."""

    async def scenario(app: App) -> tuple[tuple[list[str], Count, str], float]:
        return await everything(["a", "z", "b"]), now()

    assert in_app(scenario) == (
        (["left a", "right z", "left b"], Count(number=3, done=True), "x"),
        3.0,
    )


def test_a_workflow_without_steps_or_elements_runs() -> None:
    """There is nothing to wait for."""

    @workflow
    async def fixed(text: str) -> list[str]:
        return ["always", "this"]

    async def scenario(app: App) -> tuple[str, list[str], object]:
        found = await everything([])
        return await same("x"), await fixed("y"), found[0]

    assert in_app(scenario) == ("x", ["always", "this"], [])


def test_steps_in_a_row_share_the_callers_task_and_branches_have_their_own() -> None:
    """So a step costs no task, and what runs side by side cannot get in each other's way."""

    @agent
    async def listed(first: str, second: str, third: str) -> list[str]:
        return [first, second, third]

    @workflow
    async def flow(text: str) -> list[str]:
        first = await where(text)
        second, third = await parallel(where(text), where(text))
        return await listed(first, second, third)

    async def scenario(app: App) -> tuple[int, list[str]]:
        found = await flow("x")
        return id(asyncio.current_task()), found

    mine, found = in_app(scenario)
    tasks = [line.split()[1] for line in found]

    assert tasks[0] == str(mine)
    assert len({*tasks, str(mine)}) == 3
    assert [line.split()[2] for line in found] == ["where", "parallel/where", "parallel/where~2"]


@pytest.mark.parametrize("delays", [(3, 1, 2), (1, 1, 1), (2, 1, 1)])
def test_of_several_failures_the_first_is_told(delays: tuple[int, int, int]) -> None:
    """Of those at one moment the one of the lowest branch, every time."""

    @agent
    async def fail(number: int) -> int:
        await asyncio.sleep(delays[number])
        raise Failure("no", error_class=ErrorClass.OVERLOAD, code=f"branch{number}")

    @workflow
    async def flow(numbers: list[int]) -> list[int]:
        return await each(fail, numbers)

    async def scenario(app: App) -> tuple[str, float]:
        with pytest.raises(Failure) as failure:
            await flow([0, 1, 2])
        return failure.value.code, now()

    first = min(range(3), key=lambda number: (delays[number], number))

    assert in_app(scenario) == (f"branch{first}", delays[first])


def test_a_workflow_made_as_it_runs_is_not_kept_for_ever() -> None:
    """A service that composes for every request does not grow with them."""
    kept: list[weakref.ref[Agent[[str], str]]] = []

    async def scenario(app: App) -> set[str]:
        async def make_one() -> str:
            variant = way.replace(go_left, go_left)
            kept.append(weakref.ref(variant))
            return await variant("a")

        found = {await make_one() for _ in range(1_100)}
        gc.collect()
        return found

    assert in_app(scenario) == {"left a"}
    assert sum(one() is not None for one in kept) <= 1_000


def test_a_run_that_is_closed_lets_go_of_what_it_holds() -> None:
    """At the end of a loop nothing can be awaited any more: slots come back, spans are told."""

    @agent(pool="ways")
    async def hold(text: str) -> str:
        await asyncio.sleep(60)
        return text

    @workflow
    async def flow(text: str) -> str:
        return await hold(text)

    async def scenario(app: App) -> tuple[str, list[str]]:
        await same("warm up: the first run of an agent reads its source")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await flow("x")
        running = flow("x").__await__()
        running.send(None)
        running.close()
        spans = [f"{span.path} {span.status}" for span in app.traces.spans()[-2:]]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await flow("x")
        return str(now()), spans

    assert in_app(scenario, pools={"ways": 1}) == ("2.0", ["hold cancelled", "flow cancelled"])
