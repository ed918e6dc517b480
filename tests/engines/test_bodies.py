"""The calls of an agent's body: how they are named, in which order, what they leave."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from fishplate import (
    Agent,
    App,
    Degraded,
    Failure,
    UsageError,
    agent,
    current,
    each,
    graded,
    parallel,
    tool,
    workflow,
)
from tests.engines.cast import Item, Missing, echo, find, guess, path_of
from tests.engines.running import failure_of, in_app


@workflow
async def twice(text: str) -> str:
    """Two steps."""
    first = await path_of(text)
    return await path_of(first)


def run(unit: Agent[..., Any], *arguments: object) -> Any:
    """Run an agent in an app of its own."""

    async def scenario(app: App) -> object:
        return await unit(*arguments)

    return in_app(scenario)


def test_calls_are_numbered_as_they_begin() -> None:
    """The n-th call stands under the body's step and n, whatever it calls."""

    @agent(agents=[path_of, echo, twice])
    async def body(text: str) -> list[str]:
        found = [await path_of(text)]
        await echo(text)
        found.append(await path_of(text))
        found.append(await twice(text))
        return found

    assert run(body, "x") == ["body/0.path_of", "body/2.path_of", "body/3.twice/path_of~2"]


def test_side_by_side_calls_stand_below_one_number() -> None:
    """Every branch of parallel and each has a path of its own; answers come in order."""

    @agent(agents=[path_of])
    async def body(items: list[Item]) -> list[str]:
        first, second = await parallel(path_of("a"), path_of("b"))
        by_position = await each(lambda item: path_of(item.name), items)
        by_name = await each(lambda item: path_of(item.name), items, key="name", concurrency=1)
        nested = await parallel(each(path_of, ["c"]), path_of("d"))
        return [first, second, *by_position, *by_name, *nested[0], nested[1]]

    assert run(body, [Item(name="p/q.r"), Item(name="s")]) == [
        "body/0.0.path_of",
        "body/0.1.path_of",
        "body/1.0.path_of",
        "body/1.1.path_of",
        "body/2.p%2Fq%2Er.path_of",
        "body/2.s.path_of",
        "body/3.0.0.path_of",
        "body/3.1.path_of",
    ]


def test_each_in_a_body_keeps_the_rules_of_a_plan() -> None:
    """Two elements of one key, too many, or a bound of nothing are refused before any begins."""

    @agent(agents=[path_of])
    async def repeated(items: list[Item]) -> list[str]:
        return await each(lambda item: path_of(item.name), items, key="name")

    @agent(agents=[echo])
    async def wide(text: str) -> list[str]:
        return await each(echo, [text] * 10_001)

    @agent(agents=[echo])
    async def unbound(text: str) -> list[str]:
        return await each(echo, [text], concurrency=0)

    assert failure_of(repeated, [Item(name="a"), Item(name="a")]).code == "repeated_key"
    assert failure_of(wide, "x").code == "too_wide"
    assert failure_of(unbound, "x").code == "bad_concurrency"


