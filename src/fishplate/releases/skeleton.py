"""A syntax tree as JSON, without what changes nothing: places, docstrings, annotations, decorators.

What a decorator declares stands in the contract, the policy and the children of a release, and what
annotations say in the contract.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final, cast

from fishplate.core.errors import JsonValue

_UNRELATED: Final = frozenset(
    {
        "annotation",
        "ctx",
        "decorator_list",
        "kind",
        "returns",
        "simple",
        "type_comment",
        "type_ignores",
        "type_params",
    }
)


def skeleton(node: ast.AST) -> JsonValue:
    """A syntax tree as JSON that is equal as long as the code does the same, as far as it shows."""
    if isinstance(node, ast.AnnAssign) and node.value is not None:
        return {"": "Assign", "targets": [skeleton(node.target)], "value": skeleton(node.value)}
    found: dict[str, JsonValue] = {"": type(node).__name__}
    for name, value in ast.iter_fields(node):
        if name in _UNRELATED or value is None or value == []:
            continue
        if isinstance(value, list):
            found[name] = _sequence(cast("list[object]", value), is_body=name == "body")
        else:
            found[name] = skeleton(value) if isinstance(value, ast.AST) else repr(value)
    return found


def parts(node: ast.AST) -> Iterator[ast.AST]:
    """A syntax tree's nodes without those that its skeleton leaves out."""
    yield node
    for name, value in ast.iter_fields(node):
        if name not in _UNRELATED:
            for inner in cast("list[object]", value) if isinstance(value, list) else [value]:
                if isinstance(inner, ast.AST):
                    yield from parts(inner)


def _sequence(nodes: list[object], *, is_body: bool) -> JsonValue:
    return [
        skeleton(node) if isinstance(node, ast.AST) else repr(node)
        for node in nodes
        if not (is_body and _is_silent(node))
    ]


def _is_silent(statement: object) -> bool:
    """Whether a statement does nothing: a text by itself, `pass`, a name with an annotation."""
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant) and isinstance(statement.value.value, str)
    is_bare = isinstance(statement, ast.AnnAssign) and statement.value is None
    return is_bare or isinstance(statement, ast.Pass)
