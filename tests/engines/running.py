"""Running agents in virtual time, and looking at what is left behind."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from fishplate import App
from fishplate.core.events import Span
from fishplate.testing import VirtualClock, run_in_virtual_time

T = TypeVar("T")

lost: list[str] = []
"""What reached the exception handler of a loop: failures that nobody asked for."""


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


def _keep(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    lost.append(f"{context.get('message')}: {context.get('exception')!r}")


def now() -> float:
    """The running loop's time."""
    return asyncio.get_running_loop().time()


def named(spans: list[Span], name: str) -> list[Span]:
    """The spans of one name, in the order in which they ended."""
    return [span for span in spans if span.name == name]
