"""Policies: frozen data that says how a call is protected."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fishplate.core.errors import JsonValue


def _above_zero(owner: str, name: str, value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value <= 0:
        msg = f"{owner}({name}={value!r}): {name} is a finite number of seconds above 0"
        raise ValueError(msg)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cache:
    """Answer from memory what was answered before.

    Attributes:
        ttl: Seconds for which an answer holds; above 0.
        scope: The data that the answer is about, e.g. `orders`. A tool that is not `readonly` and whose
            scopes begin with this word (`orders:write`) forgets the answers when it has run.
    """

    ttl: float
    scope: str

    def __post_init__(self) -> None:
        """Refuse impossible numbers."""
        _above_zero("Cache", "ttl", self.ttl)
        if not self.scope or ":" in self.scope:
            msg = f"Cache(scope={self.scope!r}): scope is the first word of a data scope, e.g. 'orders'"
            raise ValueError(msg)

    def to_json(self) -> dict[str, JsonValue]:
        """The policy as it stands in a release."""
        return {"ttl": self.ttl, "scope": self.scope}


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """How a call is protected. What is not set is off.

    Attributes:
        timeout: Seconds after which the call fails with `step_timeout`; above 0.
        cache: Answer from memory.
    """

    timeout: float | None = None
    cache: Cache | None = None

    def __post_init__(self) -> None:
        """Refuse impossible numbers."""
        if self.timeout is not None:
            _above_zero("Policy", "timeout", self.timeout)

    def to_json(self) -> dict[str, JsonValue]:
        """The policy as it stands in a release; what is off is left out."""
        found: dict[str, JsonValue] = {}
        if self.timeout is not None:
            found["timeout"] = self.timeout
        if self.cache is not None:
            found["cache"] = self.cache.to_json()
        return found
