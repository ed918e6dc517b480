"""What the names in a workflow's body mean, as far as the body has been read."""

from __future__ import annotations

import ast
from dataclasses import field
from typing import Final

from fishplate.agents.agent import AnyAgent
from fishplate.agents.grants import CONFIGURING, configured_agent
from fishplate.core.data import dataclass
from fishplate.core.source import UNKNOWN, FunctionSource, local_names
from fishplate.workflows import compose

COMPOSITIONS: Final = (
    compose.route,
    compose.switch,
    compose.parallel,
    compose.each,
    compose.repeat,
    compose.approval,
    compose.wait_for,
    compose.sleep,
    compose.graded,
    compose.struct,
    compose.when,
)
_ARITHMETIC: Final = (ast.Attribute, ast.BinOp, ast.Constant, ast.Name, ast.UnaryOp)


@dataclass()
class Scope:
    """The names of one body.

    Attributes:
        source: The body; in its names, those of the body itself are `UNKNOWN`.
        locals: Names of the body: parameters, and what it assigns.
        constants: Those of them that hold a value known at declaration.
        agents: Those of them that hold an agent.
    """

    source: FunctionSource
    locals: set[str]
    constants: set[str] = field(default_factory=set[str])
    agents: dict[str, AnyAgent] = field(default_factory=dict[str, AnyAgent])

    @staticmethod
    def of(source: FunctionSource) -> Scope:
        """The scope of a function, before anything of it is read."""
        return Scope(source.outside(), local_names(source.tree))

    def below(self, parameter: str) -> Scope:
        """The scope of a lambda with this parameter."""
        return Scope(
            self.source.hiding([parameter]),
            self.locals | {parameter},
            self.constants - {parameter},
            {name: agent for name, agent in self.agents.items() if name != parameter},
        )

    def assign(self, target: ast.expr, value: ast.expr) -> bool:
        """Hear of an assignment; whether it is to plain names."""
        elements = target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]
        names = [element.id for element in elements if isinstance(element, ast.Name)]
        is_constant, agent = self.is_known(value), self.agent(value)
        for name in names:
            self.constants.discard(name)
            self.agents.pop(name, None)
        if isinstance(target, ast.Name) and agent is not None:
            self.agents[target.id] = agent
        elif isinstance(target, ast.Name) and is_constant:
            self.constants.add(target.id)
        return len(names) == len(elements)

    def is_undefined(self, name: str) -> bool:
        """Whether a name means nothing yet."""
        return name not in self.locals and self.source.names.get(name, UNKNOWN) is UNKNOWN

    def agent(self, node: ast.expr) -> AnyAgent | None:
        """The agent that an expression means: by a global name, a local one, or configured."""
        if isinstance(node, ast.Name) and node.id in self.agents:
            return self.agents[node.id]
        configured = self.configured(node)
        return configured_agent(node, self.source) if configured is None else self.agent(configured)

    def configured(self, node: ast.expr) -> ast.expr | None:
        """The `agent` in `agent.or_else(...)` and its like, which give an agent of an agent."""
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in CONFIGURING
            and self.agent(node.func.value) is not None
        ):
            return node.func.value
        return None

    def is_deferred(self, node: ast.Call) -> bool:
        """Whether a call gives something to await."""
        return self.agent(node.func) is not None or is_composition(self.source.resolve(node.func))

    def is_known(self, node: ast.expr) -> bool:
        """Whether an expression has its value at declaration."""
        unknown = self.locals - self.constants
        return not any(
            isinstance(part, ast.Await)
            or (isinstance(part, ast.Name) and part.id in unknown)
            or (isinstance(part, ast.Call) and self.is_deferred(part))
            for part in ast.walk(node)
        )

    def is_constant_arithmetic(self, node: ast.expr) -> bool:
        """Whether an expression calculates with numbers and constants alone."""
        parts = [part for part in ast.walk(node) if isinstance(part, ast.expr)]
        return all(isinstance(part, _ARITHMETIC) for part in parts) and self.is_known(node)


def is_composition(found: object) -> bool:
    """Whether an object is one of the words that compose agents."""
    return any(found is composition for composition in COMPOSITIONS)
