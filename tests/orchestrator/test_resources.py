"""Resources: opened in order, closed in reverse, whatever happens between."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Self

import pytest

from fishplate import (
    App,
    UsageError,
    agent,
    current,
    parallel,
    workflow,
)
from fishplate.testing import run_in_virtual_time
from tests.engines.running import in_app


class Database:
    """A resource of one kind."""

    def __init__(self, name: str) -> None:
        self.name = name


class Cabinet:
    """A resource of another kind."""

    def __init__(self, name: str) -> None:
        self.name = name


class Session:
    """A resource that is its own context manager."""

    def __init__(self) -> None:
        self.is_open = False

    async def __aenter__(self) -> Self:
        self.is_open = True
        return self

    async def __aexit__(self, *ended: object) -> None:
        self.is_open = False


@agent
async def ask(text: str) -> str:
    """Ask both resources."""
    return f"{current().resource(Database).name} {current().resource(Cabinet).name}"


async def make_database() -> Database:
    """Make one, async."""
    await asyncio.sleep(0)
    return Database("async")


@contextlib.asynccontextmanager
async def open_database() -> AsyncGenerator[Database]:
    """Open one around the app's life, async."""
    yield Database("async manager")


@contextlib.contextmanager
def open_plain_database() -> Generator[Database]:
    """Open one around the app's life."""
    yield Database("manager")


@pytest.mark.parametrize(
    ("factory", "name"),
    [
        (lambda: Database("plain"), "plain"),
        (make_database, "async"),
        (open_database, "async manager"),
        (open_plain_database, "manager"),
    ],
)
async def test_a_resource_is_opened_however_it_is_given(
    factory: Callable[[], object], name: str
) -> None:
    """A function or a context manager, async or not."""
    async with App(resources={Database: factory, Cabinet: lambda: Cabinet("c")}):
        assert await ask("x") == f"{name} c"


async def test_a_resource_that_is_its_own_manager_is_open_in_bodies() -> None:
    """And closed after the app."""
    session = Session()
    app = App(resources={Session: lambda: session})
    async with app:
        assert await is_open("x")

    assert not session.is_open


@agent
async def is_open(text: str) -> bool:
    """Whether the session is open."""
    return current().resource(Session).is_open


async def test_a_resource_that_is_not_declared_is_named() -> None:
    """The error says what there is, and how to declare it."""
    async with App(resources={Database: lambda: Database("d")}):
        with pytest.raises(UsageError) as refusal:
            await ask("x")

    assert refusal.value.code == "no_resource"
    assert "'Cabinet', and the app has: Database" in str(refusal.value)


def managed(log: list[str], name: str, *, fails: bool = False) -> Callable[[], object]:
    """A factory that writes down what happens to it."""

    @contextlib.asynccontextmanager
    async def manage() -> AsyncGenerator[str]:
        if fails:
            raise LookupError(name)
        log.append(f"open {name}")
        try:
            yield name
        except ValueError:
            log.append(f"{name} hears of the error")
            raise
        finally:
            log.append(f"close {name}")

    return manage


async def test_resources_are_opened_in_order_and_closed_in_reverse() -> None:
    """And they hear how the app ended."""
    log: list[str] = []
    app = App(resources={Database: managed(log, "a"), Cabinet: managed(log, "b")})
    async with app:
        assert log == ["open a", "open b"]
    with pytest.raises(ValueError, match="oops"):
        async with app:
            raise ValueError("oops")

    assert log[2:] == [
        "close b",
        "close a",
        "open a",
        "open b",
        "b hears of the error",
        "close b",
        "a hears of the error",
        "close a",
    ]


async def test_a_resource_that_fails_closes_those_before_it() -> None:
    """The failure is typed, names the resource, and the app is not entered."""
    log: list[str] = []
    factories = {
        Database: managed(log, "a"),
        Cabinet: managed(log, "b", fails=True),
        Session: managed(log, "c"),
    }
    app = App(resources=factories)

    with pytest.raises(UsageError, match="'Cabinet' could not be opened: LookupError") as failure:
        await app.__aenter__()

    assert failure.value.code == "resource_failed"
    assert isinstance(failure.value.__cause__, LookupError)
    assert log == ["open a", "close a"]
    with pytest.raises(UsageError, match="not entered"):
        app.start(ask, "x")


@agent
async def linger(seconds: float) -> float:
    """Take some time to be cancelled."""
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        await asyncio.sleep(seconds)
    return seconds


def test_resources_are_closed_when_leaving_is_cancelled() -> None:
    """Whoever cannot wait for the runs to end does not leave anything open."""
    log: list[str] = []

    async def scenario(outer: App) -> list[str]:
        async def live() -> None:
            async with App(resources={Database: managed(log, "a")}) as app:
                app.start(linger, 0.8)
                await asyncio.sleep(1)

        task = asyncio.get_running_loop().create_task(live())
        await asyncio.sleep(1.5)
        before = list(log)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        after = list(log)
        await asyncio.sleep(1)
        return [*before, "cancelled", *after]

    assert in_app(scenario) == ["open a", "cancelled", "open a", "close a"]


async def test_an_app_in_memory_opens_no_resources() -> None:
    """They would never be closed."""
    app = App(resources={Database: make_database})

    with pytest.raises(UsageError) as refusal:
        app.open_in_memory(allows_effects=True)

    assert refusal.value.code == "has_resources"


@agent
async def echo_text(text: str) -> str:
    """Say it again, later."""
    await asyncio.sleep(1)
    return text


@agent
async def leave(text: str) -> str:
    """End the program."""
    raise SystemExit(text)


@workflow
async def leave_beside(text: str) -> tuple[str, str]:
    """End the program from one of two branches."""
    return await parallel(echo_text(text), leave(text))


def test_a_step_that_ends_the_program_ends_it() -> None:
    """Nobody takes it for a failure; what was opened is closed."""
    log: list[str] = []

    async def scenario() -> None:
        async with App(resources={Database: managed(log, "a")}):
            await leave_beside("bye")

    with pytest.raises(SystemExit, match="bye"):
        run_in_virtual_time(scenario())

    assert log == ["open a", "close a"]
