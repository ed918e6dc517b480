"""How many cases a schema falls into, before the canonical form spells them out.

The canonical form is a union of plain cases, and both its size and the time to compare them grow
with their number: thirty `anyOf` of eight arms each, under one `allOf`, are 8^30 cases.
Reading such a schema and validating with it cost nothing; its canonical form may never end.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from fishplate.contracts.keywords import SchemaDocument, referenced, subschemas
from fishplate.core.errors import JsonError, JsonValue

MOST_CASES: Final = 250
_MOST_PARTS: Final = 100
_MOST_STEPS: Final = 5000

_HERE: Final = frozenset({"allOf", "anyOf", "oneOf", "not", "if", "then", "else"})
_NAMED_APART: Final = frozenset({"$defs", "definitions", "dependentSchemas"})


def count_cases(document: SchemaDocument) -> int:
    """An estimate of the plain cases of a schema; numbers over the limit mean no more than that."""
    return _Counter(document).worst()


class _Counter:
    def __init__(self, root: SchemaDocument) -> None:
        self._root = root
        self._following: set[str] = set()
        self._known: dict[int, int] = {}
        self._steps = _MOST_STEPS

    def worst(self) -> int:
        """The cases of the part that has most."""
        waiting: list[SchemaDocument] = [self._root]
        most = 1
        while waiting and most <= MOST_CASES:
            schema = waiting.pop()
            if isinstance(schema, dict):
                most = max(most, self._one(schema))
                waiting.extend(part for _, part in subschemas(schema))
        return most

    def _one(self, schema: JsonValue) -> int:
        """The cases of one schema; each is looked at once, however often it is referred to."""
        key = id(schema)
        if key not in self._known:
            # Until it is known, a schema that leads back to itself adds nothing.
            self._known[key] = 1
            self._known[key] = self._all_of([schema])
        return self._known[key]

    def _all_of(self, schemas: Iterable[JsonValue]) -> int:
        """The cases of a conjunction: alternatives multiply, also those of the same part."""
        self._steps -= 1
        parts = list(islice(self._conjuncts(schemas), _MOST_PARTS + 1))
        if self._steps < 0 or len(parts) > _MOST_PARTS:
            return MOST_CASES + 1
        cases = 1
        below: dict[str, list[JsonValue]] = {}
        for schema in parts:
            cases *= self._arms(schema) * self._conditions(schema)
            if cases > MOST_CASES:
                return cases
            for tokens, part in subschemas(schema):
                if tokens[0] not in _HERE | _NAMED_APART:
                    below.setdefault("/".join(tokens), []).append(part)
        for same in below.values():
            if len(same) > 1:
                cases *= self._all_of(same)
        return cases

    def _arms(self, schema: dict[str, JsonValue]) -> int:
        cases = 1
        for word in ("anyOf", "oneOf"):
            if isinstance(arms := schema.get(word), list):
                cases *= self._sum(arms)
        return cases

    def _sum(self, arms: Iterable[JsonValue]) -> int:
        total = 0
        for arm in arms:
            total += self._one(arm)
            if total > MOST_CASES:
                break
        return total

    def _conjuncts(self, schemas: Iterable[JsonValue]) -> Iterator[dict[str, JsonValue]]:
        """The schemas that judge one value: these, and what they refer to or hold in `allOf`."""
        for schema in schemas:
            if not isinstance(schema, dict):
                continue
            yield schema
            if isinstance(parts := schema.get("allOf"), list):
                yield from self._conjuncts(parts)
            reference = schema.get("$ref")
            # A reference back to what is being read adds nothing new.
            if isinstance(reference, str) and reference not in self._following:
                self._following.add(reference)
                yield from self._conjuncts([self._target(reference)])
                self._following.discard(reference)

    def _conditions(self, schema: dict[str, JsonValue]) -> int:
        cases = self._none_of(schema["not"]) if "not" in schema else 1
        if "if" in schema:
            condition = schema["if"]
            met = self._all_of([condition, schema.get("then", True)])
            cases *= met + self._none_of(condition) * self._one(schema.get("else", True))
        if isinstance(dependent := schema.get("dependentSchemas"), dict):
            for part in dependent.values():
                cases *= 1 + self._one(part)
        return cases

    def _none_of(self, schema: JsonValue) -> int:
        """The cases of a negation: each rule may be the one that is broken."""
        self._steps -= 1
        if self._steps < 0:
            return MOST_CASES + 1
        if not isinstance(schema, dict):
            return 1
        cases = 0
        for word, held in schema.items():
            if word in {"anyOf", "oneOf"} and isinstance(held, list):
                product = 1
                for arm in held:
                    product *= self._none_of(arm)
                cases += product
            elif word == "allOf" and isinstance(held, list):
                cases += sum(self._none_of(part) for part in held)
            elif word == "not":
                cases += self._one(held)
            elif word in {"required", "properties"} and isinstance(held, list | dict):
                cases += len(held)
            elif word == "$ref" and isinstance(held, str) and held not in self._following:
                self._following.add(held)
                cases += self._none_of(self._target(held))
                self._following.discard(held)
            else:
                cases += 1
        return max(cases, 1)

    def _target(self, reference: str) -> JsonValue:
        try:
            return referenced(self._root, reference)
        except JsonError:
            # An anchor: what it names is counted where it stands.
            return True
