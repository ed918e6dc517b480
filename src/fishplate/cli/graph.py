"""`fishplate graph`: a workflow as a Mermaid flowchart."""

from argparse import Namespace
from typing import Final

from fishplate.cli.command import Command, ExitCode, add_target
from fishplate.cli.screen import Screen
from fishplate.cli.targets import load_agent
from fishplate.core.errors import JsonValue
from fishplate.workflows.render import mermaid
from fishplate.workflows.workflow import Workflow


def execute(arguments: Namespace, screen: Screen) -> ExitCode:
    """Print the flowchart."""
    agent = load_agent(arguments.target).agent
    chart = mermaid(agent)
    if screen.as_json:
        plan: JsonValue = agent.plan.to_json() if isinstance(agent, Workflow) else None
        screen.document({"name": agent.name, "mermaid": chart, "plan": plan})
    else:
        screen.lines(chart.splitlines())
    return ExitCode.OK


COMMAND: Final = Command(
    name="graph",
    summary="draw a workflow as a Mermaid flowchart",
    description=(
        "Print the plan of a workflow, or what an agent may call, as a Mermaid flowchart.\n"
        "With --json: the chart and the plan as data."
    ),
    examples=("graph shop.py:support > support.mmd",),
    add_arguments=add_target,
    execute=execute,
)
