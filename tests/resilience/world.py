"""A world in virtual time, with targets to call and attempts that follow a script."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import TypeVar

from fishplate.core.errors import ErrorClass, Failure
from fishplate.resilience.classify import NO_MAP, ErrorMap
from fishplate.resilience.events import ResilienceEvent
from fishplate.resilience.pipeline import Pipeline
from fishplate.resilience.policy import Policy
from fishplate.resilience.resolve import Kind, resolve
from fishplate.resilience.target import Environment
from fishplate.resilience.targets import Targets
from fishplate.testing.virtual_time import run_in_virtual_time

E = TypeVar("E", bound=ResilienceEvent)


def highest(_low: float, high: float) -> float:
    """Randomness that always draws the highest number, so that delays are known."""
    return high


class World:
    """Targets on the running loop's clock, and what they told.

    Args:
        uniform: Randomness; by default the highest number each time.
    """

    def __init__(self, uniform: Callable[[float, float], float] = highest) -> None:
        self.events: list[ResilienceEvent] = []
        self.clock = asyncio.get_running_loop().time
        self.environment = Environment(
            clock=self.clock, uniform=uniform, sleep=asyncio.sleep, emit=self.events.append
        )
        self.targets = Targets(self.environment)

    def pipeline(
        self,
        policy: Policy,
        *,
        kind: Kind = "agent",
        effect: str | None = None,
        key: str = "target",
        owner: str = "agent 'caller'",
        errors: ErrorMap = NO_MAP,
    ) -> Pipeline:
        """The pipeline of a policy, as a tool that names its target has it."""
        resolved = resolve(policy, kind, effect, named_target=True)
        return self.targets.pipeline(key, resolved, owner=owner, errors=errors)

    def told(self, kind: type[E]) -> list[E]:
        """The events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]


class Script:
    """An attempt that does one thing after the other, and the last one for ever.

    Args:
        steps: An exception is raised, a float is slept in seconds, anything else is returned.

    Attributes:
        started: When each attempt began, on the loop's clock.
    """

    def __init__(self, steps: Iterable[object]) -> None:
        self._steps = list(steps)
        self.started: list[float] = []

    async def __call__(self) -> object:
        """Make one attempt."""
        self.started.append(asyncio.get_running_loop().time())
        step = self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]
        if isinstance(step, Exception):
            raise step
        if isinstance(step, float):
            await asyncio.sleep(step)
            return "late"
        return step


def overloaded(retry_after: float | None = None) -> Failure:
    """The target answered that it has too much to do."""
    return Failure("busy", error_class=ErrorClass.OVERLOAD, code="busy", retry_after=retry_after)


def failing(error_class: ErrorClass, retry_after: float | None = None) -> Failure:
    """A failure of a class."""
    return Failure("no", error_class=error_class, code="no", retry_after=retry_after)


async def outcome(call: Awaitable[object]) -> object:
    """What a call gives: its result, or the exception that it raises."""
    try:
        return await call
    except Exception as error:  # noqa: BLE001 -- the exception is the outcome
        return error


def virtually(scenario: Callable[[], Coroutine[object, object, None]]) -> Callable[[], None]:
    """Run an async test in virtual time."""

    def run() -> None:
        run_in_virtual_time(scenario())

    run.__name__, run.__doc__ = scenario.__name__, scenario.__doc__
    return run


def failure_of(found: object) -> Failure:
    """A `Failure`, which it has to be."""
    assert isinstance(found, Failure), found
    return found


async def cancelled(call: Coroutine[object, object, object], after: float) -> None:
    """Begin a call and cancel it after a while; it has to end as cancelled."""
    task = asyncio.get_running_loop().create_task(call)
    await asyncio.sleep(after)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
