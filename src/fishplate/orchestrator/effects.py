"""What a strand of the walker asks its driver for, and what it is answered with."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import NamedTuple, TypeAlias

from fishplate.agents.agent import AnyAgent
from fishplate.core.errors import JsonValue
from fishplate.core.outcome import Reason


class Marked(NamedTuple):
    """A value with the reasons why it is degraded; a plain answer has none."""

    value: object
    reasons: tuple[Reason, ...]


class CallEffect:
    """Run an agent; answered with its value, or by throwing its failure.

    Attributes:
        key: Path of the step, with iterations and element keys; equal on every attempt and after every resume.
        unit: The agent.
        arguments: In the order of its parameters, already of the types it takes.
        where: `file:line` of the step in the workflow's source.
    """

    __slots__ = ("arguments", "key", "unit", "where")

    def __init__(self, key: str, unit: AnyAgent, arguments: tuple[object, ...], where: str) -> None:
        self.key = key
        self.unit = unit
        self.arguments = arguments
        self.where = where


class SignalEffect(NamedTuple):
    """Wait for a signal or an approval; answered with what it carries, or with a value that says why not.

    `roles` and `digest` are those of an approval; a plain signal has none.
    """

    key: str
    name: str
    within: float | None
    roles: tuple[str, ...] = ()
    digest: str = ""


class SleepEffect(NamedTuple):
    """Wait for some seconds; answered with nothing."""

    key: str
    seconds: float


class DecisionEffect(NamedTuple):
    """Tell which way was taken and why; answered at once with nothing."""

    key: str
    kind: str
    chosen: str
    reason: str
    facts: dict[str, JsonValue]


class ForkEffect(NamedTuple):
    """Run strands side by side, at most `concurrency` at a time; answered with their values in order.

    `open_strand(i)` starts the i-th strand. The first failure ends the others and is thrown.
    """

    key: str
    count: int
    open_strand: Callable[[int], Strand]
    concurrency: int | None
    kind: str


Effect: TypeAlias = CallEffect | SignalEffect | SleepEffect | DecisionEffect | ForkEffect
Strand: TypeAlias = "Generator[Effect, object, object]"
