"""The row `journal`: runs of four steps that are kept, so many at a time."""

import asyncio
import hashlib
import itertools
import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal, TypeAlias

from bench.bare_journal import BareJournal, BareRun, Value
from bench.budgets import Budget, Figure
from bench.chain import STEPS, passing
from bench.measure import Pace, Sample, compare
from bench.orders import DOCUMENT, ORDER, Order, pass_on
from bench.row import Row
from fishplate import App

ROUNDS: Final = 10
IN_FLIGHT: Final = {1: 100, 16: 800, 64: 2_000, 256: 4_000}
"""Runs at a time, and how many runs a sample then has."""

NAMES: Final = ("receive", "check", "pack", "ship")
JUDGED: Final = frozenset({("full", 1), ("full", 64)})

Durability: TypeAlias = Literal["full", "normal"]
OneRun: TypeAlias = Callable[[], Awaitable[object]]


def bare_run(journal: BareJournal) -> OneRun:
    """A run by hand: the steps of `chain`, each output as JSON, and the rows."""
    plan, about = hashlib.sha256(b"plan").hexdigest(), hashlib.sha256(b"about").hexdigest()
    numbers = itertools.count()

    async def run() -> None:
        # Ordered by time as every good id, and of the length of a run's id.
        run_id, trace_id = f"{next(numbers):026}", f"{random.getrandbits(128):032x}"
        data = _json(DOCUMENT)
        facts = ("passing", "0.1.0", about, plan, data, b"{}", trace_id, _now_ms(), "running", 1)
        document, steps = DOCUMENT, list[tuple[Value, ...]]()
        for number in range(STEPS):
            Order.model_validate(document)
            document = await pass_on(document)
            data = _json(document)
            steps.append((run_id, number, NAMES[number], "value", data, 0, _now_ms()))
        end = (run_id, "succeeded", _now_ms(), data)
        await journal.keep(BareRun((run_id, *facts), steps, end))

    return run


def _json(document: dict[str, object]) -> bytes:
    return Order.model_validate(document).model_dump_json().encode()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def wall_micros(run: OneRun, *, at_a_time: int, count: int) -> Sample:
    """Samples of the microseconds that one run takes of the clock on the wall.

    Args:
        run: Does one.
        at_a_time: How many do them, each one after the other.
        count: How many are done.
    """

    async def worker(numbers: "itertools.count[int]") -> None:
        while next(numbers) < count:
            await run()

    async def take() -> float:
        numbers = itertools.count()
        started = time.perf_counter()
        await asyncio.gather(*[worker(numbers) for _ in range(at_a_time)])
        return (time.perf_counter() - started) * 1e6 / count

    return take


async def measure(pace: Pace) -> tuple[Figure, ...]:
    """Both durabilities, each with few and many runs at a time."""
    durabilities: tuple[Durability, ...] = ("full", "normal")
    return tuple(
        [await _figure(pace, level, number) for level in durabilities for number in IN_FLIGHT]
    )


async def _figure(pace: Pace, durability: Durability, at_a_time: int) -> Figure:
    count = max(pace.size(IN_FLIGHT[at_a_time]), at_a_time)
    name = f"journal {durability} {at_a_time}"
    # Here, and not where temporary files are: that is often memory, which no disk is waited for.
    with TemporaryDirectory(prefix="fishplate-bench-", dir=Path.cwd()) as folder:
        bare = BareJournal(Path(folder) / "bare.db", durability.upper())
        store = f"sqlite:///{folder}/runs.db"
        async with App(passing, store=store, durability=durability):
            comparison = await compare(
                wall_micros(bare_run(bare), at_a_time=at_a_time, count=count),
                wall_micros(lambda: passing(ORDER), at_a_time=at_a_time, count=count),
                name=name,
                rounds=pace.rounds(ROUNDS),
                tell=pace.tell,
            )
        bare.close()
    # Half as many runs a second as the bare journal: twice its time.
    budget = Budget(times=2.0) if (durability, at_a_time) in JUDGED else None
    return Figure(row=name, unit="µs/run", comparison=comparison, budget=budget)


JOURNAL: Final = Row(name="journal", measure=measure)
