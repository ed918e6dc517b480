"""Running a scenario over a store whose process crashes again and again.

The store is a real file, and the app, the engine, the journal and the ledger are the real ones. A
crash drops the app without closing it: its tasks get no further, its writer writes nothing more,
and what it had sent into the world may still act. The next life opens the file anew, later.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal, NoReturn

from pydantic_core import from_json

from fishplate.app import App, Run
from fishplate.core.errors import FishplateError, NeedsAttention
from fishplate.core.outcome import DeclaredError
from fishplate.journal.store import Durability
from fishplate.testing.simulation.history import History, SimulatedRun
from fishplate.testing.simulation.invariants import Invariant
from fishplate.testing.simulation.kept_invariants import KEPT_INVARIANTS
from fishplate.testing.simulation.rates import FaultRates
from fishplate.testing.simulation.simulate import (
    CALM_RUNS,
    GIVEN_UP_WITHIN,
    GRACE,
    SILENCE,
    Report,
    Scenario,
    observed,
    seeded,
)
from fishplate.testing.simulation.stored import StoredFacts, read_facts
from fishplate.testing.simulation.virtual_writer import VirtualWriter
from fishplate.testing.simulation.world import World
from fishplate.testing.virtual_time import VirtualClock, VirtualLoop

# Long enough for runs to get somewhere, and short enough for several crashes in one storm.
LIFE: Final = (0.3, 3.0)
# So many at most: a run that is open in a sixth life is given up by rule.
MOST_CRASHES: Final = 5
DOWN: Final = (0.01, 3.0)
COMMIT_SECONDS: Final = (0.001, 0.02)


class Crash(SystemExit):
    """The process is gone; a `SystemExit`, since that ends an event loop where it stands."""


def simulate_kept(
    scenario: Scenario,
    *,
    seed: int,
    runs: int = 500,
    rates: FaultRates | None = None,
    invariants: Sequence[Invariant] = KEPT_INVARIANTS,
) -> Report:
    """Run a scenario over a store while calls fail and its process crashes, then in peace.

    The storm is as that of `simulate`, but that a caller who gives up cancels the run, since one
    that only waits is gone with the process. Up to five crashes fall into it, at moments drawn from
    the seed: right before or after a commit, or anywhere between. Power does not fail: what was
    committed is in the file.

    Args:
        scenario: What runs; nothing in its resources may wait for real time.
        seed: Everything is drawn from it.
        runs: How many runs begin while things go wrong; at least 1. Sixty more follow in calm.
        rates: How often calls go wrong; by default drawn from the seed.
        invariants: What has to hold.

    Raises:
        ValueError: There is no run.
    """
    with tempfile.TemporaryDirectory(prefix="fishplate-") as folder:

        def run(history: History, drawn: FaultRates) -> float:
            return _KeptSimulation(scenario, history, seed, drawn, Path(folder)).run(runs)

        return observed(scenario, run, seed=seed, runs=runs, rates=rates, invariants=invariants)


class _KeptSimulation:
    """The lives of one store under one seed."""

    def __init__(
        self, scenario: Scenario, history: History, seed: int, rates: FaultRates, folder: Path
    ) -> None:
        self._scenario = scenario
        self._history = history
        self._rates = rates
        self._seed = seed
        self._store = folder / "runs.db"
        self._callers = seeded(seed, "callers")
        self._crashes = seeded(seed, "crashes")
        self._numbers: dict[str, int] = {}
        self._handles: dict[int, Run[Any]] = {}
        self._left = 0
        history.world.run_of = lambda frame: self._numbers[frame.run.run_id]
        history.run_of = lambda trace_id: self._traces[trace_id]
        self._traces: dict[int, int] = {}
        self._dies_at = 0.0
        self._side: Literal["before", "after", "between"] = "before"

    def run(self, runs: int) -> float:
        """Live until every run has ended; the time by then, in virtual seconds."""
        history, now = self._history, 0.0
        self._left = runs
        while True:
            loop = VirtualLoop(now)
            self._draw_death(now)
            try:
                loop.run_until_complete(self._live())
            except Crash:
                now = loop.time() + self._crashes.uniform(*DOWN)
                self._bury(loop)
                facts = read_facts(self._store)
                history.lives.append(facts)
                self._handles.clear()  # and with them the callers' wish to cancel
                self._hear_from(facts)
            else:
                now = loop.time()
                loop.close()
                facts = read_facts(self._store)
                history.lives.append(facts)
                self._hear_from(facts)
                return now

    def _draw_death(self, now: float) -> None:
        draw = self._crashes
        is_immortal = self._history.world.life >= MOST_CRASHES
        self._dies_at = float("inf") if is_immortal else now + draw.uniform(*LIFE)
        self._side = draw.choice(("before", "after", "between"))

    async def _live(self) -> None:
        """One life: take up what is open, go on with the storm, then calm and silence."""
        history, loop = self._history, asyncio.get_running_loop()
        loop.set_exception_handler(
            lambda _, context: history.stray.append(
                f"{context['message']}: {context.get('exception')!r}"
            )
        )
        if self._side == "between" and self._dies_at < float("inf"):
            loop.call_at(self._dies_at, self._crash)
        app = self._app()
        async with app:
            self._take_up(app)
            before = asyncio.all_tasks()
            longest_pause = 2 / self._scenario.runs_per_second
            while self._left:
                await asyncio.sleep(self._callers.uniform(0.0, longest_pause))
                self._left -= 1
                self._begin(app, is_calm=False)
            history.world.is_calm = True
            history.calm_since = loop.time()
            self._dies_at = float("inf")
            for _ in range(CALM_RUNS):
                await asyncio.sleep(1.0)
                self._begin(app, is_calm=True)
            await self._ended()
            await asyncio.sleep(SILENCE)
            left = asyncio.all_tasks() - before
            history.tasks_left = sorted(task.get_name() for task in left)

    def _app(self) -> App:
        history, scenario = self._history, self._scenario
        world, life = history.world, history.world.life
        # Of this life: what a crashed process still draws before it is gone is drawn in vain.
        self._commits = seeded(self._seed, f"commits {life}")
        app = history.app = App(
            scenario.agent,
            clock=VirtualClock(loop=asyncio.get_running_loop()),
            randomness=seeded(self._seed, f"app {life}"),
            traces=history,
            working_time=scenario.working_time,
            pools=scenario.pools,
            resources={World: lambda: world, **scenario.resources},
        )
        app.keep_in(f"sqlite:///{self._store}", open_writer=self._open_writer)
        return app

    def _open_writer(
        self, connection: sqlite3.Connection, path: Path, durability: Durability
    ) -> VirtualWriter:
        self._writer = VirtualWriter(
            connection,
            path,
            durability,
            seconds=lambda: self._commits.uniform(*COMMIT_SECONDS),
            around=self._around,
        )
        return self._writer

    def _around(self, side: Literal["before", "after"]) -> None:
        if side == self._side and self._writer.now() >= self._dies_at:
            self._crash()

    def _crash(self) -> NoReturn:
        self._writer.die()
        self._history.world.cut_off(self._writer.now())
        raise Crash

    def _bury(self, loop: VirtualLoop) -> None:
        """Let go of what a crashed process held, without a word of it to anybody."""
        world = self._history.world
        world.is_unreachable = True
        loop.set_exception_handler(lambda _loop, _context: None)
        while left := asyncio.all_tasks(loop):
            for task in left:
                task.cancel()
            loop.run_until_complete(_all_ended(left))
        loop.close()
        world.is_unreachable = False

    def _begin(self, app: App, *, is_calm: bool) -> None:
        """Begin one run; its caller may cancel it."""
        history, draw, now = self._history, self._callers, asyncio.get_running_loop().time()
        number = len(history.runs)
        arguments = self._scenario.arguments(number, draw)
        run = SimulatedRun(number=number, arguments=arguments, is_calm=is_calm, started=now)
        history.runs.append(run)
        choice, patience = draw.random(), draw.uniform(*GIVEN_UP_WITHIN)
        self._start(app, run)
        if not is_calm and choice > 1 - self._rates.cancels - self._rates.expires:
            asyncio.get_running_loop().call_later(patience, self._give_up, run)

    def _start(self, app: App, run: SimulatedRun) -> None:
        self._follow(run, app.start(self._scenario.agent, *run.arguments))

    def _take_up(self, app: App) -> None:
        """Follow what goes on, and start again what no store knows of, as its callers do."""
        for found in app.resumed:
            self._follow(self._history.runs[self._numbers[found.id]], found)
        lives = self._history.lives
        known = set(lives[-1].runs) if lives else set[str]()
        for run in self._history.runs:
            if run.state == "running" and run.run_id not in known:
                self._start(app, run)

    def _follow(self, run: SimulatedRun, found: Run[Any]) -> None:
        self._numbers[found.id] = run.number
        self._traces[int(found.trace_id, 16)] = run.number
        self._handles[run.number] = found
        run.run_id = found.id
        asyncio.get_running_loop().create_task(self._hear(run, found), name=f"caller {run.number}")

    async def _hear(self, run: SimulatedRun, found: Run[Any]) -> None:
        """Note how a run has ended, when its caller hears of it."""
        state = await found.ended()
        if state in {"succeeded", "degraded"}:
            run.output = await found.result()
        elif state != "cancelled":
            try:
                await found.result()
            except (FishplateError, DeclaredError, NeedsAttention) as error:
                run.error = error
        run.state = state
        self._history.note_end(run)

    def _give_up(self, run: SimulatedRun) -> None:
        if run.state == "running":
            run.given_up = asyncio.get_running_loop().time()
            self._handles[run.number].cancel()

    def _hear_from(self, facts: StoredFacts) -> None:
        """A run that has ended, and whose caller did not hear of it, has the end that is kept."""
        for run in self._history.runs:
            kept = facts.runs.get(run.run_id)
            if run.state != "running":
                continue
            run.given_up = None
            if kept is not None and kept.end is not None:
                run.state = kept.end
                if kept.output is not None:
                    shape = self._scenario.agent.signature.output
                    run.output = shape.decode(from_json(kept.output))
                self._history.note_end(run)

    async def _ended(self) -> None:
        """Wait until every run has ended, at most as long as the app lets one work."""
        loop, running = asyncio.get_running_loop(), self._history.runs
        ends = loop.time() + self._scenario.working_time + GRACE
        while loop.time() < ends:
            running = [run for run in running if run.state == "running"]
            if not running:
                return
            await asyncio.sleep(1.0)


async def _all_ended(tasks: set[asyncio.Task[Any]]) -> None:
    await asyncio.wait(tasks, timeout=GRACE)
