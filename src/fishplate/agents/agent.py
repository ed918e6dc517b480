"""An agent: a contract plus a behaviour.

Calling one gives a deferred call; awaiting that asks whoever is in charge.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import (
    Any,
    Final,
    Generic,
    Literal,
    Never,
    ParamSpec,
    TypeAlias,
    TypeVar,
    cast,
    overload,
)

from fishplate.agents.asks import Asks
from fishplate.agents.policies import check_policy
from fishplate.contracts.contract import Contract
from fishplate.contracts.fits import Fit, fits
from fishplate.contracts.identity import accepted_fingerprint
from fishplate.contracts.shape import Shape
from fishplate.contracts.signature import Signature
from fishplate.contracts.values import BrokenValueError
from fishplate.core.call import RECORDER, Deferred
from fishplate.core.data import dataclass
from fishplate.core.errors import (
    DeclarationError,
    ErrorClass,
    Failure,
    JsonValue,
    Problem,
    ProblemList,
)
from fishplate.core.events import HeadTuple, SpanKind
from fishplate.core.outcome import DeclaredError
from fishplate.core.source import user_location
from fishplate.releases.code import code_digest
from fishplate.releases.digest import digest
from fishplate.releases.fingerprint import Release
from fishplate.resilience.classify import NO_MAP, ErrorMap
from fishplate.resilience.fallback import NOTHING_REMEMBERED, AnswerKind, Stale, Static, may_list
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

OnFailure: TypeAlias = Literal["keep", "compensate"]
Kind: TypeAlias = Literal["async", "thread", "inline", "model", "plan", "stale", "static"]
NO_POLICY: Final = Policy()
_WRITTEN: Final = frozenset({"async", "thread", "inline", "model"})  # the others are data
_MOST_OF_NAME: Final = 48  # of 64 characters; a stand-in's name begins with that of its agent
_NAME: Final = re.compile("[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Description:
    """What an agent is, apart from how a step configures it.

    Attributes:
        name: Unique in an app.
        version: Semantic version, the author's word.
        kind: How the behaviour runs: awaited, in the thread pool, inline, by asking a model, or as
            a plan; or what answers without one: a remembered or a fixed answer.
        function: The behaviour, called by position; for a plan the function that was recorded. What
            asks a model is called with the agent as it is used, and the arguments.
        tools: Tools that the body may call.
        agents: Agents that the body may call.
        errors: Errors that the contract declares.
        effect: The declared effect, if this is a tool.
        lookup: The tool that tells what became of a call of this one.
        compensate: The tool that undoes a call of this one.
        on_failure: What becomes of the effects of its calls when it fails.
        pool: Named bulkhead that its calls share.
        target: What fails, fills up and is limited as one; tools that name the same one share it.
        error_classes: How exceptions of others' making are treated when the behaviour raises them.
        where: `file:line` of its source.
        text: First paragraph of its docstring.
        contract: The published contract, if it is not the one of the signature.
        behaviour: What belongs to the release beside the code.
        step_policies: How a plan's steps are protected, by path of the step.
        source: The function as its author wrote it, if `function` is an adapter around it.
        stale: What it remembers, if it gives the last answers of the agent called `stands_for`.
        stands_for: Name of that agent.
        asks: What it needs of the app's models, if its calls are requests to one.
        stand_ins: Remembered and fixed answers that were declared for it, by name.
        releases: Those that are known, by policy and fingerprints of the fallbacks: a body may
            configure an agent anew at every call, and a fingerprint costs more than a call.
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
    lookup: AnyAgent | None = None
    compensate: AnyAgent | None = None
    on_failure: OnFailure = "keep"
    pool: str | None = None
    target: str | None = None
    error_classes: ErrorMap = field(default_factory=lambda: NO_MAP)
    text: str = ""
    contract: Contract | None = None
    behaviour: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    step_policies: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    source: Callable[..., Any] | None = None
    stale: Stale | None = None
    stands_for: str = ""
    asks: Asks | None = None
    stand_ins: dict[str, Description] = field(
        default_factory=dict[str, "Description"], init=False, compare=False, repr=False
    )
    releases: dict[tuple[Policy, tuple[str, ...]], Release] = field(
        default_factory=dict[tuple[Policy, tuple[str, ...]], Release],
        init=False,
        compare=False,
        repr=False,
    )

    @property
    def behind(self) -> tuple[AnyAgent, ...]:
        """What stands behind a tool: who tells what became of a call, and who undoes it."""
        return tuple(one for one in (self.lookup, self.compensate) if one is not None)

    @property
    def written(self) -> Callable[..., Any]:
        """The function whose source says what the agent does."""
        return self.source or self.function

    @property
    def answer_kind(self) -> AnswerKind:
        """What it is as a fallback."""
        return self.kind if self.kind in ("stale", "static") else "agent"

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
        is_bare_plan: A bare call is nothing but the walk of the plan.
        remembers: What is kept of its good answers for a fallback that gives them when it fails.
        assumed: Why edges into the step that are not proven are let through; they are checked when
            they run.
        answers: Classes of failures that it answers as a fallback beside those that all answer.

    Raises:
        DeclarationError: No call could be made under the policy; see `check_policy`.
    """

    def __init__(  # noqa: PLR0913 -- what a step may say about its agent, keyword-only
        self,
        about: Description,
        *,
        policy: Policy = NO_POLICY,
        fallbacks: tuple[AnyAgent, ...] = (),
        caught: tuple[type[DeclaredError], ...] = (),
        step_name: str | None = None,
        assumed: str | None = None,
        answers: frozenset[ErrorClass] = frozenset(),
    ) -> None:
        self.about = about
        self.answers = answers
        self.policy = policy
        self.fallbacks = fallbacks
        self.caught = caught
        self.step_name = step_name
        self.assumed = assumed
        self.signature = about.signature
        self.name = about.name
        self._arity = about.signature.arity
        self._release: Release | None = None
        self.span_head: HeadTuple | None = None
        self.grants = {found.name: found for found in (*about.tools, *about.agents)}
        self.function = about.function
        # A request to a model has the defaults of what leaves the process, declared or not.
        self.is_bare = about.pool is None and policy == NO_POLICY and about.asks is None
        self.is_single = not (fallbacks or caught)
        self.is_bare_plan = self.is_bare and about.kind == "plan" and not fallbacks
        self.remembers = next((one.about.stale for one in fallbacks if one.about.stale), None)
        self.is_direct = (
            self.is_bare and about.kind == "async" and about.effect is None and not fallbacks
        )
        if policy is not NO_POLICY or self.remembers is not None:
            check_policy(self)
        self.__name__ = about.name
        self.__doc__ = about.written.__doc__

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
    def or_else(
        self: Callable[[], Awaitable[R]],
        other: Callable[[], Awaitable[R]],
        *,
        on: Sequence[ErrorClass] = (),
    ) -> Agent[P, R_co]: ...
    @overload
    def or_else(
        self: Callable[[A], Awaitable[R]],
        other: Callable[[A], Awaitable[R]],
        *,
        on: Sequence[ErrorClass] = (),
    ) -> Agent[P, R_co]: ...
    @overload
    def or_else(
        self: Callable[[A, B], Awaitable[R]],
        other: Callable[[A, B], Awaitable[R]],
        *,
        on: Sequence[ErrorClass] = (),
    ) -> Agent[P, R_co]: ...
    @overload
    def or_else(
        self: Callable[[A, B, C], Awaitable[R]],
        other: Callable[[A, B, C], Awaitable[R]],
        *,
        on: Sequence[ErrorClass] = (),
    ) -> Agent[P, R_co]: ...
    @overload
    def or_else(
        self: Callable[..., Awaitable[R]],
        other: Static[R] | Stale,
        *,
        on: Sequence[ErrorClass] = (),
    ) -> Agent[P, R_co]: ...
    def or_else(self, other: object, *, on: Sequence[ErrorClass] = ()) -> Agent[P, R_co]:
        """The same agent, answered by `other` when it fails in a way that a fallback may answer.

        Chains are written flat, `a.or_else(b).or_else(c)`, and gone through once. The answer is
        marked as degraded.

        Args:
            other: Another agent, which gets the arguments by position; `Stale(...)`, the last good
                answer; or `Static(value)`, a fixed one.
            on: Classes that it answers beside those that every fallback answers: `PERMANENT`, e.g.
                by a smaller context where the whole one was too long; `REFUSAL` for an answer that
                asks nobody.

        Raises:
            DeclarationError: `other` does not take what this agent takes, or its answer does not
                fit; or nobody may answer a class of `on` (code `unanswerable_class`).
        """
        if isinstance(other, (Stale, Static)):
            stand_in = _stand_in(self, cast("Stale | Static[object]", other))
            return self._answered_by(stand_in, on)
        fallback = expect_agent(other, f"the fallback of {self.name!r}")
        problems = ProblemList(f"{self.name}.or_else({fallback.name})")
        for problem in _fallback_problems(self, fallback):
            problems.add(problem)
        problems.raise_if_any()
        return self._answered_by(fallback, on)

    def _answered_by(self, fallback: AnyAgent, on: Sequence[ErrorClass]) -> Agent[P, R_co]:
        kind = fallback.about.answer_kind
        for error_class in on:
            if not may_list(kind, error_class):
                message = (
                    f"{fallback.name!r} cannot answer {error_class.word!r}: on= lists 'permanent', "
                    "and for Stale and Static 'refusal'; what every fallback answers is not listed"
                )
                where = user_location()
                problem = Problem(code="unanswerable_class", message=message, where=where)
                raise DeclarationError(f"{self.name}.or_else({fallback.name})", [problem])
        listed = fallback.variant(answers=frozenset(on)) if on else fallback
        return self.variant(fallbacks=(*self.fallbacks, listed))

    @overload
    def catching(self, first: type[E1], /) -> Agent[P, R_co | E1]: ...
    @overload
    def catching(self, first: type[E1], second: type[E2], /) -> Agent[P, R_co | E1 | E2]: ...
    @overload
    def catching(
        self, first: type[E1], second: type[E2], third: type[E3], /
    ) -> Agent[P, R_co | E1 | E2 | E3]: ...
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
                where = user_location()
                problem = Problem(code="undeclared_error", message=message, where=where)
                raise DeclarationError(f"{self.name}.catching({error.__name__})", [problem])
        return self.variant(caught=(*self.caught, *errors))

    def using(self, policy: Policy) -> Agent[P, R_co]:
        """The same agent under another policy.

        Raises:
            DeclarationError: No call could be made under it (code `impossible_policy`), or its
                cache would leave an effect out (code `cached_effect`).
        """
        return self.variant(policy=policy)

    def named(self, name: str) -> Agent[P, R_co]:
        """The same agent; its step is called `name`."""
        check_name(name, f"{self.name}.named({name!r})")
        return self.variant(step_name=name)

    def assuming(self, reason: str) -> Agent[P, R_co]:
        """The same agent; edges into it that are not proven are let through for `reason`.

        They are checked when they run.
        """
        return self.variant(assumed=reason)

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
            behind = (
                f"{one.release.fingerprint} {sorted(map(str, one.answers))}"
                for one in self.fallbacks
            )
            use = (self.policy, tuple(behind))
            known = self.about.releases
            if use not in known:
                below = (*self.granted, *self.fallbacks, *self.about.behind)
                known[use] = release_of(self, {one.name: one.release for one in below}, None)
            self._release = known[use]
        return self._release

    @property
    def label(self) -> str:
        """The release in short: `1.2.0+fp.9c3e12ab34cd`.

        On runs and spans that of an agent that asks a model names the app's model too.
        """
        return self.release.label

    @property
    def span_kind(self) -> SpanKind:
        """What its spans are."""
        about = self.about
        if about.effect is not None:
            return "tool"
        if about.kind == "plan":
            return "workflow"
        return "agent" if about.asks is None else "model"

    @property
    def granted(self) -> tuple[AnyAgent, ...]:
        """What a body of this agent may call."""
        return (*self.about.tools, *self.about.agents)

    def variant(self, **changes: Any) -> Agent[P, R_co]:
        """The same agent with some of the constructor's settings changed."""
        settings: dict[str, Any] = {
            "about": self.about,
            "policy": self.policy,
            "fallbacks": self.fallbacks,
            "caught": self.caught,
            "step_name": self.step_name,
            "assumed": self.assumed,
            "answers": self.answers,
        }
        found = type(self)(**{**settings, **changes})
        if not changes.keys() & {"about", "policy", "fallbacks", "plan", "units"}:
            # The same release; it costs a fingerprint, and a body may configure at every call.
            found._release = self._release  # noqa: SLF001 -- of its own class
            found.span_head = self.span_head
        return found

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
    problem = Problem(code="not_an_agent", message=message, where=user_location())
    raise DeclarationError(role, [problem])


