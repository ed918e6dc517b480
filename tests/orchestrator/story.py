"""Telling a walk line by line: what it asked for, in order, and what came of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from fishplate import DeclaredError, FishplateError, Reason, Workflow
from fishplate.orchestrator.compile import compile_workflow
from fishplate.orchestrator.effects import (
    CallEffect,
    DecisionEffect,
    Marked,
    SignalEffect,
    SleepEffect,
    Strand,
)
from fishplate.orchestrator.machine import Issued, Machine
from fishplate.orchestrator.walker import walk

Answer: TypeAlias = Callable[[Issued], object]

LATE = Reason(reason="late", source="cache", step="lookup")


def strand_of(workflow: Workflow[..., Any], *arguments: object) -> Strand:
    """The main strand of a workflow."""
    return walk(compile_workflow(workflow), arguments)


@dataclass
class Story:
    """A walk that was driven to its end.

    Attributes:
        lines: What it asked for, in order.
        result: Its value.
        reasons: Why the value is degraded.
        failure: Why it failed, if it did.
    """

    lines: list[str] = field(default_factory=list[str])
    result: Any = None
    reasons: tuple[Reason, ...] = ()
    failure: Any = None


def told(workflow: Workflow[..., Any], *arguments: object, **answers: object) -> Story:
    """Drive a walk, answering every effect at once.

    Args:
        workflow: What to walk.
        arguments: Its arguments.
        answers: By name of the agent, or by key of a signal: a value, an exception to fail with,
            or a function of the call's arguments. An agent that is not named runs its own plain
            function.
    """
    story, machine = Story(), Machine(strand_of(workflow, *arguments))
    decided = 0
    while True:
        story.lines += map(line_of, machine.decisions[decided:])
        decided = len(machine.decisions)
        if machine.is_done:
            break
        taken = machine.take()
        story.lines += [line_of(effect) for _, effect in taken]
        for token, effect in taken:
            answer(machine, token, effect, answers)
    story.failure = machine.failure
    found = machine.result
    story.result, story.reasons = found if isinstance(found, Marked) else (found, ())
    return story


def answer(machine: Machine, token: int, effect: Issued, answers: Mapping[str, object]) -> None:
    """Resolve one effect as `told` says."""
    found = answer_to(effect, answers)
    if isinstance(found, (FishplateError, DeclaredError)):
        machine.resolve(token, failure=found)
    else:
        machine.resolve(token, found)


def answer_to(effect: Issued, answers: Mapping[str, object]) -> object:
    """The answer to one effect; an exception stands for a failure."""
    if isinstance(effect, SleepEffect):
        return None
    if isinstance(effect, SignalEffect):
        return answers[effect.key]
    unit = effect.unit
    found = answers.get(unit.name, unit.about.function)
    if not callable(found):
        return found
    try:
        return found(*effect.arguments)
    except (FishplateError, DeclaredError) as failure:
        return failure


def line_of(effect: Issued | DecisionEffect) -> str:
    """An effect on one line."""
    match effect:
        case CallEffect(key=key, unit=unit, arguments=arguments):
            return f"{key}: {unit.name}({', '.join(map(repr, arguments))})"
        case SignalEffect(key=key, name=name, within=within, roles=roles):
            by = f" by {', '.join(roles)}" if roles else ""
            return f"{key}: wait for {name}{by} within {within}"
        case SleepEffect(key=key, seconds=seconds):
            return f"{key}: sleep {seconds}"
        case DecisionEffect(key=key, kind=kind, chosen=chosen):
            return f"{key}: {kind} -> {chosen}"
