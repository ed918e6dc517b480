"""Every call that runs of an agent may make, with the policies that will protect it.

It is what a run does: the steps of a workflow are read from its program, and the calls of a body
from its grants, under the policies that they were granted with.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import inf
from typing import Final, Literal, NamedTuple, TypeAlias

from fishplate.agents.agent import AnyAgent
from fishplate.agents.policies import policy_of, target_of
from fishplate.core.data import dataclass
from fishplate.orchestrator.compile import compile_workflow
from fishplate.orchestrator.program import (
    ApprovalOp,
    CallOp,
    Code,
    EachOp,
    Op,
    ParallelOp,
    RepeatOp,
    RouteOp,
    SleepOp,
    SwitchOp,
    WaitOp,
)
from fishplate.resilience.policy import Breaker, Bulkhead, RateLimit
from fishplate.resilience.resolve import ResolvedPolicy
from fishplate.workflows.workflow import Workflow

Role: TypeAlias = Literal["run", "step", "fallback", "granted"]
Part: TypeAlias = Literal["breaker", "bulkhead", "rate_limit"]
PARTS: Final[tuple[Part, ...]] = ("breaker", "bulkhead", "rate_limit")


@dataclass(frozen=True, kw_only=True, slots=True)
class ProtectedCall:
    """One call.

    Attributes:
        path: Where it stands, as in a trace; a call of a body without its number.
        role: A run itself, a step of a workflow, a fallback, or what a body may call.
        unit: What is called.
        policy: How, with the defaults.
        target: Key of its target.
        time: Seconds that what calls it has at most; infinite if nothing bounds it.
        fallbacks: The calls that answer when it fails, in order.
        calls: What it calls itself; empty if that is told elsewhere.
        told_at: Path of an equal call, which tells what both of them call.
        below: What holds for all that it calls, at any depth.
    """

    path: str
    role: Role
    unit: AnyAgent
    policy: ResolvedPolicy
    target: str
    time: float
    fallbacks: tuple[ProtectedCall, ...]
    calls: tuple[ProtectedCall, ...]
    told_at: str | None
    below: Below

    def all(self) -> Iterator[ProtectedCall]:
        """The call, its fallbacks and all that they call, in the order of a trace."""
        yield self
        for other in (*self.calls, *self.fallbacks):
            yield from other.all()


class Below(NamedTuple):
    """What holds for all that an agent calls, at any depth.

    Attributes:
        attempts: Most attempts of one leaf call, all retries in between multiplied.
        retried: Name of an agent that is retried most, if any is.
        effects: Names of the tools that change something.
        targets: Keys of the targets of its leaves; of the agent itself if it calls nobody.
    """

    attempts: int
    retried: str | None
    effects: tuple[str, ...]
    targets: frozenset[str]


class Agreed(NamedTuple):
    """What one agent declares for a target, for all who share it."""

    settings: Breaker | Bulkhead | RateLimit
    owner: str


class Conflict(NamedTuple):
    """Two agents declare different settings for the same part of one target."""

    target: str
    part: Part
    first: Agreed
    second: Agreed
    call: ProtectedCall


def protected_calls(agents: Iterable[AnyAgent], *, working_time: float) -> list[ProtectedCall]:
    """The calls of runs of each agent; what two of them have in common is told once.

    Args:
        agents: What may be started.
        working_time: Seconds that a run may work.
    """
    reader = _Reader()
    return [reader.call(unit, unit.name, "run", working_time, ()) for unit in agents]


def shared_parts(
    calls: Iterable[ProtectedCall],
) -> tuple[Mapping[tuple[str, Part], Agreed], list[Conflict]]:
    """What is declared for the targets that calls share, and where it differs."""
    agreed: dict[tuple[str, Part], Agreed] = {}
    conflicts: list[Conflict] = []
    for call in calls:
        for part in PARTS:
            settings = getattr(call.policy, part)
            if settings is None or call.policy.source(part) == "default":
                continue
            mine = Agreed(settings, call.unit.about.subject)
            first = agreed.setdefault((call.target, part), mine)
            if first.settings != settings:
                conflicts.append(Conflict(call.target, part, first, mine, call))
    return agreed, conflicts


class _Callee(NamedTuple):
    """What an agent calls: under its path, or at the root of a run under `name` alone."""

    name: str
    role: Role
    unit: AnyAgent
    fallbacks: tuple[AnyAgent, ...]


class _Reader:
    """Reads calls; remembers by id what an agent calls, and where that is told."""

    def __init__(self) -> None:
        # By id, with the agent beside it, which keeps the id its own.
        self._callees: dict[int, tuple[AnyAgent, tuple[_Callee, ...]]] = {}
        self._below: dict[int, Below] = {}
        # An agent is told anew where it has less time, since other timeouts do not fit there.
        self._told: dict[tuple[int, float], str] = {}

    def call(
        self,
        unit: AnyAgent,
        path: str,
        role: Role,
        time: float,
        fallbacks: tuple[AnyAgent, ...],
    ) -> ProtectedCall:
        policy = policy_of(unit)
        inside = min(time, inf if policy.timeout is None else policy.timeout)
        callees = self._called_by(unit)
        told_at = self._told.get((id(unit), inside))
        if callees:
            self._told.setdefault((id(unit), inside), path)
        is_workflow_run = role == "run" and isinstance(unit, Workflow)
        prefix = "" if is_workflow_run else f"{path}/"
        return ProtectedCall(
            path=path,
            role=role,
            unit=unit,
            policy=policy,
            target=target_of(unit),
            time=time,
            fallbacks=tuple(
                self.call(other, f"{path}|{other.name}", "fallback", time, ())
                for other in fallbacks
            ),
            calls=tuple(
                self.call(one.unit, f"{prefix}{one.name}", one.role, inside, one.fallbacks)
                for one in callees
                if told_at is None
            ),
            told_at=told_at,
            below=self._all_below(unit),
        )

    def _called_by(self, unit: AnyAgent) -> tuple[_Callee, ...]:
        if id(unit) not in self._callees:
            if isinstance(unit, Workflow):
                found = tuple(_steps(compile_workflow(unit).code, ""))
            else:
                found = tuple(
                    _Callee(one.name, "granted", one, one.fallbacks) for one in unit.granted
                )
            self._callees[id(unit)] = (unit, found)
        return self._callees[id(unit)][1]

    def _all_below(self, unit: AnyAgent) -> Below:
        if id(unit) in self._below:
            return self._below[id(unit)]
        attempts, retried = 1, None
        effects: dict[str, None] = {}
        targets = frozenset[str]()
        for callee in self._called_by(unit):
            for other in (callee.unit, *callee.fallbacks):
                below = self._all_below(other)
                own = _attempts(policy_of(other))
                if own * below.attempts > attempts:
                    attempts = own * below.attempts
                    retried = other.name if own > 1 else below.retried
                effect = other.about.effect
                if effect is not None and not effect.is_readonly:
                    effects[other.name] = None
                effects.update(dict.fromkeys(below.effects))
                targets |= below.targets
        found = Below(attempts, retried, tuple(effects), targets or frozenset({target_of(unit)}))
        self._below[id(unit)] = found
        return found


def _attempts(policy: ResolvedPolicy) -> int:
    return 1 if policy.retry is None else policy.retry.attempts


def _steps(code: Code, prefix: str) -> Iterator[_Callee]:
    for op in code.ops:
        yield from _step(op, prefix)


def _step(op: Op, prefix: str) -> Iterator[_Callee]:
    match op:
        case CallOp():
            yield _Callee(prefix + op.key, "step", op.unit, op.fallbacks)
        case ApprovalOp():
            yield from _step(op.call, prefix)
        case RouteOp() | ParallelOp():
            for branch in op.branches:
                yield from _steps(branch, prefix)
        case SwitchOp():
            for branch in (*op.branches, *([] if op.default is None else [op.default])):
                yield from _steps(branch, prefix)
        case EachOp() | RepeatOp():  # the keys in its body are those of one iteration
            yield from _steps(op.body, f"{prefix}{op.key}/")
        case WaitOp() | SleepOp():
            return
