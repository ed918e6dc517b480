"""The effect of a tool in a run that is kept: reserved, marked before it goes out, settled.

What a failed attempt proves decides how it is settled. A proof is an exception that the contract
declares, one from before anything was sent, or a refusal that the body reports; anything else
leaves open whether the effect has happened. Then the tool's `lookup=` is asked, once its answer
counts and if that is soon; else, and if it cannot say, the outcome is unknown.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Final, cast

from pydantic_core import from_json, to_json

from fishplate.agents.agent import AnyAgent
from fishplate.contracts.json import canonical_json
from fishplate.contracts.values import BrokenValueError
from fishplate.core.errors import (
    Failure,
    FishplateError,
    JsonValue,
    NeedsAttention,
)
from fishplate.core.outcome import DeclaredError, NotDone
from fishplate.journal.effect_rows import (
    EffectCall,
    IdempotencyConflictError,
    OutcomeUnknownError,
    Reserved,
)
from fishplate.journal.effects import EffectState, Recovery, recovery
from fishplate.journal.ledger import Ledger, Settled
from fishplate.journal.store import StoreUnavailableError
from fishplate.orchestrator.frame import Frame
from fishplate.orchestrator.history import History
from fishplate.orchestrator.lookup import Done, Finding
from fishplate.orchestrator.records import (
    failure_from_record,
    failure_to_record,
    value_from_record,
    value_to_record,
)
from fishplate.resilience.classify import did_nothing
from fishplate.tools.effect import EffectDeclaration

LEASE: Final = 330.0
"""Seconds for which an effect is nobody else's: a run's working time, and time to write its end."""

LONGEST_WAIT: Final = 30.0
"""Seconds for which a call waits until its `lookup=` can be asked; else that is done without it."""


class GuardedEffect:
    """One call of a tool that may change something outside.

    Args:
        ledger: Where it is kept.
        history: Of the run.
        frame: The call.
        unit: The tool.
        now_ms: Wall clock, milliseconds since 1970.
        is_closing: Asked when the call is cancelled: whether the process is about to end, and
            another one takes the run up.
        ask: Asks the tool's `lookup=` what became of the call, with its arguments.
    """

    def __init__(  # noqa: PLR0913, PLR0917 -- what one call of a tool touches
        self,
        ledger: Ledger,
        history: History,
        frame: Frame,
        unit: AnyAgent,
        now_ms: Callable[[], int],
        is_closing: Callable[[], bool],
        ask: Callable[[AnyAgent, tuple[object, ...]], Awaitable[Finding]],
    ) -> None:
        self._ledger = ledger
        self._history = history
        self._frame = frame
        self._unit = unit
        self._now_ms = now_ms
        self._is_closing = is_closing
        self._ask = ask
        self._reserved = Reserved("", 0)
        self._may_have_gone_out = False

    async def run(
        self, arguments: tuple[object, ...], proceed: Callable[[], Awaitable[object]]
    ) -> object:
        """Run the call, or answer it by what it did before.

        Args:
            arguments: Of the tool.
            proceed: Runs its attempts; each is announced by the frame's `before_dispatch`.

        Raises:
            NeedsAttention: Nobody knows whether the effect has happened (code `unknown_outcome`).
            FishplateError: What the attempts raised, or the ledger: `idempotency_conflict`,
                `already_done`, `effect_undone`, `store_unavailable`.
        """
        call = _call_of(self._frame, self._unit, arguments)
        self._frame.note(idempotency=call.key)
        try:
            found = await self._ledger.reserve(call, LEASE)
        except IdempotencyConflictError as error:
            if not self._history.is_open(self._frame.path):
                raise
            raise self._diverged(error) from error
        except OutcomeUnknownError as error:  # a former life left it so, and ended before the run
            raise self._unknown() from error
        self._history.close(self._frame.path)
        if isinstance(found, Settled):
            return self._recorded(found)
        self._reserved = found
        self._frame.before_dispatch = self._dispatch
        try:
            known = await self._taken_over(arguments) if found.is_open else None
            if known is None:
                known = await self._attempted(arguments, proceed)
        except Exception:
            raise
        except BaseException:  # cancelled, or closed where it stands
            await asyncio.shield(self._after_cancellation())
            raise
        await asyncio.shield(self._settle("succeeded", result_to_record(self._unit, known.value)))
        return known.value

    async def _attempted(
        self, arguments: tuple[object, ...], proceed: Callable[[], Awaitable[object]]
    ) -> Done:
        """Run the attempts, and once more if the first ones certainly did nothing after all."""
        try:
            return Done(await proceed())
        except Exception as error:
            if not await asyncio.shield(self._is_left_open(error)):
                raise
            finding = await self._looked_up(arguments)
            if isinstance(finding, Done):
                return finding
            if finding is None:
                await asyncio.shield(self._settle("unknown", _failure_to_record(error)))
                raise self._unknown() from error
            if self._is_replayed(error):
                await asyncio.shield(self._ledger.withdraw(self._reserved))
                raise
        try:
            return Done(await proceed())
        except Exception as error:
            if await asyncio.shield(self._is_left_open(error)):
                await asyncio.shield(self._settle("unknown", _failure_to_record(error)))
                raise self._unknown() from error
            raise

    def _recorded(self, found: Settled) -> object:
        self._frame.note(effect="recorded", effect_state="succeeded" if found.is_done else "failed")
        if not found.is_done:
            raise failure_from_record(self._unit, found.outcome)
        self._frame.run.add_effect(self._frame.path)
        return value_from_record(self._unit, found.outcome, None)

    async def _taken_over(self, arguments: tuple[object, ...]) -> Done | None:
        """Decide about an effect that another life of this process left open.

        Returns:
            What it gave, if that could be found out; `None` if it is to be sent.
        """
        self._may_have_gone_out = True
        self._frame.run.add_effect(self._frame.path)  # so that nothing else is done instead of it
        allowed = self._recovery()
        self._frame.note(effect="interrupted", recovery=allowed)
        if allowed == "repeat":
            return None
        finding = await self._looked_up(arguments) if allowed == "lookup" else None
        if finding is None:
            await asyncio.shield(
                self._settle("unknown", b'"the process ended before the answer came"')
            )
            raise self._unknown()
        return finding if isinstance(finding, Done) else None

    async def _looked_up(self, arguments: tuple[object, ...]) -> Done | NotDone | None:
        """Ask what became of the call, if its answer counts soon; `None` if nobody can say."""
        lookup, settle_time = self._unit.about.lookup, self._declared.settle_time
        last_ms = self._reserved.last_dispatch_ms
        if lookup is None or settle_time is None or last_ms is None:
            return None
        wait = max(0.0, (last_ms - self._now_ms()) / 1000 + settle_time)
        if wait > min(LONGEST_WAIT, self._frame.run.seconds_left(self._frame.run.now_ns())):
            return None  # the run does not stand still for that: it is looked up meanwhile
        await asyncio.sleep(wait)
        finding = await self._ask(lookup, arguments)
        self._frame.note(looked_up=type(finding).__name__)
        if isinstance(finding, Done):
            return finding
        if isinstance(finding, NotDone):
            await asyncio.shield(self._ledger.settle(self._reserved, "reserved", b"null"))
            self._may_have_gone_out = False
            while self._frame.path in self._frame.run.effects:
                self._frame.run.drop_effect(self._frame.path)
            return finding
        await self._ledger.looked_up(self._reserved.key)
        return None

    async def _dispatch(self) -> None:
        """Mark the effect, on the disk, before anything goes out."""
        lost_before = self._history.log.failure
        if lost_before is not None:
            raise lost_before
        self._reserved = await self._ledger.dispatch(self._reserved, LEASE)
        if self._history.log.failure is not None:
            await self._ledger.settle(self._reserved, "reserved", b"null")
            raise self._history.log.failure
        self._may_have_gone_out = True
        self._history.note_effect(self._frame.path)

    async def _is_left_open(self, error: Exception) -> bool:
        """Settle the effect by what a failed call proves; whether it proves nothing."""
        outcome = _failure_to_record(error)
        # That the last attempt did nothing says nothing of an earlier one, in this life or before.
        is_proof = type(error) in self._unit.about.errors or (
            did_nothing(error) and self._frame.path not in self._frame.run.effects
        )
        if not self._may_have_gone_out:
            await self._ledger.withdraw(self._reserved)
        elif is_proof:
            await self._settle("failed", outcome)
        elif self._is_idempotent:
            await self._settle("reserved", outcome)
        else:
            return True
        return False

    async def _after_cancellation(self) -> None:
        if not self._may_have_gone_out:
            await self._ledger.withdraw(self._reserved)
        elif self._is_left_to_others() and self._recovery() != "unknown":
            self._ledger.release(self._reserved)  # the next life repeats it, or looks it up
        elif self._is_idempotent:
            await self._settle("reserved", b"null")
        else:
            await self._settle("unknown", b'"the call was cancelled before its answer came"')
            self._history.attention = "unknown_outcome"

    def _is_left_to_others(self) -> bool:
        """Whether the run goes on later: in another life, or when somebody has decided."""
        return self._is_closing() or self._history.attention is not None

    async def _settle(self, state: EffectState, outcome: bytes) -> None:
        try:
            await self._ledger.settle(self._reserved, state, outcome)
            self._frame.note(effect_state=state)
        except StoreUnavailableError as error:
            self._history.log.failure = error  # the run stays open: its end would be a wrong one
            raise
        finally:
            self._ledger.release(self._reserved)

    @property
    def _is_idempotent(self) -> bool:
        return self._declared.effect == "idempotent"

    @property
    def _declared(self) -> EffectDeclaration:
        declared = self._unit.about.effect
        assert declared is not None, "only a tool with an effect is guarded"
        return declared

    def _is_replayed(self, error: Exception) -> bool:
        """Whether the other side answers the same key with the same failure again."""
        is_answer = isinstance(error, Failure) and error.is_answer
        return is_answer and self._declared.effect == "keyed" and self._declared.key_caches == "all"

    def _recovery(self) -> Recovery:
        first = self._reserved.first_dispatch_ms
        sent_as = self._reserved.effect  # what was sent keeps to the word under which it was
        is_same = sent_as == self._declared.effect
        return recovery(
            sent_as,
            since_first_dispatch=0.0 if first is None else (self._now_ms() - first) / 1000,
            key_ttl=self._declared.key_ttl if is_same else None,
            has_lookup=self._unit.about.lookup is not None,
        )

    def _diverged(self, error: IdempotencyConflictError) -> NeedsAttention:
        self._history.attention = "diverged"
        return NeedsAttention(
            f"{error}, and its effect may have happened: bring the old code back, or decide by "
            "'fishplate runs attention'",
            run_id=self._frame.run_id,
            step=self._frame.path,
            code="diverged",
            where=self._unit.about.where,
        )

    def _unknown(self) -> NeedsAttention:
        self._history.attention = "unknown_outcome"
        return NeedsAttention(
            f"the outcome of {self._unit.about.subject} in step {self._frame.path!r} is not known, "
            "and it is not repeated: find out what happened, then say so",
            run_id=self._frame.run_id,
            step=self._frame.path,
            code="unknown_outcome",
            where=self._unit.about.where,
        )


def _call_of(frame: Frame, unit: AnyAgent, arguments: tuple[object, ...]) -> EffectCall:
    declared, run = unit.about.effect, frame.run
    assert declared is not None, "only a tool with an effect is called so"
    document = canonical_json(unit.signature.encode(arguments))
    return EffectCall(
        key=frame.idempotency_key,
        tenant=run.principal.tenant,
        tool=unit.name,
        effect=declared.effect,
        run=run.run_id,
        call=frame.path,
        fingerprint=hashlib.sha256(unit.name.encode() + b"\0" + document).hexdigest(),
        arguments=document,
        business_key=_business_key(document, declared.business_key),
        business_window=declared.business_window,
        undoes=run.undoes,
    )


def _business_key(document: bytes, names: tuple[str, ...]) -> str | None:
    if not names:
        return None
    fields = cast("dict[str, JsonValue]", from_json(document))
    return canonical_json([fields.get(name) for name in names]).decode()


def result_to_record(unit: AnyAgent, result: object) -> bytes:
    """The JSON of a result; `null` for one that breaks its contract, and happened all the same."""
    try:
        return value_to_record(unit, unit.signature.output.accept(result, given=True))[0]
    except BrokenValueError:
        return b"null"


def _failure_to_record(error: Exception) -> bytes:
    if isinstance(error, (FishplateError, DeclaredError)):
        return failure_to_record(error)
    return to_json({"kind": "StepError", "facts": {"message": type(error).__name__}})
