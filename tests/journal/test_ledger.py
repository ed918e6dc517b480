"""The ledger: an effect happens once under its key, or its outcome is known to be unknown."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fishplate import agent
from fishplate.core.errors import FishplateError
from fishplate.journal.audit import audit_rows, first_broken
from fishplate.journal.batch import Owner
from fishplate.journal.decisions import Decision
from fishplate.journal.effect_rows import (
    AlreadyDoneError,
    EffectCall,
    IdempotencyConflictError,
    OutcomeUnknownError,
    ReplacedError,
    Reserved,
)
from fishplate.journal.effects import NEXT, EffectState, next_lookup, recovery
from fishplate.journal.ledger import Ledger, Settled
from fishplate.journal.store import open_store
from fishplate.journal.writer import Writer
from fishplate.orchestrator.records import failure_from_record

LEASE = 10.0


@agent(name="pay")
async def charge(amount: int) -> int:
    """What the ledger's effects are said to be."""
    return amount


PAY = EffectCall("k1", "acme", "pay", "keyed", "run1", "support/pay", "f1", b'{"amount": 5}')


class Now:
    """A wall clock of the test's."""

    ms = 1_000_000

    def __call__(self) -> int:
        """Milliseconds since 1970."""
        return self.ms


@asynccontextmanager
async def _writer(path: Path) -> AsyncGenerator[Writer]:
    writer = Writer(await asyncio.to_thread(open_store, path), path, "normal")
    yield writer
    await asyncio.to_thread(writer.close)


@asynccontextmanager
async def _ledger(path: Path) -> AsyncGenerator[tuple[Ledger, Now]]:
    now = Now()
    async with _writer(path) as writer:
        yield Ledger(writer, "boot1", now), now


async def _dispatched(ledger: Ledger, call: EffectCall = PAY) -> Reserved:
    reserved = await ledger.reserve(call, LEASE)
    assert isinstance(reserved, Reserved)
    return await ledger.dispatch(reserved, LEASE)


async def test_an_effect_that_succeeded_is_never_dispatched_again(tmp_path: Path) -> None:
    """The second call under a key gets the first one's result."""
    async with _ledger(tmp_path / "s.db") as (ledger, _):
        await ledger.settle(await _dispatched(ledger), "succeeded", b'"done"')
        assert await ledger.reserve(PAY, LEASE) == Settled(True, b'"done"')


async def test_a_definite_failure_is_remembered(tmp_path: Path) -> None:
    """An effect that certainly did not happen, and was given up, stays so."""
    async with _ledger(tmp_path / "s.db") as (ledger, _):
        await ledger.settle(await _dispatched(ledger), "failed", b'"declined"')
        assert await ledger.reserve(PAY, LEASE) == Settled(False, b'"declined"')


async def test_other_arguments_under_a_key_are_refused(tmp_path: Path) -> None:
    """A key never stands for two different requests."""
    async with _ledger(tmp_path / "s.db") as (ledger, _):
        await ledger.settle(await _dispatched(ledger), "succeeded", b"1")
        with pytest.raises(IdempotencyConflictError, match="support/pay"):
            await ledger.reserve(PAY._replace(fingerprint="f2"), LEASE)
        assert await ledger.reserve(PAY, LEASE) == Settled(True, b"1")


async def test_an_unknown_outcome_is_not_repeated(tmp_path: Path) -> None:
    """While nobody knows whether an effect happened, nobody may dispatch it."""
    async with _ledger(tmp_path / "s.db") as (ledger, _):
        await ledger.settle(await _dispatched(ledger), "unknown", b'"timeout"')
        with pytest.raises(OutcomeUnknownError, match="runs attention"):
            await ledger.reserve(PAY, LEASE)
        assert [found.key for found in await ledger.in_state("unknown")] == ["k1"]


async def test_a_call_in_flight_is_joined(tmp_path: Path) -> None:
    """A second call under a key waits for the first and gets its result; one dispatch in all."""
    async with _ledger(tmp_path / "s.db") as (ledger, _):
        first = await _dispatched(ledger)
        second = asyncio.ensure_future(ledger.reserve(PAY, LEASE))
        await asyncio.sleep(0)
        assert not second.done()
        await ledger.settle(first, "succeeded", b"1")
        assert await second == Settled(True, b"1")
        (found,) = await ledger.of_run("run1")
        assert found.attempts == 1


async def test_a_key_that_is_let_go_can_be_taken_again(tmp_path: Path) -> None:
    """Who gives up before dispatching leaves a key that the next call may use."""
    async with _ledger(tmp_path / "s.db") as (ledger, _):
        first = await ledger.reserve(PAY, LEASE)
        assert isinstance(first, Reserved)
        ledger.release(first)
        second = await ledger.reserve(PAY, LEASE)
        assert second == Reserved("k1", 2, effect="keyed")


