"""The recorder: runs a body once with symbols and writes down the plan, checking every edge."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Coroutine, Generator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NoReturn, TypeAlias, TypeVar, cast

from pydantic import BaseModel

from fishplate.agents.agent import NO_POLICY, AnyAgent, Call
from fishplate.contracts.shape import BrokenValueError, Shape
from fishplate.contracts.signature import ArgumentsError, Parameter
from fishplate.core.call import RECORDER, Deferred, missing_await
from fishplate.core.errors import DeclarationError, OutputError, Problem, ProblemList
from fishplate.core.source import raised_at, user_location
from fishplate.resilience.policy import Policy
from fishplate.workflows import check
from fishplate.workflows.compose import Composition
from fishplate.workflows.plan import Block, CallStep, Const, Expression, Ref, Step, Struct
from fishplate.workflows.symbols import Facts, Symbol, facts_of

R = TypeVar("R")
Forms: TypeAlias = "Callable[[Recorder, Composition[object]], Symbol]"

TOO_DEEP: Final = (
    f"nested deeper than {check.MOST_LEVELS} levels, or holds itself: no input that deep is read "
    "back. Make it flatter"
)


class OpenBlock:
    """A block that is being recorded: its path, and its steps so far."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.steps: list[Step] = []
        self._names: dict[str, int] = {}

    def name(self, wanted: str, *, is_pinned: bool) -> str | None:
        """A name that is free in this block; `None` if a pinned name is taken."""
        count = self._names[wanted] = self._names.get(wanted, 0) + 1
        if count == 1:
            return wanted
        return None if is_pinned else f"{wanted}~{count}"


