"""The fused fast path counts exactly what the parts would count one by one."""

import asyncio
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from fishplate.core.errors import ErrorClass
from fishplate.resilience.breaker import CircuitBreaker, Outcome
from fishplate.resilience.budget import RetryBudget
from fishplate.resilience.events import ResilienceEvent
from fishplate.resilience.policy import Breaker, Bulkhead, Policy, RateLimit, Retry
from fishplate.testing.virtual_time import run_in_virtual_time
from tests.resilience.world import Script, World, failing, outcome

BREAKER = Breaker(calls=4, consecutive=3, jitter=0)
OUTCOMES = {
    "ok": Outcome.SUCCESS,
    "overload": Outcome.FAILURE,
    "permanent": Outcome.IGNORED,
    "refusal": Outcome.IGNORED,
    "transient": Outcome.FAILURE,
}
CLASSES = {error_class.word: error_class for error_class in ErrorClass}


@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(OUTCOMES)), st.sampled_from([0.0, 0.4, 2.0, 16.0])),
        max_size=60,
    )
)
def test_breaker_and_budget_see_every_call_once(calls: list[tuple[str, float]]) -> None:
    """Whatever calls end how, the states equal those of parts that are asked one by one."""

    async def scenario() -> None:
        world = World()
        told: list[ResilienceEvent] = []
        policy = Policy(
            breaker=BREAKER,
            bulkhead=Bulkhead(1),
            rate_limit=RateLimit(requests_per_minute=10_000),
            retry=Retry(attempts=1, max_wait=0),
        )
        pipeline = world.pipeline(policy)
        target = pipeline.target
        budget = RetryBudget(world.clock())
        breaker = CircuitBreaker(
            BREAKER,
            target="target",
            uniform=world.environment.uniform,
            emit=told.append,
            now=world.clock(),
        )
        for name, pause in calls:
            result = "ok" if name == "ok" else failing(CLASSES[name])
            await outcome(pipeline.run(Script([result]), "step"))

            permit = breaker.acquire(world.clock(), lease=60)
            if permit is not None:
                budget.first_attempt(world.clock())
                permit.settle(OUTCOMES[name], world.clock())
            assert target.breaker is not None
            assert target.breaker.to_json(world.clock()) == breaker.to_json(world.clock())
            assert target.budget.credit(world.clock()) == budget.credit(world.clock())
            assert target.slots is not None
            assert target.slots.in_flight == 0
            await asyncio.sleep(pause)
        assert [e for e in world.events if e.name.startswith("breaker")] == told

    run_in_virtual_time(scenario())


@settings(max_examples=40)
@given(st.integers(0, 2**32))
def test_nothing_leaks_whatever_happens_to_many_calls(seed: int) -> None:
    """Successes, failures, hangs, cancellations and rejections side by side leave no trace."""

    async def scenario() -> None:
        draw = random.Random(seed)
        world = World(draw.uniform)
        policy = Policy(
            attempt_timeout=2,
            breaker=BREAKER,
            bulkhead=Bulkhead(3, queued=4),
            rate_limit=RateLimit(requests_per_minute=600),
            retry=Retry(),
        )
        pipeline = world.pipeline(policy)
        target = pipeline.target
        assert target.slots is not None
        assert target.breaker is not None

        async def attempt() -> str:
            await asyncio.sleep(draw.choice([0, 0, 0.1, 1, 5]))
            if draw.random() < 0.3:
                raise failing(draw.choice([ErrorClass.OVERLOAD, ErrorClass.REFUSAL]))
            return "answer"

        async def call(after: float, patience: float) -> None:
            await asyncio.sleep(after)
            running = group.create_task(
                outcome(pipeline.run(attempt, "step", deadline=world.clock() + 6))
            )
            await asyncio.sleep(patience)
            if draw.random() < 0.3:
                running.cancel()

        async with asyncio.TaskGroup() as group:
            for _ in range(60):
                group.create_task(call(draw.uniform(0, 30), draw.uniform(0, 3)))

        assert (target.slots.in_flight, target.slots.queued) == (0, 0)
        await asyncio.sleep(100)
        healthy = Script(["answer"])
        assert [await pipeline.run(healthy, "step") for _ in range(5)] == ["answer"] * 5
        assert target.breaker.to_json(world.clock())["state"] == "closed"

    run_in_virtual_time(scenario())
