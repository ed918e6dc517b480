"""A structural proof that two schemas have no value in common: sound, incomplete.

The canonical form settles nearly every pair. What it leaves open are recursive types, whose members
are still told apart by what stands at their top: the type, a tag, a field that both must have.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

from fishplate.contracts.keywords import SchemaDocument, referenced
from fishplate.core.data import dataclass
from fishplate.core.errors import JsonError, JsonValue

Excludes: TypeAlias = Callable[[SchemaDocument, SchemaDocument], bool]

_DEEPEST: Final = 12
_MOST_STEPS: Final = 400


def are_disjoint(first: SchemaDocument, second: SchemaDocument, excludes: Excludes) -> bool:
    """Whether a proof is found that no value satisfies both.

    Args:
        first: A schema of draft 2020-12 whose references are pointers within it.
        second: The same.
        excludes: Decides two schemas that hold no reference; says True only if no value satisfies
            both of them.
    """
    return _Search(first=first, second=second, excludes=excludes).apart(first, second, 0)


@dataclass(eq=False, kw_only=True, repr=False, slots=True)
class _Search:
    first: SchemaDocument
    second: SchemaDocument
    excludes: Excludes
    steps: int = _MOST_STEPS

    def apart(self, a: JsonValue, b: JsonValue, level: int) -> bool:
        """Whether no value satisfies `a` and `b`, found within a bounded search."""
        self.steps -= 1
        if self.steps < 0 or level > _DEEPEST:
            return False
        left, right = _followed(self.first, a), _followed(self.second, b)
        if left is False or right is False:
            return True
        if not (isinstance(left, dict) and isinstance(right, dict)):
            return False
        for arms in _alternatives(left):
            if all(self.apart(arm, right, level + 1) for arm in arms):
                return True
        for arms in _alternatives(right):
            if all(self.apart(left, arm, level + 1) for arm in arms):
                return True
        return self._on_top(left, right) or self._by_field(left, right, level)

    def _on_top(self, a: dict[str, JsonValue], b: dict[str, JsonValue]) -> bool:
        """Compare what judges the value itself; without its parts, each side only gets wider."""
        return self.excludes(_top(a), _top(b))

    def _by_field(self, a: dict[str, JsonValue], b: dict[str, JsonValue], level: int) -> bool:
        """Look for a field that both sides demand and that cannot satisfy both."""
        if a.get("type") != "object" or b.get("type") != "object":
            return False
        shared = _required(a) & _required(b)
        return any(
            self.apart(_property(a, name), _property(b, name), level + 1) for name in sorted(shared)
        )


def _followed(root: SchemaDocument, schema: JsonValue) -> JsonValue:
    """A schema, or what its reference names; True, which accepts all, where that is not known."""
    for _ in range(_DEEPEST):
        if not isinstance(schema, dict) or "$ref" not in schema:
            return schema
        try:
            schema = referenced(root, str(schema["$ref"]))
        except JsonError:
            return True
    return True


def _alternatives(schema: dict[str, JsonValue]) -> list[list[JsonValue]]:
    return [arms for word in ("anyOf", "oneOf") if isinstance(arms := schema.get(word), list)]


def _top(schema: dict[str, JsonValue]) -> SchemaDocument:
    kept = {"type", "enum", "const", "minimum", "maximum", "pattern", "format", "minLength"}
    return {word: held for word, held in schema.items() if word in kept}


def _required(schema: dict[str, JsonValue]) -> frozenset[str]:
    names = schema.get("required")
    return (
        frozenset(n for n in names if isinstance(n, str))
        if isinstance(names, list)
        else frozenset()
    )


def _property(schema: dict[str, JsonValue], name: str) -> JsonValue:
    """What judges the field: its declaration, or what judges undeclared fields."""
    properties = schema.get("properties")
    if isinstance(properties, dict) and name in properties:
        return properties[name]
    # A pattern could judge it instead, so that nothing is known about it.
    return True if "patternProperties" in schema else schema.get("additionalProperties", True)
