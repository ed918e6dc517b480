"""How tests run: async tests on a loop of their own, blocked loops found, examples repeatable."""

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Iterator

import pytest
from blockbuster import blockbuster_ctx
from hypothesis import HealthCheck, settings

settings.register_profile(
    "repeatable",
    derandomize=True,  # the same examples on every machine: a red build is red here too
    deadline=None,  # machines differ
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow],  # says that the machine is busy
)
settings.load_profile("repeatable")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run `async def test_*`, also below Hypothesis' `@given`, on an event loop of its own."""
    property_test = getattr(pyfuncitem.obj, "hypothesis", None)
    if property_test is not None and inspect.iscoroutinefunction(property_test.inner_test):
        property_test.inner_test = _as_sync(property_test.inner_test)
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    _as_sync(pyfuncitem.obj)(**{name: pyfuncitem.funcargs[name] for name in names})
    return True


def _as_sync(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    @functools.wraps(test)
    def run(*arguments: object, **keywords: object) -> None:
        asyncio.run(_run_alone(test(*arguments, **keywords)))

    return run


async def _run_alone(test: Awaitable[None]) -> None:
    """Await a test and fail it if it leaves a task behind, which nobody would see fail."""
    await test
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left, f"the test ended while tasks were still running: {left}"


@pytest.fixture(scope="session", autouse=True)
def _no_blocked_loop() -> Iterator[None]:
    """Fail a file read, a sleep or a query of ours that would stop the event loop."""
    with blockbuster_ctx(["fishplate", "examples"]):
        yield
