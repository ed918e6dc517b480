"""How `route` and `switch` are recorded: every case has a branch, and every branch has a case."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, cast

from fishplate.agents.agent import Agent
from fishplate.contracts.anatomy import union_arms
from fishplate.contracts.shape import Shape
from fishplate.contracts.signature import MISSING
from fishplate.core.errors import JsonValue, Problem
from fishplate.workflows import check, compose
from fishplate.workflows.plan import Block, Branch, Ref, RouteStep, SwitchStep
from fishplate.workflows.recorder import OpenBlock, Recorder
from fishplate.workflows.symbols import Facts, Symbol, facts_of, spelled


def value_of(recorder: Recorder, found: object, role: str) -> Facts:
    """What is known about a value of the workflow that is there in every case."""
    if not isinstance(found, Symbol):
        recorder.refuse(f"{role} is {type(found).__name__!r}: it has to be a value of the workflow")
    facts = facts_of(found)
    if facts.may_be_absent:
        where, step = recorder.place(), role.rpartition(" ")[2].strip("'")
        recorder.problems.add(check.absent(facts, role, "there", where=where, step=step))
    return facts


def record_route(recorder: Recorder, word: compose.Route) -> Symbol:
    """Add a route to the recorder's open block."""
    name = recorder.name("route")
    path = recorder.path(name)
    on = value_of(recorder, word.on, f"route(..., on=) of step {path!r}")
    arms = on.shape.arms()
    taken = [_taken_by(recorder, branch) for branch in word.branches]
    owners = [_owner(arm, taken) for arm in arms]
    for arm, owner in zip(arms, owners, strict=True):
        if owner is None:
            example = check.example_of(arm)
            message = (
                f"step {path!r} forgets the case {arm.name!r} of {spelled(on)}: "
                f"add an agent that takes {arm.name!r}, or when({arm.name}, ...)"
            )
            _tell(recorder, "forgotten_case", message, path, **example)
    branches: list[Branch] = []
    results: list[Shape[Any]] = []
    with recorder.block(name) as block:
        for index, branch in enumerate(word.branches):
            mine = [arm for arm, owner in zip(arms, owners, strict=True) if owner == index]
            if not mine:
                message = (
                    f"step {path!r} has a branch for {taken[index].name!r} that is never taken: "
                    f"{spelled(on)} is {on.shape.name}, and what the branch takes is no member "
                    "of it, or an earlier branch's. Remove it"
                )
                _tell(recorder, "dead_case", message, path)
                continue
            member = Shape.union(mine)
            bound = recorder.symbol(member, Ref(source=f"bound.{path}"))
            make = cast("Callable[[object], object]", branch)
            steps, result = recorder.branch(block, make(bound))
            results.append(result)
            branches.append(
                Branch(case=member.name, schema=member.gives.json, block=steps, member=member)
            )
    if not results:
        recorder.refuse(f"step {path!r} has no branch that is ever taken")
    step = RouteStep(name=name, where=recorder.place(), on=on.expression, branches=tuple(branches))
    return recorder.add(step, Shape.union(results))


def record_switch(recorder: Recorder, word: compose.Switch) -> Symbol:
    """Add a switch to the recorder's open block."""
    name = recorder.name("switch")
    path = recorder.path(name)
    on = value_of(recorder, word.on, f"switch(..., on=) of step {path!r}")
    known = check.values_of(on.shape)
    if known is None or not all(map(_is_scalar, known)):
        recorder.refuse(
            f"switch(..., on={spelled(on)}) needs an enum of words or numbers, a literal or a "
            f"boolean, and it is {on.shape.name}"
        )
    default = None
    results: list[Shape[Any]] = []
    with recorder.block(name) as block:
        cases = [_case(recorder, block, pair) for pair in word.cases]
        results.extend(shape for _, _, shape in cases)
        if word.default is not None:
            default, shape = recorder.branch(block, word.default)
            results.append(shape)
    _check_cases(recorder, path, on, known, [value for value, _, _ in cases], default)
    if not results:
        recorder.refuse(f"step {path!r} has no case: name one, or write the call itself")
    branches = [
        Branch(case=str(value), schema={"const": value}, block=steps) for value, steps, _ in cases
    ]
    step = SwitchStep(
        name=name,
        where=recorder.place(),
        on=on.expression,
        branches=tuple(branches),
        default=default,
    )
    return recorder.add(step, Shape.union(results))


