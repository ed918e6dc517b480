"""Measuring in turns: the limit, then fishplate, so that both meet the same machine."""

import gc
import statistics
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Mapping, Sequence
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
        added: Ours - limit, taken in the same way, in the figure's unit.
    """

    limit: Spread
    ours: Spread
    ratio: float
    added: float

    @staticmethod
    def of(limits: Sequence[float], costs: Sequence[float]) -> "Comparison":
        """The comparison of at least one round, each with a cost of both sides."""
        rounds = list(zip(limits, costs, strict=True))
        return Comparison(
            limit=Spread.of(limits),
            ours=Spread.of(costs),
            ratio=statistics.median(cost / least for least, cost in rounds),
            added=statistics.median(cost - least for least, cost in rounds),
        )


async def compare(limit: Sample, ours: Sample, *, name: str, rounds: int, tell: Tell) -> Comparison:
    """Take samples of both sides in turns; see `compare_all`."""
    return (await compare_all(limit, {name: ours}, name=name, rounds=rounds, tell=tell))[name]


async def compare_all(
    limit: Sample, sides: Mapping[str, Sample], *, name: str, rounds: int, tell: Tell
) -> dict[str, Comparison]:
    """Compare several sides with one limit, in turns; the first sample of each is dropped.

    Args:
        limit: Takes one sample of the limit, in the figure's unit.
        sides: Each takes one of its own, in the same unit.
        name: What progress is reported under.
        rounds: At least 1.
        tell: Hears of progress.
    """
    turns = [(limit, list[float]()), *((side, list[float]()) for side in sides.values())]
    (_, limits), *others = turns
    for take, _ in turns:
        await take()
    for done in range(rounds):
        tell(f"{name} {done + 1}/{rounds}")
        for take, costs in turns:
            costs.append(await take())
        turns.reverse()  # what only the first or the last in a round meets, all meet
    return {
        side: Comparison.of(limits, costs) for side, (_, costs) in zip(sides, others, strict=True)
    }


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
