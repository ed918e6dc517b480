"""Which policies protect the calls of an agent, and the pipeline that runs their attempts."""

from __future__ import annotations

from typing import Final

from fishplate.agents.agent import AnyAgent
from fishplate.agents.policies import policy_of, target_of
from fishplate.core.data import dataclass
from fishplate.orchestrator.time_limits import Allowance, usual_allowance
from fishplate.resilience.pipeline import Pipeline
from fishplate.resilience.resolve import ResolvedPolicy
from fishplate.resilience.targets import Targets

MOST_PROTECTIONS: Final = 1_000
"""Protections kept; a service that makes agents as it goes must not grow with them."""


@dataclass(frozen=True, slots=True)
class Protection:
    """The policies of one agent's calls.

    Attributes:
        policy: What is declared, and the defaults.
        pipeline: Runs the attempts; `None` where a call is one bare attempt.
        usual: What a call may take, if there is enough time around it; see `usual_allowance`.
    """

    policy: ResolvedPolicy
    pipeline: Pipeline | None
    usual: Allowance | None


class Protections:
    """Makes the protection of an agent when it is first called.

    Args:
        targets: The state that calls to one target share.
    """

    def __init__(self, targets: Targets) -> None:
        self._targets = targets
        # By id, which is not used anew while its agent stands here.
        self._known: dict[int, tuple[AnyAgent, Protection]] = {}

    def of(self, unit: AnyAgent) -> Protection:
        """The protection of an agent as one step uses it.

        Raises:
            UsageError: Another agent declares other policies for the same target (code
                `conflicting_policies`).
        """
        known = self._known.get(id(unit))
        if known is None:
            if len(self._known) >= MOST_PROTECTIONS:
                self._known.clear()
            known = self._known[id(unit)] = (unit, self._made(unit))
        return known[1]

    def _made(self, unit: AnyAgent) -> Protection:
        policy = policy_of(unit)
        if not policy.needs_pipeline:
            return Protection(policy, None, usual_allowance(unit, policy))
        about = unit.about
        pipeline = self._targets.pipeline(
            target_of(unit), policy, owner=about.subject, errors=about.error_classes
        )
        return Protection(policy, pipeline, usual_allowance(unit, policy))
