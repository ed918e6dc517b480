"""What a run carries along: on whose behalf, what it shares with others, how long it may work."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Protocol, TypeVar

from typing_extensions import override

from fishplate.core.clock import Clock
from fishplate.core.data import dataclass
from fishplate.core.errors import JsonValue
from fishplate.core.events import HeadTuple, Retell, Sink, SpanTuple, WaitTold
from fishplate.core.ids import run_id
from fishplate.core.spending import RunSpending
from fishplate.core.text import TextFeed, TextFeeds
from fishplate.core.trace_context import Caller
from fishplate.core.wall import WallClock

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Principal:
    """On whose behalf a run acts.

    Attributes:
        name: Who it is, e.g. `customer:42`.
        roles: What the principal may decide, e.g. `support_lead`.
        tenant: Whose data it is.
    """

    name: str = "anonymous"
    roles: frozenset[str] = frozenset()
    tenant: str = "default"


class Heads(Protocol):
    """Says what all spans of an agent share, for agents that do not know it themselves."""

    def head(self, unit: Any, /) -> HeadTuple:
        """What all spans of an agent share in this app."""
        ...


class Calling(Protocol):
    """A call that runs, as far as the time that it is told depends on it."""

    path: str
    run: RunContext
    attributes: dict[str, JsonValue] | None


class Halt(Protocol):
    """Hears of runs that stand still."""

    def __call__(
        self,
        context: RunContext,
        state: Literal["waiting", "cancelled"],
        waits: Sequence[WaitTold],
        /,
    ) -> None:
        """Hear of a run, and what it waits for."""
        ...


class Surroundings:
    """What all runs of one app share.

    Attributes:
        clock: Where the time comes from.
        sink: Where finished spans go.
        resources: Opened resources by the type they were declared under.
        wall: Tells the wall clock, from `clock`.
        working_time: Seconds that a run may work.
        heads: Says what the spans of an agent share.
        texts: What models say to those who read along with runs; `None` until somebody does.
        kept_now: Gives a call the time that it was given before, if runs are kept; else `None`.
        begin: Hears of a run that begins, or goes on here, and the name of its agent; `None` if
            nobody keeps traces.
        halt: Hears of a run that waits, and for what, or that was cancelled while it waited; `None`
            likewise.
    """

    __slots__ = (
        "begin",
        "clock",
        "halt",
        "heads",
        "kept_now",
        "now_ns",
        "resources",
        "sink",
        "texts",
        "wall",
        "working_time",
    )

    def __init__(
        self,
        *,
        clock: Clock,
        sink: Sink,
        resources: Mapping[type, object],
        working_time: float,
        heads: Heads,
    ) -> None:
        self.clock = clock
        self.now_ns = clock.monotonic_ns
        self.wall = WallClock(clock)
        self.sink = sink
        self.resources = resources
        self.working_time = working_time
        self.heads = heads
        self.texts: TextFeeds | None = None
        self.kept_now: Callable[[Calling], datetime] | None = None
        self.begin: Callable[[RunContext, str], None] | None = None
        self.halt: Halt | None = None


class RunContext:
    """What all calls of one run share.

    Attributes:
        around: What all runs of the app share.
        principal: On whose behalf the run acts.
        trace_id: 128 bits, of which the last 80 are random; the randomness of the run's calls is
            drawn from them too.
        retell: What a span is told as, as it is told by `sink`; `None`: as it is.
        started_ns: When the run began, on the clock's monotonic scale; of one that has waited, what
            it had worked before counts, and the wait does not.
        began_ns: When the run began in its first life, on the same scale.
        is_new: It begins here: no process has had it before.
        ends: When the calls that are made in it have to be over, in seconds on the clock's
            monotonic scale; `None`: when the run's working time is over.
        asks_about: The idempotency key of the effect that a call of a `lookup=` asks about.
        undoes: The idempotency key of the effect that a call of a `compensate=` undoes.
        caller: Who has asked for it in another process; `None`: nobody says so.
    """

    ends: float | None = None
    asks_about: str | None = None
    undoes: str | None = None
    caller: Caller | None = None

    __slots__ = (
        "_effects",
        "_run_id",
        "_spending",
        "around",
        "began_ns",
        "is_new",
        "now_ns",
        "principal",
        "retell",
        "sink",
        "started_ns",
        "trace_id",
    )

    def __init__(
        self,
        around: Surroundings,
        principal: Principal,
        trace_id: int,
        run_id: str | None = None,
    ) -> None:
        self.around = around
        self.now_ns = around.now_ns
        self.sink = around.sink
        self.retell: Retell | None = None
        self.principal = principal
        self.trace_id = trace_id
        self._effects: list[str] | None = None  # most runs change nothing
        self._spending: RunSpending | None = None  # and most spend nothing
        self.started_ns = self.began_ns = around.now_ns()
        self._run_id = run_id
        self.is_new = run_id is None

    @property
    def effects(self) -> Sequence[str]:
        """Paths of the calls that have changed something, or may have; one for each attempt."""
        return self._effects or ()

    def retell_as(self, retell: Retell) -> None:
        """Say more on every span of the run from now on."""
        sink = self.sink
        self.retell = retell

        def tell(span: SpanTuple) -> None:
            sink(retell(span))

        self.sink = tell

    def add_effect(self, path: str) -> None:
        """Note that an attempt of the call at `path` may change something."""
        if self._effects is None:
            self._effects = []
        self._effects.append(path)

    def drop_effect(self, path: str) -> None:
        """Note that an attempt of the call at `path` has surely changed nothing."""
        assert self._effects is not None, "the attempt was noted before it began"
        self._effects.remove(path)

    @property
    def spending(self) -> RunSpending:
        """What its calls have spent so far."""
        if self._spending is None:
            self._spending = RunSpending()
        return self._spending

    def spend_with(self, spending: RunSpending) -> None:
        """Count on top of what was spent by the run so far, or where nobody knows what was."""
        self._spending = spending

    def until(self, ends: float) -> RunContext:
        """The same run for the calls below one that has to be over at `ends`."""
        return _Shorter(self, ends)

    def asking(self, key: str) -> RunContext:
        """The same run for a call that asks what became of the effect under `key`."""
        return _Asking(self, key)

    def seconds_left(self, now_ns: int) -> float:
        """Until the calls that are made in it have to be over; negative once that is past."""
        if self.ends is not None:
            return self.ends - now_ns / 1e9
        return self.around.working_time - (now_ns - self.started_ns) / 1e9

    def has_effect_below(self, path: str) -> bool:
        """Whether a call at `path`, or one that it made, has changed something or may have."""
        return any(found == path or found.startswith(f"{path}/") for found in self.effects)

    @property
    def text(self) -> TextFeed | None:
        """What models say in it; `None` if nobody reads along."""
        texts = self.around.texts
        return None if texts is None else texts.get(self.trace_id)

    @property
    def shown_trace_id(self) -> int:
        """The id under which the world knows the trace: the caller's, or the run's own."""
        if self.caller is None or self.caller.trace_id is None:
            return self.trace_id
        return self.caller.trace_id

    def begun(self, unix_ms: int) -> str:
        """The run's id, by a time that is known already: wall clock, milliseconds since 1970."""
        if self._run_id is None:
            self._run_id = run_id(unix_ms, self.trace_id)
        return self._run_id

    @property
    def run_id(self) -> str:
        """The run's id: time-ordered text, made when somebody asks for it."""
        if self._run_id is None:
            began_ns = self.started_ns + self.around.wall.offset_ns(self.now_ns())
            self._run_id = run_id(began_ns // 1_000_000, self.trace_id)
        return self._run_id


class CalledRun(RunContext):
    """A run that another process asked for: it stands in the trace of its caller, if that has one.

    Its `trace_id` stays its own, since a caller may ask for several runs in one trace.
    """

    __slots__ = ("caller",)

    def __init__(
        self,
        around: Surroundings,
        principal: Principal,
        trace_id: int,
        run_id: str | None = None,
        *,
        caller: Caller,
    ) -> None:
        super().__init__(around, principal, trace_id, run_id)
        self.caller = caller


class _Shorter(RunContext):
    """A run as the calls below a time limit see it; all but the limit is shared."""

    __slots__ = ("_whole", "caller", "ends")

    def __init__(self, whole: RunContext, ends: float) -> None:
        self.around = whole.around
        self.now_ns = whole.now_ns
        self.sink = whole.sink
        self.retell = whole.retell
        self.principal = whole.principal
        self.trace_id = whole.trace_id
        self.started_ns = whole.started_ns
        self.began_ns = whole.began_ns
        self.ends = ends
        self.caller = whole.caller
        self._whole = whole

    @override
    def until(self, ends: float) -> RunContext:
        return _Shorter(self._whole, ends)  # the next attempt of a call is not below the last one

    @property
    @override
    def effects(self) -> Sequence[str]:
        return self._whole.effects

    @override
    def add_effect(self, path: str) -> None:
        self._whole.add_effect(path)

    @override
    def drop_effect(self, path: str) -> None:
        self._whole.drop_effect(path)

    @property
    @override
    def spending(self) -> RunSpending:
        return self._whole.spending

    @property
    @override
    def run_id(self) -> str:
        return self._whole.run_id


class _Asking(_Shorter):
    """A run as a call sees it that asks what became of an effect."""

    __slots__ = ("asks_about",)

    def __init__(self, whole: RunContext, key: str) -> None:
        # What it asks has the time that is left, and no more.
        super().__init__(whole, (whole.now_ns() / 1e9) + whole.seconds_left(whole.now_ns()))
        self.asks_about = key


class UndoingRun(RunContext):
    """A run as a call sees it that undoes what the run has done.

    Args:
        around: What all runs of the app share.
        principal: On whose behalf the run acts.
        trace_id: Of the run.
        run_id: Of the run.
        key: The idempotency key of the effect that is undone.
    """

    __slots__ = ("undoes",)

    def __init__(
        self, around: Surroundings, principal: Principal, trace_id: int, run_id: str, key: str
    ) -> None:
        super().__init__(around, principal, trace_id, run_id)
        self.undoes = key
