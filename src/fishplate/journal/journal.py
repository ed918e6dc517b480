"""The journal of runs: what was started, what each step gave, how it ended."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from fishplate.core.errors import ErrorClass, FishplateError
from fishplate.journal.batch import Overwriting, Owner, Table, Values
from fishplate.journal.run_rows import (
    NewRun,
    RecordKind,
    StepRecord,
    StoredRun,
    StoredState,
    find_run,
    steps_of,
    unfinished_runs,
)
from fishplate.journal.starts import StartKey, claim_start
from fishplate.journal.writer import JournalWriter

T = TypeVar("T")

PROTOCOL: Final = 1
"""How the walker spells the keys of steps; a run goes on under the spelling it began with."""

INLINE_BYTES: Final = 256 * 1024
"""Values up to this size stand in their row; larger ones once, under their digest."""

MOST_BYTES: Final = 8 * 1024 * 1024
"""The largest value that is kept."""

MOST_KNOWN: Final = 10_000
"""Digests that are remembered as written; plans are few, large values are many."""


MOST_SHARED: Final = 1_000
"""Plans and rosters whose digests are remembered, with themselves."""


class PayloadTooLargeError(FishplateError):
    """A value is larger than the journal keeps; a step that gave it fails for good."""

    code = "payload_too_large"
    error_class = ErrorClass.PERMANENT


_RUNS: Final = Table(
    "run",
    (
        "id",
        "agent",
        "release",
        "units",
        "plan",
        "input",
        "principal",
        "trace_id",
        "started_ms",
        "state",
        "protocol",
    ),
)
# Most steps and ends have nothing in some columns, and every value that is bound takes its time.
_STEPS: Final = Table("step", ("run", "n", "key", "kind", "data", "is_large", "ended_ms"))
_FULL_STEPS: Final = Table("step", (*_STEPS.columns, "arguments", "reasons"))
_ENDS: Final = Overwriting("run", ("id", "state", "ended_ms", "outcome"))
_STATES: Final = Overwriting(
    "run", (*_ENDS.columns, "attention", "explanation", "left_ns", "given_up")
)
_DOCUMENTS: Final = Table("document", ("digest", "data"), on_conflict="IGNORE")


class RunLog(Owner):
    """What is written about one run, in order.

    Args:
        journal: Where it goes.
        run_id: Whose it is.
        written: How many steps were written before.

    Attributes:
        has_moved: The run may have been in another state than the one that it began in.
    """

    __slots__ = ("_documents", "_journal", "_written", "has_moved", "run_id")

    def __init__(self, journal: Journal, run_id: str, written: int = 0) -> None:
        super().__init__()
        self.has_moved = True
        self._journal = journal
        self.run_id = run_id
        self._written = written
        self._documents: tuple[str, ...] = ()

    def document(self, data: bytes) -> str:
        """Write what is large, if it is not known to be kept already; its digest."""
        return self._kept(hashlib.sha256(data).hexdigest(), data)

    def shared(self, data: bytes) -> str:
        """The same for what stands beside many runs, so that its digest is taken once."""
        journal = self._journal
        digest = journal.digests.get(data) or journal.digest_of(data)
        return digest if digest in journal.known else self._kept(digest, data)

    def _kept(self, digest: str, data: bytes) -> str:
        if digest not in self._journal.known:
            self._journal.writer.add(self, _DOCUMENTS, (digest, data))
            self._documents += (digest,)
        return digest

    def step(  # noqa: PLR0913 -- the columns of a record
        self,
        key: str,
        kind: RecordKind,
        data: bytes,
        *,
        ended_ms: int,
        arguments: str | None = None,
        reasons: bytes | None = None,
    ) -> None:
        """Write what a step gave; not waited for.

        Raises:
            PayloadTooLargeError: The data is larger than `MOST_BYTES`.
        """
        is_large = len(data) > INLINE_BYTES
        if is_large:
            check_size(f"what step {key!r} gave", data)
            data = self.document(data).encode()
        self._written += 1
        row = (self.run_id, self._written, key, kind, bytearray(data), int(is_large), ended_ms)
        if arguments is None and reasons is None:
            self._journal.writer.add(self, _STEPS, row)
        else:
            self._journal.writer.add(self, _FULL_STEPS, (*row, arguments, reasons))

    async def settled(self) -> None:
        """Wait until everything written so far is kept.

        Raises:
            StoreUnavailableError: Something of this run was lost, now or before.
        """
        await self._journal.writer.settled(self)
        self._confirm()

    async def enter(  # noqa: PLR0913 -- the columns of a row, keyword-only
        self,
        state: StoredState,
        *,
        ended_ms: int | None = None,
        outcome: bytes | None = None,
        attention: str | None = None,
        explanation: str | None = None,
        left_ns: int | None = None,
        is_given_up: bool = False,
        also: Callable[[sqlite3.Connection], object] | None = None,
    ) -> None:
        """Move the run to a state, after everything written so far; wait until it is kept.

        Args:
            state: Where it stands then.
            ended_ms: When it ended.
            outcome: JSON of its output or error.
            attention: Why somebody has to decide.
            explanation: The same in words.
            left_ns: Working time that it has left.
            is_given_up: Somebody asked it to end.
            also: Run when that is written, in the same transaction or a later one.

        Raises:
            StoreUnavailableError: This, or something of the run before it, was lost.
        """
        if self.failure is not None:
            raise self.failure
        row = (self.run_id, state, ended_ms, None if outcome is None else bytearray(outcome))
        if self.has_moved or attention or explanation or left_ns is not None or is_given_up:
            more = (attention, explanation, left_ns, int(is_given_up))
            self._journal.writer.add(self, _STATES, (*row, *more))
        else:
            self._journal.writer.add(self, _ENDS, row)
        self.has_moved = True
        if also is None:
            await self._journal.writer.settled(self)  # as below, without a coroutine more
            self._confirm()
        else:
            await self.change(also)

    async def taken_up(self, *, is_recovery: bool) -> bool:
        """Move a run that is ready to `running`, and count it if its process had ended.

        Returns:
            Whether it is kept that the run runs; false if it was cancelled meanwhile.
        """

        def apply(connection: sqlite3.Connection) -> bool:
            found = connection.execute(
                "UPDATE run SET recoveries = recoveries + ?, state = 'running' "
                "WHERE id = ? AND state IN ('queued', 'running')",
                (int(is_recovery), self.run_id),
            )
            return found.rowcount == 1

        return await self.change(apply)

    async def change(self, apply: Callable[[sqlite3.Connection], T]) -> T:
        """Read and write about the run, after everything written so far; wait until it is kept.

        Raises:
            StoreUnavailableError: This, or something of the run before it, was lost.
        """
        if self.failure is not None:
            raise self.failure
        self.has_moved = True
        found = await self._journal.writer.change(self, apply)
        if self.failure is not None:  # rows before it may have been of an earlier transaction
            raise self.failure
        self._confirm()
        return found

    def _confirm(self) -> None:
        if self._documents:
            self._journal.remember_documents(self._documents)
            self._documents = ()


class Journal:
    """The journal of one store.

    Args:
        writer: Through which everything is written, and by the driving process read.

    Attributes:
        known: Digests of documents that are known to be kept.
        digests: Of documents that stand beside many runs.
    """

    def __init__(self, writer: JournalWriter) -> None:
        self.writer = writer
        self.known: set[str] = set()
        self.digests: dict[bytes, str] = {}

    def begin(self, run: NewRun) -> RunLog:
        """Write that a run was started; not waited for."""
        log = RunLog(self, run.id)
        log.has_moved = False
        self.writer.add(log, _RUNS, _row_of(run, log))
        return log

    async def claim(self, run: NewRun, start: StartKey) -> RunLog | str:
        """Write that a run was started under a key, or learn the id of the one that was before.

        Raises:
            StartConflictError: That one had another input.
        """
        log = RunLog(self, run.id)
        row = _row_of(run, log)
        digest = hashlib.sha256(run.input).hexdigest()

        def apply(connection: sqlite3.Connection) -> str | None:
            earlier = claim_start(connection, start, digest, run.id)
            if earlier is None:
                _RUNS.write(connection, list(row))
            return earlier

        return await log.change(apply) or log

    def reopen(self, run: StoredRun, written: int = 0) -> RunLog:
        """The log of a run that the store has already, of which so many records are written."""
        return RunLog(self, run.id, written)

    async def find(self, run_id: str) -> StoredRun | None:
        """A run, or `None` if the store has none of that id."""
        return await self.writer.change(Owner(), lambda connection: find_run(connection, run_id))

    async def unfinished(self) -> list[StoredRun]:
        """The runs that have not ended and wait for nothing, oldest first."""
        return await self.writer.change(Owner(), unfinished_runs)

    async def steps(self, run_id: str) -> list[StepRecord]:
        """The records of a run, in the order in which its steps ended."""
        return await self.writer.change(Owner(), lambda connection: steps_of(connection, run_id))

    def digest_of(self, data: bytes) -> str:
        """SHA-256, as hex, of what stands beside many runs: a plan, or what an agent may call."""
        if len(self.digests) >= MOST_SHARED:
            self.digests.clear()
        found = self.digests[data] = hashlib.sha256(data).hexdigest()
        return found

    def forget_documents(self) -> None:
        """Hear that documents may be taken out: whoever needs one writes it again."""
        self.known.clear()

    def remember_documents(self, digests: Sequence[str]) -> None:
        """Hear that documents are kept, so that they need not be written again."""
        if len(self.known) >= MOST_KNOWN:
            self.known.clear()
        self.known.update(digests)


def check_size(what: str, data: bytes) -> None:
    """Refuse a document that is larger than the journal keeps.

    Raises:
        PayloadTooLargeError: It is.
    """
    if len(data) > MOST_BYTES:
        msg = (
            f"{what} is {len(data)} bytes of JSON, and the journal keeps at most {MOST_BYTES} of "
            "one document: hand on a reference to what is that large"
        )
        raise PayloadTooLargeError(msg)


def _row_of(run: NewRun, log: RunLog) -> Values:
    check_size(f"the input of {run.agent!r}", run.input)
    return (
        run.id,
        run.agent,
        run.release,
        log.shared(run.units),
        None if run.plan is None else log.shared(run.plan),
        bytearray(run.input),
        bytearray(run.principal),
        run.trace_id,
        run.started_ms,
        "running",
        PROTOCOL,
    )
