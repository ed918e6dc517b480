"""The history of a run: what it did before it was taken up again, and the log of what it does.

A step of a plan is named by its path, which is equal in every walk. A call of a body is named by
its place among the body's calls, so its arguments are kept too: another body may stand at the same
place by now, or the same one may have taken another way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Final

from pydantic_core import from_json, to_json

from fishplate.agents.agent import AnyAgent
from fishplate.contracts.json import canonical_json
from fishplate.core.errors import FishplateError
from fishplate.core.outcome import DeclaredError
from fishplate.journal.journal import RunLog
from fishplate.journal.run_rows import StepRecord
from fishplate.journal.waits import Answered
from fishplate.orchestrator.effects import CallEffect, Marked
from fishplate.orchestrator.records import failure_to_record, value_to_record

NO_ANSWERS: Final[Mapping[str, Answered]] = {}
NOTHING_REWRITTEN: Final[Mapping[str, str]] = {}


class Diverged(Exception):  # noqa: N818 -- no error of anybody: a fact about a body and its records
    """A body takes another way than its records say.

    Attributes:
        recorded: Key of the first record that it does not ask for.
        called: What it calls instead; `None` if it has ended.
    """

    def __init__(self, recorded: str, called: str | None) -> None:
        super().__init__(recorded, called)
        self.recorded = recorded
        self.called = called


class History:
    """What a run did, and where it is written what it does.

    Args:
        log: Of this run.
        now_ms: Wall clock, milliseconds since 1970.
        records: What it did before, in the order of its steps' ends.
        effects: Paths of its calls whose effects have happened, or may have; one of them without
            a record was cut off, and has to be made again before the run ends.
        answers: What its steps were answered with that waited, each with the digest of what was
            asked, by key.
        rewritten: As the attribute.

    Attributes:
        attention: Why somebody has to decide about the run; `None` if nobody has to.
        explanation: The same in words; `None` where the failure says it.
        rewritten: Bodies whose code is another one by now, by name, with what is to be said.
        has_waited: The store has waits of the run.
        is_resumed: It did something before it was taken up.
    """

    __slots__ = (
        "_bodies",
        "_effects",
        "_last",
        "_last_asked",
        "_now_ms",
        "_opened",
        "_records",
        "_times",
        "answers",
        "attention",
        "explanation",
        "has_waited",
        "is_resumed",
        "log",
        "rewritten",
    )

    def __init__(  # noqa: PLR0913, PLR0917 -- what is known of a run
        self,
        log: RunLog,
        now_ms: Callable[[], int],
        records: Iterable[StepRecord] = (),
        effects: Iterable[str] = (),
        answers: Mapping[str, Answered] = NO_ANSWERS,
        rewritten: Mapping[str, str] = NOTHING_REWRITTEN,
    ) -> None:
        self.log = log
        self.answers = answers
        self.has_waited = bool(answers)
        self._effects = set(effects)
        self.attention: str | None = None
        self.explanation: str | None = None
        self.rewritten = rewritten
        self._now_ms = now_ms
        self._records: dict[str, StepRecord] = {}
        self._bodies: set[str] = set()
        self._opened: set[str] | None = None  # most runs are one plan of single calls
        self._times: dict[str, str] = {}
        self._last: tuple[object, object, bytes] | None = None
        self._last_asked: tuple[object, str, int] = (None, "", 0)
        for record in records:
            if record.kind == "dropped":
                self._forget(record.key)
            elif record.kind == "now":
                self._times[record.key] = from_json(record.data)
            else:
                self._records[record.key] = record
        for path in self._effects:
            if path not in self._records and not self._is_recorded_above(path):
                self._records[path] = StepRecord(0, path, "open", None, b"null", None, 0)
        self.is_resumed = bool(self._records)

    def _is_recorded_above(self, path: str) -> bool:
        """Whether a step that the call was made in has its record: the call stands in it."""
        return any(path.startswith(f"{key}/") for key in self._records)

    def opens(self, path: str) -> bool:
        """Hear that a call begins that others stand below; whether it does so for the first time.

        Its body begins anew if another try of the body around it makes the call again.
        """
        if self._opened is None:
            self._opened = set()
        is_first = path not in self._opened
        self._opened.add(path)
        return is_first

    def is_open(self, path: str) -> bool:
        """Whether a call was cut off in a former life, and nobody has made it again here."""
        record = self._records.get(path)
        return record is not None and record.kind == "open"

    def open_calls(self) -> list[str]:
        """Paths of the calls that were cut off in a former life and not made again."""
        return [key for key in self._records if self.is_open(key)]

    def close(self, path: str) -> None:
        """Hear that a call that was cut off is made again, or answered."""
        if self.is_open(path):
            del self._records[path]

    def take(self, effect: CallEffect) -> StepRecord | None:
        """The record of a call, which is not given twice; `None` if it has to be made.

        Raises:
            Diverged: A body made this call with other arguments before.
        """
        if not self._records:
            return None
        record = self._records.get(effect.key)
        if record is None or record.kind == "open":
            return None
        if record.arguments is not None and record.arguments != arguments_digest(effect):
            raise Diverged(effect.key, effect.key)
        if effect.unit.grants:  # what it called is answered with it, and nobody asks for that
            self._forget(effect.key)
        return self._records.pop(effect.key)

    def check_child(self, path: str, number: int, name: str | None) -> None:
        """Hear of a body's next call, and compare it with what the body did before.

        Args:
            path: Of the body's step.
            number: Place of the call among the body's, from 0.
            name: Of the agent, or of what it waits by; `None` for calls side by side.

        Raises:
            Diverged: It called something else at this place, or made no call here but a later one.
        """
        self._count(path, number)
        if not self._records:
            return
        called = f"{path}/{number}.{name or ''}"
        for key in self.below(path):
            place, _, rest = key[len(path) + 1 :].partition(".")
            callee = rest.partition("/")[0].partition("|")[0]
            is_side_by_side = "." in callee
            same = is_side_by_side if name is None else callee == name
            if int(place) < number or (int(place) == number and not same):
                raise Diverged(key, called)
            if int(place) == number:
                return
        left = self.below(path)
        if left and not self._was_answered(called):
            raise Diverged(left[0], called)

    def check_refused(self, path: str, number: int, name: str | None) -> None:
        """Hear of a body's next call, which was refused: of that there is no record.

        Args:
            path: Of the body's step.
            number: Place of the call among the body's, from 0.
            name: See `check_child`.

        Raises:
            Diverged: It made a call at this place, or one before it that it has not made now.
        """
        self._count(path, number)
        for key in self.below(path):
            if int(key[len(path) + 1 :].partition(".")[0]) <= number:
                raise Diverged(key, f"{path}/{number}.{name or ''}")

    def _count(self, path: str, number: int) -> None:
        if number == 0 and path in self._bodies:
            self.drop(path)  # another attempt of the body, whose calls are counted anew
        self._bodies.add(path)

    def _was_answered(self, called: str) -> bool:
        """Whether a body waited at a place, of which nothing is recorded but the answer."""
        is_side_by_side = called.endswith(".")
        return any(
            key.startswith(called) if is_side_by_side else key == called for key in self.answers
        )

    def time_told(self, path: str, calls: int, attempt: object, now: datetime) -> datetime:
        """The time that a body is told: what it was told at this place before, else `now`.

        Args:
            path: Of the body's step.
            calls: How many calls it has begun.
            attempt: Tells the attempts of the body apart.
            now: The time.
        """
        place = f"{path}@{calls}"
        last, where, count = self._last_asked
        count = count + 1 if last is attempt and where == place else 0
        self._last_asked = (attempt, place, count)
        key = f"{place}.{count}"
        known = self._times.pop(key, None)
        if known is not None:
            return datetime.fromisoformat(known)
        self.log.step(key, "now", to_json(now.isoformat()), ended_ms=self._now_ms())
        return now

    def note_effect(self, path: str) -> None:
        """Hear that the effect of a call may have happened."""
        self._effects.add(path)

    def has_effect(self, path: str) -> bool:
        """Whether a call, or one below it, has changed something or may have."""
        return any(found == path or found.startswith(f"{path}/") for found in self._effects)

    def below(self, path: str) -> list[str]:
        """Keys of the records that stand below a body and were not asked for, in order."""
        prefix = f"{path}/"
        return [key for key in self._records if key.startswith(prefix)]

    def drop(self, path: str) -> None:
        """Let what stands below a body count no more; the body goes on without it."""
        self._forget(path)
        self.log.step(path, "dropped", b"null", ended_ms=self._now_ms())

    def _forget(self, path: str) -> None:
        for key in self.below(path):
            if not self.is_open(key):
                del self._records[key]
        # What it was told before its first call was told to the body that begins anew, too.
        of_calls, of_none = (f"{path}/", f"{path}@"), f"{path}@0."
        for key in [one for one in self._times if one.startswith(of_calls)]:
            if not key.startswith(of_none):
                del self._times[key]

    def succeeded(self, effect: CallEffect, answer: object) -> None:
        """Write what a call gave.

        Raises:
            PayloadTooLargeError: It is larger than the journal keeps.
        """
        shape = effect.unit.signature.output
        if type(answer) is Marked:
            data, reasons = value_to_record(effect.unit, answer)
        else:
            data, reasons = shape.to_json(answer), None
        self._last = (answer, shape, data)
        self.log.step(
            effect.key,
            "value",
            data,
            ended_ms=self._now_ms(),
            arguments=self._arguments(effect) if self._bodies else None,
            reasons=reasons,
        )

    def failed(self, effect: CallEffect, failure: FishplateError | DeclaredError) -> None:
        """Write how a call failed."""
        self._last = None  # its body may have changed what another one gave
        self.log.step(
            effect.key,
            "failure",
            failure_to_record(failure),
            ended_ms=self._now_ms(),
            arguments=self._arguments(effect) if self._bodies else None,
        )

    def answer_to_record(self, unit: AnyAgent, answer: object) -> tuple[bytes, bytes | None]:
        """The JSON of what the run gave; see `value_to_record`.

        A workflow mostly gives what its last step gave, which is written already.
        """
        if self._last is not None and unit.about.kind == "plan":
            last, shape, data = self._last
            if last is answer and shape is unit.signature.output:
                return data, None
        return value_to_record(unit, answer)

    def _arguments(self, effect: CallEffect) -> str | None:
        if any(effect.key.startswith(f"{path}/") for path in self._bodies):
            return arguments_digest(effect)
        return None


def arguments_digest(effect: CallEffect) -> str:
    """SHA-256 of a call's arguments as JSON, as hex."""
    return hashlib.sha256(
        canonical_json(effect.unit.signature.encode(effect.arguments))
    ).hexdigest()
