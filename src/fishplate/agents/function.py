"""`@agent`: a Python function as a behaviour, its annotations as the contract."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, overload

from fishplate.agents.agent import (
    NO_POLICY,
    Agent,
    AnyAgent,
    Description,
    OnFailure,
    expect_agent,
)
from fishplate.agents.behind import problems_behind
from fishplate.agents.declaration import (
    by_position,
    check_grants,
    check_output,
    check_published,
    check_version,
    first_paragraph,
    kind_of,
    name_of,
    published_contract,
    read_signature,
)
from fishplate.contracts.contract import Contract
from fishplate.core.data import dataclass
from fishplate.core.errors import DeclarationError, Problem, ProblemList
from fishplate.core.outcome import DeclaredError
from fishplate.core.source import location, user_names
from fishplate.resilience.classify import NO_MAP, ErrorMap
from fishplate.resilience.policy import Policy
from fishplate.tools.effect import EffectDeclaration

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentDecorator:
    """What `@agent(...)` and `@tool(...)` give: makes an agent of an async or a plain function.

    Its attributes are the words of the decorator; see `agent` and `tool`.
    """

    name: str | None
    version: str
    tools: Sequence[AnyAgent] = ()
    agents: Sequence[AnyAgent] = ()
    errors: Sequence[type[DeclaredError]]
    policy: Policy
    pool: str | None
    target: str | None = None
    error_classes: ErrorMap
    inline: bool
    contract: Contract | str | Path | None = None
    on_failure: OnFailure = "keep"
    effect: EffectDeclaration | None = None
    lookup: AnyAgent | None = None
    compensate: AnyAgent | None = None

    @overload
    def __call__(self, function: Callable[P, Awaitable[R]], /) -> Agent[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Agent[P, R]: ...
    def __call__(self, function: Callable[..., Any], /) -> AnyAgent:
        """Declare the function.

        Raises:
            DeclarationError: Something does not fit; holds every problem that was found.
        """
        return declare(function, self, user_names())


@overload
def agent(function: Callable[P, Awaitable[R]], /) -> Agent[P, R]: ...
@overload
def agent(function: Callable[P, R], /) -> Agent[P, R]: ...
@overload
def agent(
    *,
    name: str | None = None,
    version: str = "0.0.0",
    tools: Sequence[AnyAgent] = (),
    agents: Sequence[AnyAgent] = (),
    errors: Sequence[type[DeclaredError]] = (),
    policy: Policy = NO_POLICY,
    pool: str | None = None,
    error_classes: ErrorMap = NO_MAP,
    inline: bool = False,
    contract: Contract | str | Path | None = None,
    on_failure: OnFailure = "keep",
) -> AgentDecorator: ...
@overload
def agent(
    function: Callable[P, Awaitable[R]],
    /,
    *,
    name: str,
    version: str = "0.0.0",
    tools: Sequence[AnyAgent] = (),
    agents: Sequence[AnyAgent] = (),
    errors: Sequence[type[DeclaredError]] = (),
    policy: Policy = NO_POLICY,
    pool: str | None = None,
    error_classes: ErrorMap = NO_MAP,
    contract: Contract | str | Path | None = None,
    on_failure: OnFailure = "keep",
) -> Agent[P, R]: ...
@overload
def agent(
    function: Callable[P, R],
    /,
    *,
    name: str,
    version: str = "0.0.0",
    tools: Sequence[AnyAgent] = (),
    agents: Sequence[AnyAgent] = (),
    errors: Sequence[type[DeclaredError]] = (),
    policy: Policy = NO_POLICY,
    pool: str | None = None,
    error_classes: ErrorMap = NO_MAP,
    inline: bool = False,
    contract: Contract | str | Path | None = None,
    on_failure: OnFailure = "keep",
) -> Agent[P, R]: ...
def agent(  # noqa: PLR0913 -- the words of the decorator, keyword-only
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    version: str = "0.0.0",
    tools: Sequence[AnyAgent] = (),
    agents: Sequence[AnyAgent] = (),
    errors: Sequence[type[DeclaredError]] = (),
    policy: Policy = NO_POLICY,
    pool: str | None = None,
    error_classes: ErrorMap = NO_MAP,
    inline: bool = False,
    contract: Contract | str | Path | None = None,
    on_failure: OnFailure = "keep",
) -> AnyAgent | AgentDecorator:
    """Make an agent of a function; its annotations are its contract.

    Args:
        function: Async, or plain (then it runs in the app's bounded thread pool); a bound method
            too, given with `name=`.
        name: Unique in an app; the function's name by default.
        version: Semantic version of the behaviour, the author's word.
        tools: Tools that the body may call.
        agents: Agents that the body may call.
        errors: Errors that belong to the contract; a body raises them, `catching` makes them
            values.
        policy: How calls are protected.
        pool: Named bulkhead that the calls share.
        error_classes: How exceptions of others' making are treated, by type; the most specific
            counts, and what is not named is a bug, but for Python's own of connections and time.
        inline: Run a plain function on the event loop; for rules that neither wait nor compute
            for long.
        contract: The published contract, or the JSON or YAML file that holds it; the annotations
            must fit it.
        on_failure: With `compensate`, the effects of its calls are undone when it fails, the last
            one first, each by its tool's `compensate=`; this needs a store.

    Raises:
        DeclarationError: Something does not fit; holds every problem that was found.
    """
    decorator = AgentDecorator(
        name=name,
        version=version,
        tools=tools,
        agents=agents,
        errors=errors,
        policy=policy,
        pool=pool,
        error_classes=error_classes,
        inline=inline,
        contract=contract,
        on_failure=on_failure,
    )
    return decorator if function is None else decorator(function)


def declare(
    function: Callable[..., Any], words: AgentDecorator, local: Mapping[str, object]
) -> AnyAgent:
    """Declare a function as an agent or a tool.

    Args:
        function: The behaviour.
        words: Those of the decorator.
        local: Names visible where it is declared.

    Raises:
        DeclarationError: Something does not fit; holds every problem that was found.
    """
    name = name_of(function, words.name, "agent" if words.effect is None else "tool")
    where = location(function)
    subject = f"{'agent' if words.effect is None else 'tool'} {name!r}"
    problems = ProblemList(subject)
    check_version(words.version, where, problems)
    kind = kind_of(function, inline=words.inline, where=where, problems=problems)
    published = (
        None
        if words.contract is None
        else published_contract(words.contract, name, where, problems)
    )
    signature = read_signature(function, problems, local)
    if signature is None:
        raise DeclarationError(subject, problems.found)
    if words.effect is not None:
        for reason in words.effect.problems(signature.input_fields):
            message = f"{subject}: {reason}"
            problems.add(Problem(code="bad_effect", message=message, where=where))
    adapter = by_position(function)
    about = Description(
        name=name,
        version=words.version,
        kind=kind,
        signature=signature,
        function=adapter,
        source=None if adapter is function else function,
        where=where,
        tools=tuple(expect_agent(found, f"a tool of {subject}") for found in words.tools),
        agents=tuple(expect_agent(found, f"an agent of {subject}") for found in words.agents),
        errors=tuple(words.errors),
        effect=words.effect,
        lookup=words.lookup,
        compensate=words.compensate,
        on_failure=words.on_failure,
        pool=words.pool,
        target=words.target,
        error_classes=words.error_classes,
        text=first_paragraph(function),
        contract=published,
    )
    check_output(signature.output, about.errors, where, problems)
    if published is not None:
        check_published(about, published, problems)
    check_grants(about, problems)
    for problem in problems_behind(about):
        problems.add(problem)
    problems.raise_if_any()
    return Agent(about, policy=words.policy)
