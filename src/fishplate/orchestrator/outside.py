"""The effect of a tool in a run that is kept: reserved, marked before it goes out, settled.

What a failed attempt proves decides how it is settled. A proof is an exception that the contract
declares, one from before anything was sent, or a refusal that the body reports; anything else
leaves open whether the effect has happened.
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
    ErrorClass,
    Failure,
    FishplateError,
    JsonValue,
    NeedsAttention,
)
from fishplate.core.outcome import DeclaredError
from fishplate.journal.effect_rows import EffectCall, Reserved
from fishplate.journal.effects import EffectState, Recovery, recovery
from fishplate.journal.ledger import Ledger, Settled
from fishplate.orchestrator.frame import Frame
from fishplate.orchestrator.history import History
from fishplate.orchestrator.records import (
    failure_from_record,
    failure_to_record,
    value_from_record,
    value_to_record,
)
from fishplate.resilience.classify import had_no_effect
from fishplate.tools.effect import EffectDeclaration

LEASE: Final = 330.0
"""Seconds for which an effect is nobody else's: a run's working time, and time to write its end."""

# An answer of the other side that says that it did nothing, if a body raises it as such.
_REFUSALS: Final = frozenset(
    {
        ErrorClass.PERMANENT,
        ErrorClass.POLICY_DENIED,
        ErrorClass.QUOTA_EXHAUSTED,
        ErrorClass.RATE_LIMITED,
    }
)


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
    """

    def __init__(  # noqa: PLR0913, PLR0917 -- what one call of a tool touches
        self,
        ledger: Ledger,
        history: History,
        frame: Frame,
        unit: AnyAgent,
        now_ms: Callable[[], int],
        is_closing: Callable[[], bool],
    ) -> None:
        self._ledger = ledger
        self._history = history
        self._frame = frame
        self._unit = unit
        self._now_ms = now_ms
        self._is_closing = is_closing
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
                `already_done`, `store_unavailable`.
        """
        found = await self._ledger.reserve(_call_of(self._frame, self._unit, arguments), LEASE)
        if isinstance(found, Settled):
            return self._recorded(found)
        self._reserved = found
        if found.is_open:
            await self._take_over()
        self._frame.before_dispatch = self._dispatch
        try:
            result = await proceed()
        except Exception as error:
            await asyncio.shield(self._after_failure(error))
            raise
        except BaseException:  # cancelled, or closed where it stands
            await asyncio.shield(self._after_cancellation())
            raise
        await asyncio.shield(self._settle("succeeded", _result_to_record(self._unit, result)))
        return result

    def _recorded(self, found: Settled) -> object:
        self._frame.note(effect="recorded")
        if not found.is_done:
            raise failure_from_record(self._unit, found.outcome)
        self._frame.run.add_effect(self._frame.path)
        return value_from_record(self._unit, found.outcome, None)

    async def _take_over(self) -> None:
        """Decide about an effect that another life of this process left open."""
        self._may_have_gone_out = True
        allowed = self._recovery()
        self._frame.note(effect="interrupted", recovery=allowed)
        if allowed != "repeat":
            await self._settle("unknown", b'"the process ended before the answer came"')
            raise self._unknown()

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

    async def _after_failure(self, error: Exception) -> None:
        """Settle the effect by what a failed call proves.

        Raises:
            NeedsAttention: It proves nothing.
        """
        outcome = _failure_to_record(error)
        is_proof = (
            type(error) in self._unit.about.errors or had_no_effect(error) or _is_refusal(error)
        )
        if not self._may_have_gone_out:
            await self._ledger.withdraw(self._reserved)
        elif is_proof:
            await self._settle("failed", outcome)
        elif self._is_idempotent:
            await self._settle("reserved", outcome)
        else:
            await self._settle("unknown", outcome)
            raise self._unknown() from error

    async def _after_cancellation(self) -> None:
        if not self._may_have_gone_out:
            await self._ledger.withdraw(self._reserved)
        elif self._is_closing() and self._recovery() == "repeat":
            self._ledger.release(self._reserved)  # the next life repeats it under the same key
        elif self._is_idempotent:
            await self._settle("reserved", b"null")
        else:
            await self._settle("unknown", b'"the call was cancelled before its answer came"')
            self._history.attention = "unknown_outcome"

    async def _settle(self, state: EffectState, outcome: bytes) -> None:
        await self._ledger.settle(self._reserved, state, outcome)
        self._ledger.release(self._reserved)

    @property
    def _is_idempotent(self) -> bool:
        return self._declared.effect == "idempotent"

    @property
    def _declared(self) -> EffectDeclaration:
        declared = self._unit.about.effect
        assert declared is not None, "only a tool with an effect is guarded"
        return declared

    def _recovery(self) -> Recovery:
        first = self._reserved.first_dispatch_ms
        return recovery(
            self._declared.effect,
            since_first_dispatch=0.0 if first is None else (self._now_ms() - first) / 1000,
            key_ttl=self._declared.key_ttl,
            has_lookup=False,
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
    )


def _business_key(document: bytes, names: tuple[str, ...]) -> str | None:
    if not names:
        return None
    fields = cast("dict[str, JsonValue]", from_json(document))
    return canonical_json([fields.get(name) for name in names]).decode()


def _result_to_record(unit: AnyAgent, result: object) -> bytes:
    """The JSON of a result; `null` for one that breaks its contract, and happened all the same."""
    try:
        return value_to_record(unit, unit.signature.output.accept(result, given=True))[0]
    except BrokenValueError:
        return b"null"


def _failure_to_record(error: Exception) -> bytes:
    if isinstance(error, (FishplateError, DeclaredError)):
        return failure_to_record(error)
    return to_json({"kind": "StepError", "facts": {"message": type(error).__name__}})


def _is_refusal(error: Exception) -> bool:
    return isinstance(error, Failure) and error.error_class in _REFUSALS
