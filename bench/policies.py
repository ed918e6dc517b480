"""The row `policies`: what each policy adds to a call, beside what other libraries add.

A call succeeds at once, or waits once: for the next turn of the loop, or for a timer.
"""

import asyncio
import functools
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import stamina
import tenacity

from bench.budgets import Budget, Figure
from bench.measure import Pace, Sample, Work, compare_all, cpu_micros
from bench.row import Row
from fishplate import App, Breaker, Bulkhead, Policy, RateLimit, Retry
from fishplate.resilience.resolve import resolve

ROUNDS: Final = 40
CALLS: Final = 2000
TOGETHER: Final = 200
PAUSE: Final = 0.001
SECONDS: Final = 5.0
# Room for all calls that wait for a timer at a time: what a full bulkhead costs is the wait.
BULKHEAD: Final = Bulkhead(TOGETHER)
RATE_LIMIT: Final = RateLimit(requests_per_minute=1e12)

EVERY_POLICY: Final = Policy(
    timeout=3 * SECONDS,
    attempt_timeout=SECONDS,
    retry=Retry(attempts=3),
    breaker=Breaker(),
    bulkhead=BULKHEAD,
    rate_limit=RATE_LIMIT,
)
POLICIES: Final[Mapping[str, Policy]] = {
    "timeout": Policy(attempt_timeout=SECONDS),
    "retry": Policy(retry=Retry(attempts=3)),
    "breaker": Policy(breaker=Breaker()),
    "bulkhead": Policy(bulkhead=BULKHEAD),
    "rate limit": Policy(rate_limit=RATE_LIMIT),
    "every policy": EVERY_POLICY,
}

Call: TypeAlias = Callable[[], Coroutine[object, object, object]]


async def answer() -> None:
    """A call that succeeds at once."""


async def yield_once() -> None:
    """A call that waits for the next turn of the loop."""
    await asyncio.sleep(0)


async def wait_for_timer() -> None:
    """A call that waits for a timer, as for an answer from elsewhere."""
    await asyncio.sleep(PAUSE)


def in_turn(call: Call, count: int) -> Work:
    """So many calls, one after the other."""

    async def work() -> None:
        for _ in range(count):
            await call()

    return work


def together(call: Call, count: int) -> Work:
    """So many calls at a time: one after the other they would measure the machine's timers."""

    async def work() -> None:
        await asyncio.gather(*[call() for _ in range(count)])

    return work


@dataclass(frozen=True, kw_only=True, slots=True)
class Course:
    """How the calls go.

    Attributes:
        name: As the report says it.
        attempt: What is called.
        work: Makes so many calls.
        count: How many in a sample.
        budget: Of the call with every policy.
    """

    name: str
    attempt: Call
    work: Callable[[Call, int], Work]
    count: int
    budget: Budget | None = None


COURSES: Final = (
    # 0.09 is what the bare await costs where the limit of `chain` costs its 2.3.
    Course(
        name="at once",
        attempt=answer,
        work=in_turn,
        count=CALLS,
        budget=Budget(added=1.5, limit_there=0.09),
    ),
    Course(name="waits a turn", attempt=yield_once, work=in_turn, count=CALLS // 4),
    Course(name="waits for a timer", attempt=wait_for_timer, work=together, count=TOGETHER),
)


def protected(app: App, attempt: Call, course: str) -> dict[str, Call]:
    """The call under each policy, as an app runs the attempts of a step."""
    found: dict[str, Call] = {}
    for name, policy in POLICIES.items():
        resolved = resolve(policy, "agent")
        pipeline = app.targets.pipeline(f"{course}/{name}", resolved, owner="bench")
        # Without a timeout there is no deadline either, so that every policy stands alone.
        deadline = None if policy.attempt_timeout is None else 1e12
        found[name] = functools.partial(pipeline.run, attempt, name, deadline)
    return found


def by_others(attempt: Call) -> dict[str, Call]:
    """The call under what a program without fishplate would use."""

    async def limited() -> None:
        async with asyncio.timeout(SECONDS):
            await attempt()

    retried = tenacity.retry(
        stop=tenacity.stop_after_attempt(3),
        wait=tenacity.wait_exponential_jitter(),
        retry=tenacity.retry_if_exception_type(OSError),
    )
    return {
        "asyncio.timeout": limited,
        "tenacity": retried(attempt),
        "stamina": stamina.retry(on=OSError, attempts=3)(attempt),
    }


async def measure_course(app: App, course: Course, pace: Pace) -> list[Figure]:
    """All sides of one course, in turns."""
    count = pace.size(course.count)

    def sample(call: Call) -> Sample:
        return cpu_micros(course.work(call, count), operations=count)

    calls = by_others(course.attempt) | protected(app, course.attempt, course.name)
    comparisons = await compare_all(
        sample(course.attempt),
        {name: sample(call) for name, call in calls.items()},
        name=f"policies, {course.name}",
        rounds=pace.rounds(ROUNDS),
        tell=pace.tell,
    )
    return [
        Figure(
            row=f"{course.name}: {name}",
            unit="µs/call",
            comparison=comparison,
            budget=course.budget if name == "every policy" else None,
        )
        for name, comparison in comparisons.items()
    ]


async def measure(pace: Pace) -> tuple[Figure, ...]:
    """What every policy adds on every course."""
    figures: list[Figure] = []
    async with App() as app:
        for course in COURSES:
            figures += await measure_course(app, course, pace)
    return tuple(figures)


POLICIES_ROW: Final = Row(name="policies", measure=measure)
