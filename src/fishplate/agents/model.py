"""`@model_agent`: a prompt function as a behaviour, the type of its answer as the contract."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, ParamSpec, TypeVar, cast

from typing_extensions import override

from fishplate.agents.agent import NO_POLICY, Agent, AnyAgent, Description, expect_agent
from fishplate.agents.asking import Asking
from fishplate.agents.declaration import (
    check_grants,
    check_output,
    check_version,
    first_paragraph,
    name_of,
)
from fishplate.agents.inference import Inference
from fishplate.agents.limits import Limits
from fishplate.agents.policies import of_requests
from fishplate.contracts.signature import Signature
from fishplate.core.data import dataclass
from fishplate.core.errors import DeclarationError, Problem, ProblemList
from fishplate.core.source import location, user_location, user_names
from fishplate.models.model import (
    OUTPUT_TOOL,
    Conversation,
    Features,
    ModelRequest,
    ModelSettings,
    ToolSpec,
)
from fishplate.models.output import InexpressibleError, WireOutput
from fishplate.models.prompt import Prompt
from fishplate.resilience.policy import Policy

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

MOST_REPAIRS: Final = 2
_MOST_OF_NAME: Final = 58  # of 64 characters, since the name of the request ends in `-model`


class ModelAgent(Agent[P, R_co]):
    """An agent that asks a model: the question is made by its prompt function.

    The parts of its policy that are about attempts protect each request to the model, and those
    that are about time and memory its whole answer, repairs and tool calls included.
    """

    def prompt(self, *args: P.args, **kwargs: P.kwargs) -> Prompt[R_co]:
        """The question to some arguments; no model is asked.

        Raises:
            TypeError: The arguments do not fit the parameters.
        """
        return cast("Prompt[R_co]", self.about.written(*args, **kwargs))

    def __init__(self, about: Description, **settings: Any) -> None:
        super().__init__(about, **settings)
        policy = of_requests(self.policy)
        for found in about.agents:
            if found.about.asks is not None:
                self.grants[found.name] = found.using(policy)

    @property
    def alias(self) -> str:
        """What the code calls the model."""
        return self._inference.alias

    def first_request(self, prompt: Prompt[object], features: Features) -> ModelRequest:
        """What is sent first to a model that can do what `features` say; nothing is sent here."""
        return self._inference.request_of(Conversation(messages=prompt.messages()), features)

    @property
    def _inference(self) -> Inference:
        (found,) = (one.about.asks for one in self.about.agents if one.about.asks is not None)
        assert isinstance(found, Inference), "nobody else asks"
        return found

    @property
    @override
    def granted(self) -> tuple[AnyAgent, ...]:
        """The tools, and the request to the model under this agent's policy."""
        return tuple(self.grants.values())


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelAgentDecorator:
    """What `@model_agent(...)` gives: makes an agent of a prompt function.

    Its attributes are the words of the decorator; see `model_agent`.
    """

    alias: str
    version: str
    name: str | None
    tools: Sequence[AnyAgent]
    policy: Policy
    settings: ModelSettings
    repairs: int
    limits: Limits

    def __call__(self, function: Callable[P, Prompt[R]], /) -> ModelAgent[P, R]:
        """Declare the prompt function.

        Raises:
            DeclarationError: Something does not fit; holds every problem that was found.
        """
        return cast("ModelAgent[P, R]", _declare(function, self, user_names()))


def model_agent(  # noqa: PLR0913 -- the words of the decorator, keyword-only
    alias: str,
    /,
    *,
    version: str = "0.0.0",
    name: str | None = None,
    tools: Sequence[AnyAgent] = (),
    policy: Policy = NO_POLICY,
    settings: ModelSettings = ModelSettings(),
    repairs: int = 1,
    limits: Limits = Limits(),
) -> ModelAgentDecorator:
    """Make an agent of a plain function that returns a `Prompt[Out]`; a model gives the `Out`.

    The function is called by the agent and should depend on its arguments alone, so that
    `agent.prompt(...)` tests it without a model. What comes back is always judged by the contract.

    Args:
        alias: What the code calls the model; the app says which one is meant:
            `App(models={"fast": model})`.
        version: Semantic version of the behaviour, the author's word.
        name: Unique in an app; the function's name by default.
        tools: Tools that the model may choose to call, one after the other.
        policy: How it is protected. Its `timeout`, `reserve` and `cache` are about the whole
            answer, all else about each request to the model.
        settings: How the model is to answer.
        repairs: How often an answer that breaks the contract is asked for again; 0 to 2.
        limits: Most that one answer may take, repairs and tool calls included.

    Raises:
        DeclarationError: The alias is no text that is not empty, or `repairs` is out of range.
    """
    problems = ProblemList("a model agent")
    if not _is_alias(alias):  # a bare decorator hands a function over
        message = f"{alias!r} is no alias of a model: write @model_agent('fast')"
        problems.add(Problem(code="bad_alias", message=message, where=user_location()))
    if repairs not in range(MOST_REPAIRS + 1):
        message = f"repairs={repairs!r}: 0 to {MOST_REPAIRS}; what stays wrong is for a fallback"
        problems.add(Problem(code="bad_repairs", message=message, where=user_location()))
    problems.raise_if_any()
    return ModelAgentDecorator(
        alias=alias,
        version=version,
        name=name,
        tools=tools,
        policy=policy,
        settings=settings,
        repairs=repairs,
        limits=limits,
    )


