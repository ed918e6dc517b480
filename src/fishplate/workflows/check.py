"""Checks of single edges: does what a step gives fit what the next one takes?"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

from pydantic import BaseModel

from fishplate.agents.agent import misfit
from fishplate.contracts.anatomy import bare, union_arms
from fishplate.contracts.fits import Fit, fits
from fishplate.contracts.json import JsonLimits
from fishplate.contracts.parts import opened_reference
from fishplate.contracts.schema import Schema
from fishplate.contracts.shape import Shape
from fishplate.contracts.signature import Parameter
from fishplate.core.call import Deferred
from fishplate.core.errors import JsonValue, Problem
from fishplate.core.outcome import Degraded
from fishplate.workflows.plan import Ref
from fishplate.workflows.symbols import Facts, Symbol, spelled

_FITS: Final = Fit(verdict="fits", reason="the types are the same")
MOST_LEVELS: Final = JsonLimits().depth
"""Levels of lists and objects in a constant."""

_NOTHING: Final = Schema(False)  # noqa: FBT003 -- the schema that accepts nothing


def shape_fits(producer: Shape[Any], consumer: Shape[Any]) -> Fit:
    """Whether every value of one shape may be given to another; equal types need no proof."""
    if producer.annotation is not None and consumer.annotation is not None:
        taken = union_arms(consumer.annotation)
        if all(arm in taken for arm in union_arms(producer.annotation)):
            return _FITS
    return fits(producer.gives, consumer.takes)


def result_fits(facts: Facts, output: Shape[Any]) -> Fit:
    """Whether a recorded value may be the result: the output promises to give no more than it says.

    An instance of a subclass is narrowed to the declared class, as at every boundary.
    """
    if facts.may_be_absent:
        return Fit(verdict="breaks", reason=f"{spelled(facts)} may be absent")
    if _is_narrowed(facts.shape, output) and shape_fits(facts.shape, output).verdict == "fits":
        return _FITS
    return fits(facts.shape.gives, output.gives)


def edge_problem(
    facts: Facts, parameter: Parameter, step: str, where: str, *, assumed: str | None
) -> Problem | None:
    """Why a value cannot go into a parameter, or `None`; `assumed` waives what is not proven."""
    source = spelled(facts)
    if facts.may_be_absent:
        return absent(facts, f"step {step!r}", f"as {parameter.name!r}", where=where, step=step)
    verdict = shape_fits(facts.shape, parameter.shape)
    if verdict.verdict == "fits" or (verdict.verdict == "unproven" and assumed is not None):
        return None
    code = "mismatched_edge" if verdict.verdict == "breaks" else "unproven_edge"
    repairs = f" Repair: {'; '.join(verdict.repairs)}." if verdict.repairs else ""
    waiver = (
        " Or waive it: .assuming('the reason') on the agent." if code == "unproven_edge" else ""
    )
    message = (
        f"step {step!r} cannot take {source} ({facts.shape.name}) as {parameter.name!r} "
        f"({parameter.shape.name}): {verdict.reason}.{repairs}{waiver}"
    )
    return misfit(code, message, verdict, where, step)


def absent(facts: Facts, taker: str, role: str, *, where: str, step: str) -> Problem:
    """The problem that an optional value is where a value has to be."""
    pointer = facts.expression.pointer if isinstance(facts.expression, Ref) else ""
    message = (
        f"{taker} cannot take {spelled(facts)} {role}: it may be absent. "
        "Make the field required, or let an agent put a default in its place before this step"
    )
    return Problem(
        code="optional_into_required", message=message, where=where, step=step, pointer=pointer
    )


def holds_symbol(value: object) -> bool:
    """Whether a constant has a symbol or a deferred call somewhere inside."""
    return isinstance(value, (Symbol, Deferred)) or any(map(holds_symbol, _inside(value)))


def is_too_deep(value: object) -> bool:
    """Whether a constant has more levels than a JSON text of an input may have, or no end.

    Asked before anything else looks inside, since whatever does that goes down level by level.
    """
    level = [value]
    for _ in range(MOST_LEVELS + 1):
        # Each object once: what stands in many places, or in itself, would be counted for ever.
        below = {
            id(one): one
            for found in level
            if not isinstance(found, (Symbol, Deferred))
            for one in _inside(found)
        }
        if not below:
            return False
        level = list(below.values())
    return True


def graded_shape(shape: Shape[Any]) -> Shape[Any]:
    """The shape of a value with the reasons why it is degraded."""
    graded: Any = Degraded  # of whatever the shape is of, which no type checker knows
    return Shape.of(graded[shape.annotation if shape.annotation is not None else Any])


def values_of(shape: Shape[Any]) -> list[JsonValue] | None:
    """Every JSON value of enums, literals, booleans and None; `None` for anything else."""
    found: list[JsonValue] = []
    for arm in shape.arms():
        document = opened_reference(arm.gives.json)
        if "const" in document:
            found.append(document["const"])
        elif isinstance(values := document.get("enum"), list):
            found.extend(values)
        elif document.get("type") == "boolean":
            found.extend([True, False])
        elif document.get("type") == "null":
            found.append(None)
        else:
            return None
    return found


def example_of(shape: Shape[Any]) -> Mapping[str, Any]:
    """A value of the shape as a problem's counterexample, if one is found quickly."""
    verdict = fits(shape.gives, _NOTHING)
    return {
        "counterexample": verdict.counterexample,
        "has_counterexample": verdict.has_counterexample,
    }


def _is_narrowed(producer: Shape[Any], output: Shape[Any]) -> bool:
    if producer.annotation is None or output.annotation is None:
        return False
    promised = [bare(arm) for arm in union_arms(output.annotation)]
    given = [bare(arm) for arm in union_arms(producer.annotation)]
    return all(any(_is_subtype(arm, other) for other in promised) for arm in given)


def _is_subtype(arm: object, other: object) -> bool:
    if isinstance(arm, type) and isinstance(other, type):
        return issubclass(arm, other)
    return arm == other


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, Mapping):
        entries = cast("Mapping[object, object]", value)
        return [*entries.keys(), *entries.values()]
    if isinstance(value, (list, tuple, set, frozenset)):
        return cast("Iterable[object]", value)
    if isinstance(value, BaseModel):
        return [*vars(value).values(), *(value.__pydantic_extra__ or {}).values()]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, field.name, None) for field in dataclasses.fields(value)]
    return ()
