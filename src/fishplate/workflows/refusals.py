"""What a workflow's body may not hold, and what to write instead: the texts of the reader."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

BRANCH: Final = (
    "only one way would be recorded, for ever. "
    "Write route, switch, or an agent that returns a literal or a member of a union"
)
_LOOP: Final = "the passes of declaration time would be recorded. Write each or repeat"
_ONCE: Final = (
    "it would be worked out once, at declaration. "
    "Write an agent that does it, or struct to build an input"
)
_TRY: Final = (
    "'try' in a workflow: only the protected part would be recorded. "
    "Write or_else, catching, or a policy"
)
_EXIT: Final = "its exit would be gone. Write a policy, or do it inside an agent"
_IMPORT: Final = "'import' in a workflow acts at declaration only. Import at the top of the file"
_NESTED: Final = (
    "a function inside a workflow is not part of the plan. Define it outside, as an agent"
)
_GLOBAL: Final = "in a workflow acts at declaration only. Pass the value as an input"
_YIELD: Final = (
    "'yield' in a workflow: a plan returns one value. Write each, or return a list from an agent"
)
STAR: Final = "'*' in a workflow: a plan needs each value by name. Write the arguments out"

REFUSED: Final[Mapping[type[ast.AST], str]] = MappingProxyType(
    {
        ast.If: f"'if' in a workflow: {BRANCH}",
        ast.IfExp: f"'... if ... else ...' in a workflow: {BRANCH}",
        ast.Match: f"'match' in a workflow: {BRANCH}",
        ast.BoolOp: f"'and' / 'or' in a workflow: {BRANCH}",
        ast.Not: f"'not' in a workflow: {BRANCH}",
        ast.Compare: f"a comparison ('==', '<', 'is', 'in') in a workflow: {BRANCH}",
        ast.Try: _TRY,
        ast.TryStar: _TRY,
        ast.With: f"'with' in a workflow: {_EXIT}",
        ast.AsyncWith: f"'async with' in a workflow: {_EXIT}",
        ast.While: f"'while' in a workflow: {_LOOP}",
        ast.For: f"'for' in a workflow: {_LOOP}",
        ast.AsyncFor: f"'async for' in a workflow: {_LOOP}",
        ast.ListComp: f"a comprehension in a workflow: {_LOOP}",
        ast.SetComp: f"a comprehension in a workflow: {_LOOP}",
        ast.DictComp: f"a comprehension in a workflow: {_LOOP}",
        ast.GeneratorExp: f"a generator expression in a workflow: {_LOOP}",
        ast.Lambda: "a lambda in a workflow is a branch of when(...) or each(...). Write an agent",
        ast.JoinedStr: f"an f-string in a workflow: {_ONCE}",
        ast.BinOp: f"arithmetic in a workflow: {_ONCE}",
        ast.UnaryOp: f"arithmetic in a workflow: {_ONCE}",
        ast.AugAssign: f"arithmetic in a workflow: {_ONCE}",
        ast.Subscript: (
            "indexing in a workflow: a plan follows fields only. "
            "Unpack a fixed tuple, or write an agent"
        ),
        ast.Starred: STAR,
        ast.NamedExpr: "':=' in a workflow: write the assignment as a line of its own",
        ast.Assert: ("'assert' in a workflow acts at declaration only. Write an agent that checks"),
        ast.Raise: (
            "'raise' in a workflow acts at declaration only. "
            "Write an agent that raises a declared error"
        ),
        ast.Delete: "'del' in a workflow has no meaning in a plan. Leave it out",
        ast.Global: f"'global' {_GLOBAL}",
        ast.Nonlocal: f"'nonlocal' {_GLOBAL}",
        ast.Import: _IMPORT,
        ast.ImportFrom: _IMPORT,
        ast.FunctionDef: _NESTED,
        ast.AsyncFunctionDef: _NESTED,
        ast.ClassDef: "a class inside a workflow is not part of the plan. Define it outside",
        ast.Yield: _YIELD,
        ast.YieldFrom: _YIELD,
    }
)

# What stands in place of a function of asyncio; the rest is named together.
ASYNCIO: Final[Mapping[str, str]] = MappingProxyType(
    {
        "create_task": "parallel(...)",
        "gather": "parallel(...)",
        "sleep": "sleep(...)",
        "timeout": "Policy(timeout=...)",
        "wait": "parallel(...)",
        "wait_for": "Policy(timeout=...)",
    }
)
ANY_OF_ASYNCIO: Final = "parallel(...), sleep(...) or Policy(timeout=...)"


def refused_form(node: ast.AST) -> str:
    """Why a form of Python cannot stand in a workflow's body."""
    kind: type[ast.AST] = type(node)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        kind = ast.Not
    return REFUSED.get(kind, f"'{kind.__name__}' has no meaning in a plan. Do it inside an agent")
