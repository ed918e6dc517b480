"""How each composition is recorded and checked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from fishplate.agents.agent import Agent, Call, misfit
from fishplate.contracts.anatomy import union_arms
from fishplate.contracts.contract import Contract
from fishplate.contracts.schema import Schema
from fishplate.contracts.shape import BrokenValueError, Shape
from fishplate.core.errors import JsonValue, Problem
from fishplate.core.outcome import Rejected, TimedOut
from fishplate.workflows import check, compose
from fishplate.workflows.compose import Composition
from fishplate.workflows.plan import (
    ApprovalStep,
    Branch,
    Const,
    EachStep,
    ParallelStep,
    Ref,
    RepeatStep,
    RouteStep,
    SleepStep,
    SwitchStep,
    WaitStep,
)
from fishplate.workflows.recorder import OpenBlock, Recorder
from fishplate.workflows.symbols import Facts, Symbol, facts_of


def record_composition(recorder: Recorder, composition: Composition[object]) -> Symbol:
    """Add a composition to the recorder's open block."""
    match composition.word:
        case compose.Route() as word:
            return _route(recorder, word)
        case compose.Switch() as word:
            return _switch(recorder, word)
        case compose.Parallel() as word:
            return _parallel(recorder, word)
        case compose.Each() as word:
            return _each(recorder, word)
        case compose.Repeat() as word:
            return _repeat(recorder, word)
        case compose.Approval() as word:
            return _approval(recorder, word)
        case compose.WaitFor() as word:
            return _wait(recorder, word)
        case compose.Sleep() as word:
            return _sleep(recorder, word)
        case compose.Graded() as word:
            return recorder.record_call(_call(recorder, word.call, "graded"), graded=True)


def _route(recorder: Recorder, word: compose.Route) -> Symbol:
    where, name = recorder.where(), recorder.name("route", recorder.where())
    path = recorder.path(name)
    on = _value(recorder, word.on, f"route(..., on=) of step {path!r}")
    arms = on.shape.arms()
    taken = [_members(recorder, branch) for branch in word.branches]
    owners = [_owner(arm, taken) for arm in arms]
    for arm, owner in zip(arms, owners, strict=True):
        if owner is None:
            message = (
                f"step {path!r} forgets the case {arm.name!r} of {check.spelled(on)}: "
                f"add an agent that takes {arm.name!r}, or when({arm.name}, ...)"
            )
            recorder.problems.add(
                Problem(code="forgotten_case", message=message, where=where, step=path, **check.example_of(arm))
            )
    branches: list[Branch] = []
    results: list[Shape[Any]] = []
    with recorder.block(name) as block:
        for index, branch in enumerate(word.branches):
            mine = [arm for arm, owner in zip(arms, owners, strict=True) if owner == index]
            case = taken[index].name
            if not mine:
                message = (
                    f"step {path!r} has a branch for {case!r} that is never taken: {check.spelled(on)} "
                    f"is {on.shape.name}, and what it takes is nobody's or an earlier branch's. Remove it"
                )
                recorder.problems.add(Problem(code="dead_case", message=message, where=where, step=path))
                continue
            member = Shape.union(mine)
            bound = recorder.symbol(member, Ref(source=f"bound.{path}"))
            steps, result = recorder.branch(block, cast("Callable[[object], object]", branch)(bound))
            results.append(result)
            branches.append(Branch(case=member.name, schema=member.gives.json, block=steps, member=member))
    if not results:
        recorder.problems.raise_if_any()
    step = RouteStep(name=name, where=where, on=on.expression, branches=tuple(branches))
    return recorder.add(step, Shape.union(results))


def _members(recorder: Recorder, branch: object) -> Shape[Any]:
    """What a branch of a route takes."""
    if isinstance(branch, compose.When):
        return Shape.of(cast("object", branch.member), subject="when(...)", where=recorder.where())
    if isinstance(branch, Agent):
        parameters = branch.signature.parameters
        if not parameters:
            recorder.misuse(f"{branch.name!r} takes nothing, so it cannot be a branch: write when(Member, lambda m: ...)")
        return cast("Shape[Any]", parameters[0].shape)
    recorder.misuse("a branch of route is an agent or when(Member, lambda m: ...)")


def _owner(arm: Shape[Any], taken: list[Shape[Any]]) -> int | None:
    """The first branch that takes a member: by its type, else by its schema."""
    for index, shape in enumerate(taken):
        if arm.annotation is not None and shape.annotation is not None:
            if any(arm.annotation == other for other in union_arms(shape.annotation)):
                return index
    for index, shape in enumerate(taken):
        if check.shape_fits(arm, shape).verdict == "fits":
            return index
    return None


