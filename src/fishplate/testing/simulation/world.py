"""The simulated world: dependencies that fail in every way, and a book of what they have done.

Everything that leaves the process ends here, in virtual time. The book is kept by the world alone,
from what reaches it, so that it can contradict what the runtime believes.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Hashable
from contextvars import ContextVar
from dataclasses import field
from typing import Final, Literal, TypeAlias, TypeVar, cast

from fishplate.agents.agent import AnyAgent
from fishplate.agents.policies import target_of
from fishplate.core.current import current
from fishplate.core.data import dataclass
from fishplate.orchestrator.frame import Frame
from fishplate.testing.simulation.rates import FaultRates, drawn_failure

T = TypeVar("T")

Fault: TypeAlias = Literal[
    "none", "fails", "loses", "hangs", "slows", "garbles", "lingers", "down", "down_hanging"
]
Ending: TypeAlias = Literal["running", "answered", "failed", "cancelled", "cut_off"]

GARBLED: Final = "simulated garbage"
"""No output may hold this text: it stands in every answer that breaks its contract."""

USUAL_SECONDS: Final = (0.005, 0.08)
SLOW_SECONDS: Final = (0.5, 6.0)
# Longer than the grace that what was cancelled has, so that some calls are closed where they stand.
LINGERING_SECONDS: Final = (0.05, 1.5)
UP_SECONDS: Final = (1.0, 12.0)
# After an outage the first answers are slow, so that probes are about when something is cancelled.
RECOVERING_SECONDS: Final = 4.0

RUN: Final[ContextVar[int]] = ContextVar("simulated_run")
"""Number of the run that the running code belongs to."""


@dataclass(kw_only=True, slots=True)
class WorldCall:
    """One call that reached the world.

    Attributes:
        order: Its place among all calls, from 0.
        run: Number of the run that it belongs to.
        unit: The tool.
        path: Path of its step.
        span_id: Of the span that tells the tool's call, with all its attempts.
        target: What was called.
        began: When it began, in virtual seconds.
        fault: What was done to it.
        time_left: Seconds that its run had left to work when it began.
        ended: When it ended; `None` while it runs.
        ending: How it ended, as the target sees it: garbage is an answer, and what was cut off
            belongs to a process that has crashed.
        life: How often the process had crashed when it began.
        has_acted: It has done to the world what it was to do, or found it done under its key.
    """

    order: int
    run: int
    unit: AnyAgent
    path: str
    span_id: int
    target: str
    began: float
    fault: Fault
    time_left: float
    ended: float | None = None
    ending: Ending = "running"
    life: int = 0
    has_acted: bool = False


@dataclass(kw_only=True, slots=True)
class Watchers:
    """Who is told what happens in the world, while it happens."""

    began: list[Callable[[WorldCall], object]] = field(
        default_factory=list[Callable[[WorldCall], object]]
    )
    ended: list[Callable[[WorldCall], object]] = field(
        default_factory=list[Callable[[WorldCall], object]]
    )


class World:
    """What tools reach in a simulation; a tool asks for it by `current().resource(World)`.

    Args:
        randomness: Draws latencies and faults.
        rates: How often things go wrong.

    Attributes:
        is_calm: Nothing goes wrong any more.
        calls: Every call that reached the world, in order.
        in_flight: By target, how many calls run.
        effects: How often each effect has happened.
        watchers: Who is told.
        life: How often the process has crashed.
        is_unreachable: Whoever calls now belongs to a process that has crashed.
        run_of: Gives the number of the run that a call belongs to.
    """

    def __init__(self, randomness: random.Random, rates: FaultRates) -> None:
        self.is_calm = False
        self.life = 0
        self.is_unreachable = False
        self.run_of: Callable[[Frame], int] = lambda _frame: RUN.get()
        self.calls: list[WorldCall] = []
        self.in_flight: Counter[str] = Counter()
        self.effects: Counter[Hashable] = Counter()
        self.watchers = Watchers()
        self._random = randomness
        self._rates = rates
        self._kept: set[tuple[str, str]] = set()
        self._outages: dict[str, _Outages] = {}
        self._sent: dict[int, tuple[Hashable, str | None]] = {}

    async def call(
        self,
        answer: T,
        *,
        acts: Hashable = None,
        key: str | None = None,
        garbled: object = (GARBLED,),
    ) -> T:
        """Reach the target of the running tool; to be awaited first and only thing in its body.

        Args:
            answer: What comes back if all goes well.
            acts: What the call does to the world, in words that tell one intent of the business
                from another, e.g. `("paid", order_id)`; nothing if it only reads, or may be
                repeated freely.
            key: With a key the target acts once for it, however often it is called.
            garbled: What comes back if the answer breaks the tool's contract; has to hold
                `GARBLED` unless the contract cannot.

        Raises:
            Exception: What was drawn.
        """
        if self.is_unreachable:
            raise ConnectionRefusedError("simulated: the process has crashed")
        call = self._begun(acts, key)
        ending: Ending = "cancelled"
        try:
            found = await self._lived(call, answer, acts, key, garbled)
            ending = "answered"
            return found
        except Exception:
            ending = "failed"
            raise
        finally:
            if call.ended is None:
                self._over(call, ending, asyncio.get_running_loop().time())

    def cut_off(self, now: float) -> None:
        """Let the process crash: what it has sent may still act, and nobody hears the answer.

        Args:
            now: The virtual time.
        """
        self.life += 1
        for call in self.calls:
            if call.ended is None:
                if self._random.random() < 0.5:  # noqa: PLR2004 -- a coin
                    self._act(call, *self._sent[call.order])
                self._over(call, "cut_off", now)

    def _over(self, call: WorldCall, ending: Ending, now: float) -> None:
        call.ending, call.ended = ending, now
        del self._sent[call.order]
        self.in_flight[call.target] -= 1
        for told in self.watchers.ended:
            told(call)

    def _begun(self, acts: Hashable, key: str | None) -> WorldCall:
        frame = current()
        assert isinstance(frame, Frame), "the runtime's calls are frames"
        target, now = target_of(frame.unit), asyncio.get_running_loop().time()
        call = WorldCall(
            order=len(self.calls),
            run=self.run_of(frame),
            unit=frame.unit,
            path=frame.path,
            span_id=frame.span_id,
            target=target,
            began=now,
            fault=self._drawn(target, now),
            time_left=frame.deadline,
            life=self.life,
        )
        self.calls.append(call)
        self._sent[call.order] = acts, key
        self.in_flight[target] += 1
        for told in self.watchers.began:
            told(call)
        return call

    def _drawn(self, target: str, now: float) -> Fault:
        if self.is_calm:
            return "none"
        outages = self._outages.get(target)
        if outages is None:
            outages = self._outages[target] = _Outages(self._random, self._rates.down)
        if (down := outages.at(now)) is not None:
            return down
        draw = self._random.random()
        rates = self._rates
        for fault, rate in (
            ("fails", rates.fails),
            ("loses", rates.loses),
            ("hangs", rates.hangs),
            ("slows", rates.slows),
            ("garbles", rates.garbles),
            ("lingers", rates.lingers),
        ):
            draw -= rate
            if draw < 0:
                return cast("Fault", fault)
        return "none"

    async def _lived(
        self, call: WorldCall, answer: T, acts: Hashable, key: str | None, garbled: object
    ) -> T:
        """What happens to one call."""
        draw, fault = self._random, call.fault
        if fault == "none":
            await asyncio.sleep(draw.uniform(*USUAL_SECONDS))
            self._act(call, acts, key)
            return answer
        if fault == "down":
            await asyncio.sleep(draw.uniform(0.001, 0.01))
            raise ConnectionRefusedError("simulated: the target is down")
        if fault == "lingers":
            return await self._lingering(call, answer, acts, key)
        raised, may_act = drawn_failure(draw) if fault == "fails" else (None, True)
        acts_anyway = may_act and draw.random() < 0.5  # noqa: PLR2004 -- a coin
        try:
            await asyncio.sleep(
                draw.uniform(*(SLOW_SECONDS if fault == "slows" else USUAL_SECONDS))
            )
            if fault in {"hangs", "down_hanging"}:
                await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            if acts_anyway:  # what was sent cannot be called back
                self._act(call, acts, key)
            raise
        if raised is not None:
            if acts_anyway:
                self._act(call, acts, key)
            raise raised
        self._act(call, acts, key)
        if fault == "loses":
            raise ConnectionResetError("simulated: the answer was lost")
        # A tool's annotation promises a type, and this is the answer that does not keep it.
        return cast("T", garbled) if fault == "garbles" else answer

    async def _lingering(self, call: WorldCall, answer: T, acts: Hashable, key: str | None) -> T:
        """A slow call that takes its time to end when it is cancelled."""
        draw = self._random
        lingering, still_answers = draw.uniform(*LINGERING_SECONDS), draw.random() < 0.5  # noqa: PLR2004 -- a coin
        try:
            await asyncio.sleep(draw.uniform(*SLOW_SECONDS))
        except asyncio.CancelledError:
            await asyncio.sleep(lingering)
            self._act(call, acts, key)
            if still_answers:
                return answer
            raise
        self._act(call, acts, key)
        return answer

    def _act(self, call: WorldCall, acts: Hashable, key: str | None) -> None:
        if call.ended is not None:
            return  # it was cut off, and what became of it is decided
        call.has_acted = True
        if acts is None:
            return
        if key is not None:
            if (call.target, key) in self._kept:
                return
            self._kept.add((call.target, key))
        self.effects[acts] += 1


class _Outages:
    """When a target is down: windows after each other, of which some hang instead of refusing.

    After each it is slow for a while.
    """

    def __init__(self, randomness: random.Random, share: float) -> None:
        self._random = randomness
        self._share = share
        self._starts = self._ends = 0.0
        self._recovered = 0.0
        self._kind: Fault = "down"

    def at(self, now: float) -> Fault | None:
        """What happens to a call now; `None`: the target is up."""
        if not self._share:
            return None
        while now >= self._ends:
            self._recovered = self._ends + RECOVERING_SECONDS if self._ends else 0.0
            up = self._random.uniform(*UP_SECONDS)
            self._starts = self._ends + up
            self._ends = self._starts + up * self._share / (1 - self._share)
            self._kind = self._random.choice(("down", "down", "down_hanging"))
        if now >= self._starts:
            return self._kind
        return "slows" if now < self._recovered else None
