"""`current()`: what a body may know about the call that it is running in."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar, cast

from typing_extensions import override

from fishplate.core.call import SCOPE
from fishplate.core.clock import Clock
from fishplate.core.data import dataclass
from fishplate.core.errors import JsonValue, UsageError
from fishplate.core.events import HeadTuple, Sink
from fishplate.core.ids import child_span_id, idempotency_key, run_id
from fishplate.core.outcome import Reason
from fishplate.core.text import TextFeed, TextFeeds
from fishplate.core.trace_context import Caller, format_baggage, format_traceparent

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Passage:
    """A piece of text that a search has found.

    Attributes:
        id: Which it is, so that it can be found again.
        score: How well it fits, higher is better; from 0 to 1 if blame is to be told from it.
            `None` if the search gives none.
        text: What it says, or its beginning; told with the trace as content is. `None` leaves
            it out.
    """

    id: str
    score: float | None = None
    text: str | None = None


class Heads(Protocol):
    """Says what all spans of an agent share, for agents that do not know it themselves."""

    def head(self, unit: Any, /) -> HeadTuple:
        """What all spans of an agent share in this app."""
        ...


class Surroundings:
    """What all runs of one app share.

    Attributes:
        clock: Where the time comes from.
        sink: Where finished spans go.
        resources: Opened resources by the type they were declared under.
        working_time: Seconds that a run may work.
        heads: Says what the spans of an agent share.
        texts: What models say to those who read along with runs; `None` until somebody does.
        kept_now: Gives a call the time that it was given before, if runs are kept; else `None`.
    """

    __slots__ = (
        "clock",
        "heads",
        "kept_now",
        "now_ns",
        "resources",
        "sink",
        "texts",
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
        self.sink = sink
        self.resources = resources
        self.working_time = working_time
        self.heads = heads
        self.texts: TextFeeds | None = None
        self.kept_now: Callable[[Current], datetime] | None = None


class RunContext:
    """What all calls of one run share.

    Attributes:
        around: What all runs of the app share.
        principal: On whose behalf the run acts.
        trace_id: 128 random bits, from which the randomness of the run's calls is drawn too.
        started_ns: When the run began, on the clock's monotonic scale.
        ends: When the calls that are made in it have to be over, in seconds on the clock's
            monotonic scale; `None`: when the run's working time is over.
        asks_about: The idempotency key of the effect that a call of a `lookup=` asks about.
        undoes: The idempotency key of the effect that a call of a `compensate=` undoes.
        caller: Whose trace it stands in; `None`: one of its own.
    """

    ends: float | None = None
    asks_about: str | None = None
    undoes: str | None = None
    caller: Caller | None = None

    __slots__ = (
        "_effects",
        "_run_id",
        "around",
        "now_ns",
        "principal",
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
        self.principal = principal
        self.trace_id = trace_id
        self._effects: list[str] | None = None  # most runs change nothing
        self.started_ns = around.now_ns()
        self._run_id = run_id

    @property
    def effects(self) -> Sequence[str]:
        """Paths of the calls that have changed something, or may have; one for each attempt."""
        return self._effects or ()

    def add_effect(self, path: str) -> None:
        """Note that an attempt of the call at `path` may change something."""
        if self._effects is None:
            self._effects = []
        self._effects.append(path)

    def drop_effect(self, path: str) -> None:
        """Note that an attempt of the call at `path` has surely changed nothing."""
        assert self._effects is not None, "the attempt was noted before it began"
        self._effects.remove(path)

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
        return self.trace_id if self.caller is None else self.caller.trace_id

    def begun(self, unix_ms: int) -> str:
        """The run's id, by a time that is known already: wall clock, milliseconds since 1970."""
        if self._run_id is None:
            self._run_id = run_id(unix_ms, self.trace_id)
        return self._run_id

    @property
    def run_id(self) -> str:
        """The run's id: time-ordered text, made when somebody asks for it."""
        if self._run_id is None:
            elapsed_ms = (self.now_ns() - self.started_ns) // 1_000_000
            unix_ms = int(self.around.clock.now().timestamp() * 1000) - elapsed_ms
            self._run_id = run_id(unix_ms, self.trace_id)
        return self._run_id


