"""`@workflow`: an async function that is read, recorded twice and checked when it is declared."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar, overload

from fishplate.agents.agent import (
    NO_POLICY,
    AnyAgent,
    Description,
    OnFailure,
    expect_agent,
    misfit,
)
from fishplate.agents.declaration import (
    by_position,
    check_kinds,
    check_output,
    check_version,
    first_paragraph,
    name_of,
    read_signature,
)
from fishplate.contracts.signature import Signature
from fishplate.core.data import dataclass
from fishplate.core.errors import DeclarationError, Problem, ProblemList
from fishplate.core.outcome import DeclaredError
from fishplate.core.source import location, read_source, user_names
from fishplate.resilience.policy import Policy
from fishplate.workflows import check
from fishplate.workflows.forms import record_composition
from fishplate.workflows.plan import CallStep, Plan
from fishplate.workflows.reading import BodyReader
from fishplate.workflows.recorder import Recorder
from fishplate.workflows.symbols import Symbol, facts_of
from fishplate.workflows.workflow import Workflow, every_unit

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkflowDecorator:
    """What `@workflow(...)` gives. Its attributes are the words of the decorator."""

    name: str | None
    version: str
    tools: Sequence[AnyAgent]
    errors: Sequence[type[DeclaredError]]
    policy: Policy
    on_failure: OnFailure

    def __call__(self, function: Callable[P, Awaitable[R]], /) -> Workflow[P, R]:
        """Declare the function.

        Raises:
            DeclarationError: Something does not fit or cannot be recorded; holds every problem
                that was found.
        """
        return _declare(function, self, user_names())


@overload
def workflow(function: Callable[P, Awaitable[R]], /) -> Workflow[P, R]: ...
@overload
def workflow(
    *,
    name: str | None = None,
    version: str = "0.0.0",
    tools: Sequence[AnyAgent] = (),
    errors: Sequence[type[DeclaredError]] = (),
    policy: Policy = NO_POLICY,
    on_failure: OnFailure = "keep",
) -> WorkflowDecorator: ...
def workflow(  # noqa: PLR0913 -- the words of the decorator, keyword-only
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    version: str = "0.0.0",
    tools: Sequence[AnyAgent] = (),
    errors: Sequence[type[DeclaredError]] = (),
    policy: Policy = NO_POLICY,
    on_failure: OnFailure = "keep",
) -> Workflow[..., Any] | WorkflowDecorator:
    """Make an agent of agents: the body is recorded as a plan, and every edge of it is checked now.

    Args:
        function: Async; its body names steps and compositions, and nothing else.
        name: Unique in an app; the function's name by default.
        version: Semantic version.
        tools: Tools that the body may call as steps.
        errors: Declared errors of steps that may leave the workflow; the others are caught.
        policy: How calls of the workflow are protected.
        on_failure: With `compensate`, the effects of its steps are undone when it fails, the last
            one first, each by its tool's `compensate=`; this needs a store.

    Raises:
        DeclarationError: Something does not fit or cannot be recorded; holds every problem that
            was found. A body that cannot be recorded is not run, so its edges are judged once it
            can be.
    """
    decorator = WorkflowDecorator(
        name=name,
        version=version,
        tools=tools,
        errors=errors,
        policy=policy,
        on_failure=on_failure,
    )
    return decorator if function is None else decorator(function)


def _declare(
    function: Callable[P, Awaitable[R]], words: WorkflowDecorator, local: Mapping[str, object]
) -> Workflow[P, R]:
    name, where = name_of(function, words.name, "workflow"), location(function)
    subject = f"workflow {name!r}"
    problems = ProblemList(subject)
    check_version(words.version, where, problems)
    granted = tuple(expect_agent(found, f"a tool of {subject}") for found in words.tools)
    check_kinds(granted, (), where, problems)
    signature = read_signature(function, problems, local)
    if signature is not None:
        check_output(signature.output, words.errors, where, problems)
    is_recordable = _read(function, where, problems)
    if signature is None or not is_recordable:
        raise DeclarationError(subject, problems.found)
    plan, units = _record_twice(by_position(function), name, signature, granted, problems)
    for problem in (
        *_errors_that_leave(plan, units, words.errors),
        *_unused_errors(plan, units, words.errors, subject, where),
        *_repeated_names(name, units.values(), where),
    ):
        problems.add(problem)
    problems.raise_if_any()
    about = Description(
        name=name,
        version=words.version,
        kind="plan",
        signature=signature,
        function=function,
        where=where,
        tools=granted,
        agents=tuple(found for found in units.values() if found.about.effect is None),
        errors=tuple(words.errors),
        on_failure=words.on_failure,
        text=first_paragraph(function),
        behaviour={"plan": plan.behaviour()},
        step_policies=plan.policies(),
    )
    return Workflow(about, policy=words.policy, plan=plan, units=units)


def _read(function: Callable[..., Any], where: str, problems: ProblemList) -> bool:
    """Read the body; whether it may run to be recorded."""
    subject, source, before = problems.subject, read_source(function), len(problems.found)
    if not inspect.iscoroutinefunction(function):
        generator = inspect.isasyncgenfunction(function)
        instead = "return one value, and yield none" if generator else "write 'async def'"
        message = f"{subject} is not a plain async function: {instead}"
        problems.add(Problem(code="not_a_function", message=message, where=where))
    elif source is None:
        message = (
            f"the source of {subject} cannot be read (a REPL, exec, or a decorator below "
            "@workflow), so nobody could tell what a recording leaves out: put the workflow into "
            "a file, with @workflow next to 'async def'"
        )
        problems.add(Problem(code="no_source", message=message, where=where))
    else:
        BodyReader(source, problems).read()
    return len(problems.found) == before


def _record_twice(
    function: Callable[..., Any],
    name: str,
    signature: Signature,
    granted: tuple[AnyAgent, ...],
    problems: ProblemList,
) -> tuple[Plan, dict[str, AnyAgent]]:
    plan, units = _record(function, name, signature, granted, problems)
    again, _ = _record(function, name, signature, granted, ProblemList(problems.subject))
    if plan != again:
        message = (
            "two recordings of the body differ, so it depends on something that is not in the plan "
            "(a counter, a clock, an id). Take it from current() inside an agent"
        )
        where = location(function)
        problems.add(Problem(code="not_repeatable", message=message, where=where))
    return plan, units


def _record(
    function: Callable[..., Any],
    name: str,
    signature: Signature,
    granted: tuple[AnyAgent, ...],
    problems: ProblemList,
) -> tuple[Plan, dict[str, AnyAgent]]:
    recorder = Recorder(granted, problems, record_composition)
    returned = recorder.run(function, signature.parameters)
    block = recorder.finish(returned, signature.output)
    if isinstance(returned, Symbol):
        facts = facts_of(returned)
        verdict = check.result_fits(facts, signature.output)
        if verdict.verdict != "fits":
            message = (
                f"the workflow promises {signature.output.name} and returns {facts.shape.name}: "
                f"{verdict.reason}"
            )
            problems.add(misfit("mismatched_result", message, verdict, location(function)))
    parameters = tuple(parameter.name for parameter in signature.parameters)
    return Plan(name=name, parameters=parameters, block=block), recorder.units


def _leaving(
    plan: Plan, units: Mapping[str, AnyAgent]
) -> Iterator[tuple[type[DeclaredError], CallStep, str, str]]:
    """The declared errors that no step makes a value, each with its step, path and agent."""
    for path, step in plan.steps():
        if isinstance(step, CallStep):
            own = units[step.agent].about.errors
            caught = {error for error in own if error.code in step.catching}
            for agent in (step.agent, *step.fallbacks):
                for error in units[agent].about.errors:
                    if error not in caught:
                        yield error, step, path, agent


def _errors_that_leave(
    plan: Plan, units: Mapping[str, AnyAgent], errors: Sequence[type[DeclaredError]]
) -> Iterator[Problem]:
    for error, step, path, agent in _leaving(plan, units):
        if error not in errors:
            word = error.__name__
            catch = f"catch it, {agent}.catching({word}), and route it; or " * (agent == step.agent)
            message = (
                f"step {path!r} may end with the declared error {word!r} of {agent!r}, which the "
                f"workflow does not declare: {catch}add it to errors=[...] of the workflow"
            )
            yield Problem(code="undeclared_error", message=message, where=step.where, step=path)


def _unused_errors(
    plan: Plan,
    units: Mapping[str, AnyAgent],
    errors: Sequence[type[DeclaredError]],
    subject: str,
    where: str,
) -> Iterator[Problem]:
    possible = {error for error, *_ in _leaving(plan, units)}
    for error in errors:
        if error not in possible:
            message = (
                f"{subject} declares {error.__name__!r}, and no step lets it through: leave it out"
            )
            yield Problem(code="unused_error", message=message, where=where)


def _repeated_names(name: str, units: Iterable[AnyAgent], where: str) -> Iterator[Problem]:
    """Names that mean two agents, at any depth; those of the steps are judged by the recorder."""
    known: dict[str, AnyAgent] = {}
    for unit in every_unit(units):
        other = known.setdefault(unit.name, unit)
        if other.about is not unit.about:
            message = (
                f"two agents below the workflow are called {unit.name!r} ({other.about.where} and "
                f"{unit.about.where}): give one another name="
            )
            yield Problem(code="repeated_name", message=message, where=where)
        if unit.name == name:
            message = (
                f"an agent below the workflow has its name, {name!r} ({unit.about.where}): "
                "give one another name="
            )
            yield Problem(code="repeated_name", message=message, where=where)
