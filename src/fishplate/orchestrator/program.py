"""A plan made ready to walk: every value has a slot, every argument a way to be built.

A program holds no state of a run. The same plan and agents give the same program, in every process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic import BaseModel

from fishplate.agents.agent import AnyAgent
from fishplate.contracts.anatomy import union_arms
from fishplate.contracts.schema import Schema
from fishplate.contracts.shape import BrokenValueError, Shape
from fishplate.contracts.signature import Parameter
from fishplate.core.errors import ErrorClass, InputError, OutputError, StepError
from fishplate.core.outcome import DeclaredError
from fishplate.workflows.plan import (
    ApprovalStep,
    Block,
    CallStep,
    Const,
    EachStep,
    Expression,
    ParallelStep,
    Ref,
    RepeatStep,
    RouteStep,
    SleepStep,
    Step,
    Struct,
    SwitchStep,
    WaitStep,
)
from fishplate.workflows.workflow import Workflow

Values: TypeAlias = list[Any]
Reader: TypeAlias = Callable[[Values], Any]


@dataclass(frozen=True, slots=True)
class CallOp:
    """A call, ready to walk. `sources` are the slots whose degradation its result inherits."""

    key: str
    slot: int
    unit: AnyAgent
    arguments: Callable[[Values], tuple[object, ...]]
    sources: tuple[int, ...]
    where: str
    fallbacks: tuple[AnyAgent, ...]
    caught: tuple[type[DeclaredError], ...]
    graded: bool
    is_simple: bool


@dataclass(frozen=True, slots=True)
class Code:
    """A block, ready to walk."""

    ops: tuple[Op, ...]
    result: Reader
    result_sources: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RouteOp:
    """A route: by the member's class where the classes are known, else by the first schema that takes it."""

    key: str
    slot: int
    on: Reader
    sources: tuple[int, ...]
    bound: int
    by_type: Mapping[type, int]
    members: tuple[Shape[Any], ...]
    cases: tuple[str, ...]
    branches: tuple[Code, ...]
    where: str


@dataclass(frozen=True, slots=True)
class SwitchOp:
    """A switch: by the value, in its JSON form where it is an enum."""

    key: str
    slot: int
    on: Reader
    sources: tuple[int, ...]
    by_value: Mapping[object, int]
    cases: tuple[str, ...]
    branches: tuple[Code, ...]
    default: Code | None
    where: str


@dataclass(frozen=True, slots=True)
class ParallelOp:
    """Blocks side by side."""

    key: str
    slot: int
    branches: tuple[Code, ...]


@dataclass(frozen=True, slots=True)
class EachOp:
    """A block for every element."""

    key: str
    slot: int
    items: Reader
    sources: tuple[int, ...]
    bound: int
    body: Code
    concurrency: int | None
    element_key: str | None
    where: str


@dataclass(frozen=True, slots=True)
class RepeatOp:
    """A block on its own output."""

    key: str
    slot: int
    start: Reader
    sources: tuple[int, ...]
    bound: int
    body: Code
    until: str
    at_most: int
    output: Shape[Any]
    where: str


@dataclass(frozen=True, slots=True)
class ApprovalOp:
    """A call that waits for somebody's word."""

    key: str
    slot: int
    call: CallOp
    roles: tuple[str, ...]
    within: float


@dataclass(frozen=True, slots=True)
class WaitOp:
    """A wait for a signal; `default` is given in place of `TimedOut` if there is one."""

    key: str
    slot: int
    signal: str
    within: float | None
    default: Reader | None


@dataclass(frozen=True, slots=True)
class SleepOp:
    """A wait for some seconds."""

    key: str
    slot: int
    seconds: float


Op: TypeAlias = CallOp | RouteOp | SwitchOp | ParallelOp | EachOp | RepeatOp | ApprovalOp | WaitOp | SleepOp


@dataclass(frozen=True, slots=True)
class Program:
    """A whole workflow, ready to walk: the first slots are its arguments."""

    code: Code
    arity: int
    size: int


