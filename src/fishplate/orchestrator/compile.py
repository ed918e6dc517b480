"""Making a plan ready to walk."""

from __future__ import annotations

from typing import Any, assert_never, cast

from fishplate.agents.agent import NO_POLICY, AnyAgent
from fishplate.agents.fallback import answering, in_order, with_fallbacks
from fishplate.contracts.anatomy import union_arms
from fishplate.contracts.schema import Schema
from fishplate.contracts.shape import Shape
from fishplate.contracts.signature import Parameter
from fishplate.core.errors import JsonValue
from fishplate.orchestrator.program import (
    ApprovalOp,
    CallOp,
    Code,
    EachOp,
    Op,
    ParallelOp,
    Program,
    RepeatOp,
    RouteOp,
    SleepOp,
    SwitchOp,
    WaitOp,
    case_of,
)
from fishplate.orchestrator.readers import (
    Reader,
    SlotReader,
    converting,
    reader_of_arguments,
    reader_of_constant,
    reader_of_json,
    reader_of_slot,
    reader_of_struct,
)
from fishplate.resilience.policy import Policy
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


def compile_workflow(workflow: Workflow[..., Any]) -> Program:
    """Make a workflow's plan ready to walk."""
    return _Compiler(workflow).program()


def carried_by(step: WaitStep) -> Shape[Any]:
    """What the signal carries that a step waits for; JSON, if its plan was read from a file."""
    if step.carried is not None:
        return step.carried
    # A plan holds the JSON of a schema that was one when it was recorded.
    return Shape.of_schema(Schema(cast("dict[str, JsonValue] | bool", step.schema)))