class Recorder:
    """Writes down one recording of one body.

    Args:
        granted: Tools that the workflow may call as steps.
        problems: Where refusals go.
        forms: How a composition is recorded; it adds its steps to the recorder it is given.

    Attributes:
        units: Every agent that the plan names, as it was used first.
    """

    def __init__(self, granted: tuple[AnyAgent, ...], problems: ProblemList, forms: Forms) -> None:
        self.units: dict[str, AnyAgent] = {}
        self.problems = problems
        self._granted = {tool.name: tool for tool in granted}
        self._forms = forms
        self._blocks = [OpenBlock("")]
        self._places: list[str] = []
        self._open: dict[int, tuple[Deferred[object], str]] = {}
        self._used: dict[int, object] = {}
        self._misuse: DeclarationError | None = None

    def run(
        self,
        function: Callable[..., Coroutine[object, object, object]],
        parameters: tuple[Parameter, ...],
    ) -> object:
        """Run the body with symbols; returns what it returned.

        Raises:
            DeclarationError: The body did what a plan cannot hold.
        """
        symbols = [self.symbol(one.shape, Ref(source=f"input.{one.name}")) for one in parameters]
        token = RECORDER.set(self)
        body = function(*symbols)
        try:
            body.send(None)
        except StopIteration as stop:
            if self._misuse is not None:  # the body has caught it
                raise self._misuse from None
            return cast("object", stop.value)
        except DeclarationError as error:
            raise (self._misuse or self._refusal(error.problems)) from None
        except Exception as error:
            raise (self._misuse or self._failed(error)) from error
        finally:
            RECORDER.reset(token)
            body.close()
        message = "the body waited for something that is no step. Do it inside an agent"
        where = user_location()
        raise self._refusal([Problem(code="not_recordable", message=message, where=where)])

    def finish(self, returned: object, output: Shape[Any]) -> Block:
        """Close the recording; the plan's outermost block.

        Raises:
            DeclarationError: What was returned cannot be the result of a plan.
        """
        if isinstance(returned, Deferred):
            deferred = cast("Deferred[object]", returned)
            _, where = self._open.pop(id(deferred), (None, None))
            self.misuse(f"{deferred!r} is returned: write 'return await ...'", where=where)
        for deferred, where in self._open.values():
            message = (
                f"{deferred!r} is neither awaited nor used: await it, or pass it on as a branch"
            )
            self.problems.add(Problem(code="lost_step", message=message, where=where))
        steps = tuple(self._blocks[0].steps)
        if isinstance(returned, Symbol):
            return Block(steps=steps, result=facts_of(returned).expression)
        if check.is_too_deep(returned):
            self.misuse(f"the result is {TOO_DEEP}", code="mismatched_result")
        if check.holds_symbol(returned):
            self.misuse(
                "the result is built around values that are not known yet: "
                "return struct(Model, field=value), or a step"
            )
        try:
            result = Const(value=output.encode(output.accept(returned, given=True)))
        except (BrokenValueError, OutputError) as error:
            message = (
                f"the workflow returns {type(returned).__name__}, and it promises {output.name}: "
                f"{error}"
            )
            self.misuse(message, code="mismatched_result")
        return Block(steps=steps, result=result)

    # what the body reaches

    def opened(self, deferred: Deferred[object]) -> None:
        """Remember a deferred call until it is awaited or used."""
        self._open[id(deferred)] = (deferred, user_location())

    def issue(self, deferred: Deferred[R]) -> Generator[object, object, R]:
        """Record an awaited call; its value is a symbol."""
        # The body is typed as if it held values; it holds what stands for them.
        return _at_once(cast("R", self.record(deferred)))

    def build(self, model: type, fields: Mapping[str, object]) -> object:
        """Record `struct(Model, field=value, ...)`: an object of these fields, each one checked."""
        where, spelled = user_location(), f"struct({model.__name__})"
        if not issubclass(model, BaseModel):
            self.misuse(f"{spelled}: {model.__name__!r} is no pydantic model")
        shape = Shape.of(model, where=where)
        known = shape.fields()
        built: list[tuple[str, Expression]] = []
        for name, value in fields.items():
            if name not in known:
                has = ", ".join(sorted(known)) or "no fields"
                message = f"{spelled} has no field {name!r}; it has: {has}"
                self.problems.add(Problem(code="unknown_field", message=message, where=where))
                continue
            parameter = Parameter(name=name, shape=known[name].shape)
            built.append((name, self.argument(value, parameter, None, spelled, where)))
        for name, field in model.model_fields.items():
            if name not in fields and field.is_required():
                message = f"{spelled} misses the required field {name!r}: give it a value"
                self.problems.add(Problem(code="missing_field", message=message, where=where))
        expression = Struct(type_name=model.__name__, fields=tuple(built), model=model)
        return self.symbol(shape, expression)

    def misuse(
        self, message: str, *, code: str = "not_recordable", where: str | None = None
    ) -> NoReturn:
        """Refuse the declaration; the first refusal counts even if the body catches it."""
        problem = Problem(code=code, message=message, where=where or user_location())
        error = self._refusal([problem])
        if self._misuse is None:
            self._misuse = error
        raise error

    # what the forms use

    def record(self, deferred: object, *, graded: bool = False) -> Symbol:
        """Add a deferred call or composition to the block that is open."""
        if not isinstance(deferred, Deferred):
            kind = type(deferred).__name__
            kind = "a value that is there already" if isinstance(deferred, Symbol) else repr(kind)
            self.misuse(f"a call that is not awaited was expected, and it is {kind}")
        found = cast("Deferred[object]", deferred)
        if id(found) in self._used:
            self.misuse(f"{found!r} is used twice, and a call runs once: write it twice")
        self._used[id(found)] = found
        _, place = self._open.pop(id(found), (None, user_location()))
        self._places.append(place)
        if isinstance(found, Call):
            symbol = self._call(found, graded=graded)
        else:
            assert isinstance(found, Composition)
            symbol = self._forms(self, found)
        self._places.pop()
        return symbol

    def place(self) -> str:
        """`file:line` of the step that is being recorded."""
        return self._places[-1]

    def refuse(self, message: str) -> NoReturn:
        """Refuse the declaration for what the step that is being recorded was given."""
        self.misuse(message, where=self.place())

    def argument(
        self, value: object, parameter: Parameter, agent: AnyAgent | None, step: str, where: str
    ) -> Expression:
        """The expression of an argument, or without an agent of a field; its edge is checked."""
        taker = step if agent is None else agent.name
        if isinstance(value, Symbol):
            facts = facts_of(value)
            assumed = None if agent is None else agent.assumed
            path = self.path(step)
            if problem := check.edge_problem(facts, parameter, path, where, assumed=assumed):
                self.problems.add(problem)
            return facts.expression
        if isinstance(value, Deferred):
            deferred = cast("Deferred[object]", value)
            self.misuse(f"{deferred!r} is given to {taker!r} without being awaited: await it first")
        if check.is_too_deep(value):
            self.misuse(
                f"the argument {parameter.name!r} of {taker!r} is {TOO_DEEP}",
                code="bad_constant",
                where=where,
            )
        if check.holds_symbol(value):
            self.misuse(
                f"the argument {parameter.name!r} of {taker!r} is built around a value that is not "
                "known yet. Write struct(Model, field=value), or pass the values one by one"
            )
        try:
            return Const(value=parameter.shape.encode(parameter.shape.accept(value)))
        except (BrokenValueError, OutputError) as error:
            first = error.violations[0]
            message = (
                f"step {step!r} cannot take the constant {reprlib.repr(value)} as "
                f"{parameter.name!r} ({parameter.shape.name}): {first.message}"
            )
            problem = Problem(
                code="bad_constant",
                message=message,
                where=where,
                step=self.path(step),
                pointer=first.pointer,
            )
            self.problems.add(problem)
            return Const(value=None)

    def add(self, step: Step, shape: Shape[Any]) -> Symbol:
        """Add a step to the open block; the symbol of what it gives."""
        self._blocks[-1].steps.append(step)
        return self.symbol(shape, Ref(source=f"step.{self.path(step.name)}"))

    @contextmanager
    def block(self, owner: str) -> Generator[OpenBlock]:
        """Record a block below the step `owner` of the open block."""
        opened = OpenBlock(self.path(owner) + "/")
        self._blocks.append(opened)
        try:
            yield opened
        finally:
            self._blocks.pop()

    def branch(self, owner: OpenBlock, deferred: object) -> tuple[Block, Shape[Any]]:
        """Record a deferred call as a block of its own, its names unique among its siblings."""
        before = len(owner.steps)
        facts = facts_of(self.record(deferred))
        steps = tuple(owner.steps[before:])
        del owner.steps[before:]
        return Block(steps=steps, result=facts.expression), facts.shape

    def name(self, wanted: str, *, is_pinned: bool = False) -> str:
        """A name for a step in the open block."""
        found = self._blocks[-1].name(wanted, is_pinned=is_pinned)
        if found is None:
            message = f"two steps are pinned to the name {wanted!r}: give one another .named(...)"
            problem = Problem(
                code="repeated_name", message=message, where=self.place(), step=self.path(wanted)
            )
            self.problems.add(problem)
        return found or wanted

    def path(self, name: str) -> str:
        """The path of a step in the open block."""
        return self._blocks[-1].prefix + name

    def symbol(self, shape: Shape[Any], expression: Expression) -> Symbol:
        """A symbol that reports its misuse here."""
        return Symbol(Facts(shape, expression, self))

    def _call(self, call: Call[object], *, graded: bool) -> Symbol:
        agent, where = call.agent, self.place()
        name = self.name(agent.step_name or agent.name, is_pinned=agent.step_name is not None)
        for unit in (agent, *agent.fallbacks):
            self._register(unit, name)
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
            fallback_policies=tuple(policy_of_use(fallback) for fallback in agent.fallbacks),
            fallback_classes=tuple(
                tuple(sorted(found.word for found in fallback.answers))
                for fallback in agent.fallbacks
            ),
            catching=tuple(error.code for error in agent.caught),
            policy=policy_of_use(agent),
            graded=graded,
        )
        return self.add(step, check.graded_shape(agent.output) if graded else agent.output)

    def _register(self, unit: AnyAgent, step: str) -> None:
        """Remember an agent; refuse a tool without a grant, and a name that two agents have."""
        known, granted = self.units.setdefault(unit.name, unit), self._granted.get(unit.name)
        if unit.about.effect is not None and granted is None:
            message = (
                f"step {step!r} calls the tool {unit.name!r} without a grant: "
                "add it to tools=[...] of the workflow"
            )
            self._wrong("not_granted", message, step)
            return
        for other in (known, granted or known):
            if other.about is not unit.about:
                message = (
                    f"two agents are called {unit.name!r} ({other.about.where} and "
                    f"{unit.about.where}): give one another name="
                )
                self._wrong("repeated_name", message, step)
                return

    def _wrong(self, code: str, message: str, step: str) -> None:
        where = self.place()
        self.problems.add(Problem(code=code, message=message, where=where, step=self.path(step)))

    def _failed(self, error: Exception) -> DeclarationError:
        what = f"{type(error).__name__} at declaration: {error}"
        message = missing_await(error) or (
            str(error)
            if isinstance(error, ArgumentsError)
            else f"the body raised {what}. It holds steps and compositions, and nothing else"
        )
        return self._refusal(
            [Problem(code="not_recordable", message=message, where=raised_at(error))]
        )

    def _refusal(self, problems: list[Problem] | tuple[Problem, ...]) -> DeclarationError:
        return DeclarationError(self.problems.subject, [*self.problems.found, *problems])


def policy_of_use(agent: AnyAgent) -> Policy | None:
    """How one use of an agent is protected, as it stands in a plan."""
    return agent.policy if agent.policy != NO_POLICY else None


def _at_once(value: R) -> Generator[object, object, R]:
    """A generator that gives its value without waiting."""
    yield from ()
    return value
