"""The recorder: runs a workflow's body once with symbols and writes down the plan, checking every edge."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeAlias, TypeVar, cast

from pydantic import BaseModel

from fishplate.agents.agent import NO_POLICY, AnyAgent, Call
from fishplate.contracts.shape import BrokenValueError, Shape
from fishplate.contracts.signature import Parameter
from fishplate.core.call import RECORDER, Deferred
from fishplate.core.errors import DeclarationError, Problem, ProblemList
from fishplate.core.source import shown_path
from fishplate.workflows import check
from fishplate.workflows.compose import Composition
from fishplate.workflows.plan import Block, CallStep, Const, Expression, Ref, Step, Struct
from fishplate.workflows.symbols import Facts, Symbol, facts_of

R_co = TypeVar("R_co", covariant=True)
Forms: TypeAlias = "Callable[[Recorder, Composition[object]], Symbol]"
_PACKAGE = str(Path(__file__).parents[1])


class OpenBlock:
    """A block that is being recorded: its path, and its steps so far."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.steps: list[Step] = []
        self._names: dict[str, int] = {}

    def name(self, wanted: str, *, is_pinned: bool = False) -> str | None:
        """A name that is free in this block; `None` if a pinned name is taken."""
        count = self._names[wanted] = self._names.get(wanted, 0) + 1
        if count == 1:
            return wanted
        return None if is_pinned else f"{wanted}~{count}"