def _switch(recorder: Recorder, word: compose.Switch) -> Symbol:
    where, name = recorder.where(), recorder.name("switch", recorder.where())
    path = recorder.path(name)
    on = _value(recorder, word.on, f"switch(..., on=) of step {path!r}")
    known = check.values_of(on.shape)
    if known is None:
        recorder.misuse(
            f"switch(..., on={check.spelled(on)}) needs an enum, a literal or a boolean, and it is {on.shape.name}"
        )
    branches: list[Branch] = []
    results: list[Shape[Any]] = []
    covered: list[JsonValue] = []
    default = None
    with recorder.block(name) as block:
        for pair in word.cases:
            if not isinstance(pair, tuple) or len(cast("tuple[object, ...]", pair)) != 2:  # noqa: PLR2004 -- a pair
                recorder.misuse("a case of switch is a pair: (value, call that is not awaited)")
            case, call = cast("tuple[object, object]", pair)
            value = check.json_of(case)
            if value in covered:
                message = f"step {path!r} has the case {value!r} twice; the second is never taken. Remove it"
                recorder.problems.add(Problem(code="dead_case", message=message, where=where, step=path))
            elif value not in known:
                message = (
                    f"step {path!r} has the case {value!r} that is never taken: {check.spelled(on)} "
                    f"is one of {known}. Remove it"
                )
                recorder.problems.add(Problem(code="dead_case", message=message, where=where, step=path))
            covered.append(value)
            steps, result = recorder.branch(block, call)
            results.append(result)
            branches.append(Branch(case=str(value), schema={"const": value}, block=steps))
        left = [value for value in known if value not in covered]
        if word.default is not None:
            if not left:
                message = f"step {path!r} has a default that is never taken: every case is named. Remove it"
                recorder.problems.add(Problem(code="dead_case", message=message, where=where, step=path))
            default, result = recorder.branch(block, word.default)
            results.append(result)
        elif left:
            message = f"step {path!r} forgets the case {left[0]!r} of {check.spelled(on)}: add it, or default="
            recorder.problems.add(
                Problem(
                    code="forgotten_case",
                    message=message,
                    where=where,
                    step=path,
                    counterexample=left[0],
                    has_counterexample=True,
                )
            )
    step = SwitchStep(name=name, where=where, on=on.expression, branches=tuple(branches), default=default)
    return recorder.add(step, Shape.union(results))


def _parallel(recorder: Recorder, word: compose.Parallel) -> Symbol:
    where, name = recorder.where(), recorder.name("parallel", recorder.where())
    if not word.calls:
        recorder.misuse("parallel() without calls has nothing to do: leave it out")
    with recorder.block(name) as block:
        recorded = [recorder.branch(block, call) for call in word.calls]
    step = ParallelStep(name=name, where=where, blocks=tuple(steps for steps, _ in recorded))
    return recorder.add(step, Shape.tuple_of([shape for _, shape in recorded]))


def _each(recorder: Recorder, word: compose.Each) -> Symbol:
    where, name = recorder.where(), recorder.name("each", recorder.where())
    path = recorder.path(name)
    items = _value(recorder, word.items, f"the items of step {path!r}")
    element = items.shape.element()
    if element is None or items.may_be_absent:
        recorder.misuse(f"each(...) needs a list, and {check.spelled(items)} is {items.shape.name}")
    if word.concurrency is not None and (isinstance(word.concurrency, bool) or word.concurrency < 1):
        recorder.misuse(f"each(..., concurrency={word.concurrency!r}): at least 1, or leave it out")
    if word.key is not None:
        _check_key(recorder, element, word.key)
    with recorder.block(name) as block:
        steps, result = _one_call(recorder, block, word.branch, element, path)
    step = EachStep(
        name=name,
        where=where,
        items=items.expression,
        block=steps,
        concurrency=word.concurrency,
        key=word.key,
    )
    return recorder.add(step, Shape.list_of(result))


def _check_key(recorder: Recorder, element: Shape[Any], key: str) -> None:
    fields = element.fields()
    if key not in fields or not fields[key].is_required:
        has = ", ".join(sorted(fields)) or "no fields"
        recorder.misuse(f"each(..., key={key!r}): an element is {element.name} and always has: {has}")
    if fields[key].shape.annotation not in {str, int}:
        recorder.misuse(f"each(..., key={key!r}): the field is {fields[key].shape.name}, and a key is text or an integer")


