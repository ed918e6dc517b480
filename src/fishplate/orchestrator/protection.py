"""Which policies protect the calls of an agent, and the pipeline that runs their attempts."""

from __future__ import annotations

from inspect import CO_COROUTINE
from types import CodeType
from typing import Final

from fishplate.agents.agent import AnyAgent
from fishplate.agents.policies import policy_of, target_of
from fishplate.core.data import dataclass
from fishplate.orchestrator.time_limits import Allowance, usual_allowance
from fishplate.resilience.calls import ORDINARY, CallOptions
from fishplate.resilience.pipeline import Pipeline
from fishplate.resilience.resolve import ResolvedPolicy
from fishplate.resilience.targets import Targets

MOST_PROTECTIONS: Final = 1_000
"""Protections kept; a service that makes agents as it goes must not grow with them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Protection:
    """The policies of one agent's calls.

    Attributes:
        policy: What is declared, and the defaults.
        pipeline: Runs the attempts; `None` where a call is one bare attempt.
        usual: What a call may take, if there is enough time around it; see `usual_allowance`.
        is_bounded: A call has a limit of its own, or passes on less time than it has.
        is_plain: Nothing but limits and attempts stands around the behaviour, and an attempt is
            nothing but its coroutine: no answer is remembered, no pool has slots for it, and it
            changes nothing that somebody keeps account of.
        options: What every call says to the pipeline; `None`: each something else.
    """

    policy: ResolvedPolicy
    pipeline: Pipeline | None
    usual: Allowance | None
    is_bounded: bool
    is_plain: bool
    options: CallOptions | None


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
        policy, about = policy_of(unit), unit.about
        pipeline = None
        if policy.needs_pipeline:
            pipeline = self._targets.pipeline(
                target_of(unit), policy, owner=about.subject, errors=about.error_classes
            )
        makes_calls = bool(unit.grants) or about.kind == "plan"
        limit = policy.rate_limit
        has_limit = limit is not None and limit.tokens_per_minute is not None
        counts_tokens = about.asks is not None and has_limit
        return Protection(
            policy=policy,
            pipeline=pipeline,
            usual=usual_allowance(unit, policy),
            is_bounded=pipeline is not None or policy.timeout is not None or bool(unit.fallbacks),
            is_plain=_is_plain(unit),
            options=None if makes_calls or unit.fallbacks or counts_tokens else ORDINARY,
        )


def _is_plain(unit: AnyAgent) -> bool:
    about = unit.about
    if about.kind != "async" or about.pool is not None:
        return False
    if unit.policy.cache is not None or unit.remembers is not None:
        return False
    if about.effect is not None and not about.effect.is_readonly:
        return False
    # What is only marked as a coroutine function may give another awaitable, which has no send().
    code = getattr(about.function, "__code__", None)
    return isinstance(code, CodeType) and bool(code.co_flags & CO_COROUTINE)
