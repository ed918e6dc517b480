"""`fishplate contract`: what an agent takes, gives, may raise and may do."""

from argparse import Namespace
from typing import Final

from fishplate.agents.agent import AnyAgent
from fishplate.cli.command import Command, ExitCode, add_target
from fishplate.cli.screen import Screen
from fishplate.cli.sent import sent_below
from fishplate.cli.targets import load_agent
from fishplate.contracts.evolution import Safety, ToolSafety
from fishplate.core.errors import JsonValue
from fishplate.workflows.workflow import reachable


def execute(arguments: Namespace, screen: Screen) -> ExitCode:
    """Print the description of one agent."""
    screen.document(description_of(load_agent(arguments.target).agent), indent=2)
    return ExitCode.OK


COMMAND: Final = Command(
    name="contract",
    summary="print the contract of an agent",
    description=(
        "Print as JSON the contract of an agent (its schemas and errors), the effects and scopes\n"
        "of the tools that it may call, what its model agents send for invented inputs, and its\n"
        "release. 'fishplate diff' reads this document."
    ),
    examples=("contract shop.py:support > support.json",),
    add_arguments=add_target,
    execute=execute,
)


def description_of(agent: AnyAgent) -> dict[str, JsonValue]:
    """An agent as JSON: contract file, effects and scopes by tool, prompts, release."""
    tools: dict[str, JsonValue] = {
        name: {"effect": tool.effect, "scopes": list[JsonValue](sorted(tool.scopes))}
        for name, tool in sorted(safety_of(agent).items())
    }
    found: dict[str, JsonValue] = {"contract": agent.contract.to_json(), "tools": tools}
    if agent.about.effect is not None:
        found["effect"] = agent.about.effect.to_json()
    if prompts := sent_below(agent):
        found["prompts"] = {name: sent.to_json() for name, sent in prompts.items()}
    found["release"] = agent.release.to_json()
    return found


def safety_of(agent: AnyAgent) -> Safety:
    """Effect and scopes of every tool that runs of an agent may call, itself included."""
    units = {**reachable(agent), agent.name: agent}
    return {
        name: ToolSafety(effect=effect.effect, scopes=frozenset(effect.scopes))
        for name, unit in units.items()
        if (effect := unit.about.effect) is not None
    }