class Compiler:
    """Turns one workflow's plan into a program."""

    def __init__(self, workflow: Workflow[..., Any]) -> None:
        self._units = workflow.units
        self._output = workflow.signature.output
        parameters = workflow.signature.parameters
        self._slots: dict[str, int] = {f"input.{one.name}": index for index, one in enumerate(parameters)}
        self._shapes: dict[str, Shape[Any]] = {f"input.{one.name}": one.shape for one in parameters}
        self._arity = len(parameters)
        self._plan = workflow.plan

    def program(self) -> Program:
        """The program."""
        code = self._block(self._plan.block, "", "", self._output)
        return Program(code, self._arity, len(self._slots))

    def _slot(self, name: str, shape: Shape[Any] | None = None) -> int:
        if shape is not None:
            self._shapes[name] = shape
        return self._slots.setdefault(name, len(self._slots))

    def _block(self, block: Block, path: str, base: str, output: Shape[Any] | None = None) -> Code:
        """A block whose path is `path`; keys are relative to `base`, which a walk knows with its iteration."""
        ops = tuple(self._op(step, path, base) for step in block.steps)
        read = self._reader(block.result)
        if output is not None:
            if not self._is_settled(block.result, output):
                read = _converting(read, output, "the workflow's result", as_output=True)
            if isinstance(block.result, Const):
                constant = output.decode(block.result.value, given=True)
                read = lambda values: constant  # noqa: E731, ARG005 -- a constant reader
        return Code(ops, read, self._sources(block.result))

    def _op(self, step: Step, above: str, base: str) -> Op:  # noqa: PLR0911 -- one line per kind of step
        path = above + step.name
        key = path.removeprefix(base)
        match step:
            case CallStep():
                return self._call(step, path, key)
            case RouteStep():
                return self._route(step, path, base)
            case SwitchStep():
                return self._switch(step, path, base)
            case ParallelStep():
                branches = tuple(self._block(block, path + "/", base) for block in step.blocks)
                return ParallelOp(key, self._slot(f"step.{path}"), branches)
            case EachStep():
                return self._each(step, path, key)
            case RepeatStep():
                return self._repeat(step, path, key)
            case ApprovalStep():
                call = self._op(step.block.steps[0], path + "/", base)
                assert isinstance(call, CallOp)
                return ApprovalOp(key, self._slot(f"step.{path}"), call, step.roles, step.within)
            case WaitStep():
                default = None if step.default is None else self._reader(step.default)
                return WaitOp(key, self._slot(f"step.{path}"), step.signal, step.within, default)
            case SleepStep():
                return SleepOp(key, self._slot(f"step.{path}"), step.seconds)

    def _call(self, step: CallStep, path: str, key: str) -> CallOp:
        unit = self._units[step.agent]
        parameters = unit.signature.parameters
        readers = [
            self._argument(expression, parameter, key)
            for expression, parameter in zip(step.arguments, parameters, strict=True)
        ]
        sources = tuple(dict.fromkeys(slot for one in step.arguments for slot in self._sources(one)))
        return CallOp(
            key=key,
            slot=self._slot(f"step.{path}", unit.output),
            unit=unit,
            arguments=_arguments(readers),
            sources=sources,
            where=step.where,
            fallbacks=tuple(self._units[name] for name in step.fallbacks),
            caught=tuple(error for error in unit.about.errors if error.code in step.catching),
            graded=step.graded,
            is_simple=not (step.fallbacks or step.catching or step.graded),
        )

    def _route(self, step: RouteStep, path: str, base: str) -> RouteOp:
        bound = self._slot(f"bound.{path}")
        members = tuple(
            branch.member if branch.member is not None else Shape.of_schema(_schema_of(branch.schema))
            for branch in step.branches
        )
        by_type: dict[type, int] = {}
        for index, member in enumerate(members):
            for arm in union_arms(member.annotation) if member.annotation is not None else ():
                if isinstance(arm, type) and member.anatomy is not None and arm in member.anatomy.nominal:
                    by_type[arm] = index
        return RouteOp(
            key=path.removeprefix(base),
            on=self._reader(step.on),
            sources=self._sources(step.on),
            bound=bound,
            by_type=by_type,
            members=members,
            cases=tuple(branch.case for branch in step.branches),
            branches=tuple(self._block(branch.block, path + "/", base) for branch in step.branches),
            where=step.where,
            slot=self._slot(f"step.{path}"),
        )

    def _switch(self, step: SwitchStep, path: str, base: str) -> SwitchOp:
        return SwitchOp(
            key=path.removeprefix(base),
            on=self._reader(step.on),
            sources=self._sources(step.on),
            by_value={_case_value(branch.schema): index for index, branch in enumerate(step.branches)},
            cases=tuple(branch.case for branch in step.branches),
            branches=tuple(self._block(branch.block, path + "/", base) for branch in step.branches),
            default=None if step.default is None else self._block(step.default, path + "/", base),
            where=step.where,
            slot=self._slot(f"step.{path}"),
        )

    def _each(self, step: EachStep, path: str, key: str) -> EachOp:
        bound = self._slot(f"bound.{path}")
        return EachOp(
            key=key,
            items=self._reader(step.items),
            sources=self._sources(step.items),
            bound=bound,
            body=self._block(step.block, path + "/", path + "/"),
            concurrency=step.concurrency,
            element_key=step.key,
            where=step.where,
            slot=self._slot(f"step.{path}"),
        )

    def _repeat(self, step: RepeatStep, path: str, key: str) -> RepeatOp:
        bound = self._slot(f"bound.{path}")
        inner = step.block.steps[0]
        assert isinstance(inner, CallStep)
        unit = self._units[inner.agent]
        return RepeatOp(
            key=key,
            start=self._argument(step.start, unit.signature.parameters[0], key),
            sources=self._sources(step.start),
            bound=bound,
            body=self._block(step.block, path + "/", path + "/"),
            until=step.until,
            at_most=step.at_most,
            output=unit.output,
            where=step.where,
            slot=self._slot(f"step.{path}"),
        )

    def _argument(self, expression: Expression, parameter: Parameter, key: str) -> Reader:
        if isinstance(expression, Const):
            constant = parameter.shape.decode(expression.value)
            return lambda values: constant  # noqa: ARG005 -- a constant reader
        read = self._reader(expression)
        if self._is_settled(expression, parameter.shape):
            return read
        return _converting(read, parameter.shape, f"step {key!r}, argument {parameter.name!r}")

    def _is_settled(self, expression: Expression, shape: Shape[Any]) -> bool:
        """Whether a value as it was made is one of the shape without a look."""
        if not isinstance(expression, Ref) or expression.names:
            return False
        known = self._shapes.get(expression.source)
        return known is not None and known.annotation is not None and _is_same(known, shape)

    def _reader(self, expression: Expression) -> Reader:
        match expression:
            case Const(value=value):
                return lambda values: value  # noqa: ARG005 -- a constant reader
            case Struct(fields=fields, model=model):
                return _builder([(name, self._reader(found)) for name, found in fields], model)
            case Ref(source=source, names=names):
                return _following(self._slot(source), names)

    def _sources(self, expression: Expression) -> tuple[int, ...]:
        match expression:
            case Const():
                return ()
            case Struct(fields=fields):
                return tuple(dict.fromkeys(slot for _, found in fields for slot in self._sources(found)))
            case Ref(source=source):
                return (self._slot(source),)


