"""Stand-ins: agents that always give the same answer, under the contract of those they replace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ParamSpec, TypeVar

from fishplate.agents.agent import Agent, AnyAgent
from fishplate.contracts.shape import BrokenValueError
from fishplate.core.errors import JsonValue, OutputError, UsageError
from fishplate.tools.effect import EffectDeclaration
from fishplate.workflows.workflow import exchanged, reachable

P = ParamSpec("P")
R = TypeVar("R")


def stand_in(agent: Agent[P, R], output: JsonValue) -> Agent[P, R]:
    """An agent of the same name and contract that always gives the same output.

    It calls nobody and changes nothing: a tool's stand-in is `readonly`.

    Args:
        agent: Whom it stands in for.
        output: JSON that the contract of `agent` promises, defaults written out.

    Raises:
        OutputError: `output` breaks the contract of `agent`; names the JSON pointer.
    """
    shape = agent.signature.output

    def answer() -> R:
        found: R = shape.decode(output, given=True)
        return found

    try:
        answer()
    except BrokenValueError as error:
        subject = f"the stand-in's output for {agent.about.subject}"
        raise OutputError(subject, error.violations) from None

    # Decoded anew for every call: two steps must not share an object that one of them changes.
    async def behave(*_arguments: object) -> R:
        return answer()

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
        behaviour={"stand_in": output},
    )
    return Agent(about)


def with_stand_ins(agent: AnyAgent, outputs: Mapping[str, JsonValue]) -> AnyAgent:
    """The same agent, with stand-ins for some of the agents and tools that its runs may call.

    Args:
        agent: A workflow, or an agent with grants.
        outputs: By name of the agent or tool, what its stand-in gives.

    Raises:
        UsageError: `agent` calls nobody of that name (code `unknown_agent`), or nobody calls it
            any more, since its only caller has a stand-in too (code `unused_stand_in`).
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
