"""Reading a workflow's body: what a plan cannot hold is refused before the body runs once.

Python lets nobody overload `is`, `isinstance`, `match`, `try` or a bare statement, so symbols alone would record
a wrong plan without a word. The reader takes a short list of forms and refuses everything else.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from types import FunctionType, MappingProxyType
from typing import Final

from fishplate.agents.agent import AnyAgent
from fishplate.agents.grants import configured_agent
from fishplate.core.errors import Problem, ProblemList
from fishplate.core.source import UNKNOWN, FunctionSource, read_source
from fishplate.workflows import compose

_COMPOSITIONS: Final = frozenset(
    {
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
    }
)
_TAKES_LAMBDA: Final = frozenset({compose.when, compose.each})

_BRANCH: Final = "only one way would be recorded, for ever. Write route, switch, or an agent that returns a literal"
_LOOP: Final = "the passes of declaration time would be recorded. Write each or repeat"
_TEXT: Final = "it would be worked out once, at declaration. Write an agent that does it, or struct to build an input"

REFUSED: Final[Mapping[type[ast.AST], str]] = MappingProxyType(
    {
        ast.If: f"'if' in a workflow: {_BRANCH}",
        ast.IfExp: f"'... if ... else ...' in a workflow: {_BRANCH}",
        ast.Match: f"'match' in a workflow: {_BRANCH}",
        ast.BoolOp: f"'and' / 'or' in a workflow: {_BRANCH}",
        ast.Not: f"'not' in a workflow: {_BRANCH}",
        ast.Compare: f"a comparison ('==', '<', 'is', 'in') in a workflow: {_BRANCH}",
        ast.Try: "'try' in a workflow: only the protected part would be recorded. Write or_else, catching, or a policy",
        ast.TryStar: "'try' in a workflow: only the protected part would be recorded. Write or_else, catching, or a policy",
        ast.With: "'with' in a workflow: its exit would be gone. Write a policy, or do it inside an agent",
        ast.AsyncWith: "'async with' in a workflow: its exit would be gone. Write a policy, or do it inside an agent",
        ast.While: f"'while' in a workflow: {_LOOP}",
        ast.For: f"'for' in a workflow: {_LOOP}",
        ast.AsyncFor: f"'async for' in a workflow: {_LOOP}",
        ast.ListComp: f"a comprehension in a workflow: {_LOOP}",
        ast.SetComp: f"a comprehension in a workflow: {_LOOP}",
        ast.DictComp: f"a comprehension in a workflow: {_LOOP}",
        ast.GeneratorExp: f"a generator expression in a workflow: {_LOOP}",
        ast.Lambda: "a lambda in a workflow stands only in when(...) and each(...). Write an agent",
        ast.JoinedStr: f"an f-string in a workflow: {_TEXT}",
        ast.BinOp: f"arithmetic in a workflow: {_TEXT}",
        ast.UnaryOp: f"arithmetic in a workflow: {_TEXT}",
        ast.AugAssign: f"arithmetic in a workflow: {_TEXT}",
        ast.Subscript: "indexing in a workflow: a plan follows fields only. Unpack a fixed tuple, or write an agent",
        ast.Starred: "'*' in a workflow: a plan needs each value by name. Write the arguments out",
        ast.NamedExpr: "':=' in a workflow: write the assignment as a line of its own",
        ast.Assert: "'assert' in a workflow acts at declaration only. Write an agent that checks",
        ast.Raise: "'raise' in a workflow acts at declaration only. Write an agent that raises a declared error",
        ast.Delete: "'del' in a workflow has no meaning in a plan. Leave it out",
        ast.Global: "'global' in a workflow acts at declaration only. Pass the value as an input",
        ast.Nonlocal: "'nonlocal' in a workflow acts at declaration only. Pass the value as an input",
        ast.Import: "'import' in a workflow acts at declaration only. Import at the top of the file",
        ast.ImportFrom: "'import' in a workflow acts at declaration only. Import at the top of the file",
        ast.FunctionDef: "a function inside a workflow is not part of the plan. Define it outside, as an agent",
        ast.AsyncFunctionDef: "a function inside a workflow is not part of the plan. Define it outside, as an agent",
        ast.ClassDef: "a class inside a workflow is not part of the plan. Define it outside",
        ast.Yield: "'yield' in a workflow: a plan returns one value. Write each, or return a list from an agent",
        ast.YieldFrom: "'yield' in a workflow: a plan returns one value. Write each, or return a list from an agent",
    }
)

_ASYNCIO: Final = MappingProxyType(
    {"gather": "parallel(...)", "wait": "parallel(...)", "sleep": "sleep(...)", "wait_for": "Policy(timeout=...)",
     "timeout": "Policy(timeout=...)", "create_task": "parallel(...)"}
)  # fmt: skip


class BodyReader:
    """Reads one body and every undecorated async function that it awaits.

    Args:
        source: The body.
        problems: Where refusals go.
    """

    def __init__(self, source: FunctionSource, problems: ProblemList) -> None:
        self._problems = problems
        self._inlined: list[FunctionType] = []
        self._enter(source)

    def _enter(self, source: FunctionSource) -> None:
        arguments = source.tree.args
        parameters = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        self._locals = {parameter.arg for parameter in parameters} | {
            node.id for node in ast.walk(source.tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        self._agents: dict[str, AnyAgent] = {}
        names = {name: found for name, found in source.names.items() if name not in self._locals}
        self._source = FunctionSource(source.tree, source.file, names)

    def read(self) -> None:
        """Read every statement."""
        body = self._source.tree.body
        for position, statement in enumerate(body):
            self._statement(statement, is_first=position == 0, is_last=position == len(body) - 1)

    def _refuse(self, node: ast.AST, message: str, code: str = "not_recordable") -> None:
        self._problems.add(Problem(code=code, message=message, where=self._source.where(node)))

    def _refuse_form(self, node: ast.AST) -> None:
        kind = ast.Not if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not) else type(node)
        text = REFUSED.get(kind, f"'{type(node).__name__}' has no meaning in a plan. Do it inside an agent")
        self._refuse(node, text)

    def _statement(self, node: ast.stmt, *, is_first: bool, is_last: bool) -> None:
        match node:
            case ast.Expr(value=ast.Constant(value=str())) if is_first:
                return
            case ast.Pass():
                return
            case ast.Expr(value=ast.Await()):
                self._expression(node.value)
            case ast.Expr():
                self._bare(node)
            case ast.Assign(targets=[target], value=value):
                self._target(target)
                self._expression(value)
                self._remember_agent(target, value)
            case ast.AnnAssign(target=ast.Name(), value=ast.expr() as value):
                self._expression(value)
                self._remember_agent(node.target, value)
            case ast.Return():
                if not is_last:
                    self._refuse(node, "an early 'return' would record a shorter plan. Write route or switch")
                if node.value is not None:
                    self._expression(node.value)
            case _:
                self._refuse_form(node)

    def _bare(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call) and (
            self._agent(node.value.func) is not None or self._source.resolve(node.value.func) in _hashable(_COMPOSITIONS)
        ):
            self._expression(node.value)
            return  # the recorder refuses it as a step that nobody awaits, and knows its name
        self._refuse(
            node,
            "a statement kept for its effect acts at declaration only, and is no part of the plan. "
            "Do it inside an agent or a tool",
        )

    def _target(self, target: ast.expr) -> None:
        match target:
            case ast.Name():
                return
            case ast.Tuple(elts=elements) | ast.List(elts=elements) if all(
                isinstance(element, ast.Name) for element in elements
            ):
                return
            case _:
                self._refuse(target, "a workflow assigns to plain names only. Build objects with struct")

    def _remember_agent(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name) and not isinstance(value, ast.Await):
            found = self._agent(value)
            if found is not None:
                self._agents[target.id] = found

    def _agent(self, node: ast.expr) -> AnyAgent | None:
        if isinstance(node, ast.Name) and node.id in self._agents:
            return self._agents[node.id]
        return configured_agent(node, self._source)

    def _expression(self, node: ast.expr, *, is_awaited: bool = False, takes_lambda: bool = False) -> None:
        match node:
            case ast.Constant() | ast.Name():
                return
            case ast.Await(value=value):
                self._expression(value, is_awaited=True)
            case ast.Attribute(value=value):
                self._expression(value)
            case ast.Call():
                self._call(node, is_awaited=is_awaited)
            case ast.Tuple(elts=elements) | ast.List(elts=elements) | ast.Set(elts=elements):
                for element in elements:
                    self._expression(element)
            case ast.Dict(keys=keys, values=values):
                for part in (*keys, *values):
                    if part is not None:
                        self._expression(part)
            case ast.Lambda(body=body) if takes_lambda:
                self._locals |= {argument.arg for argument in node.args.args}
                self._expression(body)
            case ast.UnaryOp() | ast.BinOp() if _is_constant_arithmetic(node):
                return
            case _:
                self._refuse_form(node)

    def _call(self, node: ast.Call, *, is_awaited: bool) -> None:
        found = self._agent(node.func)
        if found is None:
            found_object = self._callee(node.func)
            if not self._may_call(node, found_object, is_awaited=is_awaited):
                return
            takes_lambda = found_object in _hashable(_TAKES_LAMBDA)
        else:
            takes_lambda = False
            if isinstance(node.func, ast.Call):
                self._expression(node.func)
        for argument in node.args:
            self._expression(argument, takes_lambda=takes_lambda)
        for keyword in node.keywords:
            if keyword.arg is None:
                self._refuse(keyword.value, REFUSED[ast.Starred])
            else:
                self._expression(keyword.value)

    def _callee(self, node: ast.expr) -> object:
        if isinstance(node, ast.Name) and node.id in self._locals:
            return UNKNOWN
        if isinstance(node, ast.Attribute) and self._agent(node.value) is not None:
            return getattr(self._agent(node.value), node.attr, UNKNOWN)
        return self._source.resolve(node)

    def _may_call(self, node: ast.Call, callee: object, *, is_awaited: bool) -> bool:
        spelled = ast.unparse(node.func)
        if callee in _hashable(_COMPOSITIONS):
            return True
        if isinstance(node.func, ast.Attribute) and self._agent(node.func.value) is not None and callable(callee):
            return True
        if callee is isinstance:
            self._refuse(node, f"'isinstance' in a workflow: {_BRANCH}")
            return False
        module = getattr(callee, "__module__", None) or ""
        if module == "asyncio" or module.startswith("asyncio."):
            instead = _ASYNCIO.get(getattr(callee, "__name__", ""), "parallel, sleep or Policy(timeout=...)")
            self._refuse(node, f"{spelled!r} in a workflow runs at declaration. Write {instead}")
            return False
        if isinstance(callee, type):
            return self._may_build(node, spelled)
        if isinstance(callee, FunctionType) and inspect.iscoroutinefunction(callee):
            return self._inline(node, callee, is_awaited=is_awaited)
        self._refuse(
            node,
            f"the plain call {spelled}(...) would run once, at declaration. "
            "Make it an agent, or take the value from current() inside one",
        )
        return False

    def _may_build(self, node: ast.Call, spelled: str) -> bool:
        values = [*node.args, *(keyword.value for keyword in node.keywords)]
        for part in (part for value in values for part in ast.walk(value)):
            if isinstance(part, ast.Await) or (isinstance(part, ast.Name) and part.id in self._locals):
                self._refuse(
                    node,
                    f"{spelled}(...) is built from a value that is not known yet. "
                    f"Write struct({spelled}, field=value)",
                )
                return False
        return True

    def _inline(self, node: ast.Call, callee: FunctionType, *, is_awaited: bool) -> bool:
        name = callee.__name__
        if not is_awaited:
            self._refuse(node, f"{name!r} is a plain async function that nobody awaits here. Make it an agent")
            return False
        if callee in self._inlined:
            self._refuse(node, f"{name!r} calls itself, so its plan would never end. Write repeat")
            return False
        source = read_source(callee)
        if source is None:
            self._refuse(node, f"the source of {name!r} cannot be read, so it cannot be inlined. Make it an agent")
            return False
        kept = (self._source, self._locals, self._agents)
        self._inlined.append(callee)
        self._enter(source)
        self.read()
        self._inlined.pop()
        self._source, self._locals, self._agents = kept
        return True


class _hashable:  # noqa: N801 -- reads as a word where it is used
    """Membership by identity, for objects that need not be hashable."""

    def __init__(self, members: frozenset[object]) -> None:
        self._members = members

    def __contains__(self, found: object) -> bool:
        return any(found is member for member in self._members)


def _is_constant_arithmetic(node: ast.expr) -> bool:
    return not any(
        isinstance(part, ast.expr) and not isinstance(part, (ast.Constant, ast.BinOp, ast.UnaryOp))
        or isinstance(part, ast.Not)
        for part in ast.walk(node)
    )