def check_name(name: str, subject: str) -> None:
    """Refuse a name that could not stand in a step path.

    Raises:
        DeclarationError: The name is not 1 to 64 letters, digits, `_` or `-`.
    """
    if not _NAME.fullmatch(name):
        message = f"the name {name!r} is not 1 to 64 ASCII letters, digits, '_' or '-'"
        problem = Problem(code="bad_name", message=message, where=user_location())
        raise DeclarationError(subject, [problem])


def misfit(
    code: str, message: str, verdict: Fit, where: str | None, step: str | None = None
) -> Problem:
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


def _fallback_problems(primary: AnyAgent, fallback: AnyAgent) -> Iterator[Problem]:
    """Why an agent cannot answer in another one's place."""
    code = "mismatched_fallback"
    mine, theirs = primary.signature.parameters, fallback.signature.parameters
    if fallback.fallbacks or fallback.caught:
        message = (
            f"{fallback.name!r} is configured itself: write the chain flat, "
            "a.or_else(b).or_else(c), and catch what is left at its end"
        )
        yield Problem(code=code, message=message, where=user_location())
    if len(mine) != len(theirs):
        message = (
            f"{fallback.name!r} takes {len(theirs)} arguments and {primary.name!r} {len(mine)}"
        )
        yield Problem(code=code, message=message, where=user_location())
    for own, other in zip(mine, theirs, strict=False):
        verdict = fits(own.shape.gives, other.shape.takes)
        if verdict.verdict != "fits":
            message = (
                f"{fallback.name!r} does not take every {own.name!r} that {primary.name!r} takes: "
                f"{verdict.reason}"
            )
            yield misfit(code, message, verdict, user_location())
    verdict = fits(fallback.signature.output.gives, primary.signature.output.gives)
    if verdict.verdict != "fits":
        message = (
            f"the answer of {fallback.name!r} is not an answer of {primary.name!r}: "
            f"{verdict.reason}"
        )
        yield misfit(code, message, verdict, user_location())


