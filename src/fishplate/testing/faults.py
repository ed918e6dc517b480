"""Faults on purpose: a dependency that is slow, fails, hangs, or answers nonsense.

    outage = Error(ErrorClass.OVERLOAD, when=Schedule(since=10, until=40))
    app = App(support, faults=Faults({"logistics": [Latency(0.2), outage]}, seed=7))

Faults act inside the real policies, on every attempt anew, where the behaviour would run.
`Latency`, `Error` and `Hang` act before it begins, so that nothing has been sent; with
`answer_lost=True` the behaviour has run, and only its answer is lost. `Garbage` and `Partial` spoil
the answer of a behaviour that has run, and its contract refuses them.
"""

from __future__ import annotations

import asyncio
import difflib
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NoReturn

from fishplate.agents.agent import AnyAgent
from fishplate.contracts.shape import BrokenValueError
from fishplate.core.errors import Failure, UsageError
from fishplate.testing.fault_kinds import (
    Error,
    Fault,
    FaultKind,
    Garbage,
    Hang,
    Latency,
    Partial,
    Schedule,
)
from fishplate.testing.spoiled import can_be_partial, garbage_for, without_a_field

__all__ = [
    "Error",
    "Fault",
    "FaultKind",
    "Faults",
    "Garbage",
    "Hang",
    "Latency",
    "Partial",
    "Schedule",
]


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
        self._by_name = {name: _AgentFaults(name, faults, seed) for name, faults in by_name.items()}

    def check(self, units: Iterable[AnyAgent]) -> None:
        """Refuse what could never act on any of these agents.

        Raises:
            UsageError: None of them has the name (code `unknown_agent`), or one cannot answer in
                that way (code `impossible_fault`).
        """
        known = {unit.name: unit for unit in units}
        for name, wanted in self._by_name.items():
            unit = known.get(name)
            if unit is None:
                close = difflib.get_close_matches(name, known, n=1)
                meant = f" Did you mean {close[0]!r}?" if close else ""
                message = (
                    f"there are faults for {name!r}, and nobody of that name can be called here."
                    f"{meant} Known are: {', '.join(sorted(known)) or 'none'}"
                )
                raise UsageError(message, code="unknown_agent")
            for fault in wanted.faults:
                _check_possible(fault, unit)

    def injection(
        self, unit: AnyAgent, elapsed: float, tell: Callable[[str], None]
    ) -> Disturbance | None:
        """What goes wrong with the agent's next attempt; `None`: nothing."""
        wanted = self._by_name.get(unit.name)
        hits = () if wanted is None else wanted.next(elapsed)
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


class _AgentFaults:
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
