"""Measuring in turns: the limit, then fishplate, so that both meet the same machine."""

import gc
import statistics
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Work: TypeAlias = Callable[[], Awaitable[object]]
Sample: TypeAlias = Callable[[], Awaitable[float]]
Tell: TypeAlias = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How much is measured.

    Attributes:
        is_quick: A few small rounds, which show that a row works and not what it costs.
        tell: Hears of progress: one short line at a time.
    """

    is_quick: bool
    tell: Tell

    def rounds(self, wanted: int) -> int:
        """Rounds to measure where `wanted` give a steady median."""
        return 3 if self.is_quick else wanted

    def size(self, wanted: int) -> int:
        """Operations in a sample where `wanted` are enough for the clock's resolution."""
        return max(wanted // 20, 1) if self.is_quick else wanted


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """What one side cost over the rounds, in the figure's unit."""

    median: float
    best: float

    @staticmethod
    def of(costs: Sequence[float]) -> "Spread":
        """The spread of at least one cost."""
        return Spread(median=statistics.median(costs), best=min(costs))


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Both sides of a figure.

    Attributes:
        limit: What the same work costs without a framework.
        ours: What it costs in fishplate.
        ratio: Ours / limit within each round, then the median over the rounds: a moment in which
            the machine was slow has slowed both.
    """

    limit: Spread
    ours: Spread
    ratio: float


async def compare(limit: Sample, ours: Sample, *, name: str, rounds: int, tell: Tell) -> Comparison:
    """Take samples of both sides in turns; the first of each is dropped.

    Args:
        limit: Takes one sample of the limit, in the figure's unit.
        ours: Takes one of fishplate, in the same unit.
        name: What progress is reported under.
        rounds: At least 1.
        tell: Hears of progress.
    """
    await limit()
    await ours()
    limits: list[float] = []
    costs: list[float] = []
    sides = [(limit, limits), (ours, costs)]
    for done in range(rounds):
        tell(f"{name} {done + 1}/{rounds}")
        for take, into in sides:
            into.append(await take())
        sides.reverse()  # what only the first or the second in a round meets, both meet
    ratios = [cost / least for cost, least in zip(costs, limits, strict=True)]
    return Comparison(
        limit=Spread.of(limits), ours=Spread.of(costs), ratio=statistics.median(ratios)
    )


def cpu_micros(work: Work, *, operations: int) -> Sample:
    """Samples of the CPU microseconds that one operation takes, garbage collection included.

    Args:
        work: Does all of them.
        operations: How many.
    """

    async def take() -> float:
        gc.collect()  # what others left behind is not ours to pay for
        started = time.process_time()
        await work()
        return (time.process_time() - started) * 1e6 / operations

    return take


def peak_kilobytes(work: Work, *, operations: int) -> Sample:
    """Samples of the most memory held at a time, in 1,000 bytes for each of `operations`.

    `tracemalloc` has to be running: it counts what Python allocates, on every platform.
    """

    async def take() -> float:
        gc.collect()
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        await work()
        _, peak = tracemalloc.get_traced_memory()
        return (peak - before) / operations / 1000

    return take