def _stand_in(primary: AnyAgent, answer: Stale | Static[object]) -> AnyAgent:
    """A remembered or fixed answer as an agent of its own, with the contract of another one.

    Raises:
        DeclarationError: The fixed answer breaks the contract.
    """
    about, output = primary.about, primary.signature.output
    kind: Literal["stale", "static"] = "stale" if isinstance(answer, Stale) else "static"
    value, stale = None, None
    if isinstance(answer, Stale):
        stale, told = answer, answer.to_json()
    else:
        try:
            value = output.accept(answer.value, given=True)
        except BrokenValueError as error:
            first = error.violations[0]
            message = (
                f"the fixed answer {reprlib.repr(answer.value)} is not an answer of "
                f"{primary.name!r} ({output.name}): {first.message}"
            )
            problem = Problem(
                code="mismatched_fallback",
                message=message,
                where=user_location(),
                pointer=first.pointer,
            )
            raise DeclarationError(f"{primary.name}.or_else(Static(...))", [problem]) from None
        told = {"value": output.encode(value)}
    name = f"{primary.name[:_MOST_OF_NAME]}-{kind}-{digest(told)[:6]}"
    known = about.stand_ins.get(name)
    if known is None:
        known = about.stand_ins[name] = Description(
            name=name,
            version=about.version,
            kind=kind,
            signature=primary.signature,
            function=_fails_for(primary.name) if isinstance(answer, Stale) else lambda *_: value,
            where=about.where,
            text=f"The {kind} answer of {primary.name}.",
            behaviour={kind: told},
            stale=stale,
            stands_for=primary.name,
            contract=about.contract,
        )
    return Agent(known)