class Recorder:
    """Writes down one recording of one body.

    Args:
        subject: What is declared, for errors.
        granted_tools: Names of the tools that the workflow may call as steps.
        problems: Where refusals go.
        forms: How a composition is recorded; it adds its steps to the recorder it is given.

    Attributes:
        units: Every agent that the plan names, as it was declared.
    """

    def __init__(self, subject: str, granted_tools: frozenset[str], problems: ProblemList, forms: Forms) -> None:
        self.units: dict[str, AnyAgent] = {}
        self.problems = problems
        self._subject = subject
        self._granted_tools = granted_tools
        self._forms = forms
        self._blocks = [OpenBlock("")]
        self._open: dict[int, tuple[Deferred[object], str]] = {}
        self._misuse: DeclarationError | None = None

    def run(self, function: Callable[..., Coroutine[object, object, object]], parameters: tuple[Parameter, ...]) -> object:
        """Run the body with symbols; returns what it returned.

        Raises:
            DeclarationError: The body did what a plan cannot hold.
        """
        symbols = [self.symbol(parameter.shape, Ref(source=f"input.{parameter.name}")) for parameter in parameters]
        token = RECORDER.set(self)
        body = function(*symbols)
        try:
            body.send(None)
        except StopIteration as stop:
            return cast("object", stop.value)
        except DeclarationError:
            raise
        except Exception as error:
            if self._misuse is not None:
                raise self._misuse from None
            self.problems.add(self.problem("not_recordable", f"the body raised {type(error).__name__} at declaration: {error}"))
            self.problems.raise_if_any()
            raise
        finally:
            RECORDER.reset(token)
            body.close()
        message = "the body waited for something that is no step. Do it inside an agent"
        raise DeclarationError(self._subject, [self.problem("not_recordable", message)])

    def finish(self, returned: object, output: Shape[Any]) -> Block:
        """Close the recording; the plan's outermost block.

        Raises:
            DeclarationError: Something was refused.
        """
        if self._misuse is not None:
            raise self._misuse
        for deferred, where in self._open.values():
            message = f"{deferred!r} is neither awaited nor used: await it, or pass it on as a branch"
            self.problems.add(Problem(code="lost_step", message=message, where=where))
        if isinstance(returned, Symbol):
            return Block(steps=tuple(self._blocks[0].steps), result=facts_of(returned).expression)
        if isinstance(returned, Deferred):
            self.misuse(f"{returned!r} is returned without being awaited: write 'return await ...'")
        if check.holds_symbol(returned):
            self.misuse("the result is built around values that are not known yet: return struct(Model, ...) or a step")
        try:
            accepted = output.accept(returned, given=True)
        except BrokenValueError as error:
            message = f"the workflow returns {type(returned).__name__}, and it promises {output.name}: {error}"
            raise DeclarationError(self._subject, [*self.problems.found, self.problem("bad_result", message)]) from None
        return Block(steps=tuple(self._blocks[0].steps), result=Const(value=output.encode(accepted)))

    # what the body reaches

    def opened(self, deferred: Deferred[object]) -> None:
        """Remember a deferred call until it is awaited or used."""
        self._open[id(deferred)] = (deferred, self.where())

    def issue(self, deferred: Deferred[R_co]) -> Generator[object, object, R_co]:
        """Record an awaited call; its value is a symbol."""
        symbol = self.record(deferred)
        return _at_once(cast("R_co", symbol))

    def build(self, model: type, fields: Mapping[str, object]) -> object:
        """Record `struct(Model, field=value, ...)`: an object of exactly these fields, each one checked."""
        shape = Shape.of(model, subject=self._subject, where=self.where())
        known = cast("type[BaseModel]", model).model_fields
        expressions: list[tuple[str, Expression]] = []
        for name, value in fields.items():
            if name not in known:
                self.misuse(f"struct({model.__name__}, ...) has no field {name!r}; it has: {', '.join(sorted(known))}")
            parameter = Parameter(name=name, shape=shape.fields()[name].shape)
            expressions.append((name, self.argument(value, parameter, None, f"struct({model.__name__})", self.where())))
        for name, field in known.items():
            if name not in fields and field.is_required():
                self.misuse(f"struct({model.__name__}, ...) misses the required field {name!r}")
        return self.symbol(shape, Struct(type_name=model.__name__, fields=tuple(expressions), model=model))

    def misuse(self, message: str) -> NoReturn:
        """Refuse the declaration; the first refusal counts even if the body catches it."""
        error = DeclarationError(self._subject, [*self.problems.found, self.problem("not_recordable", message)])
        if self._misuse is None:
            self._misuse = error
        raise error

    # what the forms use

    def record(self, deferred: object) -> Symbol:
        """Add a deferred call or composition to the block that is open."""
        if not isinstance(deferred, Deferred):
            kind = "a value that is there already" if isinstance(deferred, Symbol) else type(deferred).__name__
            self.misuse(f"a call that is not awaited was expected, and it is {kind}")
        self._open.pop(id(cast("Deferred[object]", deferred)), None)
        if isinstance(deferred, Call):
            return self.record_call(cast("Call[object]", deferred))
        if isinstance(deferred, Composition):
            return self._forms(self, cast("Composition[object]", deferred))
        self.misuse(f"{deferred!r} is no step")

    def taken(self, deferred: Deferred[object]) -> None:
        """Hear that a deferred call has become part of a composition."""
        self._open.pop(id(deferred), None)

    def record_call(self, call: Call[object], *, graded: bool = False) -> Symbol:
        """Add a call of an agent."""
        agent = call.agent
        where = self.where()
        name = self.name(agent.step_name or agent.name, where, is_pinned=agent.step_name is not None)
        self.register(agent, where, name)
        arguments = tuple(
            self.argument(value, parameter, agent, name, where)
            for parameter, value in zip(agent.signature.parameters, call.arguments, strict=True)
        )
        step = CallStep(
            name=name,
            where=where,
            agent=agent.name,
            arguments=arguments,
            fallbacks=tuple(fallback.name for fallback in agent.fallbacks),
            catching=tuple(error.code for error in agent.caught),
            policy=agent.policy.to_json() if agent.policy != NO_POLICY else None,
            graded=graded,
        )
        return self.add(step, check.graded_shape(agent.output) if graded else agent.output)

    def argument(
        self, value: object, parameter: Parameter, agent: AnyAgent | None, step: str, where: str
    ) -> Expression:
        """The expression of an argument, its edge checked; `agent` is `None` for a field of `struct`."""
        taker = step if agent is None else agent.name
        if isinstance(value, Symbol):
            facts = facts_of(value)
            problem = check.edge_problem(facts, parameter, self.path(step), where, assumed=agent is not None and agent.assumed)
            if problem is not None:
                self.problems.add(problem)
            return facts.expression
        if isinstance(value, Deferred):
            self._open.pop(id(cast("Deferred[object]", value)), None)
            self.misuse(f"{value!r} is passed to {taker!r} without being awaited: await it first")
        if check.holds_symbol(value):
            self.misuse(
                f"the argument {parameter.name!r} of {taker!r} is built around a value that is not known yet. "
                "Write struct(Model, field=value), or pass the values one by one"
            )
        try:
            accepted = parameter.shape.accept(value)
        except BrokenValueError as error:
            first = error.violations[0]
            message = f"the constant {value!r} is no {parameter.name!r} of {taker!r}: {first.message}"
            self.problems.add(
                Problem(code="bad_constant", message=message, where=where, step=self.path(step), pointer=first.pointer)
            )
            return Const(value=None)
        return Const(value=parameter.shape.encode(accepted))

    def register(self, agent: AnyAgent, where: str, step: str) -> None:
        """Remember an agent of the plan; refuse a name that means two agents, and a tool without a grant."""
        for found in (agent, *agent.fallbacks):
            known = self.units.setdefault(found.name, found)
            if known.about is not found.about:
                message = (
                    f"two agents are called {found.name!r} ({known.about.where} and {found.about.where}): "
                    "give one another name="
                )
                self.problems.add(Problem(code="repeated_name", message=message, where=where, step=self.path(step)))
            if found.about.effect is not None and found.name not in self._granted_tools:
                message = f"step {step!r} calls the tool {found.name!r} without a grant: add it to tools=[...] of the workflow"
                self.problems.add(Problem(code="not_granted", message=message, where=where, step=self.path(step)))
        for fallback in agent.fallbacks:
            if fallback.fallbacks:
                self.misuse(f"{fallback.name!r} has a fallback of its own: write the chain flat, a.or_else(b).or_else(c)")

    def add(self, step: Step, shape: Shape[Any]) -> Symbol:
        """Add a step to the open block; the symbol of what it gives."""
        self._blocks[-1].steps.append(step)
        return self.symbol(shape, Ref(source=f"step.{self.path(step.name)}"))

    @contextmanager
    def block(self, owner: str) -> Iterator[OpenBlock]:
        """Record a block below the step `owner` of the open block."""
        opened = OpenBlock(self.path(owner) + "/")
        self._blocks.append(opened)
        try:
            yield opened
        finally:
            self._blocks.pop()

    def branch(self, owner: OpenBlock, deferred: object) -> tuple[Block, Shape[Any]]:
        """Record one deferred call as a block of its own, its names unique among its siblings."""
        before = len(owner.steps)
        symbol = self.record(deferred)
        steps = tuple(owner.steps[before:])
        del owner.steps[before:]
        facts = facts_of(symbol)
        return Block(steps=steps, result=facts.expression), facts.shape

    def name(self, wanted: str, where: str, *, is_pinned: bool = False) -> str:
        """A name for a step in the open block."""
        found = self._blocks[-1].name(wanted, is_pinned=is_pinned)
        if found is None:
            message = f"two steps are pinned to the name {wanted!r}: give one another .named(...)"
            self.problems.add(Problem(code="repeated_name", message=message, where=where))
            return wanted
        return found

    def path(self, name: str) -> str:
        """The path of a step in the open block."""
        return self._blocks[-1].prefix + name

    def symbol(self, shape: Shape[Any], expression: Expression, *, may_be_absent: bool = False) -> Symbol:
        """A symbol that reports its misuse here."""
        return Symbol(Facts(shape, expression, self, may_be_absent=may_be_absent))

    def problem(self, code: str, message: str, **facts: Any) -> Problem:  # noqa: ANN401 -- fields of Problem
        """A problem at the line of the body that is running."""
        return Problem(code=code, message=message, where=self.where(), **facts)

    def where(self) -> str:
        """`file:line` of the user's code that is running."""
        frame = sys._getframe(1)  # noqa: SLF001 -- the only way to know the line
        while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
            frame = frame.f_back
        if frame is None:
            return "unknown"
        return f"{shown_path(frame.f_code.co_filename)}:{frame.f_lineno}"


def _at_once(value: R_co) -> Generator[object, object, R_co]:
    """A generator that gives its value without waiting."""
    return value
    yield  # the unreachable yield makes this a generator


