"""Running a scenario in virtual time: a storm of runs and faults, then a calm, then the accounts.

The app, the engine and the policies are the real ones. Clock, randomness, ids and the world outside
are handed in, and all of them follow from the seed.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any, Final

from fishplate.agents.agent import Agent
from fishplate.app import App
from fishplate.core.data import dataclass
from fishplate.core.errors import FishplateError
from fishplate.core.outcome import DeclaredError
from fishplate.testing.simulation.breakers import BREAKERS
from fishplate.testing.simulation.history import History, SimulatedRun
from fishplate.testing.simulation.invariants import Invariant
from fishplate.testing.simulation.liveness import LIVENESS
from fishplate.testing.simulation.rates import FaultRates
from fishplate.testing.simulation.safety import SAFETY
from fishplate.testing.simulation.world import RUN, World
from fishplate.testing.virtual_time import VirtualClock, run_in_virtual_time

INVARIANTS: Final[tuple[Invariant, ...]] = (*SAFETY, *BREAKERS, *LIVENESS)

# After the storm one run a second, long enough for the longest opening and two probes after it.
CALM_RUNS: Final = 60
# Then nothing at all, for longer than any window, lease or rate limit remembers.
SILENCE: Final = 90.0
# A run may clean up after its time is over.
GRACE: Final = 10.0
GIVEN_UP_WITHIN: Final = (0.001, 3.0)
MOST_TOLD: Final = 20
"""Violations of one invariant that are told; one bug breaks it in a thousand runs."""


def anything(_arguments: tuple[object, ...], _output: object) -> bool:
    """Take any output that keeps the contract for right."""
    return True


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """What is simulated.

    Attributes:
        agent: What runs: a workflow, or any other agent. The tools that it reaches ask for the
            world by `current().resource(World)`, and await `World.call` and nothing else.
        arguments: Gives the arguments of a run by its number; draws from the randomness alone.
        expected: Whether an output is right for its arguments; asked for every run that succeeds.
        working_time: Seconds that a run may work; above 0.
        runs_per_second: How many runs begin in a second of the storm; above 0.
        pools: Slots by pool name.
        resources: What else bodies ask for, as for `App`; nothing in it may wait for real time.
    """

    agent: Agent[..., Any]
    arguments: Callable[[int, random.Random], tuple[object, ...]]
    expected: Callable[[tuple[object, ...], object], bool] = anything
    working_time: float = 30.0
    runs_per_second: float = 30.0
    pools: Mapping[str, int] = field(default_factory=dict[str, int])
    resources: Mapping[type, Callable[[], object]] = field(
        default_factory=dict[type, Callable[[], object]]
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class BrokenInvariant:
    """One way in which an invariant was broken.

    Attributes:
        name: Of the invariant.
        what: What happened, to which run or target.
    """

    name: str
    what: str

    def __str__(self) -> str:
        return f"{self.name}: {self.what}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What came of a simulation.

    Attributes:
        seed: What everything was drawn from.
        runs: How many runs began while things went wrong.
        rates: How often they went wrong.
        hash: SHA-256 of everything that was observed, in order, in hexadecimal; equal for equal
            seeds, numbers of runs and code.
        violations: How invariants were broken; of each at most 20 ways.
        states: How many runs ended in which state.
        calls: How many calls reached the world.
        faults: How many of them something was done to, by kind.
        decisions: How often the policies told what, e.g. `retry.scheduled`.
        given_up: How many runs their caller cancelled or stopped waiting for.
        crashes: How often the process crashed; 0 without a store.
        seconds: How long it took, in virtual time.
    """

    seed: int
    runs: int
    rates: FaultRates
    hash: str
    violations: tuple[BrokenInvariant, ...]
    states: Mapping[str, int]
    calls: int
    faults: Mapping[str, int]
    decisions: Mapping[str, int]
    given_up: int
    crashes: int
    seconds: float

    @property
    def fault_rate(self) -> float:
        """Share of the calls that something was done to, 0 to 1."""
        return sum(self.faults.values()) / max(self.calls, 1)


def simulate(
    scenario: Scenario,
    *,
    seed: int,
    runs: int = 500,
    rates: FaultRates | None = None,
    invariants: Sequence[Invariant] = INVARIANTS,
) -> Report:
    """Run a scenario while things go wrong, then while they do not, and check what has to hold.

    Args:
        scenario: What runs.
        seed: Everything is drawn from it.
        runs: How many runs begin while things go wrong; at least 1. Sixty more follow in calm.
        rates: How often things go wrong; by default drawn from the seed.
        invariants: What has to hold.

    Raises:
        ValueError: There is no run.
    """

    def run(history: History, drawn: FaultRates) -> float:
        simulation = _Simulation(scenario, history, seed, drawn)

        async def whole() -> float:
            await simulation.run(runs)
            return asyncio.get_running_loop().time()

        return run_in_virtual_time(whole())

    return observed(scenario, run, seed=seed, runs=runs, rates=rates, invariants=invariants)


