"""What is written about a run that begins: its input, on whose behalf it acts, what it may call."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from fishplate.agents.agent import AnyAgent
from fishplate.contracts.json import canonical_json
from fishplate.core.ids import trace_hex
from fishplate.core.run_context import Principal, RunContext
from fishplate.journal.run_rows import NewRun
from fishplate.orchestrator.effects import CallEffect
from fishplate.orchestrator.records import principal_to_record, with_caller
from fishplate.orchestrator.releases import Releases
from fishplate.orchestrator.resume_rule import roster_of
from fishplate.workflows.workflow import Workflow


class Described(NamedTuple):
    """What is kept of an agent.

    Attributes:
        unit: The agent.
        release: Version and fingerprint of it.
        units: JSON: everything that its runs may call.
        plan: JSON: its plan, if it is a workflow.
    """

    unit: AnyAgent
    release: str
    units: bytes
    plan: bytes | None


class Beginnings:
    """Describes the runs of one app as they begin.

    Args:
        now_ms: Wall clock, milliseconds since 1970.
        releases: Of the app's agents.
    """

    def __init__(self, now_ms: Callable[[], int], releases: Releases) -> None:
        self._releases = releases
        self._now_ms = now_ms
        self._units: dict[int, Described] = {}
        self._last_principal: tuple[Principal | None, bytes] = (None, b"")

    def of(self, context: RunContext, effect: CallEffect) -> NewRun:
        """The run that a call is.

        Raises:
            InputError: Its input has no JSON form that all readers would agree on.
        """
        unit = effect.unit
        _, release, units, plan = self.described(unit)
        now_ms = self._now_ms()
        return NewRun(
            id=context.begun(now_ms),
            agent=unit.name,
            release=release,
            units=units,
            plan=plan,
            input=unit.signature.input_json(
                effect.arguments, subject=f"the input of {unit.about.subject}"
            ),
            principal=with_caller(self._principal_as_json(context.principal), context.caller),
            trace_id=trace_hex(context.trace_id),
            started_ms=now_ms,
        )

    def described(self, unit: AnyAgent) -> Described:
        """What is kept of an agent; put together once."""
        found = self._units.get(id(unit))
        if found is None:
            plan = canonical_json(unit.plan.to_json()) if isinstance(unit, Workflow) else None
            release, units = self._releases.of(unit).label, roster_of(unit, self._releases)
            found = self._units[id(unit)] = Described(unit, release, units, plan)
        return found

    def _principal_as_json(self, principal: Principal) -> bytes:
        """The JSON of a principal; told by identity, since one stands behind most runs."""
        last, text = self._last_principal
        if last is not principal:
            text = principal_to_record(principal)
            self._last_principal = (principal, text)
        return text
