"""The keeper: opens the store of an app, writes how its runs begin and end, takes up what is open.

A run goes on under the plan it began with, on the code at hand, if every agent that it may call
still does at least what it did and at most what it was allowed to do.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, NamedTuple, cast

from pydantic_core import from_json, to_json

from fishplate.agents.agent import AnyAgent
from fishplate.contracts.contract import Contract
from fishplate.contracts.evolution import ToolSafety, compatible
from fishplate.contracts.json import canonical_json
from fishplate.core.current import Principal, RunContext, Surroundings
from fishplate.core.errors import (
    DeclarationError,
    FishplateError,
    InputError,
    JsonValue,
    NeedsAttention,
)
from fishplate.core.ids import trace_hex
from fishplate.core.outcome import DeclaredError
from fishplate.journal.journal import Journal, NewRun, StoredRun, StoredState
from fishplate.journal.ledger import Ledger
from fishplate.journal.lock import DrivingLock
from fishplate.journal.store import Durability, open_store, store_path
from fishplate.journal.writer import Writer
from fishplate.orchestrator.desk import Desk
from fishplate.orchestrator.durable import DurableSteps
from fishplate.orchestrator.effects import CallEffect, Marked
from fishplate.orchestrator.history import History
from fishplate.orchestrator.records import failure_to_record, value_to_record
from fishplate.orchestrator.roster import all_of, read_releases
from fishplate.orchestrator.run import run_cancelled
from fishplate.workflows.workflow import Workflow

MOST_RECOVERIES: Final = 5
"""How often a run is taken up after its process ended; one that ends it each time is poison."""


WALL_FOR_NS: Final = 100_000_000
"""Nanoseconds for which the wall clock is told from the other one, which takes less to read."""


class TakenUp(NamedTuple):
    """A run of a former life, ready to go on."""

    context: RunContext
    effect: CallEffect


class Keeper:
    """Keeps the runs of one app.

    Args:
        url: Of the store, e.g. `sqlite:///runs.db`.
        durability: What survives a loss of power.
        steps: Runs the calls.
        around: What the app's runs share.
        random_id: Draws a number that no other life of the process has drawn.
        work: Runs the call that a run is, within the working time.
        takes_up: Whether the runs that a former life left open go on here.
    """

    def __init__(  # noqa: PLR0913 -- the parts that the app puts together
        self,
        url: str,
        durability: Durability,
        *,
        steps: DurableSteps,
        around: Surroundings,
        random_id: Callable[[], int],
        work: Callable[[RunContext, CallEffect], Coroutine[Any, Any, object]],
        takes_up: bool,
    ) -> None:
        self._takes_up = takes_up
        self._work = work
        self._path = store_path(url)
        self._durability: Durability = durability
        self._steps = steps
        self._around = around
        self._random_id = random_id
        self._wall_ns = 0
        self._wall_until_ns = 0
        self._units: dict[int, tuple[AnyAgent, bytes, bytes | None]] = {}

    async def open(self) -> None:
        """Take the lock and open the store.

        Raises:
            StoreLockedError: Another process drives it.
            StoreError: The file is something else, damaged, or of a later version.
            StoreUnavailableError: It cannot be opened or written to.
        """
        self._lock = await asyncio.to_thread(DrivingLock, self._path)
        try:
            connection = await asyncio.to_thread(open_store, self._path)
        except BaseException:
            self._lock.release()
            raise
        self._writer = Writer(connection, self._path, self._durability)
        self._journal = Journal(self._writer)
        ledger = Ledger(self._writer, f"{self._random_id():016x}", self.now_ms)
        self._ledger = ledger
        self._steps.open(ledger, self.now_ms)
        self._desk = Desk(self._path, self._journal, self.now_ms)
        try:
            await self._desk.answer()
        except BaseException:
            await self.close()
            raise

    async def listen(
        self, agents: Mapping[str, AnyAgent], begin: Callable[[TakenUp], object]
    ) -> None:
        """Answer from now on what other processes ask for.

        Args:
            agents: The app's, by name.
            begin: Starts a run that an answer has opened again.
        """

        async def opened() -> None:
            for taken in await self.take_up(agents):
                if not self._steps.is_closing:  # it stays open, for the next life
                    begin(taken)

        await self._desk.listen(opened)

    def prepare_to_close(self) -> None:
        """Hear that what is cancelled from now on goes on in another life of the process."""
        self._steps.is_closing = True

    async def close(self) -> None:
        """Write what is left, close the store, give the lock back."""
        await self._desk.close()
        await asyncio.to_thread(self._writer.close)
        self._lock.release()

    def now_ms(self) -> int:
        """Wall clock, milliseconds since 1970."""
        now_ns = self._around.now_ns()
        if now_ns >= self._wall_until_ns:
            self._wall_ns = round(self._around.clock.now().timestamp() * 1e9) - now_ns
            self._wall_until_ns = now_ns + WALL_FOR_NS
        return (now_ns + self._wall_ns) // 1_000_000

    async def run(self, context: RunContext, effect: CallEffect) -> object:
        """Run a call as a run that is kept; its end is reported when it is written.

        Raises:
            NeedsAttention: A person has to decide before the run can end.
            StoreUnavailableError: Something of the run was not kept: it is still open in the store,
                and goes on when an app opens that again.
        """
        if effect.unit.span_head is None:
            await asyncio.to_thread(read_releases, (effect.unit,))
        self._begin(context, effect)
        return await self.go_on(context, effect)

    async def value(self, context: RunContext, effect: CallEffect) -> object:
        """The same in the task that awaits it, without the marks of degradation.

        Raises:
            StepError: Somebody else cancelled the run (code `run_cancelled`).
        """
        task = asyncio.current_task()
        assert task is not None, "a coroutine runs in a task"
        try:
            found = await self.run(context, effect)
        except asyncio.CancelledError:
            if not self._desk.has_cancelled(context.run_id) or task.uncancel() > 0:
                raise
            raise run_cancelled(effect.unit) from None
        return found.value if type(found) is Marked else found

    async def go_on(self, context: RunContext, effect: CallEffect) -> object:
        """Run a call whose run has begun; see `run`."""
        answer: object = None
        failure: BaseException | None = None
        self._desk.begins(context.run_id)
        try:
            answer = await self._work(context, effect)
        except (FishplateError, DeclaredError, asyncio.CancelledError) as error:
            failure = error
        self._desk.ends(context.run_id)
        if isinstance(failure, asyncio.CancelledError) and self._steps.is_closing:
            del self._steps.histories[context.trace_id]  # it stays open, for the next life
            self._desk.ended(context.run_id)
            raise failure
        # A cancellation meanwhile loses nothing: what is written is given before it is waited for.
        attention = await self._end(context, effect, answer, failure)
        if attention is not None:
            raise attention from failure
        if failure is not None:
            raise failure
        return answer

    async def take_up(self, agents: Mapping[str, AnyAgent]) -> list[TakenUp]:
        """The runs that a former life left open, oldest first, if this one takes them up.

        One that cannot go on is written down as `needs_attention`, with the reason.
        """
        found: list[TakenUp] = []
        if not self._takes_up or self._steps.is_closing:
            return found
        for stored in await self._journal.unfinished():
            if self._desk.drives(stored.id):
                continue
            self._desk.claim(stored.id)
            reason, run = await self._taken_up(stored, agents.get(stored.agent))
            if run is not None:
                found.append(run)
            else:
                await self._journal.reopen(stored).enter("needs_attention", attention=reason)
                self._desk.ended(stored.id)
        return found

    def _begin(self, context: RunContext, effect: CallEffect) -> None:
        """Write that a run begins; it is not waited for."""
        unit = effect.unit
        units, plan = self._described(unit)
        log = self._journal.begin(
            NewRun(
                id=context.run_id,
                agent=unit.name,
                release=unit.label,
                units=units,
                plan=plan,
                input=unit.signature.to_json(effect.arguments),
                principal=_principal_to_json(context.principal),
                trace_id=trace_hex(context.trace_id),
                started_ms=self.now_ms(),
            )
        )
        self._steps.histories[context.trace_id] = History(log, self.now_ms)

    async def _end(
        self,
        context: RunContext,
        effect: CallEffect,
        answer: object,
        failure: BaseException | None,
    ) -> NeedsAttention | None:
        """Write how a run ended, and wait until that, and all before it, is kept.

        Returns:
            What its caller has to hear if the run has not ended: a person has to decide.
        """
        history = self._steps.histories.pop(context.trace_id)
        try:
            await self._write_end(history, effect, answer, failure)
        finally:
            self._desk.ended(context.run_id)
        if history.attention is None:
            return None
        if isinstance(failure, NeedsAttention):
            return failure
        return NeedsAttention(
            f"run {context.run_id!r} of {effect.unit.name!r} cannot end before somebody decides: "
            f"{history.attention}",
            run_id=context.run_id,
            step=effect.key,
            code=history.attention,
            where=effect.where,
        )

    async def _write_end(
        self, history: History, effect: CallEffect, answer: object, failure: BaseException | None
    ) -> None:
        state: StoredState
        outcome: bytes | None = None
        if history.attention is not None:
            state = "needs_attention"
        elif isinstance(failure, (FishplateError, DeclaredError)):
            state, outcome = "failed", failure_to_record(failure)
        elif failure is not None:
            state = "cancelled"
        else:
            data, reasons = value_to_record(effect.unit, answer)
            state = "degraded" if reasons else "succeeded"
            outcome = b'{"output":' + data + b',"reasons":' + (reasons or b"[]") + b"}"
        await history.log.enter(
            state,
            ended_ms=self.now_ms(),
            outcome=outcome,
            attention=history.attention,
            is_given_up=isinstance(failure, asyncio.CancelledError),
        )

    async def _taken_up(
        self, stored: StoredRun, unit: AnyAgent | None
    ) -> tuple[str, TakenUp | None]:
        if unit is None:
            return "unknown_agent", None
        if stored.recoveries >= MOST_RECOVERIES:
            return "recovery_limit", None
        units, plan = self._described(unit)
        if plan != stored.plan:
            return "plan_changed", None
        if units != stored.units and not _may_go_on(stored.units, units):
            return "release_changed", None
        try:
            arguments = unit.signature.decode(from_json(stored.input), subject="the recorded input")
        except InputError:
            return "input_refused", None
        known: dict[str, Any] = from_json(stored.principal)
        principal = Principal(
            name=known["name"], roles=frozenset(known["roles"]), tenant=known["tenant"]
        )
        context = RunContext(self._around, principal, int(stored.trace_id, 16), stored.id)
        records = await self._journal.steps(stored.id)
        effects = [
            one.call
            for one in await self._ledger.of_run(stored.id)
            if one.state not in {"reserved", "failed"}
        ]
        log = self._journal.reopen(stored, records[-1].n if records else 0)
        await log.recovered()
        self._steps.histories[context.trace_id] = History(log, self.now_ms, records, effects)
        return "", TakenUp(context, CallEffect(unit.name, unit, arguments, unit.about.where))

    def _described(self, unit: AnyAgent) -> tuple[bytes, bytes | None]:
        """What is kept of an agent: everything that its runs may call, and its plan."""
        found = self._units.get(id(unit))
        if found is None:
            plan = canonical_json(unit.plan.to_json()) if isinstance(unit, Workflow) else None
            units = canonical_json({one.name: _unit(one) for one in all_of(unit)})
            found = self._units[id(unit)] = (unit, units, plan)
        return found[1], found[2]


@functools.lru_cache(maxsize=1_000)
def _principal_to_json(principal: Principal) -> bytes:
    return to_json(
        {"name": principal.name, "roles": sorted(principal.roles), "tenant": principal.tenant}
    )


def _unit(unit: AnyAgent) -> JsonValue:
    effect = unit.about.effect
    return {
        "release": unit.release.to_json(),
        "contract": unit.contract.to_json(),
        "effect": None if effect is None else effect.to_json(),
    }


def _may_go_on(before: bytes, now: bytes) -> bool:
    """Whether runs that began among some agents may go on among others.

    Contracts have to be compatible, effects and scopes may only have shrunk, and none may be gone.
    """
    old: dict[str, Any] = from_json(before)
    new: dict[str, Any] = from_json(now)
    for name, unit in old.items():
        other = new.get(name)
        if other is None:
            return False
        try:
            found = compatible(
                Contract.parse(unit["contract"]),
                Contract.parse(other["contract"]),
                old_safety=_safety(name, unit),
                new_safety=_safety(name, other),
            )
        except DeclarationError:
            return False
        if not found.compatible:
            return False
    return True


def _safety(name: str, unit: Mapping[str, Any]) -> Mapping[str, ToolSafety]:
    effect = cast("Mapping[str, Any] | None", unit["effect"])
    if effect is None:
        return {}
    return {name: ToolSafety(effect=effect["effect"], scopes=frozenset(effect["scopes"]))}