def _taken_by(recorder: Recorder, branch: object) -> Shape[Any]:
    """What a branch of a route takes."""
    if isinstance(branch, compose.When):
        member = cast("compose.When[object, object]", branch).member
        return Shape.of(member, where=recorder.place())
    if not isinstance(branch, Agent):
        recorder.refuse("a branch of route is an agent or when(Member, lambda member: ...)")
    agent = cast("Agent[..., object]", branch)
    required = [one for one in agent.signature.parameters if one.default is MISSING]
    if not agent.signature.parameters or len(required) > 1:
        recorder.refuse(
            f"{agent.name!r} takes {len(required)} values, and a branch of route gets one: "
            f"write when(Member, lambda member: {agent.name}(...))"
        )
    return agent.signature.parameters[0].shape


def _owner(arm: Shape[Any], taken: Sequence[Shape[Any]]) -> int | None:
    """The first branch that takes a member: by its type, else by its schema."""
    for index, shape in enumerate(taken):
        is_typed = arm.annotation is not None and shape.annotation is not None
        if is_typed and arm.annotation in union_arms(shape.annotation):
            return index
    for index, shape in enumerate(taken):
        if check.shape_fits(arm, shape).verdict == "fits":
            return index
    return None


def _case(
    recorder: Recorder, block: OpenBlock, pair: object
) -> tuple[JsonValue, Block, Shape[Any]]:
    if not isinstance(pair, tuple) or len(cast("tuple[object, ...]", pair)) != 2:  # noqa: PLR2004 -- a pair
        recorder.refuse("a case of switch is a pair: (value, call that is not awaited)")
    case, call = cast("tuple[object, object]", pair)
    value = case.value if isinstance(case, Enum) else case
    if not _is_scalar(value):
        kind = type(value).__name__
        recorder.refuse(f"a case of switch is a value of the enum or literal, and not {kind!r}")
    steps, shape = recorder.branch(block, call)
    return cast("JsonValue", value), steps, shape


def _check_cases(  # noqa: PLR0913, PLR0917 -- the facts of one switch
    recorder: Recorder,
    path: str,
    on: Facts,
    known: Sequence[JsonValue],
    cases: Sequence[JsonValue],
    default: Block | None,
) -> None:
    named = [_typed(value) for value in cases]
    for index, value in enumerate(cases):
        if _typed(value) in named[:index]:
            message = f"step {path!r} has the case {value!r} twice: remove the second"
            _tell(recorder, "dead_case", message, path)
        elif _typed(value) not in map(_typed, known):
            message = (
                f"step {path!r} has the case {value!r} that is never taken: {spelled(on)} "
                f"is one of {known}. Remove it"
            )
            _tell(recorder, "dead_case", message, path)
    left = [value for value in known if _typed(value) not in named]
    if default is not None and not left:
        message = f"step {path!r} has a default that is never taken: every case is named. Remove it"
        _tell(recorder, "dead_case", message, path)
    if default is None and left:
        message = (
            f"step {path!r} forgets the case {left[0]!r} of {spelled(on)}: add it, or default="
        )
        example = {"counterexample": left[0], "has_counterexample": True}
        _tell(recorder, "forgotten_case", message, path, **example)


def _typed(value: JsonValue) -> tuple[type, JsonValue]:
    """A value that is equal to another one only if both are of one type: `True` is not 1."""
    return type(value), value


def _is_scalar(value: object) -> bool:
    return value is None or isinstance(value, (str, int, float))


def _tell(recorder: Recorder, code: str, message: str, step: str, **facts: Any) -> None:
    where = recorder.place()
    recorder.problems.add(Problem(code=code, message=message, where=where, step=step, **facts))
