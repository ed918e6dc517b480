"""A plan made ready to walk: every value has a slot, every argument a way to be built.

A program holds no state of a run. The same plan and agents give the same program, in every process.
Where an op says `sources`, they are the slots whose degradation its result inherits; `bound` is the
slot of what its block is bound to; `key` is the step's path, without what only a walk knows (the
workflow's own place, and the iterations above it).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from fishplate.agents.agent import AnyAgent
from fishplate.contracts.shape import Shape
from fishplate.core.data import dataclass
from fishplate.core.outcome import DeclaredError
from fishplate.orchestrator.readers import Reader, Values


@dataclass(frozen=True, slots=True)
class CallOp:
    """A call. It is simple if its answer is its value: no fallback, no caught error, no grading."""

    key: str
    slot: int
    unit: AnyAgent
    arguments: Callable[[Values], tuple[object, ...]]
    sources: tuple[int, ...]
    where: str
    fallbacks: tuple[AnyAgent, ...]
    caught: tuple[type[DeclaredError], ...]
    graded: bool
    is_simple: bool


@dataclass(frozen=True, slots=True)
class Code:
    """A block; `only_call` is its only op, if that is a simple call whose answer is the result."""

    ops: tuple[Op, ...]
    result: Reader
    result_sources: tuple[int, ...]
    only_call: CallOp | None = None


@dataclass(frozen=True, slots=True)
class RouteOp:
    """A route: by the class of the value where it is known, else by the first schema that fits."""

    key: str
    slot: int
    on: Reader
    sources: tuple[int, ...]
    bound: int
    by_type: Mapping[type, int]
    members: tuple[Shape[Any], ...]
    cases: tuple[str, ...]
    branches: tuple[Code, ...]
    where: str


@dataclass(frozen=True, slots=True)
class SwitchOp:
    """A switch: by the JSON form of the value, as `case_of` spells it."""

    key: str
    slot: int
    on: Reader
    sources: tuple[int, ...]
    by_value: Mapping[object, int]
    cases: tuple[str, ...]
    branches: tuple[Code, ...]
    default: Code | None
    where: str


@dataclass(frozen=True, slots=True)
class ParallelOp:
    """Blocks side by side."""

    key: str
    slot: int
    branches: tuple[Code, ...]


@dataclass(frozen=True, slots=True)
class EachOp:
    """A block for every element, which `element_key` names if it is not `None`."""

    key: str
    slot: int
    items: Reader
    sources: tuple[int, ...]
    bound: int
    body: Code
    concurrency: int | None
    element_key: str | None
    where: str


@dataclass(frozen=True, slots=True)
class RepeatOp:
    """A block on its own output."""

    key: str
    slot: int
    start: Reader
    sources: tuple[int, ...]
    bound: int
    body: Code
    until: str
    at_most: int
    output: Shape[Any]
    where: str


@dataclass(frozen=True, slots=True)
class ApprovalOp:
    """A call that waits for somebody's word."""

    key: str
    slot: int
    call: CallOp
    roles: tuple[str, ...]
    within: float


@dataclass(frozen=True, slots=True)
class WaitOp:
    """A wait for a signal; `default` is given in place of `TimedOut` if there is one."""

    key: str
    slot: int
    signal: str
    carried: Shape[Any]
    within: float | None
    default: Reader | None


@dataclass(frozen=True, slots=True)
class SleepOp:
    """A wait for some seconds."""

    key: str
    slot: int
    seconds: float


Op: TypeAlias = (
    CallOp | RouteOp | SwitchOp | ParallelOp | EachOp | RepeatOp | ApprovalOp | WaitOp | SleepOp
)


@dataclass(frozen=True, slots=True)
class Program:
    """A whole workflow: the first slots are its arguments."""

    code: Code
    arity: int
    size: int


def case_of(value: object) -> object:
    """What a switch looks its value up by; tells `True` from 1, which Python does not."""
    return (bool, value) if isinstance(value, bool) else value