class _Compiler:
    def __init__(self, workflow: Workflow[..., Any]) -> None:
        self._plan = workflow.plan
        self._units = workflow.units
        self._output = workflow.signature.output
        self._subject = workflow.about.subject
        self._policies: dict[str, set[Policy | None]] = {}
        for _, step in workflow.plan.steps():
            if isinstance(step, CallStep):
                self._policies.setdefault(step.agent, set()).add(step.policy)
                for name, policy in zip(step.fallbacks, step.fallback_policies, strict=True):
                    self._policies.setdefault(name, set()).add(policy)
        # The slot of every value by its source, and its shape where values come in that shape.
        self._slots: dict[str, int] = {}
        self._shapes: dict[str, Shape[Any]] = {}
        for parameter in workflow.signature.parameters:
            self._slot(f"input.{parameter.name}", parameter.shape)

    def program(self) -> Program:
        arity = len(self._slots)
        ops = self._ops(self._plan.block, "", "")
        result = self._plan.block.result
        code = Code(ops, self._result(result), self._sources(result))
        return Program(code, arity, len(self._slots))

    def _result(self, result: Expression) -> Reader:
        if isinstance(result, Const):
            return reader_of_constant(self._output, result.value, given=True)
        read = self._reader(result, "the workflow's result")
        if self._is_settled(result, self._output):
            return read
        return converting(read, self._output, f"the output of {self._subject}", as_output=True)

    def _slot(self, source: str, shape: Shape[Any] | None = None) -> int:
        if shape is not None:
            self._shapes[source] = shape
        return self._slots.setdefault(source, len(self._slots))

    def _block(self, block: Block, above: str, base: str) -> Code:
        """A block below the path `above`.

        Keys are relative to `base`, the part of the path that a walk knows with its iterations.
        """
        ops = self._ops(block, above, base)
        result = self._reader(block.result, above)
        return Code(ops, result, self._sources(block.result), _only_call(ops, result))

    def _ops(self, block: Block, above: str, base: str) -> tuple[Op, ...]:
        return tuple(self._op(step, above + step.name, base) for step in block.steps)

    def _op(self, step: Step, path: str, base: str) -> Op:  # noqa: PLR0911 -- one for each kind
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
                call = self._op(step.block.steps[0], f"{path}/{step.block.steps[0].name}", base)
                assert isinstance(call, CallOp)
                slot = self._slot(f"step.{path}")
                return ApprovalOp(key, slot, call, step.roles, step.within)
            case WaitStep():
                default = None if step.default is None else reader_of_json(step.default.value)
                slot = self._slot(f"step.{path}")
                return WaitOp(key, slot, step.signal, carried_by(step), step.within, default)
            case SleepStep():
                return SleepOp(key, self._slot(f"step.{path}"), step.seconds)
            case _:
                assert_never(step)

    def _call(self, step: CallStep, path: str, key: str) -> CallOp:
        fallbacks = self._fallbacks(step)
        unit = with_fallbacks(self._unit(step.agent, step.policy), fallbacks)
        caught = tuple(error for error in unit.about.errors if error.code in step.catching)
        readers = [
            self._argument(expression, parameter, key)
            for expression, parameter in zip(step.arguments, unit.signature.parameters, strict=True)
        ]
        sources = [slot for argument in step.arguments for slot in self._sources(argument)]
        given = Shape.union([unit.signature.output, *map(Shape.of, caught)])
        return CallOp(
            key=key,
            slot=self._slot(f"step.{path}", None if step.graded else given),
            unit=unit,
            arguments=reader_of_arguments(readers),
            sources=tuple(dict.fromkeys(sources)),
            where=step.where,
            fallbacks=fallbacks,
            caught=caught,
            graded=step.graded,
            is_simple=not (step.fallbacks or step.catching or step.graded),
        )

    def _fallbacks(self, step: CallStep) -> tuple[AnyAgent, ...]:
        uses = zip(step.fallbacks, step.fallback_policies, step.fallback_classes, strict=True)
        return in_order(answering(self._unit(name, policy), words) for name, policy, words in uses)

    def _unit(self, name: str, policy: Policy | None) -> AnyAgent:
        """An agent, under the policy of this use if others use it under another.

        Where all use it alike it stands as it is, so that a replacement brings its own policy.
        """
        unit = self._units[name]
        return unit if len(self._policies[name]) == 1 else unit.using(policy or NO_POLICY)

    def _route(self, step: RouteStep, path: str, base: str) -> RouteOp:
        members = tuple(
            branch.member if branch.member is not None else _shape_of(branch.schema)
            for branch in step.branches
        )
        by_type: dict[type, int] = {}
        for index, member in enumerate(members):
            nominal = () if member.anatomy is None else member.anatomy.nominal
            arms = union_arms(member.annotation)
            by_type.update((cls, index) for cls in nominal if cls in arms)
        bound = self._slot(f"bound.{path}")
        return RouteOp(
            key=path.removeprefix(base),
            on=self._reader(step.on, path),
            sources=self._sources(step.on),
            bound=bound,
            by_type=by_type,
            members=members,
            cases=tuple(branch.case for branch in step.branches),
            branches=tuple(self._block(one.block, path + "/", base) for one in step.branches),
            where=step.where,
            slot=self._slot(f"step.{path}"),
        )

    def _switch(self, step: SwitchStep, path: str, base: str) -> SwitchOp:
        default = None if step.default is None else self._block(step.default, path + "/", base)
        return SwitchOp(
            key=path.removeprefix(base),
            on=self._reader(step.on, path),
            sources=self._sources(step.on),
            by_value={_case(branch.schema): index for index, branch in enumerate(step.branches)},
            cases=tuple(branch.case for branch in step.branches),
            branches=tuple(self._block(one.block, path + "/", base) for one in step.branches),
            default=default,
            where=step.where,
            slot=self._slot(f"step.{path}"),
        )

    def _each(self, step: EachStep, path: str, key: str) -> EachOp:
        bound = self._slot(f"bound.{path}")
        return EachOp(
            key=key,
            items=self._reader(step.items, path),
            sources=self._sources(step.items),
            bound=bound,
            body=self._block(step.block, path + "/", path + "/"),
            concurrency=step.concurrency,
            element_key=step.key,
            where=step.where,
            slot=self._slot(f"step.{path}"),
        )

    def _repeat(self, step: RepeatStep, path: str, key: str) -> RepeatOp:
        inner = step.block.steps[0]
        assert isinstance(inner, CallStep)
        unit = self._units[inner.agent]
        bound = self._slot(f"bound.{path}")
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
            return reader_of_constant(parameter.shape, expression.value)
        subject = f"the argument {parameter.name!r} of step {key!r}"
        read = self._reader(expression, subject)
        if self._is_settled(expression, parameter.shape):
            return read
        return converting(read, parameter.shape, subject)

    def _is_settled(self, expression: Expression, shape: Shape[Any]) -> bool:
        """Whether a value as it was made is one of the shape without a look."""
        if not isinstance(expression, Ref) or expression.names:
            return False
        known = self._shapes.get(expression.source)
        if known is None or known.annotation is None or shape.annotation is None:
            return False
        taken = union_arms(shape.annotation)
        return all(arm in taken for arm in union_arms(known.annotation))

    def _reader(self, expression: Expression, subject: str) -> Reader:
        match expression:
            case Const(value=value):
                return reader_of_json(value)
            case Struct(fields=fields, model=model):
                known = None if model is None else Shape.of(model).fields()
                shapes = {} if known is None else {name: known[name].shape for name, _ in fields}
                readers = [
                    (name, self._field(found, shapes.get(name), subject)) for name, found in fields
                ]
                return reader_of_struct(readers, model, subject)
            case Ref(source=source):
                return reader_of_slot(self._slot(source), expression)
            case _:
                assert_never(expression)

    def _field(self, expression: Expression, shape: Shape[Any] | None, subject: str) -> Reader:
        if isinstance(expression, Const) and shape is not None:
            return reader_of_constant(shape, expression.value)
        return self._reader(expression, subject)

    def _sources(self, expression: Expression) -> tuple[int, ...]:
        match expression:
            case Const():
                return ()
            case Struct(fields=fields):
                found = [slot for _, part in fields for slot in self._sources(part)]
                return tuple(dict.fromkeys(found))
            case Ref(source=source):
                return (self._slot(source),)
            case _:
                assert_never(expression)


def _only_call(ops: tuple[Op, ...], result: Reader) -> CallOp | None:
    only = ops[0] if len(ops) == 1 else None
    is_result = isinstance(result, SlotReader) and only is not None and result.slot == only.slot
    return only if is_result and isinstance(only, CallOp) and only.is_simple else None


def _shape_of(document: JsonValue) -> Shape[Any]:
    assert isinstance(document, (dict, bool)), "a plan holds schemas"
    return Shape.of_schema(Schema(document))


def _case(document: JsonValue) -> object:
    assert isinstance(document, dict), "a case is {'const': value}"
    return case_of(document["const"])