async def test_attempts_share_one_key(tmp_path: Path) -> None:
    """An attempt that certainly had no effect is followed by another one under the same key."""
    async with _ledger(tmp_path / "s.db") as (ledger, now):
        reserved = await _dispatched(ledger)
        await ledger.settle(reserved, "reserved", b'"refused"')
        now.ms += 500
        again = await ledger.dispatch(reserved, LEASE)
        assert (again.attempts, again.first_dispatch_ms) == (2, 1_000_000)
        await ledger.settle(again, "succeeded", b"1")
        (found,) = await ledger.of_run("run1")
        assert (found.attempts, found.last_dispatch_ms) == (2, 1_000_500)


async def test_a_crash_after_the_mark_is_seen_by_the_next_life(tmp_path: Path) -> None:
    """What was dispatched and never answered comes back as open; what was reserved does not."""
    path = tmp_path / "s.db"
    async with _ledger(path) as (ledger, _):
        await _dispatched(ledger)
        await ledger.reserve(PAY._replace(key="k2"), LEASE)
    async with _writer(path) as writer:
        after = Ledger(writer, "boot2", Now())
        assert await after.reserve(PAY, LEASE) == Reserved(
            "k1", 2, 1, 1_000_000, 1_000_000, is_open=True, effect="keyed"
        )
        assert await after.reserve(PAY._replace(key="k2"), LEASE) == Reserved(
            "k2", 2, effect="keyed"
        )


async def test_who_was_replaced_can_neither_dispatch_nor_overwrite(tmp_path: Path) -> None:
    """With a stale fence nothing moves; what it reports is kept as evidence."""
    path = tmp_path / "s.db"
    async with _writer(path) as writer:
        old, new = Ledger(writer, "boot1", Now()), Ledger(writer, "boot2", Now())
        stale = await _dispatched(old)
        taken = await new.reserve(PAY, LEASE)
        assert isinstance(taken, Reserved)
        with pytest.raises(ReplacedError):
            await old.dispatch(stale, LEASE)
        with pytest.raises(ReplacedError):
            await old.settle(stale, "succeeded", b'"late"')
        (found,) = await new.of_run("run1")
        assert (found.state, found.outcome, found.late_outcome) == ("dispatched", None, b'"late"')
        await new.settle(await new.dispatch(taken, LEASE), "succeeded", b'"new"')


async def test_a_business_key_is_one_effect_across_runs(tmp_path: Path) -> None:
    """Another run with the same business key is told whose effect it is, until that has failed."""
    order = PAY._replace(business_key="#W1", business_window=60)
    other = order._replace(key="k2", run="run2")
    async with _ledger(tmp_path / "s.db") as (ledger, _):
        reserved = await _dispatched(ledger, order)
        with pytest.raises(AlreadyDoneError, match="run 'run1'") as taken:
            await ledger.reserve(other, LEASE)
        assert taken.value.other.state == "dispatched"
        await ledger.settle(reserved, "failed", b'"declined"')
        assert isinstance(await ledger.reserve(other, LEASE), Reserved)
        tenant = order._replace(key="k3", tenant="other")
        assert isinstance(await ledger.reserve(tenant, LEASE), Reserved)


async def test_a_business_key_is_free_again_after_its_window(tmp_path: Path) -> None:
    """The window ends by the sweep, but not for an outcome that nobody knows."""
    order = PAY._replace(business_key="#W1", business_window=60)
    lost = PAY._replace(key="k2", business_key="#W2", business_window=60)
    async with _ledger(tmp_path / "s.db") as (ledger, now):
        await ledger.settle(await _dispatched(ledger, order), "succeeded", b"1")
        await ledger.settle(await _dispatched(ledger, lost), "unknown", b"1")
        now.ms += 59_000
        assert await ledger.sweep() == 0
        now.ms += 1_000
        assert await ledger.sweep() == 1
        again = order._replace(key="k3", run="run2")
        assert isinstance(await ledger.reserve(again, LEASE), Reserved)
        with pytest.raises(AlreadyDoneError):
            await ledger.reserve(lost._replace(key="k4", run="run2"), LEASE)


