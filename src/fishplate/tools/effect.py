"""The declared effect of a tool: what a lost answer means, and which data it touches."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Literal, TypeAlias, get_args

from fishplate.core.data import dataclass
from fishplate.core.errors import JsonValue

Effect: TypeAlias = Literal[
    "readonly", "idempotent", "keyed", "transactional", "verifiable", "at_most_once"
]
EFFECTS: Final[tuple[str, ...]] = get_args(Effect)
_SCOPE: Final = r"[a-z0-9_.-]+(:[a-z0-9_.*-]+)*"


@dataclass(frozen=True, kw_only=True, slots=True)
class EffectDeclaration:
    """What a tool says about its effect.

    Attributes:
        effect: What may be repeated after a lost answer: `readonly` and `idempotent` freely,
            `keyed` with the same key while the other side remembers it, `transactional` in one
            transaction with the ledger, `verifiable` after asking, `at_most_once` never.
        scopes: Data scopes, e.g. `payments:write`.
        key_ttl: Seconds for which the other side remembers an idempotency key; `keyed` needs it.
        key_caches: Whether the other side replays every first answer or only successes.
        business_key: Names of input fields that make one effect in the world, across runs.
        business_window: Seconds for which the business key holds.
        lookup: Name of the tool that tells what became of a call; `verifiable` needs it.
        settle_time: Seconds after a call from which on that tool's answer counts.
        compensate: Name of the tool that undoes a call.
    """

    effect: Effect
    scopes: tuple[str, ...] = ()
    key_ttl: float | None = None
    key_caches: Literal["all", "success"] = "all"
    business_key: tuple[str, ...] = ()
    business_window: float = 2_592_000
    lookup: str | None = None
    settle_time: float | None = None
    compensate: str | None = None

    def problems(self, fields: tuple[str, ...]) -> Iterator[str]:
        """Why the declaration cannot stand; `fields` are the names of the tool's input fields."""
        if self.effect not in EFFECTS:
            yield f"effect={self.effect!r} is not one of {', '.join(EFFECTS)}"
        for scope in self.scopes:
            if not re.fullmatch(_SCOPE, scope):
                yield f"the scope {scope!r} is not of the form 'orders:write'"
        if self.effect == "keyed" and self.key_ttl is None:
            yield "a keyed effect needs key_ttl=: how long does the other side remember a key?"
        if self.effect != "keyed" and self.key_ttl is not None:
            yield f"key_ttl= belongs to a keyed effect, and this one is {self.effect!r}"
        if self.key_ttl is not None and not self.key_ttl > 0:
            yield f"key_ttl={self.key_ttl} is not above 0 seconds"
        if not self.business_window > 0:
            yield f"business_window={self.business_window} is not above 0 seconds"
        for name in self.business_key:
            if name not in fields:
                has = ", ".join(fields) or "no fields"
                yield f"business_key names {name!r}, and the input has: {has}"
        yield from self._problems_behind()

    def _problems_behind(self) -> Iterator[str]:
        if self.is_readonly and self.compensate is not None:
            yield "compensate= undoes an effect, and 'readonly' has none: leave it out"
        if self.effect == "verifiable" and self.lookup is None:
            yield (
                "a verifiable effect needs lookup=: a readonly tool with the same parameters that "
                "gives the result, NotDone or CannotSay. If nobody can be asked what happened, it "
                "is 'at_most_once'"
            )
        if self.lookup is not None and self.effect not in {"keyed", "verifiable"}:
            yield (
                f"lookup= belongs to a keyed or verifiable effect, and this one is {self.effect!r}"
            )
        if (self.lookup is None) != (self.settle_time is None):
            yield (
                "lookup= and settle_time= belong together: after how many seconds does the other "
                "side show for certain what it has done?"
            )
        if self.settle_time is not None and not self.settle_time >= 0:
            yield f"settle_time={self.settle_time} is below 0 seconds"

    @property
    def is_readonly(self) -> bool:
        """Whether the tool changes nothing."""
        return self.effect == "readonly"

    def to_json(self) -> dict[str, JsonValue]:
        """The declaration as it stands in a release."""
        scopes: list[JsonValue] = [*sorted(self.scopes)]
        business_key: list[JsonValue] = [*self.business_key]
        return {
            "effect": self.effect,
            "scopes": scopes,
            "key_ttl": self.key_ttl,
            "key_caches": self.key_caches,
            "business_key": business_key,
            "business_window": self.business_window,
            "lookup": self.lookup,
            "settle_time": self.settle_time,
            "compensate": self.compensate,
        }
