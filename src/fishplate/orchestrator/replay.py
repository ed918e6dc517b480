"""A replay: a recorded run once more, with the code at hand, compared call by call.

Whatever leaves the process is answered from the record: tools, requests to models, remembered
answers, waits. So nothing has an effect. The run is ended at the first difference, since what comes
after it has no counterpart in the record.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Final, NoReturn

from pydantic_core import from_json, to_json
from typing_extensions import override

from fishplate.agents.agent import AnyAgent
from fishplate.contracts.values import BrokenValueError
from fishplate.core.current import TOLD_NOW
from fishplate.core.errors import FishplateError, UsageError
from fishplate.core.outcome import DeclaredError
from fishplate.core.run_context import Calling, RunContext, Surroundings
from fishplate.orchestrator.answered import answer_from_record
from fishplate.orchestrator.effects import CallEffect, SignalEffect, SleepEffect, Suspended
from fishplate.orchestrator.frame import Driver, Frame
from fishplate.orchestrator.history import arguments_digest
from fishplate.orchestrator.recording import (
    UNKNOWN,
    Difference,
    Outcome,
    Part,
    RecordedCall,
    Recording,
    first_difference,
)
from fishplate.orchestrator.records import failure_from_record
from fishplate.orchestrator.steps import Steps
from fishplate.orchestrator.waits import answer_to

_PLACE: Final = re.compile(r"(.*/\d+\.)([^/]+)")
_CUTS_OFF: Final = frozenset({"deadline", "cancelled"})
"""Classes of failures of a step by which its last call may have been left without an answer."""


class Replay:
    """Compares a run with a recorded one.

    Args:
        recording: The recorded one.
        recorded: Names of agents that are answered from the record as tools and models are.
        clean: Takes the secrets out of a failure's message.

    Attributes:
        difference: The first one; `None` while there is none.
        refusal: Why the run cannot be replayed to its end; `None` while it can.
        compared: How many calls were compared.
        inputs: Of how many it is known what they were given.
        outputs: Of how many what they gave, the run itself among them; answered ones are not.
        answered: Paths of those that were answered from the record.
        unchecked: Paths of calls of which something is not known, and was not compared.
    """

    def __init__(
        self,
        recording: Recording,
        recorded: Collection[str] = (),
        clean: Callable[[str], str] = str,
    ) -> None:
        self._recording = recording
        self._recorded = frozenset(recorded)
        self._left = dict(recording.calls)
        self.difference: Difference | None = None
        self.refusal: UsageError | None = None
        self._clean = clean
        self.compared = self.inputs = self.outputs = 0
        self.answered: list[str] = []
        self.unchecked: list[str] = []

    def context(self, around: Surroundings) -> RunContext:
        """What the calls of the run share: the ids and the principal of the recorded one."""
        found = self._recording
        return RunContext(around, found.principal, found.trace_id, found.run_id)

    def is_answered(self, unit: AnyAgent) -> bool:
        """Whether calls of an agent are answered from the record."""
        about = unit.about
        return (
            about.effect is not None
            or about.asks is not None
            or about.kind == "stale"
            or unit.name in self._recorded
        )

    def asked(self, effect: CallEffect) -> RecordedCall:
        """Hear of a call before it is made; what was recorded of it.

        Raises:
            Suspended: It is the first difference, or one has been found already.
            FishplateError: Its answer was cut off when the step around it failed.
        """
        if self.difference is not None or self.refusal is not None:
            raise Suspended((effect.key,))
        key, unit = effect.key, effect.unit
        given = unit.signature.encode(effect.arguments)
        call = self._recording.calls.get(key)
        self._left.pop(key, None)  # a body that is tried again asks again
        if call is None:
            failure = self._cut_off(effect)
            if failure is not None:
                raise failure
            instead = self._instead_of(key)
            self.differ(
                Difference(
                    path=key,
                    part="call",
                    before=instead or "nothing",
                    now={unit.name: given},
                    explanation=f"{unit.about.subject} is called here, and was not",
                )
            )
        self.compared += 1
        self.inputs += call.given is not UNKNOWN or call.arguments is not None
        if call.given is not UNKNOWN:
            self._compare(
                key, "input", call.given, given, f"{unit.about.subject} is given something else"
            )
        elif call.arguments is not None:
            if call.arguments != arguments_digest(effect):
                self.differ(
                    Difference(
                        path=key,
                        part="input",
                        before=UNKNOWN,
                        now=given,
                        explanation=f"{unit.about.subject} is given other arguments; of the "
                        "recorded ones the digest alone is known, unless --traces has them whole",
                    )
                )
        elif self.is_answered(unit):
            self.unchecked.append(key)
        return call

    def ended(self, key: str, now: Outcome, before: Outcome | None) -> None:
        """Hear how a call, or the run, ended.

        Args:
            key: Path of the step; empty for the run.
            now: How it ended.
            before: How the recorded one did; `None` if nobody knows.

        Raises:
            Suspended: It is the first difference.
        """
        below = [path for path in self._left if not key or path.startswith(f"{key}/")]
        if below:
            self._miss(below[0])
        if before is None:
            self.unchecked.append(key)
            return
        self.outputs += 1
        if before.is_failure or now.is_failure:
            if first_difference(before.shown, now.shown) is not None:
                self.differ(self._failure(key, before, now))
        else:
            self._compare(key, "output", before.shown, now.shown, "the outcome is another")
        degraded = first_difference(before.degraded, now.degraded)
        if degraded is not None:
            why = "what the answer says of its degradation is another"
            self.differ(_difference(key, "degraded", degraded, why))

    def _failure(self, key: str, before: Outcome, now: Outcome) -> Difference:
        """A difference of which one or both are failures: shown whole, with what they say."""
        return Difference(
            path=key,
            part="output",
            before=before.told(self._clean),
            now=now.told(self._clean),
            explanation="it fails" if now.is_failure else "it fails no longer",
        )

    def forget_below(self, key: str) -> None:
        """Let what a call made count no more, since the call itself was answered."""
        for path in [path for path in self._left if path.startswith(f"{key}/")]:
            del self._left[path]

    def answer_to_wait(self, effect: SignalEffect | SleepEffect) -> object:
        """What the recorded run was answered with where it waited; a sleep is over at once.

        Raises:
            Suspended: It waited for something else, or not at all.
        """
        if isinstance(effect, SleepEffect):
            return None
        answers = self._recording.answers
        if answers is None:
            self.refuse(
                f"step {effect.key!r} waits, and what a run was answered with stands in its "
                "store alone: name that by --store"
            )
        answered = answers.get(effect.key)
        asked = {effect.name: from_json(effect.arguments or b"null")}
        if answered is None:
            why = f"it waits for {effect.name!r} here, and did not, or had no answer"
            self.differ(
                Difference(
                    path=effect.key, part="call", before="nothing", now=asked, explanation=why
                )
            )
        if answered.digest != effect.digest:
            why = f"somebody approved of {effect.name!r} with other arguments"
            self.differ(
                Difference(
                    path=effect.key, part="input", before=UNKNOWN, now=asked, explanation=why
                )
            )
        before, now = sorted(answered.roles), sorted(effect.roles)
        if before != now:
            why = f"others may approve of {effect.name!r} here"
            self.differ(
                Difference(path=effect.key, part="roles", before=before, now=now, explanation=why)
            )
        return answer_to(effect, answered.answer)

    def differ(self, difference: Difference) -> NoReturn:
        """End the run with a difference.

        Raises:
            Suspended: Always.
        """
        self.difference = difference
        raise Suspended((difference.path,))

    def refuse(self, message: str) -> NoReturn:
        """End the run, since it cannot be replayed.

        Raises:
            Suspended: Always.
        """
        self.refusal = UsageError(message, code="not_replayable")
        raise Suspended(())

    def time_of(self, key: str, number: int) -> datetime:
        """What a call was told by its trace, else when it was made, or at least its run.

        Args:
            key: Path of the step.
            number: How often it has asked before.
        """
        told = self._recording.told.get(key, ())
        if number < len(told):
            return told[number]
        call = self._recording.calls.get(key)
        return self._recording.started if call is None or call.began is None else call.began

    def time_told(self, place: str) -> datetime | None:
        """What a body was told at one of its places; `None` if that is not recorded."""
        found = self._recording.times.get(place)
        return None if found is None else datetime.fromisoformat(found)

    def _compare(self, key: str, part: Part, before: object, now: object, why: str) -> None:
        found = first_difference(before, now)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] -- JSON unless UNKNOWN
        if found is not None:
            self.differ(_difference(key, part, found, why))

    def _cut_off(self, effect: CallEffect) -> FishplateError | None:
        """The failure of a step around a call, if that may have left the call without an answer."""
        path = effect.key
        while path := path.rpartition("/")[0]:
            around = self._recording.calls.get(path)
            gave = None if around is None else around.gave
            if gave is None or not gave.is_failure:
                continue
            failure = failure_from_record(effect.unit, to_json(gave.data))
            if isinstance(failure, FishplateError) and failure.error_class.word in _CUTS_OFF:
                return failure
        return None

    def _instead_of(self, key: str) -> str | None:
        """Name of what the body called at the same place."""
        place = _PLACE.fullmatch(key)
        if place is None:
            return None
        names = (_PLACE.fullmatch(path) for path in self._left)
        return next((one[2] for one in names if one is not None and one[1] == place[1]), None)

    def _miss(self, path: str) -> NoReturn:
        """Tell of a recorded call that is not made: of several within each other the outermost."""
        while (around := path.rpartition("/")[0]) in self._left:
            path = around
        given = self._left[path].given
        self.differ(
            Difference(
                path=path,
                part="call",
                before="a call" if given is UNKNOWN else {"given": given},
                now="nothing",
                explanation="it was called here, and is not",
            )
        )


class ReplaySteps(Steps):
    """Runs the calls of a replay.

    Attributes:
        replay: What is compared.
    """

    replay: Replay
    _last_asked: tuple[object, str, int] = (None, "", 0)

    @override
    async def perform(
        self,
        driver: Driver,
        run: RunContext,
        parent_id: int | None,
        effect: CallEffect,
        span_id: int = 0,
    ) -> object:
        """Run one call, or answer it from the record; see `Steps.perform`.

        Raises:
            Suspended: It differs from what was recorded.
        """
        replay, unit = self.replay, effect.unit
        if parent_id is None:  # the run itself, which whoever has started it compares
            return await super().perform(driver, run, parent_id, effect, span_id)
        call = replay.asked(effect)
        if replay.is_answered(unit):
            return self._from_record(run, parent_id, effect, call)
        try:
            answer = await super().perform(driver, run, parent_id, effect, span_id)
        except (FishplateError, DeclaredError) as failure:
            replay.ended(effect.key, Outcome.of_failure(failure), call.gave)
            raise
        replay.ended(effect.key, Outcome.of_answer(unit, answer), call.gave)
        return answer

    def told_now(self, call: Calling) -> datetime:
        """The time that a call is told: what it was told, else when it was made."""
        place = f"{call.path}@{call.calls_begun}" if isinstance(call, Frame) else ""
        last, where, count = self._last_asked
        count = count + 1 if last is call.run and where == place else 0
        self._last_asked = (call.run, place, count)
        told = (call.attributes or {}).get(TOLD_NOW)
        number = len(told) if isinstance(told, list) else 0
        return self.replay.time_told(f"{place}.{count}") or self.replay.time_of(call.path, number)

    def _from_record(
        self, run: RunContext, parent_id: int, effect: CallEffect, call: RecordedCall
    ) -> object:
        replay, gave, subject = self.replay, call.gave, effect.unit.about.subject
        if gave is None:
            replay.refuse(
                f"what {subject} gave in step {effect.key!r} is not recorded whole: replay from "
                "the run's store (--store), or keep traces with capture='full'"
            )
        replay.forget_below(effect.key)
        replay.answered.append(effect.key)
        effects = effect.unit.about.effect
        if effects is not None and not effects.is_readonly and _has_effect(gave):
            run.add_effect(effect.key)  # whoever is around decides by it, as it did then
        answer = functools.partial(
            answer_from_record,
            run,
            parent_id,
            self._random_id(),
            effect,
            is_failure=gave.is_failure,
        )
        try:
            return answer(data=to_json(gave.data), reasons=gave.reasons_json)
        except BrokenValueError as error:
            why = f"what {subject} gave breaks the contract that it has now: {error}"
            replay.differ(
                Difference(path=effect.key, part="output", before=gave.shown, explanation=why)
            )


def _has_effect(gave: Outcome) -> bool:
    return not gave.is_failure or (
        isinstance(gave.data, dict) and bool(gave.data.get("has_effect"))
    )


def _difference(key: str, part: Part, found: tuple[str, object, object], why: str) -> Difference:
    pointer, before, now = found
    return Difference(path=key, part=part, pointer=pointer, before=before, now=now, explanation=why)