def _fails_for(name: str) -> Callable[..., Never]:
    def nothing_remembered(*_: object) -> Never:
        raise Failure(
            f"{name!r} has given no answer to these arguments that is young enough",
            error_class=ErrorClass.LOCAL_REJECTION,
            code=NOTHING_REMEMBERED,
        )

    return nothing_remembered


def release_of(agent: AnyAgent, children: Mapping[str, Release], model: str | None) -> Release:
    """Digest an agent.

    Args:
        agent: Any agent.
        children: Releases of all that it calls, by name.
        model: Name of the model that it asks, if it is known which one.
    """
    about = agent.about
    contract = agent.contract
    is_written = about.kind in _WRITTEN and about.asks is None
    behaviour: dict[str, JsonValue] = {
        "kind": about.kind,
        "on_failure": about.on_failure,
        "code": code_digest(about.written) if is_written else None,
        "effect": None if about.effect is None else about.effect.to_json(),
        "grants": list[JsonValue](sorted(child.name for child in agent.granted)),
        **about.behaviour,
    }
    if model is not None:
        behaviour["model"] = model
    return Release.of(
        agent.name,
        about.version,
        contract={
            "input": accepted_fingerprint(contract.input.json),
            "output": accepted_fingerprint(contract.output.json),
            "errors": {
                code: accepted_fingerprint(schema.json) for code, schema in contract.errors.items()
            },
        },
        behaviour=behaviour,
        policy={
            "policy": agent.policy.to_json(),
            "fallbacks": [
                [one.name, *sorted(found.word for found in one.answers)] for one in agent.fallbacks
            ],
            "steps": dict(about.step_policies),
        },
        children=children,
    )
