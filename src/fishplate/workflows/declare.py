"""`@workflow`: an async function that is read, recorded twice and checked when it is declared."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar, overload

from fishplate.agents.agent import NO_POLICY, AnyAgent, Description, check_name, expect_agent, misfit
from fishplate.agents.function import check_output
from fishplate.contracts.versions import parse_version
from fishplate.contracts.signature import Signature
from fishplate.core.errors import DeclarationError, Problem, ProblemList
from fishplate.core.outcome import DeclaredError
from fishplate.core.source import location, read_source
from fishplate.resilience.policy import Policy
from fishplate.workflows import check
from fishplate.workflows.forms import record_composition
from fishplate.workflows.plan import Plan, without_places
from fishplate.workflows.reading import BodyReader
from fishplate.workflows.recorder import Recorder
from fishplate.workflows.symbols import Symbol, facts_of
from fishplate.workflows.workflow import Workflow

P = ParamSpec("P")
R = TypeVar("R")


class WorkflowDecorator:
    """What `@workflow(...)` gives."""

    def __init__(self, declare: Callable[[Callable[..., Any], Mapping[str, object]], Workflow[..., Any]]) -> None:
        self._declare = declare

    def __call__(self, function: Callable[P, Awaitable[R]], /) -> Workflow[P, R]:
        """Declare the function."""
        return self._declare(function, sys._getframe(1).f_locals)  # noqa: SLF001 -- names that annotations may use


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
) -> WorkflowDecorator: ...
def workflow(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    version: str = "0.0.0",
    tools: Sequence[AnyAgent] = (),
    errors: Sequence[type[DeclaredError]] = (),
    policy: Policy = NO_POLICY,
) -> Workflow[..., Any] | WorkflowDecorator:
    """Make an agent of agents: the body is recorded as a plan, and every edge of it is checked now.

    Args:
        function: Async; its body names steps and compositions, and nothing else.
        name: Unique in an app; the function's name by default.
        version: Semantic version.
        tools: Tools that the body may call as steps.
        errors: Declared errors of steps that may leave the workflow.
        policy: How calls of the workflow are protected.

    Raises:
        DeclarationError: Something does not fit or cannot be recorded; holds every problem that was found.
    """

    def declare(found: Callable[..., Any], local: Mapping[str, object]) -> Workflow[..., Any]:
        return _declare(
            found, local, name=name, version=version, tools=tools, errors=errors, policy=policy
        )

    if function is None:
        return WorkflowDecorator(declare)
    return declare(function, sys._getframe(1).f_locals)  # noqa: SLF001 -- names that annotations may use


def _declare(  # noqa: PLR0913 -- the words of the decorator, keyword-only
    function: Callable[..., Any],
    local: Mapping[str, object],
    *,
    name: str | None,
    version: str,
    tools: Sequence[AnyAgent],
    errors: Sequence[type[DeclaredError]],
    policy: Policy,
) -> Workflow[..., Any]:
    where = location(function)
    name = name or function.__name__
    subject = f"workflow {name!r}"
    check_name(name, subject)
    problems = ProblemList(subject)
    if parse_version(version) is None:
        message = f"version={version!r} is not a semantic version such as '1.2.0'"
        problems.add(Problem(code="bad_version", message=message, where=where))
    _read(function, subject, where, problems)
    signature = Signature.of(function, subject=subject, where=where, local=local)
    granted = tuple(expect_agent(found, f"a tool of {subject}") for found in tools)
    plan, units = _record_twice(function, name, signature, granted, problems)
    _check_undeclared_errors(units, errors, problems, subject, where)
    about = Description(
        name=name,
        version=version,
        kind="plan",
        signature=signature,
        function=function,
        where=where,
        tools=granted,
        agents=tuple(found for found in units.values() if found.about.effect is None),
        errors=tuple(errors),
        text=" ".join((inspect.getdoc(function) or "").split("\n\n", 1)[0].split()),
        behaviour={"plan": without_places(plan.to_json())},
    )
    check_output(about, problems)
    problems.raise_if_any()
    return Workflow(about, policy=policy, plan=plan, units=units)


def _read(function: Callable[..., Any], subject: str, where: str, problems: ProblemList) -> None:
    if not inspect.iscoroutinefunction(function):
        message = f"{subject} is not an async function: write 'async def'"
        raise DeclarationError(subject, [Problem(code="not_a_function", message=message, where=where)])
    source = read_source(function)
    if source is None:
        message = (
            f"the source of {subject} cannot be read (a REPL, exec, or a decorator below @workflow), so nobody "
            "could tell what a recording leaves out: put the workflow into a file, with @workflow next to 'async def'"
        )
        raise DeclarationError(subject, [Problem(code="no_source", message=message, where=where)])
    BodyReader(source, problems).read()
    problems.raise_if_any()


def _record_twice(
    function: Callable[..., Any],
    name: str,
    signature: Signature,
    granted: tuple[AnyAgent, ...],
    problems: ProblemList,
) -> tuple[Plan, dict[str, AnyAgent]]:
    plan, units = _record(function, name, signature, granted, problems)
    problems.raise_if_any()
    again, _ = _record(function, name, signature, granted, ProblemList(problems.subject))
    if plan != again:
        message = (
            "two recordings of the body differ, so it depends on something that is not in the plan "
            "(a counter, a clock, an id). Take it from current() inside an agent"
        )
        raise DeclarationError(
            problems.subject, [Problem(code="not_repeatable", message=message, where=location(function))]
        )
    return plan, units


def _record(
    function: Callable[..., Any],
    name: str,
    signature: Signature,
    granted: tuple[AnyAgent, ...],
    problems: ProblemList,
) -> tuple[Plan, dict[str, AnyAgent]]:
    recorder = Recorder(problems.subject, frozenset(tool.name for tool in granted), problems, record_composition)
    returned = recorder.run(function, signature.parameters)
    block = recorder.finish(returned, signature.output)
    if isinstance(returned, Symbol):
        verdict = check.shape_fits_output(facts_of(returned), signature.output)
        if verdict.verdict != "fits":
            given = facts_of(returned).shape.name
            message = f"the workflow promises {signature.output.name} and returns {given}: {verdict.reason}"
            problems.add(misfit("mismatched_result", message, verdict, location(function)))
    plan = Plan(
        name=name, parameters=tuple(parameter.name for parameter in signature.parameters), block=block
    )
    return plan, recorder.units


def _check_undeclared_errors(
    units: Mapping[str, AnyAgent],
    errors: Sequence[type[DeclaredError]],
    problems: ProblemList,
    subject: str,
    where: str,
) -> None:
    possible = {error for unit in units.values() for error in unit.about.errors}
    for error in errors:
        if error not in possible:
            message = f"{subject} declares {error.__name__!r}, and none of its steps raises it: leave it out"
            problems.add(Problem(code="no_effect", message=message, where=where))