def test_a_bound_holds_in_a_body() -> None:
    """At most `concurrency` branches run at a time."""
    running, most = 0, 0

    @agent
    async def count(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(1)
        running -= 1
        return number

    @agent(agents=[count])
    async def body(numbers: list[int]) -> list[int]:
        return await each(count, numbers, concurrency=3)

    assert run(body, list(range(10))) == list(range(10))
    assert most == 3


async def _gather(text: str) -> list[str]:
    return list(await asyncio.gather(echo(text), echo(text)))


async def _in_a_task(text: str) -> list[str]:
    async def call() -> str:
        return await echo(text)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(call())
    return [task.result()]


async def _beside_another(text: str) -> list[str]:
    first = parallel(echo(text), echo(text)).__await__()
    first.send(None)
    try:
        return [await echo(text)]
    finally:
        first.close()
        await asyncio.sleep(0)  # what it had begun ends


@pytest.mark.parametrize("behaviour", [_gather, _in_a_task, _beside_another])
def test_calls_beside_each_other_are_refused(
    behaviour: Callable[[str], Awaitable[list[str]]],
) -> None:
    """Their order would depend on timing; the message says what to write."""
    body = agent(behaviour, name="body", agents=[echo])

    failure = failure_of(body, "x")

    assert failure.code == "concurrent_child_call"
    assert "write parallel(...) or each(...)" in str(failure)


def test_a_call_after_the_body_has_ended_is_refused() -> None:
    """A task that outlives its body has nobody to call for."""
    tasks: list[asyncio.Task[str]] = []

    @agent(agents=[echo])
    async def body(text: str) -> str:
        async def late() -> str:
            await asyncio.sleep(5)
            return await echo(text)

        tasks.append(asyncio.get_running_loop().create_task(late()))
        return text

    async def scenario(app: App) -> str:
        await body("x")
        with pytest.raises(UsageError) as refusal:
            await tasks[0]
        return refusal.value.code

    assert in_app(scenario) == "call_ended"


def test_calls_one_after_the_other_need_no_order_of_code() -> None:
    """Time limits, async generators and helpers of the body run in its task, and may call."""

    @agent(agents=[echo])
    async def body(text: str) -> list[str]:
        async def letters() -> AsyncIterator[str]:
            for letter in text:
                yield await echo(letter)

        found = [letter async for letter in letters()]
        async with asyncio.timeout(5):
            found.append(await echo("!"))
        return found

    assert run(body, "ab") == ["a", "b", "!"]


def test_calls_in_a_body_keep_their_configuration() -> None:
    """Fallbacks answer, caught errors are values, graded values tell why they are degraded."""

    @agent(agents=[find, guess])
    async def body(name: str) -> list[str]:
        item = await find.or_else(guess)(name)
        missing = await find.catching(Missing)("")
        found: Degraded[Item] = await graded(find.or_else(guess)(name))
        return [item.name, type(missing).__name__, found.reasons[0].reason]

    async def scenario(app: App) -> tuple[list[str], str, list[str]]:
        run_of_it = app.start(body, "down")
        found = await run_of_it.result()
        return found, run_of_it.state, [reason.step for reason in run_of_it.degraded]

    found, state, steps = in_app(scenario)

    assert found == ["guess of down", "Missing", "down"]
    assert (state, steps) == ("degraded", ["body/0.find", "body/2.find"])


def test_an_agent_that_was_exchanged_is_exchanged_in_bodies_too() -> None:
    """The body calls the stand-in under the old name, with whatever it configures."""

    @tool(effect="readonly")
    async def look(name: str) -> str:
        return "real"

    @tool(effect="readonly")
    async def pretend(name: str) -> str:
        return "pretended"

    @agent(tools=[look])
    async def body(name: str) -> list[str]:
        return [await look(name), *await parallel(look(name), look(name))]

    @workflow
    async def flow(name: str) -> list[str]:
        return await body(name)

    assert run(flow, "x") == ["real"] * 3
    assert run(flow.replace(look, pretend), "x") == ["pretended"] * 3


def test_a_body_is_itself_again_after_a_call_that_failed() -> None:
    """`current()` is the body's own between its calls, however they end."""

    @agent(agents=[find, echo])
    async def body(name: str) -> list[str]:
        paths: list[str] = []
        for text in ("", "down"):
            try:
                await find(text)
            except (Missing, Failure):
                paths.append(current().path)
        try:
            await parallel(find(""), echo("x"))
        except Missing:
            paths.append(current().path)
        return paths

    assert run(body, "x") == ["body"] * 3


def test_a_degraded_child_degrades_the_body() -> None:
    """By its own word, by a fallback, in a fork; and so does the body's own word."""

    @agent
    async def stale(name: str) -> str:
        current().degrade("old", source="cache", age=5)
        return name

    @agent(agents=[stale, echo])
    async def body(name: str) -> str:
        await parallel(stale(name), echo(name))
        current().degrade("slow", source="here")
        return name

    async def scenario(app: App) -> list[tuple[str, str, float | None]]:
        started = app.start(body, "x")
        await started.result()
        return [(reason.reason, reason.step, reason.age) for reason in started.degraded]

    assert in_app(scenario) == [("old", "body/0.0.stale", 5), ("slow", "body", None)]