def _one_call(
    recorder: Recorder, block: OpenBlock, branch: Callable[[Any], object], bound: Shape[Any], path: str
) -> tuple[Any, Shape[Any]]:
    return recorder.branch(block, branch(recorder.symbol(bound, Ref(source=f"bound.{path}"))))


def _repeat(recorder: Recorder, word: compose.Repeat) -> Symbol:
    where, name = recorder.where(), recorder.name("repeat", recorder.where())
    path = recorder.path(name)
    if isinstance(word.at_most, bool) or word.at_most < 1:
        recorder.misuse(f"repeat(..., at_most={word.at_most!r}): at least 1")
    agent = word.branch
    if not isinstance(agent, Agent) or not agent.signature.parameters:
        recorder.misuse("repeat(...) runs an agent that takes its own output")
    output = cast("Shape[Any]", agent.output)
    field = output.fields().get(word.until)
    if field is None or field.shape.annotation is not bool:
        recorder.misuse(f"repeat(..., until={word.until!r}): {output.name} has no boolean field of that name")
    parameter = agent.signature.parameters[0]
    again = check.shape_fits(output, parameter.shape)
    if again.verdict != "fits":
        message = f"step {path!r} cannot give {agent.name!r} its own output again: {again.reason}"
        recorder.problems.add(misfit("mismatched_edge", message, again, where, path))
    start = recorder.argument(word.start, parameter, agent, name, where)
    with recorder.block(name) as block:
        steps, _ = _one_call(recorder, block, agent, output, path)
    step = RepeatStep(
        name=name, where=where, start=start, block=steps, until=word.until, at_most=word.at_most
    )
    return recorder.add(step, output)


def _approval(recorder: Recorder, word: compose.Approval) -> Symbol:
    where, name = recorder.where(), recorder.name("approval", recorder.where())
    if not word.roles:
        recorder.misuse("approval(..., roles=[]): name at least one role that may decide")
    _check_seconds(recorder, "approval", "within", word.within)
    with recorder.block(name) as block:
        steps, result = recorder.branch(block, _call(recorder, word.call, "approval"))
    step = ApprovalStep(name=name, where=where, block=steps, roles=word.roles, within=word.within)
    return recorder.add(step, Shape.union([result, Shape.of(Rejected)]))


def _wait(recorder: Recorder, word: compose.WaitFor) -> Symbol:
    where, name = recorder.where(), recorder.name("wait_for", recorder.where())
    shape = _carried(recorder, word.model)
    if word.within is not None:
        _check_seconds(recorder, "wait_for", "within", word.within)
    elif word.default is not None:
        recorder.misuse("wait_for(..., default=) without within= would never be given: add within=")
    default = None
    if word.default is not None:
        try:
            default = Const(value=shape.encode(shape.accept(word.default)))
        except BrokenValueError as error:
            recorder.misuse(f"wait_for({word.signal!r}, ..., default=): it breaks {shape.name}: {error}")
    result = shape if default is not None or word.within is None else Shape.union([shape, Shape.of(TimedOut)])
    step = WaitStep(
        name=name, where=where, signal=word.signal, schema=shape.takes.json, within=word.within, default=default
    )
    return recorder.add(step, result)


def _carried(recorder: Recorder, model: object) -> Shape[Any]:
    if isinstance(model, (str, Path)):
        return Shape.of_schema(Contract.load(model).output)
    if isinstance(model, Contract):
        return Shape.of_schema(model.output)
    if isinstance(model, Schema):
        return Shape.of_schema(model)
    return Shape.of(model, subject="wait_for(...)", where=recorder.where())


def _sleep(recorder: Recorder, word: compose.Sleep) -> Symbol:
    where, name = recorder.where(), recorder.name("sleep", recorder.where())
    _check_seconds(recorder, "sleep", "seconds", word.seconds)
    return recorder.add(SleepStep(name=name, where=where, seconds=word.seconds), Shape.of(None))


def _check_seconds(recorder: Recorder, word: str, name: str, value: object) -> None:
    if isinstance(value, Symbol):
        recorder.misuse(f"{word}(..., {name}=) is part of the plan: a number that is known at declaration")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
        recorder.misuse(f"{word}(..., {name}={value!r}): a finite number of seconds above 0")


def _value(recorder: Recorder, found: object, role: str) -> Facts:
    if not isinstance(found, Symbol):
        recorder.misuse(f"{role} is {type(found).__name__}, and it has to be a value of the workflow")
    return facts_of(found)


def _call(recorder: Recorder, found: object, word: str) -> Call[object]:
    if not isinstance(found, Call):
        recorder.misuse(f"{word}(...) takes a call of one agent that is not awaited")
    recorder.taken(found)
    return cast("Call[object]", found)
