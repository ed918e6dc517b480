"""The resume rule: whether a run that began among some agents may go on among others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from pydantic_core import from_json

from fishplate.agents.agent import AnyAgent
from fishplate.contracts.contract import Contract
from fishplate.contracts.evolution import ToolSafety, compatible
from fishplate.core.errors import DeclarationError, JsonValue
from fishplate.workflows.plan import WaitStep
from fishplate.workflows.workflow import Workflow


def described(unit: AnyAgent) -> JsonValue:
    """What the rule has to know of an agent, and whoever signals a run of it without its code."""
    effect = unit.about.effect
    signals = {name: [*schemas] for name, schemas in signals_of(unit).items()}
    return {
        "release": unit.release.to_json(),
        "contract": unit.contract.to_json(),
        "effect": None if effect is None else effect.to_json(),
        **({"signals": cast("JsonValue", signals)} if signals else {}),
    }


def signals_of(unit: AnyAgent) -> dict[str, list[JsonValue]]:
    """The schemas of what an agent's own plan waits for, by the names of the signals."""
    found: dict[str, list[JsonValue]] = {}
    if isinstance(unit, Workflow) and unit.waiting:
        for _, step in unit.plan.steps():
            if isinstance(step, WaitStep):
                found.setdefault(step.signal, []).append(step.schema)
    return found


def may_go_on(before: bytes, now: bytes) -> bool:
    """Whether runs that began among some agents may go on among others.

    Contracts have to be compatible, effects and scopes may only have shrunk, and none may be gone.
    """
    old: dict[str, Any] = from_json(before)
    new: dict[str, Any] = from_json(now)
    for name, unit in old.items():
        other = new.get(name)
        if other is None:
            return False
        try:
            found = compatible(
                Contract.parse(unit["contract"]),
                Contract.parse(other["contract"]),
                old_safety=_safety(name, unit),
                new_safety=_safety(name, other),
            )
        except DeclarationError:
            return False
        if not found.compatible:
            return False
    return True


def _safety(name: str, unit: Mapping[str, Any]) -> Mapping[str, ToolSafety]:
    effect = cast("Mapping[str, Any] | None", unit["effect"])
    if effect is None:
        return {}
    return {name: ToolSafety(effect=effect["effect"], scopes=frozenset(effect["scopes"]))}
