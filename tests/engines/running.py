"""Running agents in virtual time, and looking at what is left behind."""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, TypeVar

import pytest

from fishplate import Agent, App, DeclaredError, FishplateError
from fishplate.core.events import Span
from fishplate.testing import VirtualClock, run_in_virtual_time

T = TypeVar("T")

_lost: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def no_failure_is_lost() -> Iterator[None]:
    """Fail the module if a task of its tests failed and nobody heard of it."""
    yield
    gc.collect()
    found, _lost[:] = list(_lost), []
    assert found == []


def in_app(
    scenario: Callable[[App], Awaitable[T]],
    *,
    pools: Mapping[str, int] | None = None,
    working_time: float = 300.0,
    debug: bool = False,
) -> T:
    """Run a scenario in an app of its own, in virtual time; no task may be left when it ends."""

    async def main() -> T:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_keep)
        clock = VirtualClock()
        app = App(clock=clock, pools=pools, working_time=working_time, debug=debug)
        async with app:
            found = await scenario(app)
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, f"tasks are left: {left}"
        return found

    return run_in_virtual_time(main())


def failure_of(unit: Agent[..., Any], *arguments: object, debug: bool = False) -> Any:
    """The failure with which an agent ends in an app of its own."""

    async def scenario(_: App) -> Any:
        with pytest.raises((FishplateError, DeclaredError)) as failure:
            await unit(*arguments)
        return failure.value

    return in_app(scenario, debug=debug)


def _keep(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    _lost.append(f"{context.get('message')}: {context.get('exception')!r}")


def now() -> float:
    """The running loop's time."""
    return asyncio.get_running_loop().time()


def named(spans: list[Span], name: str) -> list[Span]:
    """The spans of one name, in the order in which they ended."""
    return [span for span in spans if span.name == name]