@pytest.mark.parametrize(
    ("action", "start", "end"),
    [
        ("confirm_done", "unknown", "succeeded"),
        ("confirm_not_done", "unknown", "failed"),
        ("redo", "unknown", "reserved"),
        ("compensate", "succeeded", "compensating"),
    ],
)
async def test_an_operator_decides_and_is_written_down(
    tmp_path: Path, action: Decision, start: EffectState, end: EffectState
) -> None:
    """Each action moves an effect from the state that allows it, with a name in the audit."""
    async with _writer(tmp_path / "s.db") as writer:
        ledger = Ledger(writer, "boot1", Now())
        await writer.change(Owner(), _insert_run)
        await ledger.settle(await _dispatched(ledger), start, b"1")
        found = await ledger.decide("k1", action, principal="ann", outcome=b"2", note="asked bank")
        assert found.state == end
        rows = await writer.change(Owner(), lambda connection: audit_rows(connection, "k1"))
        assert [(row.principal, row.action) for row in rows] == [("ann", action)]
        assert rows[0].details == {"from": start, "to": end, "note": "asked bank"}


def _insert_run(connection: sqlite3.Connection) -> None:
    """A run whose tool `pay` says how it is undone."""
    connection.execute(
        """INSERT INTO document VALUES ('units', '{"pay": {"effect": {"compensate": "void"}}}')"""
    )
    connection.execute(
        "INSERT INTO run (id, agent, release, units, input, principal, trace_id, started_ms, "
        "state, protocol) VALUES ('run1', 'a', '', 'units', '', '', '', 0, 'succeeded', 1)"
    )


@pytest.mark.parametrize(
    ("action", "start", "outcome"),
    [
        ("confirm_done", "unknown", b"2"),
        ("compensate", "succeeded", b"1"),  # with it the tool is called that undoes the effect
        ("redo", "unknown", b"2"),
    ],
)
async def test_a_decision_keeps_what_the_effect_gave(
    tmp_path: Path, action: Decision, start: EffectState, outcome: bytes
) -> None:
    """What the operator says is the outcome; an effect that is to be undone keeps its own."""
    async with _writer(tmp_path / "s.db") as writer:
        ledger = Ledger(writer, "boot1", Now())
        await writer.change(Owner(), _insert_run)
        await ledger.settle(await _dispatched(ledger), start, b"1")
        assert (await ledger.decide("k1", action, principal="ann", outcome=b"2")).outcome == outcome


async def test_a_call_that_has_not_happened_fails_with_a_failure(tmp_path: Path) -> None:
    """Who confirms that an effect has not happened need not say how its call fails."""
    async with _ledger(tmp_path / "s.db") as (ledger, _):
        await ledger.settle(await _dispatched(ledger), "unknown", b"null")
        await ledger.decide("k1", "confirm_not_done", principal="ann")
        found = await ledger.reserve(PAY, LEASE)
        assert isinstance(found, Settled)
        assert not found.is_done
        failure = failure_from_record(charge, found.outcome)
        assert (failure.code, str(failure)) == (
            "confirmed_not_done",
            "'pay' has not happened, as 'ann' found out",
        )


async def test_what_no_tool_undoes_is_not_to_be_undone(tmp_path: Path) -> None:
    """An effect whose tool declares no `compensate=` stays as it is."""
    async with _ledger(tmp_path / "s.db") as (ledger, _):
        await ledger.settle(await _dispatched(ledger), "succeeded", b"1")
        with pytest.raises(FishplateError, match="says no compensate=") as refused:
            await ledger.decide("k1", "compensate", principal="ann")
        assert refused.value.code == "not_allowed"
        (found,) = await ledger.of_run("run1")
        assert found.state == "succeeded"


async def test_a_mark_that_its_holder_did_not_wait_for_is_taken_back(tmp_path: Path) -> None:
    """A call that is cut off while its mark is written has sent nothing, and leaves nothing."""
    async with _ledger(tmp_path / "s.db") as (ledger, _):
        reserved = await ledger.reserve(PAY, LEASE)
        assert isinstance(reserved, Reserved)
        marking = asyncio.ensure_future(ledger.dispatch(reserved, LEASE))
        await asyncio.sleep(0)  # the mark is on its way to the disk
        marking.cancel()
        await ledger.withdraw(reserved)
        assert await ledger.of_run("run1") == []


@pytest.mark.parametrize(
    ("lookups", "due_ms"), [(0, 12_000), (1, 17_000), (2, 42_000), (3, 312_000), (4, 3_612_000)]
)
def test_an_unknown_outcome_is_looked_up_ever_more_rarely(lookups: int, due_ms: int) -> None:
    """First when the other side has settled, then after 5 s, 30 s, 5 min and an hour."""
    assert next_lookup(lookups, last_dispatch_ms=10_000, settle_time=2.0) == due_ms


