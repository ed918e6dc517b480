"""The app: its life, and what it takes."""

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel

from fishplate import (
    App,
    Cache,
    DeclaredError,
    Policy,
    UsageError,
    agent,
    each,
    parallel,
)
from fishplate.testing import run_in_virtual_time
from fishplate.traces.recorder import TraceRecorder
from tests.engines.running import in_app


class Query(BaseModel):
    """A question."""

    text: str


class NotFound(DeclaredError):  # noqa: N818 -- an outcome
    """Nothing there."""

    text: str


@agent(version="1.2.0")
async def echo(query: Query) -> str:
    """Say it again."""
    return query.text


@agent(errors=[NotFound])
async def find(text: str) -> str:
    """Find nothing."""
    raise NotFound(text=text)


async def test_an_app_takes_calls_while_it_is_entered() -> None:
    """Not before, where its resources are not open, and not after."""
    app = App()
    codes: list[str] = []
    for _ in range(2):
        with pytest.raises(UsageError) as refusal:
            app.start(echo, Query(text="x"))
        codes.append(refusal.value.code)
        async with app:
            assert await app.start(echo, Query(text="x")).result() == "x"

    assert codes == ["app_not_entered"] * 2
    with pytest.raises(UsageError, match="async with app"):
        app.start_json(echo, {"text": "x"})


async def test_a_task_that_outlives_its_app_is_refused() -> None:
    """The app that it was started in is closed."""
    go_on = asyncio.Event()

    async def late() -> str:
        await go_on.wait()
        return await echo(Query(text="x"))

    async with App():
        task = asyncio.get_running_loop().create_task(late())
        await asyncio.sleep(0)
    go_on.set()

    with pytest.raises(UsageError) as refusal:
        await task
    assert refusal.value.code == "app_not_entered"


async def test_an_app_is_entered_once_at_a_time() -> None:
    """Two lives of one app would share its resources."""
    app = App()
    async with app:
        with pytest.raises(UsageError) as refusal:
            await app.__aenter__()

    assert refusal.value.code == "app_entered"


async def test_the_innermost_app_answers() -> None:
    """And the outer one again after it; outside of all there is an app in memory."""
    async with App() as outer:
        await echo(Query(text="1"))
        async with App() as inner:
            await echo(Query(text="2"))
        await echo(Query(text="3"))
    assert await echo(Query(text="4")) == "4"

    assert (len(outer.traces.spans()), len(inner.traces.spans())) == (2, 1)


async def test_an_exception_in_the_block_leaves_nothing_behind() -> None:
    """The next call outside is answered outside."""
    app = App()
    with pytest.raises(LookupError):
        async with app:
            raise LookupError
    await echo(Query(text="x"))

    assert app.traces.spans() == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"working_time": 0}, "working_time"),
        ({"working_time": float("nan")}, "working_time"),
        ({"threads": 0}, r"threads=0.* at least 1"),
        ({"threads": 2.5}, r"threads=2\.5.* whole number"),
        ({"pools": {"tools": 0}}, r"pools\['tools'\]=0.* at least 1"),
    ],
)
def test_impossible_settings_are_refused(options: dict[str, Any], message: str) -> None:
    """An app that could run nothing is none."""
    with pytest.raises(ValueError, match=message):
        App(**options)


async def test_what_is_configured_for_a_step_is_no_run() -> None:
    """A fallback or a caught error belongs to a workflow or a body."""
    async with App() as app:
        with pytest.raises(UsageError) as refusal:
            app.start(find.catching(NotFound), "x")

    assert refusal.value.code == "configured_agent"


async def test_a_composition_outside_of_bodies_is_refused() -> None:
    """`parallel` and `each` compose steps."""
    async with App():
        for composition in (parallel(find("a"), find("b")), each(find, ["a"])):
            with pytest.raises(UsageError) as refusal:
                await composition
            assert refusal.value.code == "not_a_call"


def test_calls_outside_of_apps_belong_to_their_loop() -> None:
    """Each event loop has its own app in memory, since pools and threads belong to one loop."""
    results = [asyncio.run(hold()) for _ in range(3)]

    assert results == [["x"] * 12] * 3


@agent(pool="carriers", policy=Policy(timeout=5))
async def short(text: str) -> str:
    """Hold a slot for a moment."""
    await asyncio.sleep(0.001)
    return text


async def hold() -> list[str]:
    """More calls than the pool has slots."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(call()) for _ in range(12)]
    return [task.result() for task in tasks]


async def call() -> str:
    """One call."""
    return await short("x")


def test_a_cached_answer_is_one_apps_own() -> None:
    """What an app remembers ends with it."""
    calls: list[str] = []

    @agent(policy=Policy(cache=Cache(ttl=60, scope="texts")))
    async def count(text: str) -> str:
        calls.append(text)
        return text

    async def scenario(app: App) -> None:
        await count("x")
        await count("x")

    in_app(scenario)
    in_app(scenario)

    assert calls == ["x", "x"]


def test_an_app_keeps_its_spans_where_it_is_told() -> None:
    """`App(traces=)` takes a recorder of another size."""
    traces = TraceRecorder(capacity=1)

    async def scenario() -> None:
        async with App(traces=traces):
            await short("x")
            await short("y")

    run_in_virtual_time(scenario())

    assert len(traces.spans()) == 1
