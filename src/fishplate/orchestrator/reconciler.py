"""The reconciler: asks what became of effects whose outcome is unknown, when an answer counts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from fishplate.agents.agent import AnyAgent
from fishplate.core.outcome import NotDone
from fishplate.journal.effect_rows import Evidence
from fishplate.journal.effects import next_lookup
from fishplate.journal.ledger import Ledger
from fishplate.orchestrator.lookup import Done, Finding
from fishplate.orchestrator.outside import result_to_record


class Reconciled(NamedTuple):
    """What one look at the unknown outcomes has brought.

    Attributes:
        decided: How many are not unknown any more.
        next_ms: When the next one is due, in milliseconds since 1970; `None`: none is.
    """

    decided: int
    next_ms: int | None


class Reconciler:
    """Decides unknown outcomes by what the tools' `lookup=` say.

    Args:
        ledger: Where they are kept.
        tools: The app's, by name.
        ask: Asks a lookup what became of an effect.
        drives: Whether a run is driven here: then its effects are its own.
        now_ms: Wall clock, milliseconds since 1970.
    """

    def __init__(
        self,
        ledger: Ledger,
        tools: Mapping[str, AnyAgent],
        ask: Callable[[Evidence, AnyAgent, AnyAgent], Awaitable[Finding]],
        drives: Callable[[str], bool],
        now_ms: Callable[[], int],
    ) -> None:
        self._ledger = ledger
        self._tools = tools
        self._ask = ask
        self._drives = drives
        self._now_ms = now_ms

    async def work_off(self) -> Reconciled:
        """Ask about every effect that is due, and decide those of which the answer is plain."""
        decided, soonest = 0, None
        for effect in await self._ledger.in_state("unknown"):
            tool = self._tools.get(effect.tool)
            if tool is None or tool.about.lookup is None or self._drives(effect.run):
                continue
            due = _due(effect, tool)
            if due is not None and due <= self._now_ms():
                if await self._has_decided(effect, tool, tool.about.lookup):
                    decided += 1
                    continue
                due = _due(effect._replace(lookups=effect.lookups + 1), tool)
            if due is not None:
                soonest = due if soonest is None else min(due, soonest)
        return Reconciled(decided, soonest)

    async def _has_decided(self, effect: Evidence, tool: AnyAgent, lookup: AnyAgent) -> bool:
        finding = await self._ask(effect, tool, lookup)
        if isinstance(finding, Done):
            await self._ledger.reconcile(effect.key, result_to_record(tool, finding.value))
        elif isinstance(finding, NotDone):
            await self._ledger.reconcile(effect.key, None)
        else:
            await self._ledger.looked_up(effect.key)
            return False
        return True


def _due(effect: Evidence, tool: AnyAgent) -> int | None:
    declared = tool.about.effect
    if declared is None or declared.settle_time is None or effect.last_dispatch_ms is None:
        return None
    return next_lookup(
        effect.lookups,
        last_dispatch_ms=effect.last_dispatch_ms,
        settle_time=declared.settle_time,
    )
