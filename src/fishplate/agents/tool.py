"""`@tool`: a Python function as a tool: its annotations as the contract, its effect declared."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, ParamSpec, Protocol, TypeVar, overload

from fishplate.agents.agent import NO_POLICY, Agent, AnyAgent, expect_agent
from fishplate.agents.function import AgentDecorator
from fishplate.core.errors import DeclarationError, Problem
from fishplate.core.outcome import CannotSay, DeclaredError, NotDone
from fishplate.core.source import location, user_location
from fishplate.resilience.classify import NO_MAP, ErrorMap
from fishplate.resilience.policy import Policy
from fishplate.tools.effect import EFFECTS, Effect, EffectDeclaration

P = ParamSpec("P")
R = TypeVar("R")


class LookedUpDecorator(Protocol[P, R]):
    """What `@tool(lookup=...)` gives: takes a function of the lookup's parameters and result."""

    @overload
    def __call__(self, function: Callable[P, Awaitable[R]], /) -> Agent[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Agent[P, R]: ...


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
    compensate: AnyAgent | None = None,
    policy: Policy = NO_POLICY,
    pool: str | None = None,
    error_classes: ErrorMap = NO_MAP,
    inline: bool = False,
) -> AgentDecorator: ...
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
    lookup: Callable[P, Awaitable[R | NotDone | CannotSay]],
    settle_time: float,
    compensate: AnyAgent | None = None,
    policy: Policy = NO_POLICY,
    pool: str | None = None,
    error_classes: ErrorMap = NO_MAP,
    inline: bool = False,
) -> LookedUpDecorator[P, R]: ...
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
    lookup: Callable[P, Awaitable[R | NotDone | CannotSay]] | None = None,
    settle_time: float | None = None,
    compensate: AnyAgent | None = None,
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
    lookup: Callable[P, Awaitable[R | NotDone | CannotSay]] | None = None,
    settle_time: float | None = None,
    compensate: AnyAgent | None = None,
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
    lookup: Callable[..., Awaitable[Any]] | None = None,
    settle_time: float | None = None,
    compensate: AnyAgent | None = None,
    policy: Policy = NO_POLICY,
    pool: str | None = None,
    error_classes: ErrorMap = NO_MAP,
    inline: bool = False,
) -> AnyAgent | AgentDecorator | LookedUpDecorator[..., Any]:
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
        lookup: For `verifiable` and `keyed`: a `readonly` tool with the same parameters that tells
            what became of a call. It gives the result, `NotDone()` if the call has certainly done
            nothing, or `CannotSay()`; `current().idempotency_key` is that of the call.
        settle_time: Seconds after a call from which on that answer counts; 0 or more.
        compensate: The tool that undoes a call. Its parameters are some of this tool's, by name,
            and `result` for what this one gave.
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
    looking = None if lookup is None else expect_agent(lookup, "lookup=")
    undoing = None if compensate is None else expect_agent(compensate, "compensate=")
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
            lookup=None if looking is None else looking.name,
            settle_time=settle_time,
            compensate=None if undoing is None else undoing.name,
        ),
        lookup=looking,
        compensate=undoing,
    )
    return decorator if function is None else decorator(function)


def _several(word: str, found: Sequence[str]) -> tuple[str, ...]:
    """The words of a list; a single text would be taken letter by letter."""
    if isinstance(found, str):
        message = f"{word}={found!r} is one text, and a list is meant: write {word}=[{found!r}]"
        problem = Problem(code="bad_effect", message=message, where=user_location())
        raise DeclarationError("tool", [problem])
    return tuple(found)
