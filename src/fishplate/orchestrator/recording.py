"""What a replay goes by: a run as it was recorded, whoever has recorded it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Final, Literal, NamedTuple, TypeAlias, cast

from pydantic_core import from_json, to_json

from fishplate.agents.agent import AnyAgent
from fishplate.core.data import dataclass
from fishplate.core.errors import FishplateError, JsonValue
from fishplate.core.outcome import DeclaredError
from fishplate.core.run_context import Principal
from fishplate.journal.waits import Answered
from fishplate.orchestrator.effects import Marked
from fishplate.orchestrator.records import failure_to_record

UNKNOWN: Final = object()
"""In place of JSON that nobody has recorded, or not whole."""

ChoicePart: TypeAlias = Literal["decision", "retrieval", "doubt"]
Part: TypeAlias = Literal["input", "output", "degraded", "call", "roles"] | ChoicePart

ABSENT: Final = object()
"""In place of JSON that is not there."""


class Outcome(NamedTuple):
    """How a call or a run ended.

    Attributes:
        data: JSON of its value, or of its failure as `records.failure_to_record` writes it.
        is_failure: Which of both it is.
        reasons: JSON of the reasons why the value is degraded; empty if it is not.
    """

    data: JsonValue
    is_failure: bool
    reasons: tuple[Mapping[str, JsonValue], ...] = ()

    @staticmethod
    def of_answer(unit: AnyAgent, answer: object) -> Outcome:
        """The outcome of a call that gave something."""
        value, reasons = answer, tuple[Mapping[str, JsonValue], ...]()
        if type(answer) is Marked:
            value, reasons = answer.value, tuple(asdict(one) for one in answer.reasons)
        return Outcome(unit.signature.output.encode(value), is_failure=False, reasons=reasons)

    @staticmethod
    def of_failure(failure: FishplateError | DeclaredError) -> Outcome:
        """The outcome of a call that failed."""
        return Outcome(from_json(failure_to_record(failure)), is_failure=True)

    @property
    def shown(self) -> JsonValue:
        """The value; or code and class of the failure, or what a declared one carries."""
        if not self.is_failure:
            return self.data
        found = cast("dict[str, JsonValue]", self.data)
        if "facts" not in found:
            return {"error": found["data"]}
        facts = cast("dict[str, JsonValue]", found["facts"])
        return {"error": {"code": facts["code"], "class": facts["class"]}}

    def told(self, clean: Callable[[str], str]) -> JsonValue:
        """What is shown of it: the value; of a failure its message as well.

        Args:
            clean: Takes the secrets out of a message.
        """
        shown = self.shown
        if not self.is_failure:
            return shown
        facts = cast("dict[str, dict[str, JsonValue]]", self.data).get("facts", {})
        message = facts.get("message")
        if not isinstance(message, str):
            return shown
        error = cast("dict[str, dict[str, JsonValue]]", shown)["error"]
        return {"error": {**error, "message": clean(message)}}

    @property
    def degraded(self) -> list[JsonValue]:
        """The reasons without ages, which no two runs share."""
        return [
            {name: value for name, value in one.items() if name != "age"} for one in self.reasons
        ]

    @property
    def reasons_json(self) -> bytes | None:
        """The reasons as a journal keeps them."""
        return to_json(self.reasons) if self.reasons else None


class RecordedCall(NamedTuple):
    """A call of a recorded run.

    Attributes:
        given: JSON of what it was called with, or `UNKNOWN`.
        arguments: SHA-256 of that, as hex; `None` if nobody knows it.
        gave: How it ended; `None` if that is not known whole.
        began: When, if somebody knows.
    """

    given: object = UNKNOWN
    arguments: str | None = None
    gave: Outcome | None = None
    began: datetime | None = None


class Choice(NamedTuple):
    """Something that a run has told of why.

    Attributes:
        path: Of the step.
        part: What it is.
        facts: JSON of it; of a recorded one what was recorded whole.
    """

    path: str
    part: ChoicePart
    facts: dict[str, JsonValue]


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """A recorded run.

    Attributes:
        run_id: Of the run.
        agent: Name of what ran.
        release: Version and fingerprint of it.
        trace_id: What the randomness of its calls was drawn from.
        principal: On whose behalf it ran.
        started: When it began.
        input: JSON.
        outcome: How it ended; `None` if that is not known whole.
        calls: By path of the step, in the order in which they were recorded.
        times: What bodies were told when they asked for the time, by place.
        told: The same by paths of their calls, in order, as far as the trace has it.
        answers: What waits were answered with by path; `None` if nobody has recorded that.
        choices: What it has told of why; `None` if nobody has recorded that.
    """

    run_id: str
    agent: str
    release: str
    trace_id: int
    principal: Principal
    started: datetime
    input: JsonValue
    outcome: Outcome | None
    calls: Mapping[str, RecordedCall]
    times: Mapping[str, str]
    told: Mapping[str, Sequence[datetime]]
    answers: Mapping[str, Answered] | None
    choices: tuple[Choice, ...] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """The first thing in which a replay is not what was recorded.

    Attributes:
        path: Of the step; empty for the run itself.
        part: What of it: what it was called with, what it gave, why that is degraded, that it was
            called at all, or what it has told of why.
        pointer: JSON pointer to the field; empty for the whole.
        before: JSON as it was recorded; `ABSENT` if there was nothing, `UNKNOWN` if nobody knows.
        now: JSON; `ABSENT` if there is nothing.
        explanation: What happened, in words.
    """

    path: str
    part: Part
    pointer: str = ""
    before: object = ABSENT
    now: object = ABSENT
    explanation: str


Found: TypeAlias = tuple[str, object, object]


def first_difference(before: JsonValue, now: JsonValue) -> Found | None:
    """The pointer to the first field in which two JSON values differ, with both of it.

    Members of objects come in the order of `before`; `None`: they are equal.
    """
    return next(_differences(before, now, ""), None)


def _differences(before: JsonValue, now: JsonValue, pointer: str) -> Iterator[Found]:
    if isinstance(before, dict) and isinstance(now, dict):
        for name in {**before, **now}:
            escaped = name.replace("~", "~0").replace("/", "~1")
            yield from _both(
                before.get(name, ABSENT), now.get(name, ABSENT), f"{pointer}/{escaped}"
            )
    elif isinstance(before, list) and isinstance(now, list):
        for at in range(max(len(before), len(now))):
            yield from _both(
                before[at] if at < len(before) else ABSENT,
                now[at] if at < len(now) else ABSENT,
                f"{pointer}/{at}",
            )
    elif isinstance(before, bool) is not isinstance(now, bool) or before != now:
        yield pointer, before, now


def _both(before: object, now: object, pointer: str) -> Iterator[Found]:
    if before is ABSENT or now is ABSENT:
        yield pointer, before, now
    else:
        yield from _differences(cast("JsonValue", before), cast("JsonValue", now), pointer)
