"""The release of an agent: a fingerprint over contract, behaviour and policy, each with its own part.

A comment, a docstring or formatting changes nothing; one character of a prompt changes only the behaviour.
"""

from __future__ import annotations

import ast
import dataclasses
import enum
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import FunctionType

from fishplate.contracts.json import canonical_json
from fishplate.core.errors import JsonValue
from fishplate.core.source import code_names, names_of, plain_function, read_source


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """An immutable version of an agent.

    Attributes:
        name: The agent's name.
        version: Its semantic version.
        contract: Hex digest of what it takes, gives and declares as errors.
        behaviour: Hex digest of its code, its plan and its children.
        policy: Hex digest of how it is protected.
        fingerprint: Hex digest over the three.
    """

    name: str
    version: str
    contract: str
    behaviour: str
    policy: str
    fingerprint: str

    @staticmethod
    def of(
        name: str,
        version: str,
        *,
        contract: JsonValue,
        behaviour: JsonValue,
        policy: JsonValue,
        children: Mapping[str, Release],
    ) -> Release:
        """Digest the parts; a child's change reaches every ancestor, in the part in which it changed."""
        parts = {
            part: digest([own, {child: getattr(release, part) for child, release in sorted(children.items())}])
            for part, own in (("contract", contract), ("behaviour", behaviour), ("policy", policy))
        }
        # What a caller sees of a contract is the agent's own; a child's contract is part of how it behaves.
        parts["behaviour"] = digest(
            [parts["behaviour"], {child: release.contract for child, release in sorted(children.items())}]
        )
        parts["contract"] = digest(contract)
        return Release(name=name, version=version, fingerprint=digest([name, parts]), **parts)

    @property
    def label(self) -> str:
        """`1.2.0+fp.9c3e12ab34cd`, as it stands on runs and spans."""
        return f"{self.version}+fp.{self.fingerprint[:12]}"

    def to_json(self) -> dict[str, JsonValue]:
        """The release as a JSON object."""
        return {
            "name": self.name,
            "version": self.version,
            "label": self.label,
            "contract": self.contract,
            "behaviour": self.behaviour,
            "policy": self.policy,
        }


def digest(document: object) -> str:
    """SHA-256 of canonical JSON, as hex."""
    return hashlib.sha256(canonical_json(document)).hexdigest()  # type: ignore[arg-type]  # nested mappings of JSON


def code_digest(function: Callable[..., object], *, package: str = "") -> JsonValue:
    """What a function does, as JSON that comments, docstrings and formatting do not change.

    Functions and constants of its own module that it mentions are part of it, so that a prompt kept in a
    module constant counts. Where there is no source, the function's qualified name stands alone.
    """
    found = plain_function(function)
    if found is None:
        return {"opaque": getattr(function, "__qualname__", type(function).__qualname__), "package": package}
    return {"functions": dict(sorted(_functions(found, {}).items())), "constants": dict(sorted(_constants(found)))}


def _functions(function: FunctionType, seen: dict[str, JsonValue]) -> dict[str, JsonValue]:
    name = function.__qualname__
    if name in seen:
        return seen
    source = read_source(function)
    seen[name] = "opaque" if source is None else digest(_skeleton(_without_docstring(source.tree)))
    for other in _mentioned(function):
        if isinstance(other, FunctionType) and other.__module__ == function.__module__:
            _functions(other, seen)
    return seen


def _constants(function: FunctionType) -> Iterator[tuple[str, JsonValue]]:
    seen = set[str]()
    pending: list[FunctionType] = [function]
    while pending:
        found = pending.pop()
        if found.__qualname__ in seen:
            continue
        seen.add(found.__qualname__)
        names = names_of(found)
        for name in sorted(set(code_names(found.__code__))):
            value = names.get(name)
            if isinstance(value, FunctionType) and value.__module__ == function.__module__:
                pending.append(value)
            elif name in found.__globals__ or name in found.__code__.co_freevars:
                constant = _constant(value)
                if constant is not None:
                    yield name, constant


def _mentioned(function: FunctionType) -> Iterator[object]:
    names = names_of(function)
    for name in sorted(set(code_names(function.__code__))):
        if name in names:
            yield names[name]


def _constant(value: object) -> JsonValue:
    if isinstance(value, enum.Enum):
        return str(value)
    if isinstance(value, (str, int, float, bool)):
        return repr(value)
    if isinstance(value, Decimal):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: repr(_constant(getattr(value, field.name))) for field in dataclasses.fields(value)}
    return _collection(value)


def _collection(value: object) -> JsonValue:
    if isinstance(value, frozenset):
        return sorted(repr(item) for item in value)
    if isinstance(value, dict):
        return {repr(key): repr(_constant(item)) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [repr(_constant(item)) for item in value]
    return None


def _without_docstring(tree: ast.AST) -> ast.AST:
    body = getattr(tree, "body", None)
    if isinstance(body, list) and body and isinstance(tree, (ast.FunctionDef, ast.AsyncFunctionDef)):
        first = body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            copy = type(tree)(**{name: getattr(tree, name, None) for name in tree._fields})
            copy.body = body[1:]
            return copy
    return tree


_UNRELATED = frozenset({"ctx", "type_comment", "decorator_list", "type_ignores", "type_params", "kind"})


def _skeleton(node: object) -> JsonValue:
    """A syntax tree as JSON, without positions and without what Python versions spell differently.

    Decorators are left out: what they declare stands in the contract, the policy and the children.
    """
    if isinstance(node, ast.AST):
        fields: dict[str, JsonValue] = {"": type(node).__name__}
        for name, value in ast.iter_fields(node):
            if name not in _UNRELATED and value is not None and value != []:
                fields[name] = _skeleton(_without_docstring(value) if isinstance(value, ast.AST) else value)
        return fields
    if isinstance(node, list):
        return [_skeleton(item) for item in node]
    return repr(node)