def compile_workflow(workflow: Workflow[..., Any]) -> Program:
    """Make a workflow's plan ready to walk."""
    return Compiler(workflow).program()


def _is_same(producer: Shape[Any], consumer: Shape[Any]) -> bool:
    """Whether the values of one shape are those of the other without a look: the same classes, by name."""
    taken = union_arms(consumer.annotation) if consumer.annotation is not None else ()
    return all(any(arm == other for other in taken) for arm in union_arms(producer.annotation))


def _arguments(readers: Sequence[Reader]) -> Callable[[Values], tuple[object, ...]]:
    """Builds all arguments of a call; the commonest call, of one value as it stands, without a second function."""
    match list(readers):
        case []:
            return lambda values: ()  # noqa: ARG005 -- nothing to read
        case [SlotReader(slot=slot)]:
            return lambda values: (values[slot],)
        case [SlotReader(slot=first), SlotReader(slot=second)]:
            return lambda values: (values[first], values[second])
        case [one]:
            return lambda values: (one(values),)
        case several:
            return lambda values: tuple([read(values) for read in several])


@dataclass(frozen=True, slots=True)
class SlotReader:
    """Reads a value as it stands."""

    slot: int

    def __call__(self, values: Values) -> Any:  # noqa: ANN401 -- a value of the run
        """The value."""
        return values[self.slot]


def _following(slot: int, names: tuple[str | int, ...]) -> Reader:
    if not names:
        return SlotReader(slot)
    if len(names) == 1 and isinstance(names[0], str):
        return _field_reader(slot, names[0])

    def read(values: Values) -> Any:  # noqa: ANN401 -- a value of the run
        found = values[slot]
        for name in names:
            found = _field(found, name)
        return found

    return read


def _field_reader(slot: int, name: str) -> Reader:
    def read(values: Values) -> Any:  # noqa: ANN401 -- a value of the run
        return _field(values[slot], name)

    return read


def _field(value: Any, name: str | int) -> Any:  # noqa: ANN401 -- a value of the run
    """A field by its Python name; JSON objects and typed dicts by key, tuples by position."""
    return value[name] if isinstance(value, (dict, list, tuple)) else getattr(value, str(name))


def _builder(fields: Sequence[tuple[str, Reader]], model: type[BaseModel] | None) -> Reader:
    def build(values: Values) -> Any:  # noqa: ANN401 -- a value of the run
        found = {name: read(values) for name, read in fields}
        if model is None:
            return found
        return model.model_validate(found, by_name=True)

    return build


def _converting(read: Reader, shape: Shape[Any], subject: str, *, as_output: bool = False) -> Reader:
    exact = shape.exact

    def convert(values: Values) -> Any:  # noqa: ANN401 -- a value of the run
        value = read(values)
        if type(value) in exact:
            return value
        try:
            return shape.accept(value, given=as_output)
        except BrokenValueError as error:
            raise (OutputError if as_output else InputError)(subject, error.violations) from None

    return convert


def _schema_of(document: Any) -> Any:  # noqa: ANN401 -- JSON


    return Schema(document)


def _case_value(schema: Any) -> object:  # noqa: ANN401 -- JSON
    value = schema["const"]
    return (type(value), value) if isinstance(value, bool) else value


def limit_reached(key: str, where: str, at_most: int, last: object, shape: Shape[Any]) -> StepError:
    """The failure of a `repeat` that never came to its end; holds the last value."""
    return StepError(
        f"step {key!r} ran {at_most} times and was not done: raise at_most=, or look at the last value",
        step=key,
        code="limit_reached",
        error_class=ErrorClass.PERMANENT,
        where=where,
        details={"at_most": at_most, "last": shape.encode(last)},
    )
