"""`@agent` and `@tool`: a Python function as a behaviour, its annotations as the contract."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar, overload

from fishplate.agents.agent import NO_POLICY, Agent, AnyAgent, Description, expect_agent
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
from fishplate.core.source import location, user_location, user_names
from fishplate.resilience.classify import NO_MAP, ErrorMap
from fishplate.resilience.policy import Policy
from fishplate.tools.effect import EFFECTS, Effect, EffectDeclaration

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
    effect: EffectDeclaration | None = None

    @overload
    def __call__(self, function: Callable[P, Awaitable[R]], /) -> Agent[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Agent[P, R]: ...
    def __call__(self, function: Callable[..., Any], /) -> AnyAgent:
        """Declare the function.

        Raises:
            DeclarationError: Something does not fit; holds every problem that was found.
        """
        return _declare(function, self, user_names())


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
    )
    return decorator if function is None else decorator(function)


@overload
def tool(
    *,
    effect: Effect,
    scopes: Sequence[str] = (),
    target: str | None = None,
    name: str | None = None,
    version: str = "0.0.0",
    errors: Sequence[type[DeclaredError]] = (),
    key_ttl: float | None = None,
    key_caches: Literal["all", "success"] = "all",
    business_key: Sequence[str] = (),
    business_window: float = 2_592_000,
    policy: Policy = NO_POLICY,
    pool: str | None = None,
    error_classes: ErrorMap = NO_MAP,
    inline: bool = False,
) -> AgentDecorator: ...
@overload
def tool(
    function: Callable[P, Awaitable[R]],
    /,
    *,
    effect: Effect,
    scopes: Sequence[str] = (),
    target: str | None = None,
    name: str,
    version: str = "0.0.0",
    errors: Sequence[type[DeclaredError]] = (),
    key_ttl: float | None = None,
    key_caches: Literal["all", "success"] = "all",
    business_key: Sequence[str] = (),
    business_window: float = 2_592_000,
    policy: Policy = NO_POLICY,
    pool: str | None = None,
    error_classes: ErrorMap = NO_MAP,
) -> Agent[P, R]: ...
@overload
def tool(
    function: Callable[P, R],
    /,
    *,
    effect: Effect,
    scopes: Sequence[str] = (),
    target: str | None = None,
    name: str,
    version: str = "0.0.0",
    errors: Sequence[type[DeclaredError]] = (),
    key_ttl: float | None = None,
    key_caches: Literal["all", "success"] = "all",
    business_key: Sequence[str] = (),
    business_window: float = 2_592_000,
    policy: Policy = NO_POLICY,
    pool: str | None = None,
    error_classes: ErrorMap = NO_MAP,
    inline: bool = False,
) -> Agent[P, R]: ...
def tool(  # noqa: PLR0913 -- the words of the decorator, keyword-only
    function: Callable[..., Any] | None = None,
    /,
    *,
    effect: Effect | None = None,
    scopes: Sequence[str] = (),
    target: str | None = None,
    name: str | None = None,
    version: str = "0.0.0",
    errors: Sequence[type[DeclaredError]] = (),
    key_ttl: float | None = None,
    key_caches: Literal["all", "success"] = "all",
    business_key: Sequence[str] = (),
    business_window: float = 2_592_000,
    policy: Policy = NO_POLICY,
    pool: str | None = None,
    error_classes: ErrorMap = NO_MAP,
    inline: bool = False,
) -> AnyAgent | AgentDecorator:
    """Make a tool of a function: a contract plus a declared effect.

    Args:
        function: As for `agent`.
        effect: What may be repeated after a lost answer; see `EffectDeclaration`. It has to be
            said: a tool without an effect is refused.
        scopes: Data scopes that it touches, e.g. `orders:write`.
        target: What the tool reaches, e.g. `payments`; tools of one target share its breaker,
            bulkhead, rate limit and retry budget. By default each tool is a target of its own.
        name: Unique in an app; the function's name by default.
        version: Semantic version of the behaviour.
        errors: Errors that belong to the contract.
        key_ttl: Seconds for which the other side remembers an idempotency key; for `keyed`.
        key_caches: Whether the other side replays every first answer or only successes.
        business_key: Names of input fields that make one effect in the world.
        business_window: Seconds for which the business key holds.
        policy: How calls are protected.
        pool: Named bulkhead that the calls share.
        error_classes: How exceptions of others' making are treated, by type; the most specific
            counts, and what is not named is a bug, but for Python's own of connections and time.
        inline: Run a plain function on the event loop.

    Raises:
        DeclarationError: Something does not fit; holds every problem that was found.
    """
    if effect is None:
        name = name or getattr(function, "__name__", None)
        subject = "a tool" if name is None else f"tool {name!r}"
        message = f"{subject} declares no effect: say effect=, one of {', '.join(EFFECTS)}"
        where = user_location() if function is None else location(function)
        raise DeclarationError(subject, [Problem(code="no_effect", message=message, where=where)])
    decorator = AgentDecorator(
        name=name,
        version=version,
        errors=errors,
        policy=policy,
        pool=pool,
        target=target,
        error_classes=error_classes,
        inline=inline,
        effect=EffectDeclaration(
            effect=effect,
            scopes=_several("scopes", scopes),
            key_ttl=key_ttl,
            key_caches=key_caches,
            business_key=_several("business_key", business_key),
            business_window=business_window,
        ),
    )
    return decorator if function is None else decorator(function)


def _several(word: str, found: Sequence[str]) -> tuple[str, ...]:
    """The words of a list; a single text would be taken letter by letter."""
    if isinstance(found, str):
        message = f"{word}={found!r} is one text, and a list is meant: write {word}=[{found!r}]"
        problem = Problem(code="bad_effect", message=message, where=user_location())
        raise DeclarationError("tool", [problem])
    return tuple(found)


def _declare(
    function: Callable[..., Any], words: AgentDecorator, local: Mapping[str, object]
) -> AnyAgent:
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
    problems.raise_if_any()
    return Agent(about, policy=words.policy)
