"""`@agent` and `@tool`: a Python function as a behaviour, its annotations as the contract."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn, ParamSpec, TypeVar, overload

from fishplate.agents.agent import (
    NO_POLICY,
    Agent,
    AnyAgent,
    Description,
    Kind,
    check_name,
    expect_agent,
    misfit,
)
from fishplate.agents.grants import ungranted_calls
from fishplate.contracts.contract import Contract
from fishplate.contracts.versions import parse_version
from fishplate.contracts.fits import fits, overlaps
from fishplate.contracts.shape import Shape
from fishplate.contracts.signature import Signature
from fishplate.core.errors import DeclarationError, Problem, ProblemList
from fishplate.core.outcome import DeclaredError
from fishplate.core.source import location
from fishplate.resilience.policy import Policy
from fishplate.tools.effect import EFFECTS, Effect, EffectDeclaration

P = ParamSpec("P")
R = TypeVar("R")


class AgentDecorator:
    """What `@agent(...)` gives: makes an agent of an async or a plain function."""

    def __init__(self, declare: Callable[[Callable[..., Any], Mapping[str, object]], AnyAgent]) -> None:
        self._declare = declare

    @overload
    def __call__(self, function: Callable[P, Awaitable[R]], /) -> Agent[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Agent[P, R]: ...
    def __call__(self, function: Callable[..., Any], /) -> AnyAgent:
        """Declare the function."""
        return self._declare(function, sys._getframe(1).f_locals)  # noqa: SLF001 -- names that annotations may use


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
    inline: bool = False,
    contract: Contract | str | Path | None = None,
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
    inline: bool = False,
    contract: Contract | str | Path | None = None,
) -> AnyAgent | AgentDecorator:
    """Make an agent of a function; its annotations are its contract.

    Args:
        function: Async, or plain (then it runs in the app's bounded thread pool). A bound method needs `name=`.
        name: Unique in an app; the function's name by default.
        version: Semantic version of the behaviour, the author's word.
        tools: Tools that the body may call.
        agents: Agents that the body may call.
        errors: Errors that belong to the contract; a body raises them, `catching` makes them values.
        policy: How calls are protected.
        pool: Named bulkhead that the calls share.
        inline: Run a plain function on the event loop; for rules that neither wait nor compute for long.
        contract: The published contract, or the JSON or YAML file that holds it; the annotations must fit it.

    Raises:
        DeclarationError: Something does not fit; holds every problem that was found.
    """

    def declare(found: Callable[..., Any], local: Mapping[str, object]) -> AnyAgent:
        return _declare(
            found,
            local,
            name=name,
            version=version,
            tools=tools,
            agents=agents,
            errors=errors,
            policy=policy,
            pool=pool,
            inline=inline,
            contract=contract,
            effect=None,
        )

    if function is None:
        return AgentDecorator(declare)
    return declare(function, sys._getframe(1).f_locals)  # noqa: SLF001 -- names that annotations may use


@overload
def tool(
    *,
    effect: Effect,
    scopes: Sequence[str] = (),
    name: str | None = None,
    version: str = "0.0.0",
    errors: Sequence[type[DeclaredError]] = (),
    key_ttl: float | None = None,
    key_caches: Literal["all", "success"] = "all",
    business_key: Sequence[str] = (),
    business_window: float = 2_592_000,
    policy: Policy = NO_POLICY,
    pool: str | None = None,
    inline: bool = False,
) -> AgentDecorator: ...
@overload
def tool(function: Callable[..., object], /) -> NoReturn: ...
def tool(  # noqa: PLR0913 -- the words of the decorator, keyword-only
    function: Callable[..., object] | None = None,
    /,
    *,
    effect: Effect | None = None,
    scopes: Sequence[str] = (),
    name: str | None = None,
    version: str = "0.0.0",
    errors: Sequence[type[DeclaredError]] = (),
    key_ttl: float | None = None,
    key_caches: Literal["all", "success"] = "all",
    business_key: Sequence[str] = (),
    business_window: float = 2_592_000,
    policy: Policy = NO_POLICY,
    pool: str | None = None,
    inline: bool = False,
) -> AgentDecorator:
    """Make a tool of a function: a contract plus a declared effect.

    Args:
        function: Not to be given: a tool without a declared effect is refused.
        effect: What may be repeated after a lost answer; see `EffectDeclaration`. It has to be said.
        scopes: Data scopes that it touches, e.g. `orders:write`.
        name: Unique in an app; the function's name by default.
        version: Semantic version of the behaviour.
        errors: Errors that belong to the contract.
        key_ttl: Seconds for which the other side remembers an idempotency key; for `keyed`.
        key_caches: Whether the other side replays every first answer or only successes.
        business_key: Names of input fields that make one effect in the world.
        business_window: Seconds for which the business key holds.
        policy: How calls are protected.
        pool: Named bulkhead that the calls share.
        inline: Run a plain function on the event loop.

    Raises:
        DeclarationError: Something does not fit; holds every problem that was found.
    """

    def declare(found: Callable[..., Any], local: Mapping[str, object]) -> AnyAgent:
        if effect is None:
            name_, where = found.__name__, location(found)
            message = f"tool {name_!r} declares no effect: say effect=, one of {', '.join(EFFECTS)}"
            raise DeclarationError(f"tool {name_!r}", [Problem(code="no_effect", message=message, where=where)])
        declaration = EffectDeclaration(
            effect=effect,
            scopes=tuple(scopes),
            key_ttl=key_ttl,
            key_caches=key_caches,
            business_key=tuple(business_key),
            business_window=business_window,
        )
        return _declare(
            found,
            local,
            name=name,
            version=version,
            tools=(),
            agents=(),
            errors=errors,
            policy=policy,
            pool=pool,
            inline=inline,
            contract=None,
            effect=declaration,
        )

    if function is not None:
        declare(function, {})
    return AgentDecorator(declare)


def _declare(  # noqa: PLR0913 -- one place for both decorators
    function: Callable[..., Any],
    local: Mapping[str, object],
    *,
    name: str | None,
    version: str,
    tools: Sequence[AnyAgent],
    agents: Sequence[AnyAgent],
    errors: Sequence[type[DeclaredError]],
    policy: Policy,
    pool: str | None,
    inline: bool,
    contract: Contract | str | Path | None,
    effect: EffectDeclaration | None,
) -> AnyAgent:
    where = location(function)
    name = _name_of(function, name, where)
    subject = f"{'tool' if effect is not None else 'agent'} {name!r}"
    check_name(name, subject)
    signature = Signature.of(function, subject=subject, where=where, local=local)
    problems = ProblemList(subject)
    if parse_version(version) is None:
        message = f"version={version!r} is not a semantic version such as '1.2.0'"
        problems.add(Problem(code="bad_version", message=message, where=where))
    if effect is not None:
        for reason in effect.problems(tuple(parameter.name for parameter in signature.parameters)):
            problems.add(Problem(code="bad_effect", message=f"{subject}: {reason}", where=where))
    about = Description(
        name=name,
        version=version,
        kind=_kind_of(function, inline=inline, subject=subject, where=where, problems=problems),
        signature=signature,
        function=function,
        where=where,
        tools=tuple(expect_agent(found, f"a tool of {subject}") for found in tools),
        agents=tuple(expect_agent(found, f"an agent of {subject}") for found in agents),
        errors=tuple(errors),
        effect=effect,
        pool=pool,
        text=_first_paragraph(function),
        contract=None if contract is None else _published(contract, name),
    )
    check_output(about, problems)
    if about.contract is not None:
        _check_published(about, about.contract, problems)
    _check_grants(about, problems)
    problems.raise_if_any()
    return Agent(about, policy=policy)


def _name_of(function: Callable[..., Any], name: str | None, where: str) -> str:
    found = name or getattr(function, "__name__", "")
    if not found or found == "<lambda>":
        message = "a behaviour without a name of its own needs name="
        raise DeclarationError("agent", [Problem(code="bad_name", message=message, where=where)])
    enclosing = getattr(function, "__qualname__", "").split(".")[:-1]
    if enclosing and enclosing[-1] != "<locals>" and not inspect.ismethod(function):
        message = (
            f"{found!r} is a method in the class body of {enclosing[-1]!r}: its 'self' is not there yet. "
            f"Make the agent from the object: agent(obj.{found}, name=...)"
        )
        raise DeclarationError(f"agent {found!r}", [Problem(code="method", message=message, where=where)])
    return found


def _kind_of(
    function: Callable[..., Any], *, inline: bool, subject: str, where: str, problems: ProblemList
) -> Kind:
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        message = f"{subject} is a generator: return one value"
        problems.add(Problem(code="not_a_function", message=message, where=where))
    if inspect.iscoroutinefunction(function):
        if inline:
            message = f"{subject} is async, so inline=True has no effect: leave it out"
            problems.add(Problem(code="no_effect", message=message, where=where))
        return "async"
    return "inline" if inline else "thread"


def _first_paragraph(function: Callable[..., Any]) -> str:
    text = inspect.getdoc(function) or ""
    return " ".join(text.split("\n\n", 1)[0].split())


def check_output(about: Description, problems: ProblemList) -> None:
    """Refuse an output union whose members a reader could not tell apart."""
    arms = [*about.signature.output.arms(), *(Shape.of(error) for error in about.errors)]
    for index, first in enumerate(arms):
        for second in arms[index + 1 :]:
            if overlaps(first.gives, second.gives) != "no":
                message = (
                    f"{about.subject}: {first.name!r} and {second.name!r} in its output cannot be told apart as JSON. "
                    f"Give each a tag, e.g. kind: Literal[{first.name.lower()!r}]"
                )
                problems.add(Problem(code="overlapping_members", message=message, where=about.where))


def _published(contract: Contract | str | Path, name: str) -> Contract:
    found = contract if isinstance(contract, Contract) else Contract.load(contract)
    if found.name != name:
        message = f"the contract is that of {found.name!r}, not of {name!r}: rename one of them"
        raise DeclarationError(f"agent {name!r}", [Problem(code="contract_mismatch", message=message)])
    return found


def _check_published(about: Description, contract: Contract, problems: ProblemList) -> None:
    """The code must take what the published contract lets callers send, and give no more than it promises."""
    takes = fits(contract.input, about.signature.takes)
    if takes.verdict != "fits":
        message = f"{about.subject} does not take everything that its published contract allows: {takes.reason}"
        problems.add(misfit("contract_mismatch", message, takes, about.where))
    gives = fits(about.signature.output.gives, contract.output)
    if gives.verdict != "fits":
        message = f"{about.subject} may give what its published contract does not promise: {gives.reason}"
        problems.add(misfit("contract_mismatch", message, gives, about.where))


def _check_grants(about: Description, problems: ProblemList) -> None:
    for found in about.tools:
        if found.about.effect is None:
            message = f"{found.name!r} in tools= of {about.subject} has no effect: it is an agent, grant it in agents="
            problems.add(Problem(code="bad_grant", message=message, where=about.where))
    for found in about.agents:
        if found.about.effect is not None:
            message = f"{found.name!r} in agents= of {about.subject} is a tool: grant it in tools="
            problems.add(Problem(code="bad_grant", message=message, where=about.where))
    names = [found.name for found in (*about.tools, *about.agents)]
    for repeated in sorted({found for found in names if names.count(found) > 1}):
        message = f"{about.subject} grants two agents that are both called {repeated!r}: give one another name="
        problems.add(Problem(code="repeated_name", message=message, where=about.where))
    for where, found in ungranted_calls(about.function, set(names)):
        word = "tools" if found.about.effect is not None else "agents"
        message = f"{about.subject} calls {found.name!r} without a grant: add it to {word}=[...] of the decorator"
        problems.add(Problem(code="not_granted", message=message, where=where))


