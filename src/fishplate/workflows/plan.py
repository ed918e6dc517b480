"""The plan of a workflow: data that says which steps there are, and where each value comes from.

A step is named within its block; its path is the block's path and its name. Values are named by
where they come from: an input parameter, a step, or what a block is bound to (the member of a
route, an element of `each`).
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import field, fields
from typing import Any, Final, TypeAlias, cast, get_args

from pydantic import BaseModel

from fishplate.contracts.shape import Shape
from fishplate.core.data import dataclass
from fishplate.core.errors import JsonValue
from fishplate.resilience.policy import Policy

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
    model: type[BaseModel] | None = field(
        default=None, compare=False, repr=False, metadata=_NOT_DATA
    )


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
        fallback_policies: How they are protected, in the same order.
        fallback_classes: What they answer beside what every fallback answers, in the same order.
        catching: Codes of declared errors that become values.
        policy: How the step is protected, as this use of the agent says.
        graded: The step gives the value with the reasons why it is degraded.
    """

    name: str
    where: str
    agent: str
    arguments: tuple[Expression, ...]
    fallbacks: tuple[str, ...] = ()
    fallback_policies: tuple[Policy | None, ...] = ()
    fallback_classes: tuple[tuple[str, ...], ...] = ()
    catching: tuple[str, ...] = ()
    policy: Policy | None = None
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
    """Run a block for every element, at most `concurrency` at a time; gives a list in order."""

    name: str
    where: str
    items: Expression
    block: Block
    concurrency: int | None
    key: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class RepeatStep:
    """Run a block on its own output until a boolean field of it is true, or `at_most` times."""

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
    carried: Shape[Any] | None = field(default=None, compare=False, repr=False, metadata=_NOT_DATA)


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
_STEPS: Final = get_args(Step)


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
        """The plan as JSON: stored in a run, sent to an engine."""
        return {"format": FORMAT, **_object(self, frozenset())}

    def behaviour(self) -> dict[str, JsonValue]:
        """What the plan does: its JSON without source lines and policies."""
        return {
            "format": FORMAT,
            **_object(
                self, frozenset({"where", "policy", "fallback_policies", "fallback_classes"})
            ),
        }

    def policies(self) -> dict[str, JsonValue]:
        """How its calls are protected, by path of the step, a fallback's behind a bar."""
        found: dict[str, JsonValue] = {}
        for path, step in self.steps():
            if not isinstance(step, CallStep):
                continue
            if step.policy is not None:
                found[path] = step.policy.to_json()
            uses = zip(step.fallbacks, step.fallback_policies, step.fallback_classes, strict=True)
            for name, policy, classes in uses:
                if policy is not None or classes:
                    own = {} if policy is None else policy.to_json()
                    found[f"{path}|{name}"] = {**own, "on": list[JsonValue](classes)}
        return found

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
    return tuple(
        path for path, step in plan.steps() if isinstance(step, (ApprovalStep, WaitStep, SleepStep))
    )


def _json(value: object, left_out: AbstractSet[str]) -> JsonValue:
    match value:
        case Ref(source=source, pointer=pointer):
            found: dict[str, JsonValue] = {"from": source, "pointer": pointer}
        case Const(value=constant):
            found = {"const": constant}
        case Struct(type_name=type_name, fields=built):
            made = {name: _json(part, left_out) for name, part in built}
            found = {"struct": type_name, "fields": made}
        case Policy():
            found = value.to_json()
        case Block() | Branch():
            found = _object(value, left_out)
        case tuple():
            return [_json(item, left_out) for item in cast("tuple[object, ...]", value)]
        case _:
            if not isinstance(value, _STEPS):
                return cast("JsonValue", value)  # what is left is JSON already
            step = cast("Step", value)
            found = {"step": kind_of(step), **_object(step, left_out)}
    return found


def _object(part: Plan | Block | Branch | Step, left_out: AbstractSet[str]) -> dict[str, JsonValue]:
    return {
        found.name: _json(getattr(part, found.name), left_out)
        for found in fields(part)
        if "bound" not in found.metadata and found.name not in left_out
    }
