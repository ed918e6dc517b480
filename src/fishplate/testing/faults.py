"""Faults on purpose: a dependency that is slow, fails, hangs, or answers nonsense.

    outage = Error(ErrorClass.OVERLOAD, when=Schedule(since=10, until=40))
    app = App(support, faults=Faults({"logistics": [Latency(0.2), outage]}, seed=7))

Faults act inside the real policies, on every attempt anew, where the behaviour would run.
`Latency`, `Error` and `Hang` act before it begins, so that nothing has been sent; with
`answer_lost=True` the behaviour has run, and only its answer is lost. `Garbage` and `Partial` spoil
the answer of a behaviour that has run, and its contract refuses them.

That faults belong inside the policies and come at a rate is as in Polly's chaos strategies; the
kinds are those of Toxiproxy, as far as a call has them.
"""

from __future__ import annotations

import asyncio
import difflib
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar, Final, Literal, NoReturn, TypeAlias

from fishplate.agents.agent import AnyAgent
from fishplate.contracts.shape import BrokenValueError
from fishplate.core.errors import ErrorClass, Failure, UsageError
from fishplate.resilience.checks import check_count, check_flag, check_number, check_part
from fishplate.testing.spoiled import can_be_partial, garbage_for, without_a_field

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
        check_number("Schedule", "rate", self.rate, unit="shares", at_least=0, at_most=1)
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


class Faults:
    """The faults of a test or of a rehearsal; for `App(faults=...)`.

    Which attempts of an agent are hit depends on the seed and on the order of its own attempts.

    Args:
        by_name: Faults by name of the agent or tool, at least one each, tried in order: delays add
            up, and the first other fault that hits an attempt is its last.
        seed: What the rates are drawn from.

    Attributes:
        injected: How many faults have acted, by agent and kind: `injected["logistics", "error"]`.

    Raises:
        ValueError: A name has no fault.
    """

    def __init__(self, by_name: Mapping[str, Sequence[Fault]], *, seed: int = 0) -> None:
        for name, faults in by_name.items():
            if not faults:
                msg = f"Faults({{{name!r}: []}}): at least one fault, or leave the name out"
                raise ValueError(msg)
        self.injected: Counter[tuple[str, FaultKind]] = Counter()
        self._by_name = {name: _Sequence(name, faults, seed) for name, faults in by_name.items()}

    def check(self, units: Iterable[AnyAgent]) -> None:
        """Refuse what could never act on any of these agents.

        Raises:
            UsageError: None of them has the name (code `unknown_agent`), or one cannot answer in
                that way (code `impossible_fault`).
        """
        known = {unit.name: unit for unit in units}
        for name, sequence in self._by_name.items():
            unit = known.get(name)
            if unit is None:
                close = difflib.get_close_matches(name, known, n=1)
                meant = f" Did you mean {close[0]!r}?" if close else ""
                message = (
                    f"there are faults for {name!r}, and nobody of that name can be called here."
                    f"{meant} Known are: {', '.join(sorted(known)) or 'none'}"
                )
                raise UsageError(message, code="unknown_agent")
            for fault in sequence.faults:
                _check_possible(fault, unit)

    def injection(
        self, unit: AnyAgent, elapsed: float, tell: Callable[[str], None]
    ) -> Disturbance | None:
        """What goes wrong with the agent's next attempt; `None`: nothing."""
        sequence = self._by_name.get(unit.name)
        hits = () if sequence is None else sequence.next(elapsed)
        return Disturbance(unit, hits, self.injected, tell) if hits else None


class Disturbance:
    """What goes wrong with one attempt: delays, and at most one other fault behind them."""

    def __init__(
        self,
        unit: AnyAgent,
        faults: tuple[Fault, ...],
        injected: Counter[tuple[str, FaultKind]],
        tell: Callable[[str], None],
    ) -> None:
        self._unit = unit
        self._faults = faults
        self._injected = injected
        self._tell = tell

    async def before(self) -> None:
        """Wait; then fail or hang, if that is what happens without an answer."""
        for fault in self._faults:
            match fault:
                case Latency():
                    self._acts(fault)
                    await asyncio.sleep(fault.seconds)
                case Error(answer_lost=False):
                    self._fail(fault, ConnectionRefusedError("nothing was sent"))
                case Hang(answer_lost=False):
                    await self._hang(fault)
                case Error() | Hang() | Garbage() | Partial():
                    pass  # waits for the answer

    async def after(self, answer: object) -> object:
        """Lose the answer or spoil it, if that is what happens to it."""
        fault = self._faults[-1]
        match fault:
            case Error():
                self._fail(fault, None)
            case Hang():
                await self._hang(fault)
            case Garbage():
                self._acts(fault)
                return garbage_for(self._unit.signature.output)
            case Partial():
                return self._partial(fault, answer)
            case Latency():
                pass
        return answer

    def _acts(self, fault: Fault, detail: str = "") -> None:
        self._injected[self._unit.name, fault.kind] += 1
        self._tell(f"{fault}{detail}")

    def _fail(self, fault: Error, cause: Exception | None) -> NoReturn:
        self._acts(fault)
        what = "lost the answer of" if fault.answer_lost else "failed"
        raise Failure(
            f"an injected fault {what} {self._unit.about.subject} as {fault.error_class.word!r}",
            error_class=fault.error_class,
            code="injected",
            retry_after=fault.retry_after,
        ) from cause

    async def _hang(self, fault: Hang) -> None:
        self._acts(fault)
        await asyncio.get_running_loop().create_future()

    def _partial(self, fault: Partial, answer: object) -> object:
        try:
            missing, rest = without_a_field(self._unit.signature.output, answer)
        except BrokenValueError:
            return answer  # refused as it is
        except LookupError as error:
            raise _impossible(fault, self._unit, str(error)) from None
        self._acts(fault, f":{missing}")
        return rest


class _Sequence:
    """The faults of one agent, and how many attempts it has made."""

    def __init__(self, name: str, faults: Sequence[Fault], seed: int) -> None:
        self.faults = tuple(faults)
        self._attempts = 0
        # One each, so that what hits an attempt does not depend on the other agents and faults.
        self._random = [
            random.Random(f"{seed}/{name}/{place}")  # noqa: S311 -- a test repeats it
            for place, _ in enumerate(self.faults)
        ]

    def next(self, elapsed: float) -> tuple[Fault, ...]:
        """Those that hit the next attempt."""
        self._attempts += 1
        draws = [source.random() for source in self._random]
        hits: list[Fault] = []
        for fault, draw in zip(self.faults, draws, strict=True):
            if draw < fault.when.rate and fault.when.includes(self._attempts, elapsed):
                hits.append(fault)
                if not isinstance(fault, Latency):
                    break
        return tuple(hits)


def _check_possible(fault: Fault, unit: AnyAgent) -> None:
    if not isinstance(fault, (Garbage, Partial)):
        return
    output = unit.signature.output
    if unit.about.kind == "plan":
        raise _impossible(fault, unit, "its answer is made of those of its steps: name a step")
    if isinstance(fault, Partial) and not can_be_partial(output):
        why = f"not every {output.name!r} is an object with a required field"
        raise _impossible(fault, unit, why)


def _impossible(fault: Fault, unit: AnyAgent, why: str) -> UsageError:
    message = f"the fault {fault.kind!r} is not possible for {unit.about.subject}: {why}"
    return UsageError(message, code="impossible_fault")
