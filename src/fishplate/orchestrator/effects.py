"""What a strand of the walker asks its driver for, and what it is answered with."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, NamedTuple, TypeAlias

from typing_extensions import override

from fishplate.agents.agent import AnyAgent
from fishplate.contracts.shape import Shape
from fishplate.core.data import dataclass
from fishplate.core.errors import JsonValue
from fishplate.core.outcome import Reason
from fishplate.orchestrator.degradation import merged, reasons_of_fallback


class Marked(NamedTuple):
    """A value with the reasons why it is degraded; a plain answer has none."""

    value: object
    reasons: tuple[Reason, ...]


class CallEffect:
    """Run an agent; answered with its value, or by throwing its failure.

    Attributes:
        key: Path of the step, with iterations and element keys; equal on every attempt and after
            every resume.
        unit: The agent.
        arguments: In the order of its parameters, already of the types it takes.
        where: `file:line` of the step in the workflow's source.
    """

    __slots__ = ("arguments", "key", "unit", "where")

    is_degraded = False

    def __init__(self, key: str, unit: AnyAgent, arguments: tuple[object, ...], where: str) -> None:
        self.key = key
        self.unit = unit
        self.arguments = arguments
        self.where = where

    def reasons(self, own: tuple[Reason, ...]) -> tuple[Reason, ...]:
        """Why the answer is degraded, by what it says itself."""
        return own


class DegradedCallEffect(CallEffect):
    """A call whose answer is degraded whatever it says, by its arguments or as a fallback's.

    Attributes:
        inherited: Why its arguments are degraded.
        because: Why it is made, if it is that of a fallback.
    """

    __slots__ = ("because", "inherited")

    is_degraded = True

    def __init__(  # noqa: PLR0913, PLR0917 -- those of a call, and two
        self,
        key: str,
        unit: AnyAgent,
        arguments: tuple[object, ...],
        where: str,
        inherited: tuple[Reason, ...],
        because: Reason | None = None,
    ) -> None:
        super().__init__(key, unit, arguments, where)
        self.inherited = inherited
        self.because = because

    @override
    def reasons(self, own: tuple[Reason, ...]) -> tuple[Reason, ...]:
        if self.because is not None:
            own = reasons_of_fallback(self.unit, own, self.because)
        return merged(self.inherited, own)


@dataclass(frozen=True, slots=True)
class SignalEffect:
    """Wait for a signal or an approval.

    A signal is answered with what it carries. An approval is answered with a `Rejected`, or with
    anything else when it is given. Both are answered with an `Expired` when their time is over.

    Attributes:
        key: Path of the step.
        name: What is waited for; for an approval the agent's name.
        within: Seconds after which it has expired; `None` for never.
        roles: Who may approve; empty for a plain signal.
        digest: SHA-256 of the arguments that are approved, as hex; empty for a plain signal.
        arguments: JSON of them; empty for a plain signal.
        carried: What a plain signal carries.
    """

    key: str
    name: str
    within: float | None
    roles: tuple[str, ...] = ()
    digest: str = ""
    arguments: bytes = b""
    carried: Shape[Any] | None = None


class Expired:
    """The answer to a signal that did not come within its time; the walker makes it a value."""


class Suspended(BaseException):
    """Ends the task of a run that waits; the run is walked again when it has its answer.

    No body may take it for a failure of what it called, so it is no `Exception`.

    Attributes:
        keys: Paths of the steps that wait.
    """

    def __init__(self, keys: tuple[str, ...]) -> None:
        super().__init__(keys)
        self.keys = keys


@dataclass(frozen=True, slots=True)
class SleepEffect:
    """Wait for some seconds; answered with nothing."""

    key: str
    seconds: float


@dataclass(frozen=True, slots=True)
class DecisionEffect:
    """Tell which way was taken and why; answered at once with nothing.

    Attributes:
        key: Path of the step.
        kind: `route`, `switch`, `repeat`, `caught` or `fallback`.
        chosen: What was decided.
        reason: Why, in words or as an error's code.
        facts: What else is known, e.g. what could have been chosen.
    """

    key: str
    kind: str
    chosen: str
    reason: str
    facts: dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class ForkEffect:
    """Run branches side by side; answered with a list of their values in order.

    Attributes:
        key: Path of the step.
        size: How many branches there are; may be 0.
        open_branch: Makes the branch of an index, once; may fail as the branch itself.
        concurrency: Most that run at a time, at least 1; `None` for all.
        kind: `parallel` or `each`.

    The first failure ends the others and is thrown.
    """

    key: str
    size: int
    open_branch: Callable[[int], Branch]
    concurrency: int | None
    kind: str


Effect: TypeAlias = CallEffect | SignalEffect | SleepEffect | DecisionEffect | ForkEffect
Strand: TypeAlias = "Generator[Effect, object, object]"

Branch: TypeAlias = "Strand | CallEffect"
"""What a fork runs: a strand, or the call that a strand of nothing else would ask for."""
