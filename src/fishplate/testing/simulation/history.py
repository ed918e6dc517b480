"""What a simulation has seen: the runs, their spans, and what the app and the world say at the end.

The hash over all of it, in order, is equal for equal seeds: with any `PYTHONHASHSEED`, on any
version of Python that fishplate supports.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import field

from fishplate.agents.agent import AnyAgent
from fishplate.agents.policies import policy_of
from fishplate.app import App, Run, RunState
from fishplate.core.data import dataclass
from fishplate.core.events import Span, SpanTuple
from fishplate.resilience.resolve import ResolvedPolicy
from fishplate.testing.simulation.stored import StoredFacts
from fishplate.testing.simulation.world import RUN, World, WorldCall
from fishplate.traces.recorder import TraceRecorder
from fishplate.workflows.workflow import reachable


@dataclass(kw_only=True, slots=True)
class SimulatedRun:
    """One run of a simulation.

    Attributes:
        number: From 0, in order of start.
        arguments: What it was started with.
        is_calm: It was started after the faults had stopped.
        started: When, in virtual seconds.
        given_up: When its caller cancelled it or stopped waiting for it; `None`: never.
        run: The run, if it was started by `App.start`; `None`, if its caller awaited it.
        task: What awaits it; `None`, if it was started by `App.start`.
        run_id: Under which a store knows it; empty if there is none.
        state: How it has ended.
        output: What it gave, if it succeeded.
        error: What it raised, if it failed.
        spans: Its spans, in the order in which they ended.
    """

    number: int
    arguments: tuple[object, ...]
    is_calm: bool
    started: float
    given_up: float | None = None
    run: Run[object] | None = None
    task: asyncio.Task[None] | None = None
    run_id: str = ""
    state: RunState = "running"
    output: object = None
    error: BaseException | None = None
    spans: list[Span] = field(default_factory=list[Span])

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        if self.run is not None:
            return self.run.state != "running"
        return self.state != "running"


class History(TraceRecorder):
    """Everything that was observed, in order; takes the app's spans.

    Args:
        agent: What is simulated.
        world: What it reaches.
        expected: Whether an output is right for its arguments.

    Attributes:
        agent: What is simulated.
        world: What it reaches.
        expected: Whether an output is right for its arguments.
        app: What it runs in.
        agents: Everything that may run, by name.
        runs: In order of start.
        told: Called with the number of a run and each of its spans, while it happens.
        stray: What was raised where nobody could catch it.
        tasks_left: Names of the tasks that were left when every run had ended.
        decisions: How often each decision was told, e.g. `breaker.opened`.
        calm_since: When the faults stopped, in virtual seconds.
        ended: When everything was over, in virtual seconds.
        run_of: Gives the number of the run that a span belongs to, by its trace id.
        lives: What the store held after each crash, and at the end; empty without a store.
    """

    app: App

    def __init__(
        self,
        agent: AnyAgent,
        world: World,
        expected: Callable[[tuple[object, ...], object], bool],
    ) -> None:
        super().__init__(capacity=1)
        self.sink = self._take
        self.agent = agent
        self.expected = expected
        self.agents: Mapping[str, AnyAgent] = {agent.name: agent, **reachable(agent)}
        self.world = world
        self.runs: list[SimulatedRun] = []
        self.told: list[Callable[[int, Span], object]] = []
        self.stray: list[str] = []
        self.tasks_left: list[str] = []
        self.decisions: Counter[str] = Counter()
        self.calm_since = math.inf
        self.ended = math.inf
        self.lives: list[StoredFacts] = []
        self.run_of: Callable[[int], int] = lambda _trace_id: RUN.get()
        self._policies: dict[int, ResolvedPolicy] = {}
        self._hash = hashlib.sha256()
        world.watchers.ended.append(self._called)

    def policy(self, unit: AnyAgent) -> ResolvedPolicy:
        """The policies that protect an agent's calls."""
        found = self._policies.get(id(unit))  # the app keeps its agents as long as we do
        if found is None:
            found = self._policies[id(unit)] = policy_of(unit)
        return found

    def digest(self) -> str:
        """SHA-256 of what was observed so far, in hexadecimal."""
        return self._hash.hexdigest()

    def note_end(self, run: SimulatedRun) -> None:
        """Take how a run ended into the hash."""
        code = getattr(run.error, "code", "")
        self._hash.update(f"{run.number} {run.state} {code} {run.given_up}\n".encode())

    def _take(self, found: SpanTuple) -> None:
        if self.world.is_unreachable:
            return  # of a process that has crashed, and tells nobody anything
        number, span = self.run_of(found[0]), Span.of(found)
        if span.kind == "decision":
            self.decisions[span.name] += 1
        self.runs[number].spans.append(span)
        # The release is left out: it names the code that ran, not what it did.
        self._hash.update(
            f"{number} {span[:3]} {span.head[:2]} {span[4:8]} {span.attributes}\n".encode()
        )
        for told in self.told:
            told(number, span)

    def _called(self, call: WorldCall) -> None:
        self._hash.update(
            f"{call.order} {call.run} {call.target} {call.began} {call.fault} "
            f"{call.ended} {call.ending}\n".encode()
        )
