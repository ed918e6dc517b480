"""Which agents a body calls, as far as its source tells; the rest is checked when it runs."""

from __future__ import annotations

import ast
from collections.abc import Callable, Container, Iterator
from typing import Any, Final, cast

from fishplate.agents.agent import Agent, AnyAgent
from fishplate.core.source import FunctionSource, read_source

CONFIGURING: Final = frozenset({"assuming", "catching", "named", "or_else", "replace", "using"})


def ungranted_calls(
    function: Callable[..., Any], granted: Container[str]
) -> Iterator[tuple[str, AnyAgent]]:
    """The agents that a body calls, or hands on to be called, beside the granted names.

    Yields:
        `file:line` of the call, and the agent.
    """
    source = read_source(function)
    if source is None:
        return
    outside = source.outside()
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call):
            handed = [*node.args, *(keyword.value for keyword in node.keywords)]
            for part in (node.func, *handed):
                found = configured_agent(part, outside)
                if found is not None and found.name not in granted:
                    yield source.where(part), found


def lost_calls(function: Callable[..., Any]) -> Iterator[tuple[str, AnyAgent]]:
    """The calls of agents that a body makes as statements, so that nobody awaits them.

    Yields:
        `file:line` of the call, and the agent.
    """
    source = read_source(function)
    if source is None:
        return
    outside = source.outside()
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            found = configured_agent(node.value.func, outside)
            if found is not None:
                yield source.where(node), found


def configured_agent(node: ast.AST, source: FunctionSource) -> AnyAgent | None:
    """The agent that an expression such as `refund` or `refund.or_else(other)` means, if any."""
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in CONFIGURING
    ):
        return configured_agent(node.func.value, source)
    found = source.resolve(node)
    return cast("AnyAgent", found) if isinstance(found, Agent) else None
