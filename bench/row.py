"""A row of the benchmark, and the shape that most rows have."""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from bench.budgets import Budget, Figure
from bench.measure import Pace, compare, cpu_micros
from fishplate import Agent, App

ROUNDS: Final = 60

Side: TypeAlias = Callable[[int], Awaitable[None]]


def _nothing() -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """What is measured under one name.

    Attributes:
        name: As `--rows` takes it.
        measure: Takes the figures, on an event loop of its own.
        lacks: Says what it cannot be compared with here, and how that is changed.
    """

    name: str
    measure: Callable[[Pace], Coroutine[object, object, tuple[Figure, ...]]]
    lacks: Callable[[], tuple[str, ...]] = _nothing


def step_row(  # noqa: PLR0913 -- what tells one row from another
    name: str,
    agent: Agent[..., Any],
    *,
    limit: Side,
    ours: Side,
    runs: int,
    operations: int,
    unit: str,
    budget: Budget | None = None,
) -> Row:
    """A row about CPU microseconds, in an app with all its defaults: policies on, spans recorded.

    Args:
        name: Name of the row.
        agent: What the app is for.
        limit: Does the work of so many runs without fishplate.
        ours: Does it with fishplate.
        runs: Runs in a sample; enough for some milliseconds.
        operations: What is counted, in one run: its steps, items or calls.
        unit: Of the figure, e.g. `µs/step`.
        budget: What one operation may cost.
    """

    async def measure(pace: Pace) -> tuple[Figure, ...]:
        size = pace.size(runs)
        async with App(agent):
            comparison = await compare(
                cpu_micros(lambda: limit(size), operations=size * operations),
                cpu_micros(lambda: ours(size), operations=size * operations),
                name=name,
                rounds=pace.rounds(ROUNDS),
                tell=pace.tell,
            )
        return (Figure(row=name, unit=unit, comparison=comparison, budget=budget),)

    return Row(name=name, measure=measure)
