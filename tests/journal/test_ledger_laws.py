"""The laws of the ledger, whatever happens in which order, crashes included."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from typing_extensions import override

from fishplate.core.errors import FishplateError
from fishplate.journal.audit import audit_rows, first_broken
from fishplate.journal.batch import Batch, Change, Owner, commit
from fishplate.journal.decisions import Decision
from fishplate.journal.effect_rows import (
    AlreadyDoneError,
    EffectCall,
    EffectUndoneError,
    Evidence,
    IdempotencyConflictError,
    OutcomeUnknownError,
    Reserved,
    evidence_of,
)
from fishplate.journal.effects import NEXT, EffectState
from fishplate.journal.layout import MIGRATIONS
from fishplate.journal.ledger import Ledger
from fishplate.journal.writer import Writer

T = TypeVar("T")
KEYS = st.sampled_from(["k1", "k2", "k3"])
ENDS: st.SearchStrategy[EffectState] = st.sampled_from(
    ["succeeded", "failed", "reserved", "unknown"]
)
ACTIONS: st.SearchStrategy[Decision] = st.sampled_from(
    ["confirm_done", "confirm_not_done", "redo", "compensate"]
)


# Runs whose tool says how it is undone.
RUNS = (
    """INSERT INTO document VALUES ('units', '{"pay": {"effect": {"compensate": "void"}}}')""",
    *(
        "INSERT INTO run (id, agent, release, units, input, principal, trace_id, started_ms, "
        f"state, protocol) VALUES ('run-{key}', 'a', '', 'units', '', '', '', 0, 'failed', 1)"
        for key in ("k1", "k2", "k3")
    ),
)


class _Inline:
    """A writer that commits at once, into memory."""

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        for migration in MIGRATIONS:
            self.connection.executescript(migration)
        for statement in RUNS:
            self.connection.execute(statement)

    async def change(
        self, owner: Owner, apply: Callable[[sqlite3.Connection], T], *, is_precious: bool
    ) -> T:
        batch = Batch()
        batch.changes.append(Change(owner, apply, is_precious))
        (found,) = await asyncio.to_thread(commit, self.connection, batch, "NORMAL")
        if isinstance(found, FishplateError):
            raise found
        return cast("T", found)


class LedgerMachine(RuleBasedStateMachine):
    """Calls of one business key under three keys, of which the process may crash at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.store = _Inline()
        self.runner = asyncio.Runner()
        self.boots = 0
        self.held: dict[str, Reserved] = {}
        self.in_flight: set[str] = set()
        self.before: dict[str, Evidence] = {}
        self.dispatched: dict[str, int] = {}
        self.ledger = self._boot()

    def _boot(self) -> Ledger:
        self.boots += 1
        writer = cast("Writer", self.store)  # has what a ledger asks of one
        return Ledger(writer, f"boot{self.boots}", lambda: 1_000)

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(coroutine)

    def _state(self, key: str) -> EffectState | None:
        try:
            return evidence_of(self.store.connection, key).state
        except FishplateError:
            return None

    @rule(key=KEYS, has_other_arguments=st.booleans())
    def reserve(self, key: str, has_other_arguments: bool) -> None:
        """Only a fresh, an open or a released key gives the right to dispatch."""
        if key in self.held:
            return
        call = EffectCall(
            key,
            "acme",
            "pay",
            "keyed",
            f"run-{key}",
            "pay",
            "other" if has_other_arguments else "f",
            b"{}",
            business_key="#W1" if key != "k3" else None,
            business_window=60,
        )
        state = self._state(key)
        try:
            found = self._run(self.ledger.reserve(call, 10))
        except IdempotencyConflictError:
            assert state is not None
        except AlreadyDoneError:
            assert state is None
        except OutcomeUnknownError:
            assert state == "unknown"
        except EffectUndoneError:
            assert state in {"compensating", "compensated", "compensation_failed"}
        else:
            if isinstance(found, Reserved):
                assert state in {None, "reserved", "dispatched"}
                assert found.is_open == (state == "dispatched")
                self.held[key] = found
            else:
                assert state in {"succeeded", "failed"}

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def dispatch(self, data: st.DataObject) -> None:
        """A holder may dispatch, and every dispatch is counted before it happens."""
        key = data.draw(st.sampled_from(sorted(self.held)))
        self.held[key] = self._run(self.ledger.dispatch(self.held[key], 10))
        self.in_flight.add(key)
        self.dispatched[key] = self.dispatched.get(key, 0) + 1
        assert evidence_of(self.store.connection, key).attempts == self.dispatched[key]

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data(), state=ENDS)
    def settle(self, data: st.DataObject, state: EffectState) -> None:
        """What is in flight ends in one of four ways."""
        key = data.draw(st.sampled_from(sorted(self.in_flight)))
        self._run(self.ledger.settle(self.held[key], state, state.encode()))
        self.in_flight.discard(key)
        if state != "reserved":
            del self.held[key]

    @precondition(lambda self: set(self.held) - self.in_flight)
    @rule(data=st.data(), has_marked=st.booleans())
    def withdraw(self, data: st.DataObject, has_marked: bool) -> None:
        """What was taken back leaves no effect that anybody could take for one that went out."""
        key = data.draw(st.sampled_from(sorted(set(self.held) - self.in_flight)))
        held = self.held.pop(key)
        if held.is_open:
            self.ledger.release(held)  # it may have gone out before: nobody takes that back
            return
        if has_marked:
            self._run(self.ledger.dispatch(held, 10))  # and its holder was cut off meanwhile
        self._run(self.ledger.withdraw(held))
        assert self._state(key) == (None if held.attempts == 0 else "reserved")
        if held.attempts == 0:
            self.before.pop(key, None)

    @rule(key=KEYS, is_done=st.booleans())
    def reconcile(self, key: str, is_done: bool) -> None:
        """The other side's answer decides what is unknown, and nothing else."""
        state = self._state(key)
        if state is None:
            return
        has_decided = self._run(self.ledger.reconcile(key, b'"paid"' if is_done else None))
        assert has_decided == (state == "unknown")
        wanted = "succeeded" if is_done else "reserved"
        assert self._state(key) == (wanted if has_decided else state)

    @rule(fails=st.booleans())
    def undo(self, fails: bool) -> None:
        """What is undone is what somebody gave order for, and its result stays known."""
        for effect in self._run(self.ledger.to_be_undone()):
            self._run(self.ledger.end_undoing(effect, b'"no"' if fails else None))
            after = evidence_of(self.store.connection, effect.key)
            assert after.state == ("compensation_failed" if fails else "compensated")
            assert after.outcome == effect.outcome
            row = "SELECT state, attention FROM run WHERE id = ?"
            found = self.store.connection.execute(row, (effect.run,)).fetchone()
            assert (found == ("needs_attention", "compensation_failed")) == fails

    @rule()
    def crash(self) -> None:
        """The process dies: who held something is gone, what was written stays."""
        self.held.clear()
        self.in_flight.clear()
        self.ledger = self._boot()

    @rule(key=KEYS, action=ACTIONS)
    def decide(self, key: str, action: Decision) -> None:
        """An operator moves only what waits for one."""
        state = self._state(key)
        try:
            self._run(self.ledger.decide(key, action, principal="ann", outcome=b"1"))
        except FishplateError:
            assert self._state(key) == state
        else:
            assert state in {"unknown", "succeeded", "compensation_failed"}

    @invariant()
    def every_move_is_allowed(self) -> None:
        """States move along the diagram only, and what succeeded keeps its place in the order."""
        for key in ("k1", "k2", "k3"):
            state = self._state(key)
            if state is None:
                continue
            now = evidence_of(self.store.connection, key)
            before = self.before.get(key)
            if before is not None and before.state != now.state:
                assert now.state in NEXT[before.state]
            if before is not None and before.completed is not None:
                assert now.completed == before.completed
            self.before[key] = now

    @invariant()
    def a_business_key_is_held_once(self) -> None:
        """At most one effect of a business key is neither failed nor undone."""
        live = [
            key for key in ("k1", "k2") if self._state(key) not in {None, "failed", "compensated"}
        ]
        assert len(live) <= 1

    @invariant()
    def the_audit_is_whole(self) -> None:
        """Nothing that is done breaks the chain."""
        assert first_broken(audit_rows(self.store.connection)) is None

    @override
    def teardown(self) -> None:
        self.runner.close()
        self.store.connection.close()


LedgerMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
TestLedger = LedgerMachine.TestCase