def observed(  # noqa: PLR0913 -- those of a simulation, keyword-only
    scenario: Scenario,
    run: Callable[[History, FaultRates], float],
    *,
    seed: int,
    runs: int,
    rates: FaultRates | None,
    invariants: Sequence[Invariant],
) -> Report:
    """Watch a simulation while it runs, and report what came of it.

    Args:
        scenario: What runs.
        run: Runs it to its end; how many virtual seconds that took.
        seed: See `simulate`.
        runs: See `simulate`.
        rates: See `simulate`.
        invariants: See `simulate`.

    Raises:
        ValueError: There is no run.
    """
    if runs < 1:
        msg = f"simulate(runs={runs!r}): at least 1"
        raise ValueError(msg)
    if rates is None:
        rates = FaultRates.drawn(seeded(seed, "rates"))
    world = World(seeded(seed, "world"), rates)
    history = History(scenario.agent, world, scenario.expected)
    violations: list[BrokenInvariant] = []
    told: Counter[str] = Counter()

    def broken_of(name: str) -> Callable[[str], None]:
        def broken(what: str) -> None:
            told[name] += 1
            if told[name] <= MOST_TOLD:
                violations.append(BrokenInvariant(name=name, what=what))

        return broken

    at_end = [found.watch(history, broken_of(found.name)) for found in invariants]
    seconds = history.ended = run(history, rates)
    for check in at_end:
        check()
    return Report(
        seed=seed,
        runs=runs,
        rates=rates,
        hash=history.digest(),
        violations=tuple(violations),
        states=dict(sorted(Counter(one.state for one in history.runs).items())),
        calls=len(world.calls),
        faults=dict(
            sorted(Counter(call.fault for call in world.calls if call.fault != "none").items())
        ),
        decisions=dict(sorted(history.decisions.items())),
        given_up=sum(one.given_up is not None for one in history.runs),
        crashes=world.life,
        seconds=seconds,
    )


class _Simulation:
    """The runs of one scenario under one seed."""

    def __init__(self, scenario: Scenario, history: History, seed: int, rates: FaultRates) -> None:
        self._scenario = scenario
        self._history = history
        self._rates = rates
        self._random = seeded(seed, "callers")
        world = history.world
        self._app = history.app = App(
            scenario.agent,
            clock=VirtualClock(),
            randomness=seeded(seed, "app"),
            traces=history,
            working_time=scenario.working_time,
            pools=scenario.pools,
            resources={World: lambda: world, **scenario.resources},
        )

    async def run(self, runs: int) -> None:
        """Everything from the first run to the silence after the last."""
        history, loop = self._history, asyncio.get_running_loop()
        loop.set_exception_handler(
            lambda _, context: history.stray.append(
                f"{context['message']}: {context.get('exception')!r}"
            )
        )
        async with self._app:
            before = asyncio.all_tasks()
            longest_pause = 2 / self._scenario.runs_per_second
            for _ in range(runs):
                await asyncio.sleep(self._random.uniform(0.0, longest_pause))
                self._begin(is_calm=False)
            history.world.is_calm = True
            history.calm_since = loop.time()
            for _ in range(CALM_RUNS):
                await asyncio.sleep(1.0)
                self._begin(is_calm=True)
            await self._ended()
            for run in history.runs:
                await self._judge(run)
            await asyncio.sleep(SILENCE)
            left = asyncio.all_tasks() - before
            history.tasks_left = sorted(task.get_name() for task in left)

    def _begin(self, *, is_calm: bool) -> None:
        """Begin one run: most are started, some are awaited by a caller with a deadline."""
        history, draw, loop = self._history, self._random, asyncio.get_running_loop()
        number = len(history.runs)
        arguments = self._scenario.arguments(number, draw)
        run = SimulatedRun(number=number, arguments=arguments, is_calm=is_calm, started=loop.time())
        history.runs.append(run)
        RUN.set(number)  # what is started now belongs to it
        choice, patience = draw.random(), draw.uniform(*GIVEN_UP_WITHIN)
        if not is_calm and choice < self._rates.expires:
            run.task = loop.create_task(self._awaited(run, patience))
            return
        run.run = self._app.start(self._scenario.agent, *arguments)
        if not is_calm and choice > 1 - self._rates.cancels:
            loop.call_later(patience, self._give_up, run)

    def _give_up(self, run: SimulatedRun) -> None:
        if not run.is_over and run.run is not None:
            run.given_up = asyncio.get_running_loop().time()
            run.run.cancel()

    async def _awaited(self, run: SimulatedRun, patience: float) -> None:
        """Await an agent as a caller does who has a deadline."""
        try:
            async with asyncio.timeout(patience):
                run.output = await self._scenario.agent(*run.arguments)
            run.state = "succeeded"
        except TimeoutError:
            run.given_up = asyncio.get_running_loop().time()
            run.state = "cancelled"
        except (FishplateError, DeclaredError) as error:
            run.error, run.state = error, "failed"

    async def _ended(self) -> None:
        """Wait until every run has ended, at most as long as the app lets one work."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + self._scenario.working_time + GRACE
        running = self._history.runs
        while loop.time() < ends:
            running = [run for run in running if not run.is_over]
            if not running:
                return
            await asyncio.sleep(1.0)

    async def _judge(self, run: SimulatedRun) -> None:
        """Note how a run has ended."""
        if run.run is not None and run.run.state in {"succeeded", "degraded", "failed"}:
            try:
                run.output = await run.run.result()
            except (FishplateError, DeclaredError) as error:
                run.error = error
        if run.run is not None:
            run.state = run.run.state
        self._history.note_end(run)


def seeded(seed: int, of: str) -> random.Random:
    """Randomness of one part, so that a draw more in one changes nothing in another."""
    return random.Random(f"{seed}/{of}")  # noqa: S311 -- has to be repeatable