def test_after_the_last_lookup_a_person_has_to_decide() -> None:
    """No lookup is due after the fifth."""
    assert next_lookup(5, last_dispatch_ms=10_000, settle_time=2.0) is None


async def test_a_decision_that_the_state_does_not_allow_changes_nothing(tmp_path: Path) -> None:
    """What succeeded is not redone, what runs is not decided, and what is not there is named."""
    async with _ledger(tmp_path / "s.db") as (ledger, _):
        reserved = await _dispatched(ledger)
        with pytest.raises(FishplateError, match="decides only what is unknown") as refused:
            await ledger.decide("k1", "redo", principal="ann")
        assert refused.value.code == "not_allowed"
        await ledger.settle(reserved, "succeeded", b"1")
        with pytest.raises(FishplateError, match="no effect") as missing:
            await ledger.decide("k9", "redo", principal="ann")
        assert missing.value.code == "unknown_effect"
        (found,) = await ledger.of_run("run1")
        assert found.state == "succeeded"


async def test_effects_are_undone_in_reverse_order_of_their_completion(tmp_path: Path) -> None:
    """The order of a saga is that of completion, not of start."""
    async with _ledger(tmp_path / "s.db") as (ledger, _):
        calls = [PAY._replace(key=f"k{number}") for number in range(3)]
        held = [await _dispatched(ledger, call) for call in calls]
        for index in (1, 2, 0):
            await ledger.settle(held[index], "succeeded", b"1")
        assert [found.key for found in await ledger.of_run("run1")] == ["k0", "k2", "k1"]


async def test_the_mark_is_on_the_disk_even_where_the_journal_is_not(tmp_path: Path) -> None:
    """A dispatch is committed with FULL synchronisation under `durability="normal"` too."""
    path = tmp_path / "s.db"
    connection = await asyncio.to_thread(open_store, path)
    writer = Writer(connection, path, "normal")
    ledger = Ledger(writer, "boot1", Now())
    reserved = await ledger.reserve(PAY, LEASE)
    assert isinstance(reserved, Reserved)
    told: list[str] = []
    connection.set_trace_callback(told.append)
    await ledger.dispatch(reserved, LEASE)
    assert told[0] == "PRAGMA synchronous = FULL"
    assert told[-1] == "COMMIT"
    await asyncio.to_thread(writer.close)


async def test_a_changed_audit_row_is_found(tmp_path: Path) -> None:
    """A row that was altered or taken out breaks the chain at its place."""
    async with _writer(tmp_path / "s.db") as writer:
        ledger = Ledger(writer, "boot1", Now())
        for number in range(3):
            call = PAY._replace(key=f"k{number}")
            await ledger.settle(await _dispatched(ledger, call), "unknown", b"1")
            await ledger.decide(call.key, "confirm_done", principal="ann")

        async def broken(statement: str) -> int | None:
            def look(connection: sqlite3.Connection) -> int | None:
                connection.execute("SAVEPOINT look")
                connection.execute(statement)
                found = first_broken(audit_rows(connection))
                connection.execute("ROLLBACK TO look")
                return found

            return await writer.change(Owner(), look)

        assert await broken("SELECT 1") is None
        assert await broken("UPDATE audit SET principal = 'eve' WHERE n = 2") == 2
        assert await broken("DELETE FROM audit WHERE n = 1") == 1


def _after(seconds: float, effect: str, *, has_lookup: bool = False) -> str:
    return recovery(
        effect,
        since_first_dispatch=seconds,
        key_ttl=3600.0 if effect == "keyed" else None,
        has_lookup=has_lookup,
    )


@pytest.mark.parametrize(
    ("found", "allowed"),
    [
        (_after(9_999, "readonly"), "repeat"),
        (_after(9_999, "idempotent"), "repeat"),
        (_after(3539, "keyed"), "repeat"),
        (_after(3540, "keyed"), "unknown"),
        (_after(3540, "keyed", has_lookup=True), "lookup"),
        (_after(1, "verifiable", has_lookup=True), "lookup"),
        (_after(1, "transactional"), "unknown"),
        (_after(0, "at_most_once", has_lookup=True), "unknown"),
    ],
)
def test_only_what_can_do_no_harm_is_repeated(found: str, allowed: str) -> None:
    """After a lost answer an effect is repeated only where its declaration makes that safe."""
    assert found == allowed


def test_an_end_is_an_end() -> None:
    """No state follows `failed` or `compensated`, and every other state leads somewhere."""
    ends = {state for state, following in NEXT.items() if not following}
    assert ends == {"failed", "compensated"}
    assert all(following <= NEXT.keys() for following in NEXT.values())
