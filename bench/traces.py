"""The row `traces`: what it costs to keep traces, to send them, and to read a million spans."""

import contextlib
import random
import subprocess
import sys
import time
import types
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, TypeAlias

from bench.budgets import Budget, Figure
from bench.chain import STEPS, building, pass_barely, passing
from bench.journal import wall_micros
from bench.measure import Comparison, Pace, Sample, Work, compare, cpu_micros
from bench.orders import ORDER, Order
from bench.row import Row
from fishplate import Agent, App
from fishplate.core.clock import SystemClock
from fishplate.core.errors import JsonValue
from fishplate.core.events import HeadTuple, SpanTuple
from fishplate.core.run_context import Principal, RunContext, Surroundings
from fishplate.orchestrator.releases import Releases
from fishplate.traces.export import OtlpExport
from fishplate.traces.feed import BATCH
from fishplate.traces.items import Began, Item, bare
from fishplate.traces.queries import RunFilter, list_traces, whole_trace
from fishplate.traces.rollups import spending, totals
from fishplate.traces.store import StoreWriter, TraceStore, open_trace_reader

OrderFlow: TypeAlias = Agent[..., Order]

ROUNDS: Final = 20
RUNS: Final = 400
SPANS: Final = STEPS + 1
MILLION: Final = 1_000_000
DAY_MS: Final = 86_400_000
SPENT: Final[dict[str, JsonValue]] = {
    "model": "openai:gpt-4o-mini",
    "requests": 1,
    "input_tokens": 321,
    "output_tokens": 12,
    "cost_nanos": 47_850,
    "cost_currency": "USD",
}
"""What a request to a model says of itself."""
JOURNALED: Final = {1: (2_000, 1 / 0.9), 64: (4_000, 1 / 0.6)}
"""Runs at a time: how many a sample has, and how much longer they may take with traces.

A sample ends when all of its traces are kept, and lasts for many batches of the store. The smaller
the share that is looked for, the more rounds it takes to see it.
"""

