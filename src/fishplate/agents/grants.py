"""Which agents a body calls, as far as its source tells; the rest is checked when it runs."""

from __future__ import annotations

import ast
from collections.abc import Callable, Container, Iterator
from typing import Any, Final, cast

from fishplate.agents.agent import Agent, AnyAgent
from fishplate.core.source import FunctionSource, FunctionTree, local_names, read_source

CONFIGURING: Final = frozenset({"assuming", "catching", "named", "or_else", "replace", "using"})

NO_GRANT_FOR_ITSELF: Final = (
    "a grant names agents that are declared before, never the one that holds it. Put the recursion "
    "into an undecorated async function that the body awaits: the calls that it makes are the "
    "body's own"
)


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
    # A decorator runs when the function is declared: what it names is no call of the body.
    decorating = {id(part) for one in source.tree.decorator_list for part in ast.walk(one)}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and id(node) not in decorating:
            handed = [*node.args, *(keyword.value for keyword in node.keywords)]
            for part in (node.func, *handed):
                found = configured_agent(part, outside)
                if found is not None and found.name not in granted:
                    yield source.where(part), found


def self_calls(function: Callable[..., Any]) -> Iterator[str]:
    """The places where a body calls its own agent, or hands it on to be called.

    Yields:
        `file:line` of the call.
    """
    source = read_source(function)
    # Without a decorator, as in `agent(function)`, the name goes on to mean the plain function.
    if source is None or not source.tree.decorator_list:
        return
    if source.tree.name in local_names(source.tree):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call):
            handed = [*node.args, *(keyword.value for keyword in node.keywords)]
            for part in (node.func, *handed):
                if _is_use_of(source.tree.name, part):
                    yield source.where(part)


def lost_calls(function: Callable[..., Any]) -> Iterator[tuple[str, AnyAgent, str]]:
    """The calls of agents that a body does not await, though it uses them as if it had.

    Those are calls as statements of their own, calls that it returns, and calls whose fields it
    reads. What it assigns or hands on may be awaited later.

    Yields:
        `file:line` of the call, the agent, and what to write instead.
    """
    source = read_source(function)
    if source is None:
        return
    outside = source.outside()
    for node, instead in _unawaited(source.tree):
        if isinstance(node, ast.Call):
            found = configured_agent(node.func, outside)
            if found is not None:
                yield source.where(node), found, instead


def _unawaited(tree: FunctionTree) -> Iterator[tuple[ast.AST | None, str]]:
    """Expressions of a body that stand where a value is needed, with what to write there."""
    # What a function inside the body returns may be awaited by the body.
    inner = {
        part
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node is not tree
        for part in ast.walk(node)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=value):
                yield value, "write 'await'"
            case ast.Return(value=value) if node not in inner:
                yield value, "write 'return await'"
            case ast.Attribute(value=value, attr=name):
                yield value, f"write (await ...).{name}"
            case _:
                pass


def _is_use_of(name: str, node: ast.AST) -> bool:
    """Whether an expression is an agent's name, or that name configured: `name.using(...)`."""
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr not in CONFIGURING:
            return False
        node = node.func.value
    return isinstance(node, ast.Name) and node.id == name


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
