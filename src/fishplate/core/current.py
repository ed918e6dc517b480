"""`current()`: what a body may know about the call that it is running in."""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, TypeVar, cast

from fishplate.core.call import SCOPE
from fishplate.core.data import dataclass
from fishplate.core.errors import JsonValue, UsageError
from fishplate.core.events import HeadTuple
from fishplate.core.ids import child_span_id, idempotency_key
from fishplate.core.outcome import Reason
from fishplate.core.run_context import Principal, RunContext
from fishplate.core.spending import SPENT, not_noted, spend
from fishplate.core.told import (
    inert,
    number_told,
    object_told,
    text_told,
    texts_told,
    wrong_type,
)
from fishplate.core.trace_context import format_baggage, format_traceparent

T = TypeVar("T")

TOLD_NOW: Final = "told_now"
"""Under which name the times that a call was told stand on its span."""
MOST_TOLD: Final = 16
"""Of them, how many."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Passage:
    """A piece of text that a search has found.

    Attributes:
        id: Which it is, so that it can be found again.
        score: How well it fits, as the search has it: a share, a distance, or a count without
            end; `retrieved()` says from which score on a passage fits. `None` if there is none.
        text: What it says, or its beginning; told with the trace as content is. `None` leaves
            it out.
    """

    id: str
    score: float | None = None
    text: str | None = None


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
        """Wall clock time, aware; in a body that calls others the same again after a resume.

        The first `MOST_TOLD` that a call is told stand on its span, so that a replay tells them.
        """
        around = self.run.around
        now = around.clock.now() if around.kept_now is None else around.kept_now(self)
        if self.attributes is None:
            self.attributes = {}
        told = self.attributes.setdefault(TOLD_NOW, [])
        if isinstance(told, list) and len(told) < MOST_TOLD:
            told.append(now.isoformat())
        return now

    def uuid(self) -> uuid.UUID:
        """A random UUID (version 4) from this call's randomness."""
        return uuid.UUID(int=self.random.getrandbits(128), version=4)

    def note(self, **facts: JsonValue) -> None:
        """Put facts on the call's span, e.g. `note(cache_hit=True)`.

        They are copied, and made harmless: see `fishplate.core.told.inert`.

        Raises:
            UsageError: They say what was spent, see `spent` (code `bad_spending`).
        """
        if not SPENT.isdisjoint(facts):
            raise not_noted(self.path, SPENT & facts.keys())
        if self.attributes is None:
            self.attributes = {}
        for name, value in facts.items():
            self.attributes[name if name.isascii() else text_told(name, "note()")] = inert(value)

    def spent(
        self,
        *,
        cost_nanos: int | None,
        currency: str | None = None,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
    ) -> None:
        """Tell of a request that this call has paid for itself, e.g. to a search that takes money.

        All sums count it, on top of what the call has told before. What is spent by the calls that
        it makes is counted there: a request of a model agent tells its tokens and cost itself.

        Args:
            cost_nanos: Billionths of the currency, at least 0; `None` if nobody knows, which is
                counted apart and never as nothing.
            currency: Three letters of ISO 4217, the same for all that one call pays; left out if
                the cost is unknown.
            input_tokens: That went in; `None` if nobody has counted.
            output_tokens: That came out; likewise.

        Raises:
            UsageError: It is no amount, or in another currency than before (code `bad_spending`).
        """
        counted = {"input_tokens": input_tokens, "output_tokens": output_tokens}
        tokens = {word: count for word, count in counted.items() if count is not None}
        spend(self, self.path, cost_nanos, currency, tokens)

    def retrieved(  # noqa: PLR0913 -- facts about one search, all but the first two by name
        self,
        source: str,
        passages: Sequence[Passage],
        *,
        used: Sequence[str] | None = None,
        query: str | None = None,
        at_least: float | None = None,
        at_most: float | None = None,
    ) -> None:
        """Tell what was looked up, as a span of its own below this call.

        Args:
            source: What was searched, e.g. the name of an index; the name of the span.
            passages: What was found, best first; may be empty.
            used: Ids of those that went into the answer, among them or not; `None`: not known yet.
            query: What was searched for.
            at_least: Score from which on a passage fits, if higher is better: a similarity.
            at_most: Score up to which a passage fits, if lower is better: a distance. Where
                neither is said, blame judges no score, since only the search knows what it means.

        Raises:
            UsageError: One of them is of another type (code `bad_fact`).
        """
        facts: dict[str, JsonValue] = {
            "passages": _passages(passages),
            "used": None if used is None else texts_told(used, "retrieved(used=)"),
        }
        if query is not None:
            facts["query"] = text_told(query, "retrieved(query=)")
        for name, bound in (("at_least", at_least), ("at_most", at_most)):
            if bound is not None:
                facts[name] = number_told(bound, f"retrieved({name}=)")
        self._tell(("retrieval", text_told(source, "retrieved(source=)"), ""), facts)

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

        Raises:
            UsageError: One of them is of another type (code `bad_fact`).
        """
        table, row = text_told(table, "decided(table=)"), text_told(row, "decided(row=)")
        given = object_told(given, "decided(given=)")
        facts: dict[str, JsonValue] = {"kind": "rule", "chosen": row, "given": given}
        if when is not None:
            facts["when"] = object_told(when, "decided(when=)")
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

        Raises:
            UsageError: One of them is of another type (code `bad_fact`).
        """
        reason = text_told(reason, "doubt(reason=)")
        suspects = texts_told((about,) if isinstance(about, str) else about, "doubt(about=)")
        doubts = (self.attributes or {}).get("doubts")
        known = doubts if isinstance(doubts, list) else []
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

        Raises:
            UsageError: One of them is of another type (code `bad_fact`).
        """
        found = Reason(
            reason=text_told(reason, "degrade(reason=)"),
            source=text_told(source, "degrade(source=)"),
            step=self.path,
            age=number_told(age, "degrade(age=)"),
        )
        self.reasons += (found,)

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


def _passages(found: object) -> list[JsonValue]:
    if not isinstance(found, Sequence):
        raise wrong_type(found, "retrieved(passages=)", "a list of passages")
    return [_passage(one) for one in cast("Sequence[object]", found)]


def _passage(found: object) -> dict[str, JsonValue]:
    if not isinstance(found, Passage):
        raise wrong_type(found, "retrieved(passages=[...])", "a Passage each")
    told: dict[str, JsonValue] = {
        "id": text_told(found.id, "retrieved(passages=[Passage(id=)])"),
        "score": number_told(found.score, "retrieved(passages=[Passage(score=)])"),
    }
    if found.text is not None:
        told["text"] = text_told(found.text, "retrieved(passages=[Passage(text=)])")
    return told
