"""Which agents a body calls, as far as its source tells; the rest is checked when it runs."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Set
from typing import Any, Final

from fishplate.agents.agent import Agent, AnyAgent
from fishplate.core.source import FunctionSource, read_source

CONFIGURING: Final = frozenset({"or_else", "using", "named", "catching", "assuming", "replace"})


def ungranted_calls(function: Callable[..., Any], granted: Set[str]) -> Iterator[tuple[str, AnyAgent]]:
    """Every call in the body of an agent that is not among the granted names, with its `file:line`."""
    source = read_source(function)
    if source is None:
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call):
            found = configured_agent(node.func, source)
            if found is not None and found.name not in granted:
                yield source.where(node), found


def configured_agent(node: ast.AST, source: FunctionSource) -> AnyAgent | None:
    """The agent that an expression such as `refund` or `refund.or_else(other)` means, if it means one."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CONFIGURING:
        return configured_agent(node.func.value, source)
    found = source.resolve(node)
    return found if isinstance(found, Agent) else None
