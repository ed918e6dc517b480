"""The life of an effect: its states, what moves it, and what may be done when its answer is lost.

  reserve          dispatch            answered
─────────▶ reserved ────────▶ dispatched ────────▶ succeeded ─▶ compensating ─▶ compensated
              ▲  │               │  │  │                           ▲   │
   no effect, │  │ given up      │  │  └─ no effect, over          │   ▼
attempts left └──┼───────────────┘  │     ────────▶ failed   compensation_failed
                 └────────▶ failed  └─ answer lost
                                       ────────▶ unknown ─▶ succeeded | failed | reserved
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

EffectState: TypeAlias = Literal[
    "reserved",
    "dispatched",
    "succeeded",
    "failed",
    "unknown",
    "compensating",
    "compensated",
    "compensation_failed",
]

NEXT: Final[Mapping[EffectState, frozenset[EffectState]]] = {
    "reserved": frozenset({"dispatched", "failed"}),
    "dispatched": frozenset({"dispatched", "reserved", "succeeded", "failed", "unknown"}),
    "unknown": frozenset({"succeeded", "failed", "reserved", "unknown"}),
    "succeeded": frozenset({"compensating"}),
    "compensating": frozenset({"compensated", "compensation_failed"}),
    "compensation_failed": frozenset({"compensating"}),
    "failed": frozenset(),
    "compensated": frozenset(),
}
"""What a state may become. `failed` and `compensated` are ends; `unknown` waits for somebody."""

Recovery: TypeAlias = Literal["repeat", "lookup", "unknown"]
"""After a lost answer: dispatch again with the same key, ask what happened, or leave it open."""

KEY_MARGIN: Final = 60.0
"""Seconds before a remote key expires at which it is no longer relied upon."""

RECONCILE_AFTER: Final = (5.0, 30.0, 300.0, 3600.0)
"""Seconds after the first lookup at which the next ones follow; after the last, a person has to."""


def next_lookup(lookups: int, *, last_dispatch_ms: int, settle_time: float) -> int | None:
    """When an unknown outcome is looked up next, in milliseconds since 1970.

    The first lookup is made when the other side has settled, and the others after that.

    Args:
        lookups: How many were made.
        last_dispatch_ms: When the effect was last sent, in milliseconds since 1970.
        settle_time: Seconds after which the other side shows for certain what it has done.

    Returns:
        `None`: no more are made.
    """
    delays = (0.0, *RECONCILE_AFTER)
    if lookups >= len(delays):
        return None
    return last_dispatch_ms + round((settle_time + delays[lookups]) * 1000)


def recovery(
    effect: str, *, since_first_dispatch: float, key_ttl: float | None, has_lookup: bool
) -> Recovery:
    """What may be done with an effect whose answer is lost.

    Args:
        effect: The word that its tool declares.
        since_first_dispatch: Seconds since it was first sent.
        key_ttl: Seconds for which the other side remembers a key; `None` if it takes none.
        has_lookup: Whether the tool can ask what happened.

    Returns:
        `repeat` only where a second dispatch can change nothing that the first one did not.
    """
    if effect in {"readonly", "idempotent"}:
        return "repeat"
    is_remembered = key_ttl is not None and (
        since_first_dispatch < key_ttl - min(KEY_MARGIN, key_ttl / 2)
    )
    if effect == "keyed" and is_remembered:
        return "repeat"
    if has_lookup and effect in {"keyed", "verifiable"}:
        return "lookup"
    return "unknown"
