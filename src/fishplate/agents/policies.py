"""What an agent's policy is in the end, and which policies an agent cannot have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from fishplate.agents.asks import Asks
from fishplate.core.errors import DeclarationError, Problem
from fishplate.resilience.fallback import Stale
from fishplate.resilience.policy import Policy
from fishplate.resilience.resolve import Kind, ResolvedPolicy, resolve
from fishplate.tools.effect import EffectDeclaration


class Described(Protocol):
    """What a policy has to know of a `Description`."""

    @property
    def subject(self) -> str:
        """What errors call it."""
        ...

    @property
    def kind(self) -> str:
        """How its behaviour runs; `plan` for a workflow."""
        ...

    @property
    def effect(self) -> EffectDeclaration | None:
        """Its declared effect, if it is a tool."""
        ...

    @property
    def asks(self) -> Asks | None:
        """What it needs of the app's models, if its calls are requests to one."""
        ...

    @property
    def target(self) -> str | None:
        """The target that it names."""
        ...

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def where(self) -> str:
        """`file:line` of its source."""
        ...


class Protected(Protocol):
    """What a policy has to know of an `Agent`."""

    @property
    def about(self) -> Described:
        """What the agent is."""
        ...

    @property
    def policy(self) -> Policy:
        """What it declares."""
        ...

    @property
    def remembers(self) -> Stale | None:
        """What is kept of its good answers."""
        ...

    @property
    def granted(self) -> tuple[Protected, ...]:
        """What its body may call."""
        ...

    @property
    def fallbacks(self) -> tuple[Protected, ...]:
        """What answers when it fails."""
        ...


def policy_of(unit: Protected) -> ResolvedPolicy:
    """The policies of an agent's calls: what is declared, and the defaults of what it is."""
    about = unit.about
    effect = None if about.effect is None else about.effect.effect
    caches_failures = about.effect is not None and about.effect.key_caches == "all"
    policy = around_requests(unit.policy) if about.kind == "model" else unit.policy
    return resolve(
        policy,
        kind_of(unit),
        effect,
        named_target=about.target is not None,
        caches_failures=caches_failures,
    )


def around_requests(policy: Policy) -> Policy:
    """The part of a model agent's policy that is about its whole answer."""
    return Policy(timeout=policy.timeout, reserve=policy.reserve, cache=policy.cache)


def of_requests(policy: Policy) -> Policy:
    """The part of a model agent's policy that is about each request to its model.

    A repaired answer takes several requests, and none of them is an attempt of another.
    """
    return Policy(
        attempt_timeout=policy.attempt_timeout,
        retry=policy.retry,
        breaker=policy.breaker,
        bulkhead=policy.bulkhead,
        rate_limit=policy.rate_limit,
    )


def kind_of(unit: Protected) -> Kind:
    """What an agent is to its policies."""
    if unit.about.effect is not None:
        return "tool"
    if unit.about.asks is not None:
        return "model"
    return "workflow" if unit.about.kind == "plan" else "agent"


def target_of(unit: Protected) -> str:
    """The key of the target that an agent's calls go to."""
    return unit.about.target or f"{kind_of(unit)}/{unit.about.name}"


def check_policy(unit: Protected) -> None:
    """Refuse a policy that the agent could not be called under.

    Raises:
        DeclarationError: Its numbers leave no time to the agent's calls (code `impossible_policy`),
            or a cache would leave an effect out (code `cached_effect`).
    """
    about = unit.about
    try:
        policy_of(unit)
    except ValueError as error:
        raise _refusal(unit, "impossible_policy", f"{about.subject}: {error}") from error
    if unit.policy.cache is None and unit.remembers is None:
        return
    for found in _with_below(unit):
        effect = found.about.effect
        if effect is not None and not effect.is_readonly:
            message = (
                f"{about.subject} has a cache, and {found.about.subject} has the effect "
                f"{effect.effect!r}, which a cached answer would leave out: cache what only reads"
            )
            raise _refusal(unit, "cached_effect", message)


def _with_below(unit: Protected) -> Iterator[Protected]:
    """The agent and what its body may call, at any depth, each once.

    Its own fallbacks are not below it: their answers are never remembered as its own.
    """
    seen = set[int]()
    pending = [unit]
    while pending:
        found = pending.pop()
        if id(found) not in seen:
            seen.add(id(found))
            yield found
            pending.extend(found.granted)
            pending.extend(other for child in found.granted for other in child.fallbacks)


def _refusal(unit: Protected, code: str, message: str) -> DeclarationError:
    about = unit.about
    return DeclarationError(about.subject, [Problem(code=code, message=message, where=about.where)])