SINK: Final = """
import http.server
class Sink(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Sink)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


async def measure(pace: Pace) -> tuple[Figure, ...]:
    """Keeping, sending, and reading."""
    with TemporaryDirectory(prefix="fishplate-bench-", dir=Path.cwd()) as folder:
        return (
            *await _kept(pace, folder),
            await _sent(pace),
            *[await _journaled(pace, folder, number) for number in JOURNALED],
            *_read(pace, folder),
        )


async def _kept(pace: Pace, folder: str) -> tuple[Figure, ...]:
    """CPU that keeping a span adds, and the time that it takes until it is kept."""
    runs = pace.size(RUNS)
    figures: list[Figure] = []
    for name, workflow in (("passing", passing), ("building", building)):
        async with (
            App(workflow) as bare,
            App(workflow, traces=f"sqlite:///{folder}/{name}.db") as traced,
        ):
            work = _runs_in(traced, workflow, runs)
            comparison = await compare(
                cpu_micros(_runs_in(bare, workflow, runs), operations=runs * SPANS),
                cpu_micros(work, operations=runs * SPANS),
                name=f"traces {name}",
                rounds=pace.rounds(ROUNDS),
                tell=pace.tell,
            )
            budget = Budget(added=12.0, limit_there=3.3)
            figures.append(
                Figure(row=f"kept {name}", unit="µs/span", comparison=comparison, budget=budget)
            )
            if name == "building":
                wall = await compare(
                    _wall(_runs_in(bare, workflow, runs), runs * SPANS),
                    _wall(work, runs * SPANS),
                    name="traces wall",
                    rounds=pace.rounds(ROUNDS),
                    tell=pace.tell,
                )
                # 20,000 spans a second, with the workflow that they come from.
                most = Budget(most=50.0, limit_there=5.0)
                figures.append(
                    Figure(row="kept wall", unit="µs/span", comparison=wall, budget=most)
                )
    return tuple(figures)


async def _sent(pace: Pace) -> Figure:
    """CPU of a step of the chain whose spans are sent by OTLP."""
    runs = pace.size(RUNS)
    with _sink() as endpoint:
        async with App(passing, export=OtlpExport(endpoint=endpoint)) as app:
            comparison = await compare(
                cpu_micros(lambda: pass_barely(runs), operations=runs * STEPS),
                cpu_micros(_runs_in(app, passing, runs), operations=runs * STEPS),
                name="traces sent",
                rounds=pace.rounds(ROUNDS),
                tell=pace.tell,
            )
    budget = Budget(most=10.0, limit_there=2.3)
    return Figure(row="sent", unit="µs/step", comparison=comparison, budget=budget)


async def _journaled(pace: Pace, folder: str, at_a_time: int) -> Figure:
    """How much longer kept runs take if their traces are kept too."""
    wanted, times = JOURNALED[at_a_time]
    count = max(pace.size(wanted), at_a_time)
    store = f"sqlite:///{folder}/{{}}-{at_a_time}.db"
    async with (
        App(passing, store=store.format("bare")) as bare,
        App(passing, store=store.format("runs"), traces=store.format("traces")) as traced,
    ):
        comparison = await compare(
            _in_app(bare, at_a_time, count),
            _in_app(traced, at_a_time, count),
            name=f"traces journal {at_a_time}",
            rounds=pace.rounds(ROUNDS if at_a_time == 1 else ROUNDS // 2),
            tell=pace.tell,
        )
        tally = (await traced.flush_traces())["store"]
        assert not tally.dropped, "a figure with spans left out means nothing"
    row = f"kept, journal full {at_a_time}"
    return Figure(row=row, unit="µs/run", comparison=comparison, budget=Budget(times=times))


def _read(pace: Pace, folder: str) -> tuple[Figure, ...]:
    """Reading a store of a million spans: one trace by its id, and the sums of a day."""
    url = f"sqlite:///{folder}/million.db"
    now_ms = _fill(url, pace.size(MILLION // SPANS), pace)
    connection = open_trace_reader(url)
    ids = [run.id for run in list_traces(connection, RunFilter(limit=1_000))]
    rounds = pace.rounds(ROUNDS)
    by_id = _compared(
        lambda: connection.execute("SELECT * FROM run WHERE id = ?", (ids[0],)).fetchone(),
        lambda: whole_trace(connection, random.choice(ids)),
        rounds,
    )
    day = _compared(
        lambda: connection.execute("SELECT count(*) FROM rollup_hour").fetchone(),
        lambda: totals(connection, now_ms - DAY_MS, now_ms),
        rounds,
    )
    costs = _compared(
        lambda: connection.execute("SELECT count(*) FROM rollup_hour").fetchone(),
        lambda: spending(connection, now_ms - DAY_MS, now_ms, by="agent"),
        rounds,
    )
    connection.close()
    return (
        Figure(row="read one trace", unit="ms", comparison=by_id, budget=Budget(most=5.0)),
        Figure(row="read sums of a day", unit="ms", comparison=day, budget=Budget(most=100.0)),
        Figure(row="read costs of a day", unit="ms", comparison=costs, budget=Budget(most=100.0)),
    )


def _fill(url: str, runs: int, pace: Pace) -> int:
    """Write so many runs of five spans each, one with a price, over two days.

    Returns:
        When the last one began, in milliseconds since 1970.
    """
    clock = SystemClock()
    around = Surroundings(
        clock=clock, sink=lambda _: None, resources={}, working_time=300, heads=Releases({})
    )
    writer = StoreWriter(TraceStore(url=url))
    draw = random.Random(1)
    now_ms = int(clock.now().timestamp() * 1000)
    begin_ms = now_ms - 2 * DAY_MS
    items: list[Item] = []
    for number in range(runs):
        context = RunContext(around, Principal(), draw.getrandbits(128))
        began_ns = (begin_ms + 2 * DAY_MS * number // runs) * 1_000_000
        items.append(Began(context, "support", began_ns - context.started_ns))
        items += map(bare, _five_spans(context, draw))
        if len(items) > BATCH or number == runs - 1:
            writer.take(items, 0)
            items = []
            pace.tell(f"traces million {number}/{runs}")
    writer.close()
    return now_ms


def _five_spans(context: RunContext, draw: random.Random) -> Iterator[SpanTuple]:
    trace_id, at, root = context.trace_id, context.started_ns, draw.getrandbits(64)
    release = f"1.{draw.randrange(2)}.0+fp.0123456789ab"
    for name in ("intent", "lookup", "refund", "compose"):
        end = at + int(draw.lognormvariate(14, 1))
        head: HeadTuple = ("agent", name, release)
        facts: dict[str, JsonValue] | None = None
        if name == "compose":
            head, facts = ("model", f"{name}-model", release), SPENT
        yield trace_id, draw.getrandbits(64), root, head, name, at, end, "ok", facts
        at = end
    head = ("workflow", "support", release)
    yield trace_id, root, None, head, "support", context.started_ns, at, "ok", None


def _compared(limit: Callable[[], object], ours: Callable[[], object], rounds: int) -> Comparison:
    def milliseconds(work: Callable[[], object]) -> float:
        started = time.perf_counter()
        work()
        return (time.perf_counter() - started) * 1e3

    limits = [milliseconds(limit) for _ in range(rounds)]
    return Comparison.of(limits, [milliseconds(ours) for _ in range(rounds)])


def _runs_in(app: App, workflow: OrderFlow, runs: int) -> Work:
    """Do so many runs in one of several open apps, and wait until their traces are kept."""

    async def work() -> None:
        for _ in range(runs):
            await _issued(app, workflow)
        await app.flush_traces()

    return work


@types.coroutine
def _issued(app: App, workflow: OrderFlow) -> Generator[object, object, Order]:
    """Await a call in an app that is open beside others, without a task of its own."""
    return (yield from app.issue(workflow(ORDER)))


def _in_app(app: App, at_a_time: int, count: int) -> Sample:
    """What a run takes of the clock on the wall, until its traces are kept if there are any."""

    async def run() -> None:
        await _issued(app, passing)

    runs = wall_micros(run, at_a_time=at_a_time, count=count)

    async def work() -> None:
        await runs()
        await app.flush_traces()

    return _wall(work, count)


def _wall(work: Work, operations: int) -> Sample:
    async def take() -> float:
        started = time.perf_counter()
        await work()
        return (time.perf_counter() - started) * 1e6 / operations

    return take


@contextlib.contextmanager
def _sink() -> Generator[str]:
    """A collector in a process of its own, that reads and forgets."""
    with subprocess.Popen([sys.executable, "-c", SINK], stdout=subprocess.PIPE, text=True) as sink:
        assert sink.stdout is not None, "it has a pipe"
        try:
            yield f"http://127.0.0.1:{sink.stdout.readline().strip()}/v1/traces"
        finally:
            sink.kill()


TRACES: Final = Row(name="traces", measure=measure)
