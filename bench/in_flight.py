"""The row `in-flight`: ten thousand runs at a time, each of four steps that wait."""

import asyncio
import tracemalloc
from typing import Final

from bench.budgets import Budget, Figure
from bench.measure import Pace, Work, compare, cpu_micros, peak_kilobytes
from bench.orders import DOCUMENT, ORDER, Order
from bench.row import Row
from fishplate import App, agent, workflow

RUNS: Final = 10_000
STEPS: Final = 4
PAUSE: Final = 0.05
CPU_ROUNDS: Final = 3
# Memory is counted, not sampled: one round is enough, and a run takes the same among fewer runs.
MEMORY_ROUNDS: Final = 1
MEMORY_RUNS: Final = 2_000


@agent
async def wait(order: Order) -> Order:
    """Wait as for an answer from elsewhere."""
    await asyncio.sleep(PAUSE)
    return order


@agent
async def hand_on(order: Order) -> Order:
    """Do nothing."""
    return order


@workflow
async def waiting(order: Order) -> Order:
    """Four agents that wait."""
    first = await wait.named("first")(order)
    second = await wait.named("second")(first)
    third = await wait.named("third")(second)
    return await wait.named("fourth")(third)


async def wait_barely(document: dict[str, object]) -> None:
    """The same by hand: validate what comes in, wait, validate what comes out."""
    for _ in range(STEPS):
        Order.model_validate(document)
        await asyncio.sleep(PAUSE)
        Order.model_validate(document)


def bare_runs(count: int) -> Work:
    """So many runs at a time, by hand."""

    async def work() -> None:
        await asyncio.gather(*[wait_barely(DOCUMENT) for _ in range(count)])

    return work


def runs_of(app: App, count: int) -> Work:
    """So many runs at a time, in an app."""

    async def work() -> None:
        runs = [app.start(waiting, ORDER) for _ in range(count)]
        for run in runs:
            await run.result()

    return work


async def fill_traces(app: App) -> None:
    """Fill the app's buffer of spans, as it is in every process that has been up for a while."""
    held = -1
    while (now_held := len(app.traces.spans())) > held:
        held = now_held
        for _ in range(RUNS):
            await hand_on(ORDER)


async def measure(pace: Pace) -> tuple[Figure, ...]:
    """CPU and memory of one run among many."""
    return (await _cpu(pace), await _memory(pace))


async def _cpu(pace: Pace) -> Figure:
    count = pace.size(RUNS)
    async with App(waiting, hand_on) as app:
        await fill_traces(app)
        comparison = await compare(
            cpu_micros(bare_runs(count), operations=count),
            cpu_micros(runs_of(app, count), operations=count),
            name="in-flight",
            rounds=pace.rounds(CPU_ROUNDS),
            tell=pace.tell,
        )
    return Figure(
        row="in-flight",
        unit="µs/run",
        comparison=comparison,
        budget=Budget(most=100, limit_there=55),
    )


async def _memory(pace: Pace) -> Figure:
    count = pace.size(MEMORY_RUNS)
    tracemalloc.start()
    try:
        async with App(waiting, hand_on) as app:
            await fill_traces(app)
            comparison = await compare(
                peak_kilobytes(bare_runs(count), operations=count),
                peak_kilobytes(runs_of(app, count), operations=count),
                name="in-flight memory",
                rounds=MEMORY_ROUNDS,
                tell=pace.tell,
            )
    finally:
        tracemalloc.stop()
    return Figure(row="in-flight", unit="kB/run", comparison=comparison, budget=Budget(most=5))


IN_FLIGHT: Final = Row(name="in-flight", measure=measure)
