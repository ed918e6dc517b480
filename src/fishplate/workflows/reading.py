"""Reading a workflow's body: what a plan cannot hold is refused before the body runs once.

Python lets nobody overload `is`, `isinstance`, `match`, `try` or a bare statement, so symbols alone
would record a wrong plan without a word. The reader takes a short list of forms and refuses
everything else. What it refuses is not run.
"""

from __future__ import annotations

import ast
import inspect
from enum import Enum
from types import FunctionType, ModuleType
from typing import cast

from fishplate.agents.agent import Agent
from fishplate.core.errors import Problem, ProblemList
from fishplate.core.source import UNKNOWN, FunctionSource, read_source
from fishplate.workflows import compose
from fishplate.workflows.building import building_code, is_fixed, unknown_factory
from fishplate.workflows.refusals import ANY_OF_ASYNCIO, ASYNCIO, BRANCH, STAR, refused_form
from fishplate.workflows.scope import Scope, is_composition


class BodyReader:
    """Reads one body and every undecorated async function that it awaits.

    Args:
        source: The body.
        problems: Where refusals go.
    """

    def __init__(self, source: FunctionSource, problems: ProblemList) -> None:
        self._problems = problems
        self._scope = Scope.of(source)
        self._inlined: dict[FunctionType, str] = {}
        self._read: set[FunctionType] = set()

    def read(self) -> None:
        """Read every statement."""
        body = self._scope.source.tree.body
        for position, statement in enumerate(body):
            is_docstring = position == 0 and _is_text(statement)
            if not is_docstring:
                self._statement(statement, is_last=position == len(body) - 1)

    def _statement(self, node: ast.stmt, *, is_last: bool) -> None:
        match node:
            case ast.Pass() | ast.AnnAssign(target=ast.Name(), value=None):
                return
            case ast.Expr(value=ast.Await() as awaited):
                self._expression(awaited)
            case ast.Expr(value=value):
                self._bare(value)
            case ast.Assign(targets=targets, value=value):
                self._assign(targets, value)
            case ast.AnnAssign(target=ast.Name() as target, value=ast.expr() as value):
                self._assign([target], value)
            case ast.Return(value=value):
                if not is_last:
                    early = "an early 'return' would record a shorter plan. Write route or switch"
                    self._refuse(node, early)
                if value is not None:
                    self._expression(value)
            case _:
                self._refuse(node, refused_form(node))

    def _bare(self, value: ast.expr) -> None:
        if isinstance(value, ast.Call) and self._scope.is_deferred(value):
            self._refuse(
                value,
                f"{ast.unparse(value.func)}(...) is neither awaited nor used: await it, "
                "or pass it on as a branch",
                code="lost_step",
            )
        elif isinstance(value, (ast.Yield, ast.YieldFrom, ast.NamedExpr)):
            self._refuse(value, refused_form(value))
        else:
            self._refuse(
                value,
                "a statement kept for its effect acts at declaration only, and is no part of the "
                "plan. Do it inside an agent or a tool",
            )

    def _assign(self, targets: list[ast.expr], value: ast.expr) -> None:
        self._expression(value)
        for target in targets:
            if not self._scope.assign(target, value):
                plain = "a workflow assigns to plain names only. Build objects with struct"
                self._refuse(target, plain)

    def _expression(self, node: ast.expr, *, is_awaited: bool = False) -> None:
        match node:
            case ast.Constant():
                return
            case ast.Name():
                self._name(node)
            case ast.Attribute():
                self._attribute(node)
            case ast.Subscript(value=value, slice=ast.Constant(value=str())) if (
                not self._scope.is_known(value)
            ):
                self._expression(value)  # a key of a typed dict, or the symbol refuses it
            case ast.Await(value=value):
                self._expression(value, is_awaited=True)
            case ast.Call():
                self._call(node, is_awaited=is_awaited)
            case ast.Tuple() | ast.List() | ast.Set() | ast.Dict():
                self._parts(node)
            case ast.UnaryOp() | ast.BinOp() if self._scope.is_constant_arithmetic(node):
                self._parts(node)
            case _:
                self._refuse(node, refused_form(node))

    def _parts(self, node: ast.expr) -> None:
        for part in ast.iter_child_nodes(node):
            if isinstance(part, ast.expr):
                self._expression(part)

    def _name(self, node: ast.Name) -> None:
        if self._scope.is_undefined(node.id):
            self._refuse(
                node, f"{node.id!r} is not known here: define or import it above the workflow"
            )

    def _attribute(self, node: ast.Attribute) -> None:
        if node.attr.startswith("__"):
            self._refuse(
                node, f"{node.attr!r} is not a field of any value. Write an agent that finds it out"
            )
            return
        if isinstance(node.value, ast.Call) and self._scope.is_deferred(node.value):
            call = ast.unparse(node.value)
            self._refuse(
                node,
                f"{call} is not awaited, so it has no {node.attr!r}: "
                f"write (await {call}).{node.attr}",
                code="lost_step",
            )
            return
        self._expression(node.value)
        owner = self._scope.source.resolve(node.value)
        if not (owner is UNKNOWN or _holds_constants(owner)):
            self._refuse(
                node,
                f"{ast.unparse(node)!r} would be read once, at declaration, and may change later. "
                "Pass it as an input, or name a constant of the module",
            )

    def _call(self, node: ast.Call, *, is_awaited: bool) -> None:
        stars = [keyword for keyword in node.keywords if keyword.arg is None]
        if stars or any(isinstance(argument, ast.Starred) for argument in node.args):
            self._refuse(node, STAR)
            return
        configured = self._scope.configured(node)
        if self._scope.agent(node.func) is not None:
            self._expression(node.func)
        elif configured is not None:
            self._expression(configured)
        elif not self._may_call(node, is_awaited=is_awaited):
            return
        branches = self._branches(node)
        for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
            if argument not in branches:
                self._expression(argument)

    def _branches(self, node: ast.Call) -> list[ast.expr]:
        """Read those arguments of a composition that are branches, and say which they are."""
        callee = self._scope.source.resolve(node.func)
        takes_lambda = callee is compose.each or callee is compose.when
        if callee is compose.route:
            branches, may_be = node.args, "an agent or when(Member, lambda member: ...)"
        elif callee is compose.repeat:
            branches, may_be = node.args[:1], "an agent that takes its own output"
        elif takes_lambda:
            first = 0 if callee is compose.each else 1
            branches = node.args[first : first + 1]
            may_be = "an agent, or a lambda that is written there"
        else:
            return []
        for branch in branches:
            if self._scope.agent(branch) is not None or (
                callee is compose.route and self._is_when(branch)
            ):
                self._expression(branch)
            elif takes_lambda and isinstance(branch, ast.Lambda):
                self._lambda(branch)
            else:
                word, spelled = ast.unparse(node.func), ast.unparse(branch)
                self._refuse(branch, f"a branch of {word}(...) is {may_be}, and not {spelled}")
        return branches

    def _is_when(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Call) and self._scope.source.resolve(node.func) is compose.when

    def _lambda(self, node: ast.Lambda) -> None:
        parameters = list(ast.iter_child_nodes(node.args))
        if len(parameters) != 1 or len(node.args.args) != 1:
            self._refuse(
                node, "a branch takes its one value and nothing else: write lambda item: ..."
            )
            return
        outer, self._scope = self._scope, self._scope.below(node.args.args[0].arg)
        self._expression(node.body)
        self._scope = outer

    def _may_call(self, node: ast.Call, *, is_awaited: bool) -> bool:
        callee, spelled = self._scope.source.resolve(node.func), ast.unparse(node.func)
        if is_composition(callee):
            return True
        if isinstance(callee, type):
            return self._may_build(node, cast("type[object]", callee), spelled)
        if isinstance(node.func, ast.Name) and self._scope.is_undefined(node.func.id):
            self._name(node.func)
        elif callee is isinstance:
            self._refuse(node, f"'isinstance' in a workflow: {BRANCH}")
        elif (getattr(callee, "__module__", None) or "").partition(".")[0] == "asyncio":
            instead = ASYNCIO.get(getattr(callee, "__name__", ""), ANY_OF_ASYNCIO)
            self._refuse(node, f"{spelled!r} in a workflow runs at declaration. Write {instead}")
        elif isinstance(callee, FunctionType) and inspect.iscoroutinefunction(callee):
            return self._inline(node, callee, is_awaited=is_awaited)
        else:
            self._refuse(
                node,
                f"the plain call {spelled}(...) would run once, at declaration. "
                "Make it an agent, or take the value from current() inside one",
            )
        return False

    def _may_build(self, node: ast.Call, cls: type[object], spelled: str) -> bool:
        values = [*node.args, *(keyword.value for keyword in node.keywords)]
        if not all(map(self._scope.is_known, values)):
            is_work = cls.__module__ in {"builtins", "asyncio"}
            instead = "an agent that does it" if is_work else f"struct({spelled}, field=value)"
            built = f"{spelled}(...) is built from a value that is not known yet. Write {instead}"
            self._refuse(node, built)
            return False
        if (hook := building_code(cls)) is not None:
            self._refuse(
                node,
                f"{spelled}(...) runs its own {hook!r} once, at declaration, and what it reads may "
                "change later. Build the object above the workflow, as a constant of the module, "
                "or inside an agent",
            )
            return False
        given = {keyword.arg for keyword in node.keywords if keyword.arg is not None}
        if (name := unknown_factory(cls, given)) is not None:
            self._refuse(
                node,
                f"{spelled}(...) makes up its field {name!r} once, at declaration. "
                "Give the field a value, or build the object inside an agent",
            )
            return False
        return True

    def _inline(self, node: ast.Call, callee: FunctionType, *, is_awaited: bool) -> bool:
        name, source = callee.__name__, read_source(callee)
        if not is_awaited:
            self._refuse(
                node,
                f"{name!r} is a plain async function that nobody awaits here. "
                "Make it an agent or a workflow",
            )
        elif callee in self._inlined:
            self._refuse(node, f"{name!r} calls itself, so its plan would never end. Write repeat")
        elif source is None:
            self._refuse(
                node,
                f"the source of {name!r} cannot be read, so it cannot be inlined. Make it an agent",
            )
        else:
            if callee not in self._read:
                self._read.add(callee)
                outer, self._scope = self._scope, Scope.of(source)
                self._inlined[callee] = outer.source.where(node)
                self.read()
                del self._inlined[callee]
                self._scope = outer
            return True
        return False

    def _refuse(self, node: ast.AST, message: str, *, code: str = "not_recordable") -> None:
        for callee, where in reversed(self._inlined.items()):
            message = f"{message} (in {callee.__name__!r}, which is awaited at {where})"
        place = self._scope.source.where(node)
        self._problems.add(Problem(code=code, message=message, where=place))


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _holds_constants(owner: object) -> bool:
    """Whether what an object holds stays as it is: modules and classes are taken to."""
    return isinstance(owner, (ModuleType, type, Enum, Agent)) or is_fixed(owner)
