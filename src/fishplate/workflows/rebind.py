"""A plan that was read, for the agents at hand: each value is found where they have it now.

The JSON of a plan says where a value stands in JSON. Which field of which class that is, and which
class a member of a route has, the agents say: theirs may have other classes than those that the
plan was recorded with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeAlias, assert_never, cast

from pydantic import BaseModel

from fishplate.agents.agent import AnyAgent
from fishplate.contracts.fits import fits
from fishplate.contracts.json import pointer_tokens
from fishplate.contracts.schema import Schema
from fishplate.contracts.shape import BrokenValueError, Shape
from fishplate.contracts.signature import Parameter
from fishplate.core.errors import DeclarationError, JsonValue
from fishplate.core.outcome import Rejected, TimedOut
from fishplate.workflows.check import graded_shape
from fishplate.workflows.plan import (
    ApprovalStep,
    Block,
    Branch,
    CallStep,
    Const,
    EachStep,
    Expression,
    ParallelStep,
    Plan,
    Ref,
    RepeatStep,
    RouteStep,
    SleepStep,
    Step,
    Struct,
    SwitchStep,
    WaitStep,
)
from fishplate.workflows.plan_reading import PlanError

Known: TypeAlias = "dict[str, Shape[Any] | None]"
"""What each value is by its source; `None` where nobody knows, such as a constant."""


def rebind(
    plan: Plan, parameters: tuple[Parameter, ...], output: Shape[Any], units: Mapping[str, AnyAgent]
) -> Plan:
    """The same plan, ready to be walked with these agents.

    Args:
        plan: As it was read.
        parameters: Of the workflow, as it is now.
        output: What the workflow gives, as it is now.
        units: The agents that the plan may name.

    Raises:
        PlanError: It names an agent, a field or a value that is not there.
    """
    if plan.parameters != tuple(one.name for one in parameters):
        has = ", ".join(one.name for one in parameters) or "none"
        told = ", ".join(plan.parameters) or "none"
        raise PlanError(f"its parameters are {told}, and the workflow's are {has}", "/parameters")
    known: Known = {f"input.{one.name}": one.shape for one in parameters}
    try:
        block, _ = _Binding(units).block(plan.block, known, "", output)
    except DeclarationError as error:  # values side by side that no type holds
        raise PlanError(str(error), "/block") from None
    return replace(plan, block=block)


class _Binding:
    def __init__(self, units: Mapping[str, AnyAgent]) -> None:
        self._units = units

    def block(
        self, block: Block, above: Known, prefix: str, target: Shape[Any] | None = None
    ) -> tuple[Block, Shape[Any] | None]:
        """A block, and what its result is; `target` is what that is wanted for, if it is known."""
        known = dict(above)
        steps: list[Step] = []
        for step in block.steps:
            path = prefix + step.name
            bound, shape = self._step(step, known, path)
            steps.append(bound)
            known[f"step.{path}"] = shape
        result, shape = self._value(block.result, known, prefix, target)
        return replace(block, steps=tuple(steps), result=result), shape

    def _step(  # noqa: C901, PLR0911 -- one case for each kind
        self, step: Step, known: Known, path: str
    ) -> tuple[Step, Shape[Any] | None]:
        below = f"{path}/"
        match step:
            case CallStep():
                return self._call(step, known, path)
            case RouteStep():
                return self._route(step, known, path)
            case SwitchStep():
                on, _ = self._value(step.on, known, path)
                found = [self.block(one.block, known, below) for one in step.branches]
                branches = tuple(
                    replace(one, block=block)
                    for one, (block, _) in zip(step.branches, found, strict=True)
                )
                default = step.default
                if default is not None:
                    found.append(self.block(default, known, below))
                    default = found[-1][0]
                shape = _either([one for _, one in found])
                return replace(step, on=on, branches=branches, default=default), shape
            case ParallelStep():
                found = [self.block(one, known, below) for one in step.blocks]
                shapes = [one for _, one in found]
                every = [one for one in shapes if one is not None]
                shape = Shape.tuple_of(every) if len(every) == len(shapes) else None
                return replace(step, blocks=tuple(block for block, _ in found)), shape
            case EachStep():
                return self._each(step, known, path)
            case RepeatStep():
                return self._repeat(step, known, path)
            case ApprovalStep():
                block, result = self.block(step.block, known, below)
                return replace(step, block=block), _either([result, Shape.of(Rejected)])
            case WaitStep():
                # What a signal carries stays JSON: whoever takes it makes an object of it.
                shape = Shape.of_schema(_schema(step.schema))
                is_timed = step.within is not None and step.default is None
                return step, _either([shape, Shape.of(TimedOut)]) if is_timed else shape
            case SleepStep():
                return step, Shape.of(None)
            case _:
                assert_never(step)

    def _call(self, step: CallStep, known: Known, path: str) -> tuple[Step, Shape[Any] | None]:
        unit = self._unit(step.agent, path)
        for name in step.fallbacks:
            self._unit(name, path)
        parameters = unit.signature.parameters
        if len(parameters) != len(step.arguments):
            raise PlanError(
                f"{unit.name!r} gets {len(step.arguments)} arguments, and takes {len(parameters)}",
                path,
            )
        arguments = tuple(
            self._argument(given, parameter, known, path)
            for given, parameter in zip(step.arguments, parameters, strict=True)
        )
        declared = {error.code: error for error in unit.about.errors}
        for code in step.catching:
            if code not in declared:
                raise PlanError(f"{unit.name!r} no longer declares the error {code!r}", path)
        caught = [Shape.of(declared[code]) for code in step.catching]
        shape = Shape.union([unit.signature.output, *caught])
        return replace(step, arguments=arguments), graded_shape(shape) if step.graded else shape

    def _unit(self, name: str, path: str) -> AnyAgent:
        found = self._units.get(name)
        if found is None:
            raise PlanError(f"there is no agent {name!r}", path)
        return found

    def _argument(
        self, given: Expression, parameter: Parameter, known: Known, path: str
    ) -> Expression:
        if isinstance(given, Const):
            try:
                parameter.shape.decode(given.value)
            except BrokenValueError as error:
                message = f"its constant for {parameter.name!r} is none: {error}"
                raise PlanError(message, path) from None
        return self._value(given, known, path, parameter.shape)[0]

    def _route(self, step: RouteStep, known: Known, path: str) -> tuple[Step, Shape[Any] | None]:
        on, shape = self._value(step.on, known, path)
        arms = () if shape is None else shape.arms()
        owners = [_owner(arm, step.branches) for arm in arms]
        if None in owners:
            forgotten = arms[owners.index(None)].name
            raise PlanError(f"none of its branches takes {forgotten!r}", path)
        branches: list[Branch] = []
        results: list[Shape[Any] | None] = []
        for index, branch in enumerate(step.branches):
            mine = [arm for arm, owner in zip(arms, owners, strict=True) if owner == index]
            member = Shape.union(mine) if mine else Shape.of_schema(_schema(branch.schema))
            inner: Known = {**known, f"bound.{path}": member}
            block, result = self.block(branch.block, inner, f"{path}/")
            results.append(result)
            branches.append(replace(branch, block=block, member=member))
        return replace(step, on=on, branches=tuple(branches)), _either(results)

    def _each(self, step: EachStep, known: Known, path: str) -> tuple[Step, Shape[Any] | None]:
        items, shape = self._value(step.items, known, path)
        element = None if shape is None else shape.element()
        if element is None:
            raise PlanError("what it goes over is no list any more", path)
        if step.key is not None and step.key not in element.fields():
            raise PlanError(f"an element has no field {step.key!r} any more", path)
        block, result = self.block(step.block, {**known, f"bound.{path}": element}, f"{path}/")
        each = None if result is None else Shape.list_of(result)
        return replace(step, items=items, block=block), each

    def _repeat(self, step: RepeatStep, known: Known, path: str) -> tuple[Step, Shape[Any] | None]:
        inner = cast("CallStep", step.block.steps[0])  # whoever read the plan has looked
        unit = self._unit(inner.agent, path)
        if not unit.signature.parameters or step.until not in unit.output.fields():
            raise PlanError(f"{unit.name!r} cannot be repeated until {step.until!r}", path)
        start = self._argument(step.start, unit.signature.parameters[0], known, path)
        bound: Known = {**known, f"bound.{path}": unit.output}
        block, _ = self.block(step.block, bound, f"{path}/")
        return replace(step, start=start, block=block), unit.output

    # values

    def _value(
        self, value: Expression, known: Known, place: str, target: Shape[Any] | None = None
    ) -> tuple[Expression, Shape[Any] | None]:
        match value:
            case Const():
                return value, None
            case Ref():
                return _follow(value, known, place)
            case Struct():
                return self._struct(value, known, place, target)
            case _:
                assert_never(value)

    def _struct(
        self, value: Struct, known: Known, place: str, target: Shape[Any] | None
    ) -> tuple[Struct, Shape[Any]]:
        arms = () if target is None else target.arms()
        for arm in arms:
            model, fields = arm.annotation, arm.fields()
            if not isinstance(model, type) or not issubclass(model, BaseModel):
                continue
            if model.__name__ == value.type_name:
                for name, _ in value.fields:
                    if name not in fields:
                        message = f"{value.type_name!r} has no field {name!r} any more"
                        raise PlanError(message, place)
                parts = tuple(
                    (name, self._value(part, known, place, fields[name].shape)[0])
                    for name, part in value.fields
                )
                return replace(value, fields=parts, model=model), arm
        raise PlanError(f"it builds {value.type_name!r}, and nothing here takes one", place)


def _follow(value: Ref, known: Known, place: str) -> tuple[Ref, Shape[Any] | None]:
    if value.source not in known:
        raise PlanError(f"{value.source!r} is not known there", place)
    shape = known[value.source]
    names: list[str | int] = []
    for token in pointer_tokens(value.pointer):
        found = None if shape is None else _part(shape, token)
        if found is None:
            has = "nothing" if shape is None else shape.name
            way = f"{value.source}{value.pointer}"
            raise PlanError(f"{way!r} leads nowhere: {has} has no {token!r}", place)
        name, shape = found
        names.append(name)
    return replace(value, names=tuple(names)), shape


def _part(shape: Shape[Any], token: str) -> tuple[str | int, Shape[Any]] | None:
    """What stands in a value under a name in JSON: its Python name, or place, and its shape."""
    for name, field in shape.fields().items():
        if field.alias == token:
            return name, field.shape
    positions = shape.positions()
    if positions is not None and token.isdecimal() and int(token) < len(positions):
        return int(token), positions[int(token)]
    return None


def _owner(arm: Shape[Any], branches: tuple[Branch, ...]) -> int | None:
    """The first branch that takes a member: by its own schema, else by one that it fits."""
    for index, branch in enumerate(branches):
        if arm.gives.json == branch.schema:
            return index
    for index, branch in enumerate(branches):
        if fits(arm.gives, _schema(branch.schema)).verdict == "fits":
            return index
    if arm.annotation is None:  # what a signal carries is more open than what its class gives
        for index, branch in enumerate(branches):
            if fits(_schema(branch.schema), arm.takes).verdict == "fits":
                return index
    return None


def _either(shapes: list[Shape[Any] | None]) -> Shape[Any] | None:
    found = [shape for shape in shapes if shape is not None]
    return Shape.union(found) if len(found) == len(shapes) else None


def _schema(document: JsonValue) -> Schema:
    assert isinstance(document, (dict, bool)), "whoever read the plan has looked"
    return Schema(document)
