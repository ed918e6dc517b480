"""A workflow's plan, or what an agent may call, as a Mermaid flowchart.

The same agent gives the same text in every process, so that a chart can be committed and compared.
Source: Mermaid flowchart syntax, mermaid.js.org/syntax/flowchart.html.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

from fishplate.agents.agent import AnyAgent
from fishplate.contracts.json import canonical_json
from fishplate.workflows.plan import (
    ApprovalStep,
    Block,
    CallStep,
    Const,
    EachStep,
    Expression,
    ParallelStep,
    Ref,
    RepeatStep,
    RouteStep,
    SleepStep,
    Step,
    SwitchStep,
    WaitStep,
)
from fishplate.workflows.workflow import Workflow

_LONGEST_LINE: Final = 60
# Mermaid's own way to write a character that its grammar or HTML would take for something else.
_ENTITIES: Final = str.maketrans(
    {'"': "#quot;", "#": "#35;", "&": "#amp;", "<": "#lt;", ">": "#gt;", "`": "#96;"}
)
# A label that begins like a Markdown list is drawn as an error message.
_LIST_MARK: Final = re.compile(r"^(\d*)([-+*.)])(?=\s|$)")


class Loose(NamedTuple):
    """An end that waits for the next step: the node it starts from, and what is written on it."""

    node: str
    label: str = ""


def mermaid(agent: AnyAgent) -> str:
    """Draw an agent.

    Returns:
        Text of a Mermaid flowchart, ending with a line feed. For a workflow: its steps in program
        order, calls as boxes, decisions as diamonds with one edge per case, `parallel`, `each` and
        `repeat` as frames, fallbacks on dotted edges, waiting as hexagons. For any other agent: it
        and what its body may call.
    """
    chart = _Chart()
    if isinstance(agent, Workflow):
        _draw_plan(chart, agent)
    else:
        _draw_grants(chart, agent)
    direction = "TD" if isinstance(agent, Workflow) else "LR"
    title = f'---\ntitle: "{agent.name} {agent.about.version}"\n---\n'
    return title + "\n".join([f"flowchart {direction}", *chart.nodes, *chart.edges]) + "\n"


class _Chart:
    """Gathers nodes and edges; edges come last, since a node belongs to the frame that names it."""

    def __init__(self) -> None:
        self.nodes: list[str] = []
        self.edges: list[str] = []
        self._count = 0
        self._depth = 1

    def node(self, shape: tuple[str, str], lines: Sequence[str]) -> str:
        """Add a node; its id."""
        name = self._next()
        self._line(f"{name}{shape[0]}{_label(lines)}{shape[1]}")
        return name

    @contextmanager
    def frame(self, title: str) -> Generator[str]:
        """A frame around the nodes that are added meanwhile; gives its id."""
        name = self._next()
        self._line(f"subgraph {name}[{_label([title])}]")
        self._depth += 1
        self._line("direction TB")
        yield name
        self._depth -= 1
        self._line("end")

    def lead(self, ends: Sequence[Loose], target: str) -> None:
        """Draw the edges from loose ends to a node."""
        for end in ends:
            label = f"|{_label([end.label])}|" if end.label else ""
            self.edges.append(f"  {end.node} -->{label} {target}")

    def or_else(self, failed: str, fallback: str) -> None:
        """Draw the dotted edge to the agent that answers when another one fails."""
        self.edges.append(f'  {failed} -. "or else" .-> {fallback}')

    def _next(self) -> str:
        self._count += 1
        return f"n{self._count}"

    def _line(self, text: str) -> None:
        self.nodes.append("  " * self._depth + text)


_BOX: Final = ("[", "]")
_WORKFLOW_BOX: Final = ("[[", "]]")
_ROUND: Final = ("([", "])")
_DIAMOND: Final = ("{", "}")
_HEXAGON: Final = ("{{", "}}")


def _draw_plan(chart: _Chart, workflow: Workflow[..., object]) -> None:
    takes = [f"{one.name}: {one.shape.name}" for one in workflow.signature.parameters]
    start = chart.node(_ROUND, takes or ["no input"])
    ends = _Steps(chart, workflow.units).block(workflow.plan.block, [Loose(start)])
    result = chart.node(_ROUND, [workflow.signature.output.name])
    chart.lead(ends, result)


class _Steps:
    """Draws steps; each takes the loose ends before it and gives those after it."""

    def __init__(self, chart: _Chart, units: Mapping[str, AnyAgent]) -> None:
        self._chart = chart
        self._units = units

    def block(self, block: Block, ends: Sequence[Loose]) -> Sequence[Loose]:
        for step in block.steps:
            ends = self._step(step, ends)
        return ends

    def _step(  # noqa: PLR0911 -- one way out per kind of step
        self, step: Step, ends: Sequence[Loose]
    ) -> Sequence[Loose]:
        match step:
            case CallStep():
                return self._call(step, ends)
            case RouteStep() | SwitchStep():
                return self._decision(step, ends)
            case ParallelStep():
                return self._framed("side by side", step.blocks, ends)
            case EachStep():
                width = f", at most {step.concurrency} at a time" if step.concurrency else ""
                return self._framed(f"each of {_spelled(step.items)}{width}", [step.block], ends)
            case RepeatStep():
                title = f"repeat until {step.until}, at most {step.at_most} times"
                return self._framed(title, [step.block], ends, is_loop=True)
            case ApprovalStep():
                lines = [step.name, f"by {' or '.join(step.roles)}", f"within {step.within:g} s"]
                asked = self._waiting(lines, ends)
                approved = self.block(step.block, [Loose(asked, "approved")])
                return [*approved, Loose(asked, "rejected")]
            case WaitStep():
                limit = [] if step.within is None else [f"within {step.within:g} s"]
                default = [] if step.default is None else [f"else {_spelled(step.default)}"]
                lines = [step.name, f"signal {step.signal}", *limit, *default]
                return [Loose(self._waiting(lines, ends))]
            case SleepStep():
                return [Loose(self._waiting([step.name, f"{step.seconds:g} s"], ends))]

    def _call(self, step: CallStep, ends: Sequence[Loose]) -> Sequence[Loose]:
        drawn = self._unit(self._units[step.agent], step)
        self._chart.lead(ends, drawn)
        answered = [Loose(drawn)]
        for name in step.fallbacks:
            fallback = self._unit(self._units[name])
            self._chart.or_else(answered[-1].node, fallback)
            answered.append(Loose(fallback))
        return answered

    def _unit(self, unit: AnyAgent, step: CallStep | None = None) -> str:
        lines = _lines_of(unit)
        if step is not None:
            if step.name != unit.name:
                lines = [step.name, *lines]
            if step.catching:
                lines.append(f"catches {', '.join(step.catching)}")
            if step.graded:
                lines.append("graded")
        return self._chart.node(_shape_of(unit), lines)

    def _decision(self, step: RouteStep | SwitchStep, ends: Sequence[Loose]) -> Sequence[Loose]:
        drawn = self._chart.node(_DIAMOND, [step.name, f"on {_spelled(step.on)}"])
        self._chart.lead(ends, drawn)
        after: list[Loose] = []
        for branch in step.branches:
            after.extend(self.block(branch.block, [Loose(drawn, branch.case)]))
        if isinstance(step, SwitchStep) and step.default is not None:
            after.extend(self.block(step.default, [Loose(drawn, "default")]))
        return after

    def _framed(
        self, title: str, blocks: Sequence[Block], ends: Sequence[Loose], *, is_loop: bool = False
    ) -> Sequence[Loose]:
        with self._chart.frame(title) as frame:
            for block in blocks:
                last = self.block(block, [])
                if is_loop:
                    self._chart.lead([Loose(end.node, "again") for end in last], last[0].node)
        self._chart.lead(ends, frame)
        return [Loose(frame)]

    def _waiting(self, lines: Sequence[str], ends: Sequence[Loose]) -> str:
        drawn = self._chart.node(_HEXAGON, lines)
        self._chart.lead(ends, drawn)
        return drawn


def _draw_grants(chart: _Chart, agent: AnyAgent) -> None:
    """The agent and, below it, all that it may call, each once."""
    drawn: dict[str, str] = {}

    def draw(unit: AnyAgent) -> str:
        if unit.name in drawn:
            return drawn[unit.name]
        node = drawn[unit.name] = chart.node(_shape_of(unit), _lines_of(unit))
        for child in unit.granted:
            chart.lead([Loose(node)], draw(child))
        for fallback in unit.fallbacks:
            chart.or_else(node, draw(fallback))
        return node

    draw(agent)


def _shape_of(unit: AnyAgent) -> tuple[str, str]:
    return _WORKFLOW_BOX if isinstance(unit, Workflow) else _BOX


def _lines_of(unit: AnyAgent) -> list[str]:
    if unit.about.effect is not None:
        return [unit.name, f"tool, {unit.about.effect.effect}"]
    if unit.granted and not isinstance(unit, Workflow):
        return [unit.name, "dynamic"]
    return [unit.name]


def _spelled(expression: Expression) -> str:
    """Where a value comes from, as a reader would say it."""
    match expression:
        case Ref(source=source, names=names):
            return ".".join([source.partition(".")[2], *map(str, names)])
        case Const(value=value):
            return canonical_json(value).decode("utf-8")
        case _:
            return expression.type_name


def _label(lines: Sequence[str]) -> str:
    return f'"{"<br/>".join(map(_escaped, lines))}"'


def _escaped(line: str) -> str:
    """One line of a label that no grammar takes for anything but text."""
    text = "".join(character if character.isprintable() else " " for character in line)
    text = text if len(text) <= _LONGEST_LINE else f"{text[: _LONGEST_LINE - 3]}..."
    text = text.translate(_ENTITIES)
    return _LIST_MARK.sub(lambda mark: f"{mark[1]}#{ord(mark[2])};", text)