def _is_alias(found: object) -> bool:
    return isinstance(found, str) and found != ""


def _declare(
    function: Callable[..., Any], words: ModelAgentDecorator, local: Mapping[str, object]
) -> AnyAgent:
    name = name_of(function, words.name, "agent")
    where = location(function)
    subject = f"agent {name!r}"
    problems = ProblemList(subject)
    check_version(words.version, where, problems)
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        message = f"{subject}: its prompt function is async or a generator: make it plain"
        problems.add(Problem(code="bad_prompt", message=message, where=where))
    if len(name) > _MOST_OF_NAME:
        message = f"the name {name!r} of a model agent has at most {_MOST_OF_NAME} characters"
        problems.add(Problem(code="bad_name", message=message, where=where))
    signature = _signature(function, problems, local)
    output = None if signature is None else _wire_output(signature, where, problems)
    if signature is None or output is None:
        raise DeclarationError(subject, problems.found)
    tools = tuple(expect_agent(found, f"a tool of {subject}") for found in words.tools)
    for found in tools:
        if found.name == OUTPUT_TOOL:
            message = f"{subject}: {OUTPUT_TOOL!r} is how models answer: give the tool another name"
            problems.add(Problem(code="repeated_name", message=message, where=where))
    inference = Inference(
        agent=name,
        alias=words.alias,
        where=where,
        output=output,
        tools=tuple(map(_spec, tools)),
        settings=words.settings,
    )
    asking = Asking(
        subject=subject,
        prompt=function,
        output=output,
        settings=words.settings,
        repairs=words.repairs,
        limits=words.limits,
    )
    about = Description(
        name=name,
        version=words.version,
        kind="model",
        signature=signature,
        function=asking.answer,
        source=function,
        where=where,
        tools=tools,
        agents=(_request(inference, words.version),),
        text=first_paragraph(function),
        behaviour={"repairs": words.repairs, "limits": words.limits.to_json()},
    )
    check_output(signature.output, (), where, problems)
    check_grants(about, problems)
    problems.raise_if_any()
    return ModelAgent(about, policy=words.policy)


def _signature(
    function: Callable[..., Any], problems: ProblemList, local: Mapping[str, object]
) -> Signature | None:
    try:
        return Signature.of(
            function,
            subject=problems.subject,
            where=location(function),
            local=local,
            inside=Prompt,
        )
    except DeclarationError as error:
        problems.found.extend(error.problems)
        return None


def _wire_output(signature: Signature, where: str, problems: ProblemList) -> WireOutput[Any] | None:
    try:
        return WireOutput(signature.output)
    except InexpressibleError as error:
        message = f"{problems.subject}: {error}"
        problems.add(Problem(code="inexpressible_output", message=message, where=where))
        return None


def _spec(tool: AnyAgent) -> ToolSpec:
    return ToolSpec(name=tool.name, description=tool.about.text, schema=tool.signature.takes.json)


def _request(inference: Inference, version: str) -> AnyAgent:
    """The request to the model as an agent of its own; all that use one alias share its target."""
    signature = Signature.of(
        inference.request, subject="a request to a model", where=inference.where, local={}
    )
    return Agent(
        Description(
            name=f"{inference.agent}-model",
            version=version,
            kind="async",
            signature=signature,
            function=inference.request,
            where=inference.where,
            text=f"One request of {inference.agent} to the model {inference.alias!r}.",
            target=f"model/{inference.alias}",
            behaviour=inference.to_json(),
            asks=inference,
        )
    )
