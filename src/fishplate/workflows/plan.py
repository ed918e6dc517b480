"""The plan of a workflow: data that says which steps there are and where each argument comes from.

A step is named within its block; its path is the block's path and its name. Values are named by where they
come from: an input parameter, a step, or what a block is bound to (a route's member, an element of `each`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Final, TypeAlias

from pydantic import BaseModel

from fishplate.contracts.shape import Shape
from fishplate.core.errors import JsonValue

FORMAT: Final = 1
_NOT_DATA: Final = {"bound": "known where the plan was declared, no part of its JSON"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Ref:
    """A value that was made before.

    Attributes:
        source: `input.<parameter>`, `step.<path>` or `bound.<path of the block's owner>`.
        names: Fields to follow, by Python name.
        pointer: The same way as an RFC 6901 pointer into the JSON form.
    """

    source: str
    names: tuple[str | int, ...] = ()
    pointer: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Const:
    """A value that was known at declaration, in its JSON form."""

    value: JsonValue


@dataclass(frozen=True, kw_only=True, slots=True)
class Struct:
    """An object built from other values; `type_name` is the model's name, fields by Python name."""

    type_name: str
    fields: tuple[tuple[str, Expression], ...]
    model: type[BaseModel] | None = field(default=None, compare=False, repr=False, metadata=_NOT_DATA)


Expression: TypeAlias = Ref | Const | Struct


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """Steps in program order, and the value that they are for."""

    steps: tuple[Step, ...]
    result: Expression


@dataclass(frozen=True, kw_only=True, slots=True)
class CallStep:
    """Call an agent.

    Attributes:
        agent: Its name.
        arguments: In the order of its parameters.
        fallbacks: Names of agents that answer when it fails.
        catching: Codes of declared errors that become values.
        policy: How the step is protected.
        graded: The step gives the value with the reasons why it is degraded.
    """

    name: str
    where: str
    agent: str
    arguments: tuple[Expression, ...]
    fallbacks: tuple[str, ...] = ()
    catching: tuple[str, ...] = ()
    policy: JsonValue = None
    graded: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Branch:
    """One way of a route or a switch: what it takes, as a reader would say it, and its steps."""

    case: str
    schema: JsonValue
    block: Block
    member: Shape[Any] | None = field(default=None, compare=False, repr=False, metadata=_NOT_DATA)


@dataclass(frozen=True, kw_only=True, slots=True)
class RouteStep:
    """Go on by the member type of a union; the branch's block is bound to the member."""

    name: str
    where: str
    on: Expression
    branches: tuple[Branch, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class SwitchStep:
    """Go on by the value of an enum, a literal or a boolean; `default` takes what no case names."""

    name: str
    where: str
    on: Expression
    branches: tuple[Branch, ...]
    default: Block | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ParallelStep:
    """Run blocks side by side; gives their values in order."""

    name: str
    where: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class EachStep:
    """Run a block for every element, at most `concurrency` at a time; gives a list in the order of the elements."""

    name: str
    where: str
    items: Expression
    block: Block
    concurrency: int | None
    key: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class RepeatStep:
    """Run a block on its own output until a boolean field of it is true, at most `at_most` times."""

    name: str
    where: str
    start: Expression
    block: Block
    until: str
    at_most: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ApprovalStep:
    """Wait until somebody with one of the roles approves the call in the block, then run it."""

    name: str
    where: str
    block: Block
    roles: tuple[str, ...]
    within: float


@dataclass(frozen=True, kw_only=True, slots=True)
class WaitStep:
    """Wait for a signal; past `within` seconds it gives the default, or `TimedOut`."""

    name: str
    where: str
    signal: str
    schema: JsonValue
    within: float | None
    default: Const | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SleepStep:
    """Wait for some seconds."""

    name: str
    where: str
    seconds: float


Step: TypeAlias = (
    CallStep
    | RouteStep
    | SwitchStep
    | ParallelStep
    | EachStep
    | RepeatStep
    | ApprovalStep
    | WaitStep
    | SleepStep
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """A workflow as data.

    Attributes:
        name: The workflow's name.
        parameters: Names of its input parameters.
        block: What it does.
    """

    name: str
    parameters: tuple[str, ...]
    block: Block

    def to_json(self) -> dict[str, JsonValue]:
        """The plan as JSON: stored in a run, sent to an engine, fingerprinted."""
        return {"format": FORMAT, **_object(self)}

    def steps(self) -> Iterator[tuple[str, Step]]:
        """Every step with its path, nested blocks included, in program order."""
        return steps_of(self.block, "")


def steps_of(block: Block, prefix: str) -> Iterator[tuple[str, Step]]:
    """Every step below a block with its path."""
    for step in block.steps:
        path = prefix + step.name
        yield path, step
        for below in blocks_of(step):
            yield from steps_of(below, path + "/")


def blocks_of(step: Step) -> tuple[Block, ...]:
    """The blocks that a step holds."""
    match step:
        case RouteStep():
            return tuple(branch.block for branch in step.branches)
        case SwitchStep():
            found = tuple(branch.block for branch in step.branches)
            return found if step.default is None else (*found, step.default)
        case ParallelStep():
            return step.blocks
        case EachStep() | RepeatStep() | ApprovalStep():
            return (step.block,)
        case CallStep() | WaitStep() | SleepStep():
            return ()


def kind_of(step: Step) -> str:
    """The step's kind as it is written in a plan: `call`, `route`, ..."""
    return type(step).__name__.removesuffix("Step").lower()


def waits(plan: Plan) -> tuple[str, ...]:
    """Paths of the steps that wait for somebody or for time."""
    return tuple(path for path, step in plan.steps() if isinstance(step, (ApprovalStep, WaitStep, SleepStep)))


def without_places(document: JsonValue) -> JsonValue:
    """A plan's JSON without source lines, so that moving a workflow in its file is no change."""
    if isinstance(document, list):
        return [without_places(item) for item in document]
    if isinstance(document, dict):
        return {key: without_places(value) for key, value in document.items() if key != "where"}
    return document


def _json(value: object) -> JsonValue:
    if isinstance(value, Ref):
        return {"from": value.source, "pointer": value.pointer}
    if isinstance(value, Const):
        return {"const": value.value}
    if isinstance(value, Struct):
        return {"struct": value.type_name, "fields": {name: _json(found) for name, found in value.fields}}
    if is_dataclass(value) and not isinstance(value, type):
        kind = type(value).__name__
        found = _object(value)
        return {"step": kind.removesuffix("Step").lower(), **found} if kind.endswith("Step") else found
    if isinstance(value, tuple):
        return [_json(item) for item in value]
    return value  # type: ignore[return-value]  # what is left is JSON already


def _object(value: object) -> dict[str, JsonValue]:
    return {
        found.name: _json(getattr(value, found.name))
        for found in fields(value)  # type: ignore[arg-type]  # a dataclass, by its callers
        if "bound" not in found.metadata
    }
