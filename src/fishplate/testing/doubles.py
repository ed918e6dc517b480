"""Stand-ins: agents that always give the same answer, under the contract of those they replace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ParamSpec, TypeVar

from fishplate.agents.agent import Agent, AnyAgent
from fishplate.contracts.shape import BrokenValueError
from fishplate.core.current import current
from fishplate.core.errors import JsonValue, OutputError, UsageError
from fishplate.core.outcome import DeclaredError
from fishplate.tools.effect import EffectDeclaration
from fishplate.workflows.workflow import exchanged, reachable

P = ParamSpec("P")
R = TypeVar("R")


def stand_in(agent: Agent[P, R], output: JsonValue | DeclaredError) -> Agent[P, R]:
    """An agent of the same name and contract that always gives the same output.

    It calls nobody and changes nothing: a tool's stand-in is `readonly`. Its spans say `mocked`.

    Args:
        agent: Whom it stands in for.
        output: JSON that the contract of `agent` promises, defaults written out; or an error that
            it declares, which every call then raises.

    Raises:
        OutputError: `output` breaks the contract of `agent`; names the JSON pointer.
        UsageError: `agent` does not declare the error (code `undeclared_error`).
    """
    shape = agent.signature.output
    if isinstance(output, DeclaredError):
        _check_declared(agent, type(output))

    def answer() -> R:
        if isinstance(output, DeclaredError):
            raise type(output)(**output.to_model().model_dump(exclude={"error"}))
        found: R = shape.decode(output, given=True)
        return found

    try:
        answer()
    except DeclaredError:
        pass  # what it is to do
    except BrokenValueError as error:
        subject = f"the stand-in's output for {agent.about.subject}"
        raise OutputError(subject, error.violations) from None

    # Decoded anew for every call: two steps must not share an object that one of them changes.
    async def behave(*_arguments: object) -> R:
        current().note(mocked=True)
        return answer()

    written: JsonValue = (
        output.to_model().model_dump(mode="json") if isinstance(output, DeclaredError) else output
    )
    effect = agent.about.effect
    about = replace(
        agent.about,
        kind="async",
        function=behave,
        tools=(),
        agents=(),
        effect=None
        if effect is None
        else EffectDeclaration(effect="readonly", scopes=effect.scopes),
        pool=None,
        behaviour={"stand_in": written},
    )
    return Agent(about)


def _check_declared(agent: AnyAgent, error: type[DeclaredError]) -> None:
    if error not in agent.about.errors:
        declared = ", ".join(one.__name__ for one in agent.about.errors) or "none"
        message = (
            f"{agent.about.subject} does not declare {error.__name__!r}; it declares: {declared}"
        )
        raise UsageError(message, code="undeclared_error")


def with_stand_ins(agent: AnyAgent, outputs: Mapping[str, JsonValue | DeclaredError]) -> AnyAgent:
    """The same agent, with stand-ins for some of the agents and tools that its runs may call.

    Args:
        agent: A workflow, or an agent with grants.
        outputs: By name of the agent or tool, what its stand-in gives, or the declared error that
            it raises.

    Raises:
        UsageError: `agent` calls nobody of that name (code `unknown_agent`), or nobody calls it
            any more, since its only caller has a stand-in too (code `unused_stand_in`).
        UsageError: An error is not declared by the agent that it stands in for (code
            `undeclared_error`).
        OutputError: An output breaks the contract of the agent that it stands in for.
    """
    known = reachable(agent)
    for name in outputs:
        if name not in known:
            names = ", ".join(sorted(known)) or "nobody"
            message = f"{agent.about.subject} does not call {name!r}; it may call: {names}"
            raise UsageError(message, code="unknown_agent")
    changed = agent
    for name, output in outputs.items():
        changed = exchanged(changed, name, stand_in(known[name], output))
    left = reachable(changed)
    for name in outputs:
        if name not in left:
            message = f"nobody calls {name!r} once its callers have stand-ins: leave it out"
            raise UsageError(message, code="unused_stand_in")
    return changed