class CalledRun(RunContext):
    """A run that another process asked for: it stands in the trace of its caller.

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
        self.principal = whole.principal
        self.trace_id = whole.trace_id
        self.started_ns = whole.started_ns
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


class Current:
    """The call that is running now; `current()` gives it.

    Attributes:
        path: Path of the step within the run, e.g. `support/refund`.
        span_id: Of the call's span.
    """

    span_id: int

    # Defaults stand on the class: a call is made for every step, and most never set these.
    reasons: tuple[Reason, ...] = ()
    attributes: dict[str, JsonValue] | None = None
    ends: float | None = None  # on the clock's monotonic scale, if the call has a limit of its own
    _random: random.Random | None = None
    _told = 0

    def __init__(self, run: RunContext, path: str, step_name: str) -> None:
        self.run = run
        self.path = path
        self._step_name = step_name

    @property
    def step_name(self) -> str:
        """Name of the agent or tool."""
        return self._step_name

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.run.run_id

    @property
    def principal(self) -> Principal:
        """On whose behalf the run acts."""
        return self.run.principal

    @property
    def traceparent(self) -> str:
        """What a request to another process says, so that its spans stand below this call.

        The value of the HTTP header of that name (W3C Trace Context, version 00).
        """
        caller = self.run.caller
        is_sampled = caller is None or caller.is_sampled
        return format_traceparent(self.run.shown_trace_id, self.span_id, is_sampled=is_sampled)

    @property
    def baggage(self) -> str:
        """What the caller of the run said to everybody below, as a `baggage` header; may be empty.

        It comes from outside: pass it on to those alone who may read what the caller wrote.
        """
        caller = self.run.caller
        return "" if caller is None else format_baggage(caller.baggage)

    @property
    def idempotency_key(self) -> str:
        """The key that goes out with an effect: equal on every attempt and after every resume.

        In a `lookup=` it is that of the effect which is asked about.
        """
        if self.run.asks_about is not None:
            return self.run.asks_about
        return idempotency_key(
            self.run.principal.tenant, self.step_name, f"{self.run.run_id}/{self.path}"
        )

    @property
    def deadline(self) -> float:
        """Seconds that the call has left; negative once they are past.

        The least of what its own time limit, those of the calls around it, and the run's working
        time leave.
        """
        if self.ends is not None:
            return self.ends - self.run.now_ns() / 1e9
        return self.run.seconds_left(self.run.now_ns())

    @property
    def random(self) -> random.Random:
        """Randomness of this call; the same draws again when the call is replayed."""
        if self._random is None:
            self._random = random.Random(f"{self.run.trace_id}/{self.path}")  # noqa: S311 -- not for secrets
        return self._random

    def now(self) -> datetime:
        """Wall clock time, aware; in a body that calls others the same again after a resume."""
        around = self.run.around
        return around.clock.now() if around.kept_now is None else around.kept_now(self)

    def uuid(self) -> uuid.UUID:
        """A random UUID (version 4) from this call's randomness."""
        return uuid.UUID(int=self.random.getrandbits(128), version=4)

    def note(self, **facts: JsonValue) -> None:
        """Put facts on the call's span, e.g. `note(cache_hit=True)`."""
        if self.attributes is None:
            self.attributes = {}
        self.attributes.update(facts)

    def retrieved(
        self,
        source: str,
        passages: Sequence[Passage],
        *,
        used: Sequence[str] | None = None,
        query: str | None = None,
    ) -> None:
        """Tell what was looked up, as a span of its own below this call.

        Args:
            source: What was searched, e.g. the name of an index; the name of the span.
            passages: What was found, best first; may be empty.
            used: Ids of those that went into the answer, among them or not; `None`: not known yet.
            query: What was searched for.
        """
        facts: dict[str, JsonValue] = {
            "passages": [_passage(one) for one in passages],
            "used": None if used is None else [*used],
        }
        if query is not None:
            facts["query"] = query
        self._tell(("retrieval", source, ""), facts)

    def decided(
        self,
        table: str,
        row: str,
        *,
        given: Mapping[str, JsonValue],
        when: Mapping[str, JsonValue] | None = None,
    ) -> None:
        """Tell which row of a table of rules was applied, as a decision below this call.

        Args:
            table: Which rules they are; the span is named by them and the row.
            row: Which one was applied.
            given: The facts that it was chosen for, by name.
            when: JSON Schema of the facts that the row is for, so that blame can be told if it was
                applied to others.
        """
        facts: dict[str, JsonValue] = {"kind": "rule", "chosen": row, "given": {**given}}
        if when is not None:
            facts["when"] = {**when}
        self._tell(("decision", f"{table}: {row}", ""), facts)

    def doubt(self, reason: str, *, about: str | Sequence[str]) -> None:
        """Tell that an answer is implausible, and go on; the run ends as it would without.

        It is evidence for who asks later why an answer was wrong, and no check of a contract: what
        must not be is an error.

        Args:
            reason: What speaks against it, e.g. `the carrier says delivered, the shop pending`.
            about: Name of the agent or tool whose answer it is: of this call, or of one that was
                made before. Several if they disagree; of those the one that other evidence speaks
                against is blamed, else the first.
        """
        doubts = (self.attributes or {}).get("doubts")
        known = doubts if isinstance(doubts, list) else []
        suspects: list[JsonValue] = [about] if isinstance(about, str) else [*about]
        self.note(doubts=[*known, {"about": suspects, "reason": reason}])

    def _tell(self, head: HeadTuple, facts: dict[str, JsonValue]) -> None:
        """A span of its own below this call, which takes no time."""
        self._told += 1
        now = self.run.now_ns()
        self.run.sink(
            (
                self.run.trace_id,
                child_span_id(self.span_id, self._told),
                self.span_id,
                head,
                self.path,
                now,
                now,
                "ok",
                facts,
            )
        )

    def degrade(self, reason: str, *, source: str, age: float | None = None) -> None:
        """Say that this call's answer is worse than it should be; the mark follows the value.

        Args:
            reason: What happened, e.g. `carrier_down`.
            source: Where the value comes from instead, e.g. `cache`.
            age: Seconds since the value was true.
        """
        self.reasons += (Reason(reason=reason, source=source, step=self.path, age=age),)

    def resource(self, kind: type[T]) -> T:
        """The app's resource that was declared under `kind`.

        Raises:
            UsageError: The app declares no such resource (code `no_resource`).
        """
        try:
            return cast("T", self.run.around.resources[kind])
        except KeyError:
            declared = (
                ", ".join(sorted(known.__name__ for known in self.run.around.resources)) or "none"
            )
            msg = (
                f"step {self.path!r} asks for the resource {kind.__name__!r}, "
                f"and the app has: {declared}. "
                f"Declare it: App(resources={{{kind.__name__}: open_it}})"
            )
            raise UsageError(msg, code="no_resource") from None


def current() -> Current:
    """The running call.

    Raises:
        UsageError: No agent or tool of fishplate is running here (code `no_call`).
    """
    scope: object = SCOPE.get()
    if isinstance(scope, Current):
        return scope
    msg = "current() was called outside of a running agent or tool: call it inside a body"
    raise UsageError(msg, code="no_call")


def _passage(found: Passage) -> dict[str, JsonValue]:
    told: dict[str, JsonValue] = {"id": found.id, "score": found.score}
    return told if found.text is None else {**told, "text": found.text}
