"""The kinds of faults, as data: what goes wrong, and with which attempts.

That faults belong inside the policies and come at a rate is as in Polly's chaos strategies; the
kinds are those of Toxiproxy, as far as a call has them.
"""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import ClassVar, Final, Literal, TypeAlias

from fishplate.core.data import dataclass
from fishplate.core.errors import ErrorClass
from fishplate.resilience.checks import check_count, check_flag, check_number, check_part

FaultKind: TypeAlias = Literal["latency", "error", "hang", "garbage", "partial"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """Which attempts of an agent a fault hits: those that all of its fields allow.

    Attributes:
        rate: Share of them, each drawn by itself; 0 to 1.
        first: Only the first so many (behind `after`); `None`: all.
        after: Not the first so many.
        every: Only each so-many-th (behind `after`): 3 hits the third, the sixth, ...
        since: Not before so many seconds after the app was opened, on the app's clock.
        until: Not from so many seconds on; above `since`; `None`: to the end.
    """

    rate: float = 1.0
    first: int | None = None
    after: int = 0
    every: int = 1
    since: float = 0.0
    until: float | None = None

    def __post_init__(self) -> None:
        """Refuse impossible numbers."""
        check_number("Schedule", "rate", self.rate, unit="", at_least=0, at_most=1)
        if self.first is not None:
            check_count("Schedule", "first", self.first)
        check_count("Schedule", "after", self.after, at_least=0)
        check_count("Schedule", "every", self.every)
        if self.first is not None and self.every > self.first:
            msg = f"Schedule(every={self.every!r}, first={self.first!r}): every is at most first"
            raise ValueError(msg)
        check_number("Schedule", "since", self.since, at_least=0)
        if self.until is not None:
            check_number("Schedule", "until", self.until, above=self.since)

    def includes(self, attempt: int, elapsed: float) -> bool:
        """Whether an attempt may be hit, whatever is drawn.

        Args:
            attempt: Its number among those of its agent; the first is 1.
            elapsed: Seconds since the app was opened.
        """
        place = attempt - self.after
        return (
            place > 0
            and (self.first is None or place <= self.first)
            and place % self.every == 0
            and self.since <= elapsed
            and (self.until is None or elapsed < self.until)
        )


ALWAYS: Final = Schedule()


@dataclass(frozen=True, slots=True)
class Latency:
    """The attempt begins later, by so many seconds of the event loop's time."""

    kind: ClassVar[FaultKind] = "latency"
    seconds: float
    _: KW_ONLY
    when: Schedule = ALWAYS

    def __post_init__(self) -> None:
        """Refuse impossible numbers."""
        check_number("Latency", "seconds", self.seconds, at_least=0)
        check_part("Latency", "when", self.when, Schedule, may_be_off=False)

    def __str__(self) -> str:
        return f"latency:{self.seconds:g}"


@dataclass(frozen=True, slots=True)
class Error:
    """The attempt fails with a `Failure` of this class and the code `injected`.

    Attributes:
        error_class: How the failure is treated.
        retry_after: Seconds for which the target asks not to be called; at least 0.
        answer_lost: The behaviour has run. Otherwise nothing was sent, and the failure proves it:
            it is raised from a refused connection.
        when: Which attempts it hits.
    """

    kind: ClassVar[FaultKind] = "error"
    error_class: ErrorClass = ErrorClass.TRANSIENT
    _: KW_ONLY
    retry_after: float | None = None
    answer_lost: bool = False
    when: Schedule = ALWAYS

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        check_part("Error", "error_class", self.error_class, ErrorClass, may_be_off=False)
        if self.retry_after is not None:
            check_number("Error", "retry_after", self.retry_after, at_least=0)
        check_flag("Error", "answer_lost", self.answer_lost)
        check_part("Error", "when", self.when, Schedule, may_be_off=False)
        if self.error_class is ErrorClass.UNKNOWN_OUTCOME and not self.answer_lost:
            msg = (
                f"Error({self.error_class}): the outcome is known while nothing has been sent: "
                "add answer_lost=True"
            )
            raise ValueError(msg)

    def __str__(self) -> str:
        return f"error:{self.error_class}" + (":lost" if self.answer_lost else "")


@dataclass(frozen=True, kw_only=True, slots=True)
class Hang:
    """The attempt never ends; what ends it is a time limit or a cancellation.

    Attributes:
        answer_lost: The behaviour has run. Otherwise nothing was sent.
        when: Which attempts it hits.
    """

    kind: ClassVar[FaultKind] = "hang"
    answer_lost: bool = False
    when: Schedule = ALWAYS

    def __post_init__(self) -> None:
        """Refuse what is not a setting."""
        check_flag("Hang", "answer_lost", self.answer_lost)
        check_part("Hang", "when", self.when, Schedule, may_be_off=False)

    def __str__(self) -> str:
        return "hang:lost" if self.answer_lost else "hang"


@dataclass(frozen=True, kw_only=True, slots=True)
class Garbage:
    """The behaviour runs, and what arrives is no answer that its contract allows."""

    kind: ClassVar[FaultKind] = "garbage"
    when: Schedule = ALWAYS

    def __post_init__(self) -> None:
        """Refuse what is not a setting."""
        check_part("Garbage", "when", self.when, Schedule, may_be_off=False)

    def __str__(self) -> str:
        return "garbage"


@dataclass(frozen=True, kw_only=True, slots=True)
class Partial:
    """The behaviour runs, and its answer arrives without one of the required fields."""

    kind: ClassVar[FaultKind] = "partial"
    when: Schedule = ALWAYS

    def __post_init__(self) -> None:
        """Refuse what is not a setting."""
        check_part("Partial", "when", self.when, Schedule, may_be_off=False)

    def __str__(self) -> str:
        return "partial"


Fault: TypeAlias = Latency | Error | Hang | Garbage | Partial
