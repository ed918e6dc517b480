"""The targets of an app: who calls the same target shares its breaker, slots, limit and budget."""

from __future__ import annotations

from typing import TypeVar

from fishplate.core.errors import JsonValue, UsageError
from fishplate.resilience.breaker import CircuitBreaker
from fishplate.resilience.bulkhead import Slots
from fishplate.resilience.classify import NO_MAP, ErrorMap
from fishplate.resilience.pipeline import Pipeline
from fishplate.resilience.policy import Breaker, Bulkhead, RateLimit
from fishplate.resilience.rate_limit import RateLimiter
from fishplate.resilience.resolve import ResolvedPolicy
from fishplate.resilience.target import Environment, Target

S = TypeVar("S", Breaker, Bulkhead, RateLimit)


class Targets:
    """Makes a target when it is first named, and lets an operator act on its breaker.

    Args:
        environment: What all targets and pipelines take from outside.
    """

    def __init__(self, environment: Environment) -> None:
        self._around = environment
        self._targets: dict[str, Target] = {}
        # (target, part) → the settings that somebody declared, and who
        self._declared: dict[tuple[str, str], tuple[Breaker | Bulkhead | RateLimit, str]] = {}

    def pipeline(
        self, key: str, resolved: ResolvedPolicy, *, owner: str, errors: ErrorMap = NO_MAP
    ) -> Pipeline:
        """The pipeline of one policy to one target.

        Declared settings of a shared part win over defaults, whoever comes first.

        Args:
            key: Which target: whatever fails, fills up and is limited as one, e.g. provider, model,
                region and credential. Agents that name the same `target=` have the same key.
            resolved: The policies.
            owner: Whose policies they are, for errors, e.g. `tool 'issue_refund'`.
            errors: Class of the exceptions that an attempt may raise.

        Raises:
            UsageError: Somebody else declares other settings for the same part of the target (code
                `conflicting_policies`).
            ValueError: The map of errors names what is not an exception.
        """
        now = self._around.clock()
        target = self._targets.get(key)
        if target is None:
            target = self._targets[key] = Target(key, now)
        self._join_breaker(target, resolved, owner, now)
        self._join_bulkhead(target, resolved, owner)
        self._join_rate_limit(target, resolved, owner, now)
        return Pipeline(resolved, target, self._around, errors)

    def get(self, key: str) -> Target | None:
        """The target of that key; `None` if nobody has called it yet."""
        return self._targets.get(key)

    def known(self) -> tuple[Target, ...]:
        """The targets that were named so far, in the order in which they were; a copy."""
        return tuple(self._targets.values())

    def force_open(self, key: str, *, by: str, why: str) -> None:
        """Reject all calls to a target until `reset`.

        Raises:
            UsageError: The target is unknown, or nobody wants a breaker for it.
        """
        self._breaker(key).force_open(by=by, why=why)

    def disable(self, key: str, *, by: str, why: str) -> None:
        """Admit all calls to a target, whatever happens, until `reset`.

        Raises:
            UsageError: The target is unknown, or nobody wants a breaker for it.
        """
        self._breaker(key).disable(by=by, why=why)

    def reset(self, key: str, *, by: str, why: str) -> None:
        """Close a target's breaker with nothing counted, and forget an exhausted quota.

        Raises:
            UsageError: The target is unknown, or nobody wants a breaker for it.
        """
        breaker = self._breaker(key)
        self._targets[key].closed_until = self._around.clock()
        breaker.reset(self._around.clock(), by=by, why=why)

    def report(self) -> list[dict[str, JsonValue]]:
        """The state of every target, in the order in which they were first named."""
        now = self._around.clock()
        return [target.to_json(now) for target in self._targets.values()]

    def _breaker(self, key: str) -> CircuitBreaker:
        target = self._targets.get(key)
        if target is None:
            known = ", ".join(map(repr, self._targets)) or "none"
            msg = f"no call has gone to a target {key!r} yet; those with calls are: {known}"
            raise UsageError(msg, code="unknown_target")
        if target.breaker is None:
            msg = f"target {key!r} has no breaker: declare Policy(breaker=Breaker())"
            raise UsageError(msg, code="no_breaker")
        return target.breaker

    def _join_breaker(
        self, target: Target, resolved: ResolvedPolicy, owner: str, now: float
    ) -> None:
        wanted = self._agreed(target, "breaker", resolved.breaker, resolved, owner)
        if wanted is None:
            return
        if target.breaker is None:
            target.breaker = CircuitBreaker(
                wanted,
                target=target.key,
                uniform=self._around.uniform,
                emit=self._around.emit,
                now=now,
            )
        else:
            target.breaker.configure(wanted, now)

    def _join_bulkhead(self, target: Target, resolved: ResolvedPolicy, owner: str) -> None:
        wanted = self._agreed(target, "bulkhead", resolved.bulkhead, resolved, owner)
        if wanted is None:
            return
        if target.slots is None:
            target.slots = Slots(wanted, target=target.key, emit=self._around.emit)
        else:
            target.slots.configure(wanted)

    def _join_rate_limit(
        self, target: Target, resolved: ResolvedPolicy, owner: str, now: float
    ) -> None:
        wanted = self._agreed(target, "rate_limit", resolved.rate_limit, resolved, owner)
        if wanted is not None and target.limiter is None:
            target.limiter = RateLimiter(wanted, now)

    def _agreed(
        self, target: Target, part: str, wanted: S | None, resolved: ResolvedPolicy, owner: str
    ) -> S | None:
        """The settings that hold for a part after one more policy joins; `None` if it has none."""
        found = self._declared.get((target.key, part))
        if wanted is None or resolved.source(part) == "default":
            declared = None if found is None else found[0]
            return declared if isinstance(declared, type(wanted)) else wanted
        if found is not None and found[0] != wanted:
            msg = (
                f"{owner} and {found[1]} share the target {target.key!r} and declare different "
                f"policies for it: {wanted!r} and {found[0]!r}. Declare {part}= once, or name two "
                "targets"
            )
            raise UsageError(msg, code="conflicting_policies")
        if found is None:
            self._declared[target.key, part] = (wanted, owner)
        return wanted
