"""An outage stays small, and ends soon after it is over.

A thousand calls, ten a second, to a target that is down for sixty of the hundred seconds, with the
default policies of what leaves the process.
"""

import asyncio
import random
from dataclasses import dataclass

import pytest

from fishplate.core.errors import ErrorClass, Failure
from fishplate.resilience.events import BreakerClosed
from fishplate.resilience.policy import Policy
from fishplate.testing.virtual_time import run_in_virtual_time
from tests.resilience.world import World, outcome

CALLS = 1_000
PAUSE = 0.1
SEEDS = range(5)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What came of the calls: (when each began, whether it succeeded), requests, last closing."""

    calls: list[tuple[float, bool]]
    requests: int
    closed_at: float | None

    def success(self, since: float = 0.0) -> float:
        """Share of the calls begun from then on that succeeded."""
        results = [is_ok for at, is_ok in self.calls if at >= since]
        return sum(results) / len(results)


def run(seed: int, *, down_from: float, down_until: float, failing: float) -> Seen:
    """Make the calls of one seed."""

    async def scenario() -> Seen:
        draw = random.Random(seed)
        world = World(draw.uniform)
        pipeline = world.pipeline(Policy(), kind="model")
        calls: list[tuple[float, bool]] = []
        requests = 0
        closed_at: float | None = None

        async def attempt() -> str:
            nonlocal requests
            requests += 1
            await asyncio.sleep(draw.uniform(0.05, 0.3))
            if down_from <= world.clock() < down_until or draw.random() < failing:
                raise Failure("down", error_class=ErrorClass.TRANSIENT)
            return "answer"

        async def call() -> None:
            at = world.clock()
            result = await outcome(pipeline.run(attempt, "step", deadline=at + 120))
            calls.append((at, result == "answer"))

        async with asyncio.TaskGroup() as group:
            for _ in range(CALLS):
                group.create_task(call())
                await asyncio.sleep(PAUSE)
                if closed_at is None and world.told(BreakerClosed):
                    closed_at = world.clock()
        return Seen(calls=calls, requests=requests, closed_at=closed_at)

    return run_in_virtual_time(scenario())


@pytest.mark.parametrize("seed", SEEDS)
def test_an_outage_is_not_amplified_and_ends_soon_after_recovery(seed: int) -> None:
    """At most 1.25 requests per call, and 99 % succeed again 35 seconds after the recovery."""
    seen = run(seed, down_from=3, down_until=63, failing=0)

    assert seen.requests / CALLS <= 1.25
    assert seen.closed_at is not None
    assert seen.closed_at <= 63 + 35
    assert seen.success(since=63 + 35) >= 0.99


@pytest.mark.parametrize("seed", SEEDS)
def test_random_failures_are_retried_away(seed: int) -> None:
    """One request in twenty fails, and 99.9 % of the calls succeed."""
    seen = run(seed, down_from=0, down_until=0, failing=0.05)

    assert seen.success() >= 0.999
    assert seen.requests / CALLS <= 1.1
