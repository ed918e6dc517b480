"""Taking up a run of a former life: what is looked at first, and what its spans say then.

A run goes on under the plan it began with, on the code at hand, if every agent that it may call
still does at least what it did and at most what it was allowed to do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from pydantic_core import from_json

from fishplate.agents.agent import AnyAgent
from fishplate.core.errors import InputError, JsonValue
from fishplate.core.events import Retell, SpanTuple
from fishplate.core.run_context import CalledRun, RunContext, Surroundings
from fishplate.core.spending import RunSpending
from fishplate.journal.journal import PROTOCOL, Journal
from fishplate.journal.ledger import Ledger
from fishplate.journal.run_rows import StoredRun
from fishplate.journal.waits import answers_of
from fishplate.orchestrator.beginnings import Beginnings
from fishplate.orchestrator.effects import CallEffect
from fishplate.orchestrator.history import History
from fishplate.orchestrator.records import caller_from_record, principal_from_record
from fishplate.orchestrator.resume_rule import CannotGoOn, ResumeRule, Way, check_way
from fishplate.orchestrator.spent_before import spent_before

MOST_RECOVERIES: Final = 5
"""How often a run is taken up after its process ended; one that ends it each time is poison."""


class TakenUp(NamedTuple):
    """A run of a former life, ready to go on."""

    context: RunContext
    effect: CallEffect


class TakingUp:
    """Makes stored runs ready to go on.

    Args:
        journal: Of the store.
        ledger: Of the store.
        histories: Of the runs that are driven here, by trace id.
        around: What the app's runs share.
        agents: Whose runs can be taken up, by name.
        rule: Says how a run goes on among other agents.
        beginnings: Says what is kept of the agents at hand.
        now_ms: Wall clock, milliseconds since 1970.
    """

    def __init__(  # noqa: PLR0913 -- the parts that the keeper puts together
        self,
        journal: Journal,
        ledger: Ledger,
        histories: dict[int, History],
        *,
        around: Surroundings,
        agents: Mapping[str, AnyAgent],
        rule: ResumeRule,
        beginnings: Beginnings,
        now_ms: Callable[[], int],
    ) -> None:
        self._journal = journal
        self._ledger = ledger
        self._histories = histories
        self._around = around
        self._agents = agents
        self._rule = rule
        self._beginnings = beginnings
        self._now_ms = now_ms
        self._finding = asyncio.Lock()

    async def taken_up(self, stored: StoredRun) -> TakenUp | None:
        """A run, ready to go on; `None` if it was cancelled meanwhile.

        Raises:
            CannotGoOn: A person has to decide.
        """
        check_stored(stored)
        way = await self._way(stored)
        records = await self._journal.steps(stored.id)
        effects = [
            one.call
            for one in await self._ledger.of_run(stored.id)
            if one.state not in {"reserved", "failed"} and one.undoes is None
        ]
        recorded = [record.key for record in records if record.kind != "dropped"]
        check_way(way, [*recorded, *(path for path in effects if path not in recorded)])
        arguments = arguments_of(stored, way.unit)
        context = self.context_of(stored)
        context.spend_with(spent_before(records))
        ago_ns = max(self._now_ms() - stored.started_ms, 0) * 1_000_000
        context.began_ns = context.now_ns() - ago_ns
        is_recovery = stored.state == "running"
        context.retell_as(retelling(context.began_ns, way.changed, is_recovery=is_recovery))
        log = self._journal.reopen(stored, records[-1].n if records else 0)
        answers = await log.change(lambda connection: answers_of(connection, stored.id))
        if not await log.taken_up(is_recovery=is_recovery):
            return None
        self._histories[context.trace_id] = History(
            log, self._now_ms, records, effects, answers, way.rewritten
        )
        unit = way.unit
        return TakenUp(context, CallEffect(unit.name, unit, arguments, unit.about.where))

    async def refuse(self, stored: StoredRun, refusal: CannotGoOn) -> None:
        """Write that a run cannot go on by itself, and why."""
        await self._journal.reopen(stored).enter(
            "needs_attention", attention=refusal.reason, explanation=refusal.explanation
        )

    def context_of(self, stored: StoredRun) -> RunContext:
        """What the calls of a stored run share."""
        principal = principal_from_record(stored.principal)
        caller = caller_from_record(stored.principal)
        trace_id, run_id = int(stored.trace_id, 16), stored.id
        if caller is None:
            context = RunContext(self._around, principal, trace_id, run_id)
        else:
            context = CalledRun(self._around, principal, trace_id, run_id, caller=caller)
        context.spend_with(RunSpending(is_known=False))
        if stored.left_ns is not None:  # what it had worked before it waited counts
            worked_ns = round(self._around.working_time * 1e9) - stored.left_ns
            context.started_ns -= worked_ns
        return context

    async def _way(self, stored: StoredRun) -> Way:
        """How a run goes on that may have begun among other agents.

        Raises:
            CannotGoOn: Not at all.
        """
        unit = self._agents.get(stored.agent)
        if unit is not None:
            _, _, units, plan = self._beginnings.described(unit)
            if units == stored.units and plan == stored.plan:
                return Way(unit, {}, {}, {}, ())
        key = (stored.agent, stored.units, stored.plan)
        async with self._finding:  # many runs of one release ask at a time
            if self._rule.knows(*key):
                return self._rule.way(*key)
            return await asyncio.to_thread(self._rule.way, *key)


def check_stored(stored: StoredRun) -> None:
    """Refuse a run of another format, and one that ends its process each time.

    Raises:
        CannotGoOn: It is such a run (`plan_changed`, `recovery_limit`).
    """
    if stored.protocol != PROTOCOL:
        raise CannotGoOn(
            "plan_changed",
            f"the run spells the keys of its steps in format {stored.protocol}, and this version "
            f"of fishplate in {PROTOCOL}: let the version that began it end it",
        )
    if stored.recoveries >= MOST_RECOVERIES:
        raise CannotGoOn(
            "recovery_limit",
            f"the run of {stored.agent!r} was taken up {stored.recoveries} times, and each time "
            "its process ended before the run did: find out what ends the process (memory, a "
            "crash in native code, a limit of its surroundings)",
        )


def arguments_of(stored: StoredRun, unit: AnyAgent) -> tuple[object, ...]:
    """What a run was started with, judged by the contract that its agent has now.

    Raises:
        CannotGoOn: It breaks that (`input_refused`).
    """
    try:
        return unit.signature.decode(from_json(stored.input), subject="the recorded input")
    except InputError as error:
        raise CannotGoOn(
            "input_refused",
            f"the recorded input breaks the contract that {unit.name!r} has now: {error}. Let the "
            "agent take such inputs again",
        ) from None


def retelling(
    began_ns: int, changed: Mapping[str, tuple[str, str]], *, is_recovery: bool
) -> Retell:
    """What the spans of a run that goes on are told as.

    Args:
        began_ns: When the run began, on its clock: its own span does not begin later, in whichever
            life it ends.
        changed: The releases before and now of the agents that ran on another one than the run's:
            the span of each of their calls says so.
        is_recovery: The run did not wait when its process ended. What was paid for on its way then
            has left nothing, so the first span that says what it has spent says that this may not
            be all.
    """
    is_told = not is_recovery

    def tell(span: SpanTuple) -> SpanTuple:
        nonlocal is_told
        trace_id, span_id, parent_id, head, path, began, ended, status, facts = span
        if head[0] == "decision":
            return span
        if parent_id is None:
            began = min(began, began_ns)
        facts = facts or {}
        if "requests" in facts and "replayed" not in facts and not is_told:
            is_told = True
            unpriced = facts.get("unpriced_requests")
            known = unpriced if isinstance(unpriced, int) else 0
            facts = {**facts, "unpriced_requests": known + 1, "cut_off_before": True}
        labels = changed.get(head[1])
        if labels is not None and "replayed" not in facts:
            both: dict[str, JsonValue] = {"before": labels[0], "now": labels[1]}
            facts = {**facts, "release_changed": both}
        return (trace_id, span_id, parent_id, head, path, began, ended, status, facts or None)

    return tell
