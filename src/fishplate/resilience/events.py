"""What the policies tell: one frozen object for each thing that happened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import ClassVar, Literal, TypeAlias

from fishplate.core.data import dataclass
from fishplate.core.errors import ErrorClass, JsonValue

StopReason: TypeAlias = Literal[
    "not_retried",  # the class of the failure is not retried
    "exhausted_below",  # another layer has retried already
    "attempts",  # all attempts are used
    "not_repeatable",  # the attempt may have had an effect
    "server_delay",  # the target asks for a delay that is too long
    "deadline",  # no time is left for a useful attempt
    "breaker",  # the target's breaker is open
    "budget",  # the target's retry budget is spent
]
OpenReason: TypeAlias = Literal["failure_rate", "consecutive", "slow_rate", "probe"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ResilienceEvent:
    """Base of the events.

    Attributes:
        target: Key of the target whose policies acted.
    """

    name: ClassVar[str] = ""

    target: str

    def to_json(self) -> dict[str, JsonValue]:
        """The event's name and its facts; what is not known is `null`."""
        found: dict[str, JsonValue] = {"event": self.name}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, ErrorClass):
                value = value.word
            found[field.name] = value
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class CallEvent(ResilienceEvent):
    """Base of the events of one call.

    Attributes:
        subject: What was called, e.g. the path of the step.
    """

    subject: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptEnded(CallEvent):
    """An attempt ended. A call that succeeds at its first attempt does not tell it: its span does.

    Attributes:
        attempt: Its number, from 1.
        seconds: How long it took from its dispatch.
        error_class: How it failed; `None`: it succeeded.
        code: What happened, if it failed.
    """

    name: ClassVar[str] = "attempt.ended"

    attempt: int
    seconds: float
    error_class: ErrorClass | None = None
    code: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryScheduled(CallEvent):
    """A failed attempt will be followed by another one.

    Attributes:
        attempt: Number of the attempt that failed.
        delay: Seconds until the next one.
        error_class: How it failed.
        credit: What the target's retry budget has left; `None` if it does not count here.
    """

    name: ClassVar[str] = "retry.scheduled"

    attempt: int
    delay: float
    error_class: ErrorClass
    credit: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class RetriesStopped(CallEvent):
    """A failed attempt will not be followed by another one, although retries are on.

    Attributes:
        attempt: Number of the attempt that failed.
        error_class: How it failed.
        reason: Why it is the last.
    """

    name: ClassVar[str] = "retry.stopped"

    attempt: int
    error_class: ErrorClass
    reason: StopReason


@dataclass(frozen=True, kw_only=True, slots=True)
class CallHeld(CallEvent):
    """A call waited for a local rejection to pass, and then went on.

    Attributes:
        code: The last rejection, e.g. `bulkhead_full`.
        seconds: How long the call has waited in all.
    """

    name: ClassVar[str] = "call.held"

    code: str
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class CallRejected(CallEvent):
    """An attempt was not dispatched.

    Attributes:
        code: Why, e.g. `breaker_open`.
        waited: Seconds that the call has waited for rejections to pass.
        retry_after: Seconds after which it may be admitted, if that is known.
    """

    name: ClassVar[str] = "call.rejected"

    code: str
    waited: float
    retry_after: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class BreakerOpened(ResilienceEvent):
    """A breaker stopped all calls to its target.

    Attributes:
        reason: What opened it.
        seconds: How long it stays open.
    """

    name: ClassVar[str] = "breaker.opened"

    reason: OpenReason
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class BreakerHalfOpened(ResilienceEvent):
    """A breaker lets one probe at a time through."""

    name: ClassVar[str] = "breaker.half_opened"


@dataclass(frozen=True, kw_only=True, slots=True)
class BreakerClosed(ResilienceEvent):
    """A breaker's probes succeeded, and its target is called as before."""

    name: ClassVar[str] = "breaker.closed"


@dataclass(frozen=True, kw_only=True, slots=True)
class BreakerOverruled(ResilienceEvent):
    """An operator set a breaker's state.

    Attributes:
        state: The new state.
        by: Who did it.
        why: The reason given.
    """

    name: ClassVar[str] = "breaker.overruled"

    state: Literal["forced_open", "disabled", "closed"]
    by: str
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ThreadAbandoned(ResilienceEvent):
    """A thread went on after its attempt had ended; it keeps its slot until it ends.

    Attributes:
        abandoned: How many threads of the target go on now.
    """

    name: ClassVar[str] = "thread.abandoned"

    abandoned: int


# Told on the event loop, between two awaits: it must be quick and must not raise.
EventSink: TypeAlias = Callable[[ResilienceEvent], object]
