"""The ledger: every effect is reserved, marked as dispatched, and settled, under one key.

The mark is on the disk before the first byte goes out. So after a crash what was marked may have
happened, and what was not cannot have. Each change is one transaction that compares the fence: who
was replaced meanwhile can neither dispatch nor overwrite, only leave what he knows as evidence.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar, cast

from fishplate.core.run_context import Principal
from fishplate.journal.batch import Owner
from fishplate.journal.decisions import Decision, decide_effect, reconcile_effect
from fishplate.journal.effect_rows import (
    EffectCall,
    EffectUndoneError,
    Evidence,
    IdempotencyConflictError,
    OutcomeUnknownError,
    ReplacedError,
    Reserved,
    check_held,
    insert_effect,
    move_effect,
    replaced,
    select_effects,
)
from fishplate.journal.effects import EffectState
from fishplate.journal.undoing import attempts_to_undo, end_undoing, to_be_undone
from fishplate.journal.writer import JournalWriter

T = TypeVar("T")


class Settled(NamedTuple):
    """An effect that is over: JSON of its result, or of its error."""

    is_done: bool
    outcome: bytes


class Ledger:
    """The effects of one store.

    Args:
        writer: Through which everything is read and written.
        boot_id: Names this process's life; effects of any other are nobody's by now.
        now_ms: Wall clock, milliseconds since 1970.
    """

    def __init__(self, writer: JournalWriter, boot_id: str, now_ms: Callable[[], int]) -> None:
        self._writer = writer
        self._boot_id = boot_id
        self._now_ms = now_ms
        self._held: dict[str, asyncio.Future[None]] = {}

    async def reserve(self, call: EffectCall, lease: float) -> Reserved | Settled:
        """Take the right to dispatch an effect, or learn how it ended before.

        While another call of this process holds the same key, wait for its end.

        Args:
            call: What is to be done.
            lease: Seconds for which nobody else may take it over.

        Raises:
            IdempotencyConflictError: The key was used with other arguments.
            AlreadyDoneError: The business key is taken by another effect.
            OutcomeUnknownError: It was dispatched before, and its outcome is not known.
            EffectUndoneError: It was done, and compensated since.
        """
        while (held := self._held.get(call.key)) is not None:
            await asyncio.shield(held)
        gate = self._held[call.key] = asyncio.get_running_loop().create_future()
        try:
            found = await self._change(lambda connection: self._reserved(connection, call, lease))
        except BaseException:
            self._release(call.key, gate)
            raise
        if isinstance(found, Settled):
            self._release(call.key, gate)
        return found

    async def dispatch(self, reserved: Reserved, lease: float) -> Reserved:
        """Mark an effect as dispatched; it is on the disk before this returns.

        Raises:
            ReplacedError: Somebody else holds it by now; do not dispatch.
            StoreUnavailableError: The mark could not be written; do not dispatch.
        """
        now = self._now_ms()

        def apply(connection: sqlite3.Connection) -> Reserved:
            check_held(connection, reserved, "dispatched")
            connection.execute(
                "UPDATE effect SET state = 'dispatched', attempts = attempts + 1, "
                "first_dispatch_ms = coalesce(first_dispatch_ms, ?), last_dispatch_ms = ?, "
                "lease_until_ms = ?, updated_ms = ? WHERE key = ?",
                (now, now, now + round(lease * 1000), now, reserved.key),
            )
            first = reserved.first_dispatch_ms
            return reserved._replace(
                attempts=reserved.attempts + 1,
                first_dispatch_ms=now if first is None else first,
                last_dispatch_ms=now,
                is_open=True,
            )

        return await self._change(apply)

    async def settle(self, reserved: Reserved, state: EffectState, outcome: bytes) -> None:
        """Write how an effect's dispatch ended.

        Args:
            reserved: As `dispatch` or `reserve` gave it.
            state: `succeeded`; `failed` (it certainly did not happen, and the call is over);
                `reserved` (it certainly did not, and another attempt follows); `unknown`.
            outcome: JSON of the result or the error.

        Raises:
            ReplacedError: Somebody else holds it by now; the outcome was kept as evidence.
        """
        now = self._now_ms()

        def apply(connection: sqlite3.Connection) -> bool:
            try:
                check_held(connection, reserved, state)
            except ReplacedError:
                connection.execute(
                    "UPDATE effect SET late_outcome = ?, updated_ms = ? WHERE key = ?",
                    (outcome, now, reserved.key),
                )
                return False
            move_effect(connection, reserved.key, state, outcome, now)
            return True

        is_ours = await self._change(apply)
        if state != "reserved":
            self.release(reserved)
        if not is_ours:
            raise replaced(reserved.key)

    async def withdraw(self, reserved: Reserved) -> None:
        """Take back a reservation under which nothing was dispatched: its keys are free again.

        A mark that its holder did not wait for is taken back too: nobody has acted on it.
        """
        of_holder = (reserved.key, reserved.fence)

        def apply(connection: sqlite3.Connection) -> None:
            if reserved.attempts == 0:
                connection.execute(
                    "DELETE FROM effect WHERE key = ? AND fence = ? "
                    "AND state IN ('reserved', 'dispatched')",
                    of_holder,
                )
            else:
                connection.execute(
                    "UPDATE effect SET state = 'reserved', attempts = ? "
                    "WHERE key = ? AND fence = ? AND state = 'dispatched'",
                    (reserved.attempts, *of_holder),
                )

        await self._change(apply)
        self.release(reserved)

    def release(self, reserved: Reserved) -> None:
        """Let others of this process have the key; a second time does nothing."""
        gate = self._held.get(reserved.key)
        if gate is not None:
            self._release(reserved.key, gate)

    async def decide(
        self,
        key: str,
        action: Decision,
        *,
        principal: str,
        outcome: bytes | None = None,
        note: str = "",
    ) -> Evidence:
        """Do what an operator has decided about an effect, and write down who it was.

        Args:
            key: Of the effect.
            action: `confirm_done` with the result, `confirm_not_done`, `redo`, or `compensate`.
            principal: Who decides.
            outcome: JSON of the result, for `confirm_done`.
            note: Why.

        Raises:
            FishplateError: There is no such effect (code `unknown_effect`), or its state does not
                allow the action (code `not_allowed`); nothing was changed.
        """
        now = self._now_ms()
        return await self._change(
            lambda connection: decide_effect(
                connection,
                key,
                action,
                principal=Principal(name=principal),
                outcome=outcome,
                note=note,
                now_ms=now,
            )
        )

    async def reconcile(self, key: str, result: bytes | None) -> bool:
        """Decide an unknown outcome by what the other side says of it; see `reconcile_effect`."""
        now = self._now_ms()
        return await self._change(lambda connection: reconcile_effect(connection, key, result, now))

    async def looked_up(self, key: str) -> None:
        """Count that the other side was asked what became of an effect, and could not say."""
        await self._change(
            lambda connection: connection.execute(
                "UPDATE effect SET lookups = lookups + 1 WHERE key = ?", (key,)
            )
        )

    async def to_be_undone(self) -> list[Evidence]:
        """The effects that are to be compensated, each run's last completed first."""
        return await self._change(to_be_undone)

    async def attempts_to_undo(self, key: str) -> list[Evidence]:
        """The effects that were to compensate another one, in the order in which they were made."""
        return await self._change(lambda connection: attempts_to_undo(connection, key))

    async def end_undoing(self, effect: Evidence, error: bytes | None) -> None:
        """Write how a compensation ended: `None`, or JSON of why it could not be done."""
        now = self._now_ms()
        await self._change(lambda connection: end_undoing(connection, effect, error, now))

    async def has_unsettled(self) -> bool:
        """Whether an effect's outcome is unknown, or one is to be compensated."""
        (found,) = await self._change(
            lambda connection: connection.execute(
                "SELECT EXISTS (SELECT 1 FROM effect WHERE state IN ('unknown', 'compensating'))"
            ).fetchone()
        )
        return bool(found)

    async def in_state(self, state: EffectState) -> list[Evidence]:
        """The effects in a state, in the order of their keys' first dispatch."""
        return await self._change(
            lambda connection: select_effects(
                connection, "state = ? ORDER BY first_dispatch_ms, key", (state,)
            )
        )

    async def of_run(self, run: str) -> list[Evidence]:
        """The effects of a run, the last completed first: the order in which to compensate."""
        return await self._change(
            lambda connection: select_effects(
                connection, "run = ? ORDER BY completed DESC, key", (run,)
            )
        )

    async def give_up(self, run: str, calls: Sequence[str]) -> None:
        """Leave calls of a run that nobody makes again to a person: what was sent is unknown.

        Args:
            run: Id of the run, which has ended here.
            calls: Their paths.
        """
        now = self._now_ms()

        def apply(connection: sqlite3.Connection) -> None:
            for call in calls:
                open_keys = connection.execute(
                    "SELECT key FROM effect WHERE run = ? AND call = ? AND state = 'dispatched'",
                    (run, call),
                ).fetchall()
                for (key,) in open_keys:
                    move_effect(connection, key, "unknown", b'"nobody made the call again"', now)

        await self._change(apply)

    async def sweep(self) -> int:
        """Free the business keys whose window is over; how many those were."""
        now = self._now_ms()
        return await self._change(
            lambda connection: (
                connection.execute(
                    "UPDATE effect SET business_key = NULL WHERE business_key IS NOT NULL "
                    "AND release_business_ms <= ? AND state != 'unknown'",
                    (now,),
                ).rowcount
            )
        )

    def _reserved(
        self, connection: sqlite3.Connection, call: EffectCall, lease: float
    ) -> Reserved | Settled:
        now = self._now_ms()
        until = now + round(lease * 1000)
        row = connection.execute(
            "SELECT fingerprint, state, fence, attempts, first_dispatch_ms, last_dispatch_ms, "
            "outcome, effect FROM effect WHERE key = ?",
            (call.key,),
        ).fetchone()
        if row is None:
            insert_effect(connection, call, self._boot_id, now, until)
            return Reserved(call.key, 1, effect=call.effect)
        fingerprint, state, fence, attempts, first, last, outcome, effect = row
        if fingerprint != call.fingerprint:
            msg = (
                f"call {call.call!r} of run {call.run!r} asks {call.tool!r} for something else "
                "than when it was first made: a repeated call has to have equal arguments"
            )
            raise IdempotencyConflictError(msg)
        match cast("EffectState", state):
            case "succeeded" | "failed":
                return Settled(state == "succeeded", outcome)
            case "reserved" | "dispatched":
                # The key is held by nobody of this process, and whoever else held it is gone: one
                # process drives a store.
                connection.execute(
                    "UPDATE effect SET owner = ?, fence = ?, lease_until_ms = ?, updated_ms = ? "
                    "WHERE key = ?",
                    (self._boot_id, fence + 1, until, now, call.key),
                )
                is_open = state == "dispatched"
                return Reserved(call.key, fence + 1, attempts, first, last, is_open, effect)
            case "unknown":
                msg = (
                    f"the outcome of {call.tool!r} in call {call.call!r} of run {call.run!r} is "
                    "unknown: decide it by 'fishplate runs attention'"
                )
                raise OutcomeUnknownError(msg)
            case "compensating" | "compensated" | "compensation_failed":
                msg = (
                    f"{call.tool!r} in call {call.call!r} of run {call.run!r} was done and is "
                    f"{state!r} since: a call that was undone has no result"
                )
                raise EffectUndoneError(msg)

    def _release(self, key: str, gate: asyncio.Future[None]) -> None:
        if self._held.get(key) is gate:
            del self._held[key]
        if not gate.done():
            gate.set_result(None)

    async def _change(self, apply: Callable[[sqlite3.Connection], T]) -> T:
        return await self._writer.change(Owner(), apply, is_precious=True)
