"""The row `waiting`: ten thousand runs that wait, and ten thousand that their process left."""

import asyncio
import gc
import sqlite3
import time
import tracemalloc
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from bench.budgets import Budget, Figure
from bench.measure import Pace, compare, peak_kilobytes
from bench.orders import ORDER, Order, check, pack, receive, ship
from bench.row import Row
from fishplate import App, Rejected, agent, approval, current, route, tool, workflow
from fishplate.core.run_context import Principal

RUNS: Final = 10_000
AT_A_TIME: Final = 500
DECISIONS: Final = 100
ROUNDS: Final = 3
LEAD: Final = Principal(name="lead", roles=frozenset({"lead"}))


class Gate:
    """Holds runs where they are, until it is opened."""

    def __init__(self, *, is_open: bool) -> None:
        self.opened = asyncio.Event()
        if is_open:
            self.opened.set()


@tool(effect="idempotent", scopes=["orders:write"])
async def refund(order: Order) -> Order:
    """Refund an order."""
    return order


@agent
async def keep(rejected: Rejected) -> Order:
    """Refund nothing."""
    assert rejected.reason
    return ORDER


@workflow(tools=[refund])
async def refunding(order: Order) -> Order:
    """Look at an order, and refund it when somebody has approved that."""
    found = await receive(order)
    refunded = await approval(refund(found), roles=["lead"], within=86_400)
    return await route(ship, keep, on=refunded)


@agent
async def pass_gate(order: Order) -> Order:
    """Wait for the gate."""
    await current().resource(Gate).opened.wait()
    return order


@workflow
async def gated(order: Order) -> Order:
    """Four steps, of which the third one waits for the gate."""
    received = await receive(order)
    checked = await check(received)
    passed = await pass_gate(checked)
    return await pack(passed)


@asynccontextmanager
async def opened(path: Path, *, gate_is_open: bool = True) -> AsyncGenerator[App]:
    """An app over the store."""
    gates = {Gate: lambda: Gate(is_open=gate_is_open)}
    async with App(refunding, gated, store=f"sqlite:///{path}", resources=gates) as app:
        yield app


async def fill_with_waiting(path: Path, count: int) -> None:
    """Start so many runs, and leave them where they wait for a decision."""
    async with opened(path) as app:
        for start in range(0, count, AT_A_TIME):
            runs = [app.start(refunding, ORDER) for _ in range(min(AT_A_TIME, count - start))]
            for run in runs:
                assert await run.ended_or_waiting() == "waiting"


async def fill_with_open(path: Path, count: int) -> None:
    """Start so many runs, and end their process's life where two of four steps are kept."""
    async with opened(path, gate_is_open=False) as app:
        for start in range(0, count, AT_A_TIME):
            for _ in range(min(AT_A_TIME, count - start)):
                app.start(gated, ORDER)
            await asyncio.sleep(0.05)  # they are written, and stand at the gate


async def measure(pace: Pace) -> tuple[Figure, ...]:
    """Opening, deciding and their memory; then taking up."""
    count = pace.size(RUNS)
    with TemporaryDirectory(prefix="fishplate-bench-", dir=Path.cwd()) as folder:
        waiting, left = Path(folder) / "waiting.db", Path(folder) / "left.db"
        pace.tell("waiting: preparing")
        await fill_with_waiting(waiting, count)
        figures = (
            await _opening(pace, waiting),
            await _memory(pace, waiting, count),
            await _deciding(pace, waiting),
        )
        await fill_with_open(left, count)
        return (*figures, await _resuming(pace, left, count))


def _read_runs(path: Path) -> int:
    with closing(sqlite3.connect(path)) as store:
        return len(store.execute("SELECT * FROM run").fetchall())


async def _opening(pace: Pace, path: Path) -> Figure:
    async def read() -> float:
        return await _seconds(lambda: asyncio.to_thread(_read_runs, path))

    async def opening() -> float:
        started = time.perf_counter()
        async with opened(path):
            return time.perf_counter() - started

    comparison = await compare(
        read, opening, name="waiting open", rounds=pace.rounds(ROUNDS), tell=pace.tell
    )
    return Figure(row="waiting open", unit="s", comparison=comparison, budget=Budget(most=2))


async def _memory(pace: Pace, path: Path, count: int) -> Figure:
    async def tasks() -> None:
        never = asyncio.Event()
        held = [asyncio.create_task(never.wait()) for _ in range(count)]
        await asyncio.sleep(0)
        never.set()
        await asyncio.gather(*held)

    async def store() -> None:
        async with opened(path):
            await asyncio.sleep(0)

    tracemalloc.start()
    try:
        comparison = await compare(
            peak_kilobytes(tasks, operations=count),
            peak_kilobytes(store, operations=count),
            name="waiting memory",
            rounds=1,
            tell=pace.tell,
        )
    finally:
        tracemalloc.stop()
    return Figure(row="waiting memory", unit="kB/run", comparison=comparison, budget=Budget(most=2))


async def _deciding(pace: Pace, path: Path) -> Figure:
    """One decision among all that wait, beside one row that is written and synced by hand."""
    decisions = pace.size(DECISIONS)
    async with opened(path) as app:
        waits = iter(await app.waits())
        with closing(sqlite3.connect(path.with_name("bare.db"), isolation_level=None)) as bare:
            bare.execute("PRAGMA journal_mode = WAL")
            bare.execute("PRAGMA synchronous = FULL")
            bare.execute("CREATE TABLE decision (run TEXT)")

            async def write() -> float:
                started = time.perf_counter()
                for number in range(decisions):
                    bare.execute("INSERT INTO decision VALUES (?)", (number,))
                return (time.perf_counter() - started) * 1e3 / decisions

            async def decide() -> float:
                taken = 0.0
                for _ in range(decisions):
                    wait = next(waits)
                    run = await app.run(wait.run)
                    started = time.perf_counter()
                    await app.approve(wait.run, wait.key, principal=LEAD)
                    taken += time.perf_counter() - started
                    await run.result()
                return taken * 1e3 / decisions

            comparison = await compare(
                write, decide, name="waiting approve", rounds=pace.rounds(ROUNDS), tell=pace.tell
            )
    return Figure(row="waiting approve", unit="ms", comparison=comparison, budget=Budget(most=10))


async def _resuming(pace: Pace, path: Path, count: int) -> Figure:
    """All runs that a process left open go on to their end, beside the same runs begun anew."""

    async def anew() -> float:
        async with App(gated, resources={Gate: lambda: Gate(is_open=True)}) as app:
            return await _seconds(lambda: _end_all(app, count))

    async def resumed() -> float:
        again = path.with_name("again.db")
        with closing(sqlite3.connect(path)) as store, closing(sqlite3.connect(again)) as copy:
            store.backup(copy)
        gc.collect()
        started = time.perf_counter()
        async with opened(again) as app:
            assert len(app.resumed) == count
            for run in app.resumed:
                await run.result()
            taken = time.perf_counter() - started
        for kept in again.parent.glob("again.db*"):
            kept.unlink()
        return taken

    comparison = await compare(
        anew, resumed, name="resume", rounds=pace.rounds(ROUNDS), tell=pace.tell
    )
    return Figure(row="resume", unit="s", comparison=comparison, budget=Budget(most=5))


async def _end_all(app: App, count: int) -> None:
    for run in [app.start(gated, ORDER) for _ in range(count)]:
        await run.result()


async def _seconds(work: Callable[[], Awaitable[object]]) -> float:
    started = time.perf_counter()
    await work()
    return time.perf_counter() - started


WAITING: Final = Row(name="waiting", measure=measure)
