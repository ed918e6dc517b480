"""An agent: a contract plus a behaviour. Calling one gives a deferred call; awaiting that asks whoever is in charge."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Literal, ParamSpec, TypeAlias, TypeVar, cast, overload

from fishplate.contracts.contract import Contract
from fishplate.contracts.fits import Fit, fits
from fishplate.contracts.shape import Shape
from fishplate.contracts.signature import Signature
from fishplate.core.call import RECORDER, Deferred
from fishplate.core.errors import DeclarationError, Problem, ProblemList
from fishplate.core.events import SpanHead, SpanKind
from fishplate.core.outcome import DeclaredError
from fishplate.releases.fingerprint import Release, code_digest
from fishplate.resilience.policy import Policy
from fishplate.tools.effect import EffectDeclaration

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
E1 = TypeVar("E1", bound=DeclaredError)
E2 = TypeVar("E2", bound=DeclaredError)
E3 = TypeVar("E3", bound=DeclaredError)

Kind: TypeAlias = Literal["async", "thread", "inline", "plan"]
NO_POLICY: Final = Policy()


@dataclass(frozen=True, kw_only=True, slots=True)
class Description:
    """What an agent is, apart from how a step configures it.

    Attributes:
        name: Unique in an app.
        version: Semantic version, the author's word.
        kind: How the behaviour runs: awaited, in the thread pool, inline, or as a plan.
        function: The behaviour; for a plan the function that was recorded.
        tools: Tools that the body may call.
        agents: Agents that the body may call.
        errors: Errors that the contract declares.
        effect: The declared effect, if this is a tool.
        pool: Named bulkhead that its calls share.
        where: `file:line` of its source.
        text: First paragraph of its docstring.
    """

    name: str
    version: str
    kind: Kind
    signature: Signature
    function: Callable[..., Any]
    where: str
    tools: tuple[AnyAgent, ...] = ()
    agents: tuple[AnyAgent, ...] = ()
    errors: tuple[type[DeclaredError], ...] = ()
    effect: EffectDeclaration | None = None
    pool: str | None = None
    text: str = ""
    contract: Contract | None = None
    behaviour: Mapping[str, Any] = field(default_factory=dict)

    @property
    def subject(self) -> str:
        """What errors call it: `agent 'refund'`."""
        word = "tool" if self.effect is not None else "workflow" if self.kind == "plan" else "agent"
        return f"{word} {self.name!r}"


class Agent(Generic[P, R_co]):
    """A contract plus a behaviour, as one step uses it.

    Attributes:
        about: What the agent is.
        policy: How this use of it is protected.
        fallbacks: Agents that answer when it fails, in order.
        caught: Declared errors that this use turns into values.
        step_name: Pinned name of the step, else `None`.
        grants: What a body may call, by name.
        is_bare: No policy and no pool stands between a call and the behaviour.
        is_single: A call is one attempt: no fallback answers, and no error becomes a value.
        is_direct: A bare call is nothing but the await of the behaviour.
        assumed: Why edges into the step that are not proven are let through; they are checked at run time.
    """

    def __init__(
        self,
        about: Description,
        *,
        policy: Policy = NO_POLICY,
        fallbacks: tuple[AnyAgent, ...] = (),
        caught: tuple[type[DeclaredError], ...] = (),
        step_name: str | None = None,
        assumed: str | None = None,
    ) -> None:
        self.about = about
        self.policy = policy
        self.fallbacks = fallbacks
        self.caught = caught
        self.step_name = step_name
        self.assumed = assumed
        self.signature = about.signature
        self.name = about.name
        self._arity = about.signature.arity
        self._release: Release | None = None
        self.span_head: SpanHead | None = None
        self.grants = {found.name: found for found in (*about.tools, *about.agents)}
        self.function = about.function
        self.is_bare = about.pool is None and policy == NO_POLICY
        self.is_single = not (fallbacks or caught)
        self.is_direct = self.is_bare and about.kind == "async" and about.effect is None
        self.__name__ = about.name
        self.__doc__ = about.function.__doc__

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Call[R_co]:
        """A deferred call: await it, or hand it to a composition.

        Raises:
            TypeError: The arguments do not fit the parameters.
        """
        arguments = (
            args
            if not kwargs and len(args) == self._arity
            else self.signature.bind(args, kwargs, subject=self.about.subject)
        )
        call = Call(self, arguments)
        recorder = RECORDER.get()
        if recorder is not None:
            recorder.opened(call)
        return call

    @overload
    def or_else(self: Callable[[], Awaitable[R]], other: Callable[[], Awaitable[R]]) -> Agent[P, R_co]: ...
    @overload
    def or_else(self: Callable[[A], Awaitable[R]], other: Callable[[A], Awaitable[R]]) -> Agent[P, R_co]: ...
    @overload
    def or_else(self: Callable[[A, B], Awaitable[R]], other: Callable[[A, B], Awaitable[R]]) -> Agent[P, R_co]: ...
    @overload
    def or_else(
        self: Callable[[A, B, C], Awaitable[R]], other: Callable[[A, B, C], Awaitable[R]]
    ) -> Agent[P, R_co]: ...
    def or_else(self, other: object) -> Agent[P, R_co]:
        """The same agent, answered by `other` when it fails in a way that a fallback may answer.

        Arguments go over by position. The answer is marked as degraded.

        Raises:
            DeclarationError: `other` does not take what this agent takes, or its answer does not fit.
        """
        fallback = expect_agent(other, f"the fallback of {self.name!r}")
        problems = ProblemList(f"{self.name}.or_else({fallback.name})")
        mine, theirs = self.signature.parameters, fallback.signature.parameters
        if len(mine) != len(theirs):
            message = f"{fallback.name!r} takes {len(theirs)} arguments and {self.name!r} {len(mine)}"
            problems.add(Problem(code="mismatched_fallback", message=message, where=fallback.about.where))
        for own, other_one in zip(mine, theirs, strict=False):
            verdict = fits(own.shape.gives, other_one.shape.takes)
            if verdict.verdict != "fits":
                message = f"{fallback.name!r} does not take every {own.name!r} that {self.name!r} takes: {verdict.reason}"
                problems.add(misfit("mismatched_fallback", message, verdict, fallback.about.where))
        verdict = fits(fallback.output.gives, self.signature.output.gives)
        if verdict.verdict != "fits":
            message = f"the answer of {fallback.name!r} is not an answer of {self.name!r}: {verdict.reason}"
            problems.add(misfit("mismatched_fallback", message, verdict, fallback.about.where))
        problems.raise_if_any()
        return self._with(fallbacks=(*self.fallbacks, fallback))

    @overload
    def catching(self, first: type[E1], /) -> Agent[P, R_co | E1]: ...
    @overload
    def catching(self, first: type[E1], second: type[E2], /) -> Agent[P, R_co | E1 | E2]: ...
    @overload
    def catching(self, first: type[E1], second: type[E2], third: type[E3], /) -> Agent[P, R_co | E1 | E2 | E3]: ...
    def catching(self, *errors: type[DeclaredError]) -> Agent[P, Any]:
        """The same agent, with declared errors as members of its output, to be routed.

        Raises:
            DeclarationError: The agent does not declare the error.
        """
        for error in errors:
            if error not in self.about.errors:
                declared = ", ".join(found.__name__ for found in self.about.errors) or "none"
                message = (
                    f"{self.name!r} does not declare {error.__name__!r} (declared: {declared}): "
                    f"add it to errors=[...] of the agent"
                )
                problem = Problem(code="undeclared_error", message=message, where=self.about.where)
                raise DeclarationError(f"{self.name}.catching({error.__name__})", [problem])
        return self._with(caught=(*self.caught, *errors))

    def using(self, policy: Policy) -> Agent[P, R_co]:
        """The same agent under another policy."""
        return self._with(policy=policy)

    def named(self, name: str) -> Agent[P, R_co]:
        """The same agent; its step is called `name`."""
        check_name(name, f"{self.name}.named({name!r})")
        return self._with(step_name=name)

    def assuming(self, reason: str) -> Agent[P, R_co]:
        """The same agent; what its edges cannot prove is let through for `reason` and checked at run time."""
        return self._with(assumed=reason)

    @property
    def output(self) -> Shape[Any]:
        """Shape of what a step with this agent gives: its output and the errors it catches."""
        return Shape.union([self.signature.output, *(Shape.of(error) for error in self.caught)])

    @property
    def contract(self) -> Contract:
        """What it takes, gives and declares."""
        if self.about.contract is not None:
            return self.about.contract
        return Contract(
            name=self.name,
            version=self.about.version,
            description=self.about.text,
            input=self.signature.takes,
            output=self.signature.output.gives,
            errors={error.code: Shape.of(error).gives for error in self.about.errors},
        )

    @property
    def release(self) -> Release:
        """The version with its fingerprint; computed once."""
        if self._release is None:
            self._release = _release_of(self)
        return self._release

    @property
    def label(self) -> str:
        """The release as it stands on runs and spans: `1.2.0+fp.9c3e12ab34cd`."""
        return self.head.release

    @property
    def head(self) -> SpanHead:
        """What all spans of this agent share; made on first use, since a fingerprint reads sources."""
        if self.span_head is None:
            about = self.about
            kind: SpanKind = "tool" if about.effect is not None else "workflow" if about.kind == "plan" else "agent"
            self.span_head = SpanHead(kind, self.name, self.release.label)
        return self.span_head

    @property
    def granted(self) -> tuple[AnyAgent, ...]:
        """What a body of this agent may call."""
        return (*self.about.tools, *self.about.agents)

    def _with(self, **changes: Any) -> Agent[P, R_co]:  # noqa: ANN401 -- the constructor's own keywords
        settings: dict[str, Any] = {
            "policy": self.policy,
            "fallbacks": self.fallbacks,
            "caught": self.caught,
            "step_name": self.step_name,
            "assumed": self.assumed,
        }
        return type(self)(self.about, **{**settings, **changes})

    def __repr__(self) -> str:
        return f"<{self.about.subject} {self.about.version}>"


AnyAgent: TypeAlias = Agent[..., Any]


class Call(Deferred[R_co]):
    """A deferred call of an agent: the agent, and its arguments in the order of the parameters."""

    __slots__ = ("agent", "arguments")

    def __init__(self, agent: Agent[..., R_co], arguments: tuple[object, ...]) -> None:
        self.agent = agent
        self.arguments = arguments

    def __repr__(self) -> str:
        return f"<call of {self.agent.name!r}>"


def expect_agent(found: object, role: str) -> AnyAgent:
    """The agent, or a refusal that says what was given in its place.

    Raises:
        DeclarationError: `found` is not an agent.
    """
    if isinstance(found, Agent):
        return cast("AnyAgent", found)
    name = getattr(found, "__name__", type(found).__name__)
    message = f"{role} is not an agent but {name!r}: decorate it with @agent or @tool"
    raise DeclarationError(role, [Problem(code="not_an_agent", message=message)])


def check_name(name: str, subject: str) -> None:
    """Refuse a name that could not stand in a step path.

    Raises:
        DeclarationError: The name is not 1 to 64 letters, digits, `_` or `-`.
    """
    if not (0 < len(name) <= 64 and name.isascii() and name.replace("_", "").replace("-", "").isalnum()):  # noqa: PLR2004 -- stated in the message
        message = f"the name {name!r} is not 1 to 64 ASCII letters, digits, '_' or '-'"
        raise DeclarationError(subject, [Problem(code="bad_name", message=message)])


def misfit(code: str, message: str, verdict: Fit, where: str | None, step: str | None = None) -> Problem:
    """The problem that a verdict stands for, with its counterexample."""
    return Problem(
        code=code,
        message=message,
        where=where,
        step=step,
        pointer=verdict.pointer,
        counterexample=verdict.counterexample,
        has_counterexample=verdict.has_counterexample,
    )


def _release_of(agent: AnyAgent) -> Release:
    about = agent.about
    contract = agent.contract
    children = {child.name: child.release for child in (*agent.granted, *agent.fallbacks)}
    behaviour = {
        "kind": about.kind,
        "code": None if about.kind == "plan" else code_digest(about.function, package=about.version),
        "effect": None if about.effect is None else about.effect.to_json(),
        "grants": sorted(child.name for child in agent.granted),
        **about.behaviour,
    }
    return Release.of(
        agent.name,
        about.version,
        contract={
            "input": contract.input.shape_fingerprint,
            "output": contract.output.shape_fingerprint,
            "errors": {code: schema.shape_fingerprint for code, schema in sorted(contract.errors.items())},
        },
        behaviour=behaviour,
        policy={"policy": agent.policy.to_json(), "fallbacks": [one.name for one in agent.fallbacks]},
        children=children,
    )
