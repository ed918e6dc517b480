"""Checks of single edges: does what a step gives fit what the next one takes?"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, cast

from pydantic import BaseModel

from fishplate.agents.agent import misfit
from fishplate.contracts.anatomy import union_arms
from fishplate.contracts.fits import Fit, fits
from fishplate.contracts.json import resolve_pointer
from fishplate.contracts.schema import Schema
from fishplate.contracts.shape import Shape
from fishplate.contracts.signature import Parameter
from fishplate.core.call import Deferred
from fishplate.core.errors import JsonValue, Problem
from fishplate.core.outcome import Degraded
from fishplate.workflows.plan import Ref
from fishplate.workflows.symbols import Facts, Symbol

_FITS = Fit(verdict="fits", reason="the types are the same")


def shape_fits(producer: Shape[Any], consumer: Shape[Any]) -> Fit:
    """Whether every value of one shape may be given to another; equal types need no proof."""
    if producer.annotation is not None and consumer.annotation is not None:
        taken = union_arms(consumer.annotation)
        if all(any(arm == other for other in taken) for arm in union_arms(producer.annotation)):
            return _FITS
    return fits(producer.gives, consumer.takes)


def edge_problem(facts: Facts, parameter: Parameter, step: str, where: str, *, assumed: object) -> Problem | None:
    """Why a value cannot go into a parameter, or `None`; `assumed` waives what is not proven."""
    source = spelled(facts)
    if facts.may_be_absent:
        message = (
            f"step {step!r} cannot take {source} as {parameter.name!r}: it may be absent. "
            "Make the field required, or give the parameter a type with a default before this step"
        )
        pointer = facts.expression.pointer if isinstance(facts.expression, Ref) else ""
        return Problem(code="optional_into_required", message=message, where=where, step=step, pointer=pointer)
    verdict = shape_fits(facts.shape, parameter.shape)
    if verdict.verdict == "fits" or (verdict.verdict == "unproven" and assumed):
        return None
    code = "mismatched_edge" if verdict.verdict == "breaks" else "unproven_edge"
    repairs = f" Repair: {'; '.join(verdict.repairs)}." if verdict.repairs else ""
    waiver = "" if code == "mismatched_edge" else " Or waive it: .assuming('the reason') on the agent."
    message = (
        f"step {step!r} cannot take {source} ({facts.shape.name}) as {parameter.name!r} ({parameter.shape.name}): "
        f"{verdict.reason}.{repairs}{waiver}"
    )
    return misfit(code, message, verdict, where, step)


def spelled(facts: Facts) -> str:
    """A recorded value as the author would write it."""
    if isinstance(facts.expression, Ref):
        return repr(".".join([facts.expression.source.partition(".")[2], *map(str, facts.expression.names)]))
    return repr(facts.shape.name)


def holds_symbol(value: object) -> bool:
    """Whether a constant has a symbol or a deferred call somewhere inside."""
    if isinstance(value, (Symbol, Deferred)):
        return True
    if isinstance(value, Mapping):
        return any(holds_symbol(key) or holds_symbol(item) for key, item in value.items())
    if isinstance(value, (list, tuple, set, frozenset)):
        return any(holds_symbol(item) for item in value)
    if isinstance(value, BaseModel) or hasattr(value, "__dataclass_fields__"):
        return any(holds_symbol(item) for item in vars(value).values()) if hasattr(value, "__dict__") else False
    return False


def graded_shape(shape: Shape[Any]) -> Shape[Any]:
    """The shape of a value with the reasons why it is degraded."""
    return Shape.of(Degraded.__class_getitem__(shape.annotation if shape.annotation is not None else Any))


def values_of(shape: Shape[Any]) -> list[JsonValue] | None:
    """Every JSON value of an enum, a literal or a boolean; `None` for anything else."""
    document = shape.gives.json
    if not isinstance(document, dict):
        return None
    reference = document.get("$ref")
    if isinstance(reference, str):
        found = resolve_pointer(document, reference.removeprefix("#"))
        document = found if isinstance(found, dict) else {}
    if "const" in document:
        return [document["const"]]
    if isinstance(values := document.get("enum"), list):
        return list(values)
    return [True, False] if document.get("type") == "boolean" else None


def json_of(value: object) -> JsonValue:
    """The JSON form of a constant case."""
    found = value.value if isinstance(value, Enum) else value
    return cast("JsonValue", found)


def example_of(shape: Shape[Any]) -> Mapping[str, Any]:
    """A value of the shape as a problem's counterexample, if one is found quickly."""
    verdict = fits(shape.gives, Schema(False))
    return {"counterexample": verdict.counterexample, "has_counterexample": verdict.has_counterexample}


def shape_fits_output(facts: Facts, output: Shape[Any]) -> Fit:
    """Whether a recorded value may be the result: it is judged by what the output promises to give."""
    if facts.may_be_absent:
        return Fit(verdict="breaks", reason=f"{spelled(facts)} may be absent")
    if shape_fits(facts.shape, output).verdict == "fits" and facts.shape.annotation is not None:
        return _FITS if output.annotation is not None else fits(facts.shape.gives, output.gives)
    return fits(facts.shape.gives, output.gives)
