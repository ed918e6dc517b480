"""Running calls of runs that are kept: what is recorded is not run again, what runs is recorded."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from datetime import datetime

from typing_extensions import override

from fishplate.agents.agent import AnyAgent
from fishplate.contracts.values import BrokenValueError
from fishplate.core.call import SCOPE
from fishplate.core.errors import (
    FishplateError,
    JsonValue,
    NeedsAttention,
)
from fishplate.core.events import HeadTuple
from fishplate.core.ids import step_span_id
from fishplate.core.outcome import DeclaredError
from fishplate.core.run_context import Calling, RunContext
from fishplate.journal.journal import PayloadTooLargeError
from fishplate.journal.ledger import Ledger
from fishplate.journal.run_rows import StepRecord
from fishplate.journal.store import StoreUnavailableError
from fishplate.journal.waits import announce
from fishplate.orchestrator.answered import answer_from_record
from fishplate.orchestrator.effects import CallEffect, SignalEffect, SleepEffect, Suspended
from fishplate.orchestrator.frame import Driver, Frame
from fishplate.orchestrator.history import Diverged, History
from fishplate.orchestrator.lookup import Finding, finding_of
from fishplate.orchestrator.outside import GuardedEffect
from fishplate.orchestrator.sagas import Sagas, is_saga
from fishplate.orchestrator.steps import Steps
from fishplate.orchestrator.waits import answer_to, tell_answer, wait_of


class DurableSteps(Steps):
    """Runs calls of runs that are kept.

    Attributes:
        histories: Of the runs, by trace id.
        sagas: Undoes what failed agents have done.
        is_closing: The process is about to end, and its runs go on in another one.
    """

    histories: dict[int, History]
    sagas: Sagas
    is_closing = False

    def open(
        self, ledger: Ledger, now_ms: Callable[[], int], expect: Callable[[int | None], None]
    ) -> None:
        """Begin to keep runs.

        Args:
            ledger: What has been done to the outside world.
            now_ms: Wall clock, milliseconds since 1970.
            expect: Told of every wait that is announced when it is due; `None` for never.
        """
        self.histories = {}
        self._expect = expect
        self._ledger = ledger
        self._now_ms = now_ms

    @override
    async def perform(  # noqa: C901 -- what is recorded, what is not, and how each may end
        self,
        driver: Driver,
        run: RunContext,
        parent_id: int | None,
        effect: CallEffect,
        span_id: int = 0,
    ) -> object:
        """Run one call to its end, or answer it from its record; see `Steps.perform`.

        Raises:
            NeedsAttention: A body that has changed something takes another way than before.
        """
        history = self.histories.get(run.trace_id)
        if history is None:
            return await super().perform(driver, run, parent_id, effect, span_id)
        is_step = parent_id is not None  # a run's own answer is kept with the run
        if is_step and history.is_resumed:
            try:
                record = history.take(effect)
            except Diverged as found:
                self._diverge(history, run, effect, effect.key.rpartition("/")[0], found)
                record = None
            if record is not None:
                return self._replayed(run, parent_id, effect, record)
            if history.is_open(effect.key) and not _changes_something(effect.unit):
                self._refuse_harmless(history, run, effect)
        if history.rewritten and effect.unit.name in history.rewritten:
            self._check_rewritten(history, run, effect)
        try:
            unit = effect.unit
            has_spans = unit.grants or unit.about.kind == "plan" or not unit.is_bare
            own = span_id or (_span_id(history, run, effect) if has_spans else 0)
            answer = await super().perform(driver, run, parent_id, effect, own)
            if effect.unit.grants and (left := history.below(effect.key)):
                self._diverge(history, run, effect, effect.key, Diverged(left[0], None))
            if is_step:
                history.succeeded(effect, answer)
        except (StoreUnavailableError, NeedsAttention):
            raise
        except (FishplateError, DeclaredError) as failure:
            cut_off = filter(history.is_open, history.below(effect.key))
            if effect.unit.grants and (call := next(cut_off, None)) is not None:
                self._diverge(history, run, effect, effect.key, Diverged(call, None))
            if is_step and history.attention is None:
                await self._failed(history, run, effect, failure)
            raise
        return answer

    async def wait(
        self, effect: SignalEffect | SleepEffect, run: RunContext, parent_id: int
    ) -> object:
        """The answer that a step waits for, if the store has it; it is told as a decision.

        Raises:
            Suspended: It has not; by now it is written there that the run waits.
            InputError: The signal breaks the contract that the wait has now.
        """
        history = self.histories[run.trace_id]
        wait = wait_of(run.run_id, effect, self._now_ms())
        answered = history.answers.get(effect.key)
        if answered is None or answered.digest != wait.digest:
            history.has_waited = True
            answered = await history.log.change(lambda connection: announce(connection, wait))
            if answered is None:
                self._expect(wait.due_ms)
                raise Suspended((effect.key,))
        if isinstance(effect, SignalEffect):
            tell_answer(run, parent_id, effect, answered, wait.since_ms)
        return answer_to(effect, answered.answer)

    def told_now(self, call: Calling) -> datetime:
        """The time that a call is told; the same again where a body that calls others is resumed.

        What calls nobody runs again from its beginning, or not at all, and needs no record of it.
        """
        now = call.run.around.clock.now()
        history = self.histories.get(call.run.trace_id)
        if history is None or not isinstance(call, Frame) or not call.unit.grants:
            return now
        return history.time_told(call.path, call.calls_begun, call.run, now)

    def _check_rewritten(self, history: History, run: RunContext, effect: CallEffect) -> None:
        """Refuse to run a body of other code that has called others before.

        Raises:
            NeedsAttention: It has.
        """
        if not history.below(effect.key):
            return
        history.attention = "release_changed"
        history.explanation = history.rewritten[effect.unit.name]
        raise self._attention(history, run, effect)

    def _refuse_harmless(self, history: History, run: RunContext, effect: CallEffect) -> None:
        """Refuse to repeat what may have changed something, though it says by now that it cannot.

        Raises:
            NeedsAttention: Always.
        """
        history.attention = "release_changed"
        history.explanation = (
            f"{effect.unit.about.subject} was sent when it declared an effect, and its answer was "
            "lost; by now it declares none, which says nothing about what was sent"
        )
        raise self._attention(history, run, effect)

    def _attention(self, history: History, run: RunContext, effect: CallEffect) -> NeedsAttention:
        assert history.attention is not None, "somebody has to decide"
        return NeedsAttention(
            f"step {effect.key!r} cannot go on: {history.explanation}",
            run_id=run.run_id,
            step=effect.key,
            code=history.attention,
            where=effect.where,
        )

    async def _failed(
        self,
        history: History,
        run: RunContext,
        effect: CallEffect,
        failure: FishplateError | DeclaredError,
    ) -> None:
        """Record that a step has failed, and undo what it did if it was declared so."""
        if isinstance(failure, PayloadTooLargeError):  # of an answer that had come
            failure.has_effect = failure.has_effect or run.has_effect_below(effect.key)
        history.failed(effect, failure)
        if is_saga(effect.unit):
            await self.sagas.undo_step(history, run, effect, self._now_ms())

    def check_child(self, frame: Frame, number: int, name: str | None) -> None:
        """Compare the next call of a body with what the body did before.

        Raises:
            NeedsAttention: It is another one, and the body had changed something.
        """
        history = self.histories.get(frame.run.trace_id)
        if history is None:
            return
        try:
            history.check_child(frame.path, number, name)
        except Diverged as found:
            self._diverge_child(history, frame, found)

    def check_refused(self, frame: Frame, number: int, name: str | None) -> None:
        """Compare a call of a body that was refused with what the body did before.

        Raises:
            NeedsAttention: It made another one, and the body had changed something.
        """
        history = self.histories.get(frame.run.trace_id)
        if history is None:
            return
        try:
            history.check_refused(frame.path, number, name)
        except Diverged as found:
            self._diverge_child(history, frame, found)

    def _diverge_child(self, history: History, frame: Frame, found: Diverged) -> None:
        effect = CallEffect(frame.path, frame.unit, (), frame.unit.about.where)
        self._diverge(history, frame.run, effect, frame.path, found)

    def _diverge(
        self, history: History, run: RunContext, effect: CallEffect, path: str, found: Diverged
    ) -> None:
        """Let a body go on live that takes another way than before, unless it had an effect."""
        instead = f"calls {found.called!r}" if found.called else "has ended"
        if found.called == found.recorded:
            instead = "makes that call with other arguments"
        if not any(history.has_effect(key) for key in history.below(path)):
            history.drop(path)
            self._tell_diverged(run, path, found.recorded, instead)
            return
        history.attention = "diverged"
        raise NeedsAttention(
            f"the body of step {path!r} took {found.recorded!r} when it first ran, which has an "
            f"effect, and now it {instead}: bring its old code back, or decide by "
            "'fishplate runs attention'",
            run_id=run.run_id,
            step=path,
            code="diverged",
            where=effect.where,
        )

    def _tell_diverged(self, run: RunContext, path: str, recorded: str, instead: str) -> None:
        now = run.now_ns()
        facts: dict[str, JsonValue] = {"recorded": recorded, "instead": instead}
        head: HeadTuple = ("decision", "diverged", "")
        run.sink((run.trace_id, self._random_id(), None, head, path, now, now, "ok", facts))

    def _replayed(
        self, run: RunContext, parent_id: int | None, effect: CallEffect, record: StepRecord
    ) -> object:
        """Answer a call from its record, and tell that it was not run again."""
        unit, span_id = effect.unit, self._random_id()
        try:
            return answer_from_record(
                run,
                parent_id,
                span_id,
                effect,
                is_failure=record.kind != "value",
                data=record.data,
                reasons=record.reasons,
            )
        except BrokenValueError as error:
            history = self.histories[run.trace_id]
            history.attention = "release_changed"
            history.explanation = (
                f"what {unit.about.subject} gave in step {effect.key!r} breaks the contract that "
                f"it has now: {error}. Bring its old contract back"
            )
            raise self._attention(history, run, effect) from None

    @override
    def _effective(
        self, frame: Frame, unit: AnyAgent, arguments: tuple[object, ...], started_ns: int
    ) -> Awaitable[object]:
        effect, history = unit.about.effect, self.histories.get(frame.run.trace_id)
        run_once = super()._effective
        if effect is None or effect.is_readonly or history is None:
            return run_once(frame, unit, arguments, started_ns)
        guard = GuardedEffect(
            self._ledger,
            history,
            frame,
            unit,
            self._now_ms,
            lambda: self.is_closing,
            functools.partial(self._ask, frame),
        )

        def proceed() -> Awaitable[object]:  # its time begins once the effect is reserved
            return run_once(frame, unit, arguments, frame.run.now_ns())

        return guard.run(arguments, proceed)

    async def _ask(self, frame: Frame, lookup: AnyAgent, arguments: tuple[object, ...]) -> Finding:
        """Ask what became of a call; it is told on the trace, and not recorded."""
        path = f"{frame.path}/{lookup.name}"
        effect = CallEffect(path, lookup, arguments, lookup.about.where)
        run = frame.run.asking(frame.idempotency_key)
        try:
            return await finding_of(super().perform(frame.driver, run, frame.span_id, effect))
        finally:
            SCOPE.set(frame)


def _span_id(history: History, run: RunContext, effect: CallEffect) -> int:
    """The id of the span of a call that others may stand below, such as those of its attempts.

    It may end in another process than the one in which they have ended, and told their parent. It
    is 0 if the call was made here before.
    """
    return step_span_id(run.trace_id, effect.key) if history.opens(effect.key) else 0


def _changes_something(unit: AnyAgent) -> bool:
    effect = unit.about.effect
    return effect is not None and not effect.is_readonly
