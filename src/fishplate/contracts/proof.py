"""A structural proof that one schema accepts all that another does: sound, incomplete.

It walks both schemas side by side and settles what the canonical form leaves open, which is
recursion above all. The proof is coinductive: a pair of schemas that is met again below itself may
be taken as proved, provided that a part of the value was entered in between. Values are finite, so
a smallest counterexample would have a still smaller one inside.

A keyword that is not understood only narrows what the producer gives, so there it is dropped. On
the consumer's side it ends the attempt.

Source: Amadio and Cardelli, "Subtyping Recursive Types", TOPLAS 15 (1993) 575-631, for the rule
about pairs met again.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from typing import Final, TypeAlias

from fishplate.contracts.dialects import CURRENT_DIALECT
from fishplate.contracts.json import canonical_json
from fishplate.contracts.keywords import (
    ANNOTATIONS,
    DEFINITIONS,
    REFERENCES,
    SchemaDocument,
    all_schemas,
    referenced,
)
from fishplate.core.data import dataclass
from fishplate.core.errors import JsonError, JsonValue

Node: TypeAlias = dict[str, JsonValue]
Covers: TypeAlias = Callable[[SchemaDocument, SchemaDocument], bool]

_MOST_STEPS: Final = 4000
_MOST_LEAVES: Final = 600
_DEEPEST: Final = 60
_WITHIN_DEFINITIONS: Final = tuple(f"#/{word}/" for word in DEFINITIONS)
_IGNORED: Final = ANNOTATIONS | DEFINITIONS | {"$schema", "default", "deprecated", "discriminator"}
_OBJECT_WORDS: Final = frozenset(
    {
        "type",
        "properties",
        "required",
        "additionalProperties",
        "patternProperties",
        "minProperties",
        "maxProperties",
    }
)
_ARRAY_WORDS: Final = frozenset(
    {"type", "prefixItems", "items", "minItems", "maxItems", "uniqueItems"}
)


def is_proved(producer: SchemaDocument, consumer: SchemaDocument, covers: Covers) -> bool:
    """Whether a proof is found that the consumer accepts all that the producer may give.

    Args:
        producer: A schema of draft 2020-12 whose references are pointers within it.
        consumer: The same.
        covers: Decides pairs that hold no structure; gets two documents that are complete in
            themselves, and says True only if the first fits the second.
    """
    if not (_is_plain(producer) and _is_plain(consumer)):
        return False
    proof = _Proof(producer=producer, consumer=consumer, covers=covers)
    return proof.holds(producer, consumer, 0)


class _NotUnderstood(Exception):  # noqa: N818 -- never leaves this module: it ends one attempt
    """A part of a schema that this proof cannot read."""


@dataclass(eq=False, kw_only=True, repr=False, slots=True)
class _Proof:
    producer: SchemaDocument
    consumer: SchemaDocument
    covers: Covers
    steps: int = _MOST_STEPS
    leaves: int = _MOST_LEAVES
    settled: dict[tuple[bytes, bytes], bool] = field(default_factory=dict)
    uses: int = 0
    # Pairs under proof, each with the number of value parts that had been entered by then.
    assumed: dict[tuple[bytes, bytes], int] = field(default_factory=dict)

    def holds(  # noqa: PLR0911 -- each return settles one kind of pair
        self, a: JsonValue, b: JsonValue, entered: int
    ) -> bool:
        """Whether `b` takes all that `a` gives, `entered` parts inside the value."""
        self.steps -= 1
        if self.steps < 0 or entered > _DEEPEST:
            return False
        try:
            left, right = _resolved(self.producer, a), _resolved(self.consumer, b)
        except (_NotUnderstood, JsonError):
            return False
        if right is True or left is False:
            return True
        if isinstance(right, bool):
            return False
        left = {} if isinstance(left, bool) else left
        pair = (canonical_json(left), canonical_json(right))
        if pair[0] == pair[1] and not any(REFERENCES & part.keys() for part in all_schemas(left)):
            return True
        if pair in self.assumed:
            self.uses += 1
            return entered > self.assumed[pair]
        if pair in self.settled:
            return self.settled[pair]
        uses = self.uses
        self.assumed[pair] = entered
        try:
            is_proved = self._split(left, right, entered) or self._leaf(left, right)
        except _NotUnderstood:
            is_proved = False
        del self.assumed[pair]
        # A proof that leans on an assumption holds only as long as that assumption is open. Pairs
        # that failed are given up for good, though other assumptions might have helped them.
        if not is_proved or uses == self.uses:
            self.settled[pair] = is_proved
        return is_proved

    def _split(self, a: Node, b: Node, entered: int) -> bool:
        """Take the pair apart at unions and intersections, then by type."""
        for word in ("anyOf", "oneOf"):
            arms = a.get(word)
            if isinstance(arms, list) and all(self.holds(arm, b, entered) for arm in arms):
                return True
        parts = a.get("allOf")
        if isinstance(parts, list) and any(self.holds(part, b, entered) for part in parts):
            return True
        if isinstance(types := a.get("type"), list):
            return all(self.holds({**a, "type": name}, b, entered) for name in types)
        for word, enough in (("allOf", all), ("anyOf", any)):
            if isinstance(demands := b.get(word), list):
                rest = {key: held for key, held in b.items() if key != word}
                return enough(self.holds(a, demand, entered) for demand in demands) and self.holds(
                    a, rest or True, entered
                )
        return self._typed(a, b, entered)

    def _typed(self, a: Node, b: Node, entered: int) -> bool:
        name = a.get("type")
        accepted = b.get("type", name)
        if name not in (accepted if isinstance(accepted, list) else [accepted]):
            return False
        if name == "object" and b.keys() <= _OBJECT_WORDS:
            return self._objects(_Object.of(a), _Object.of(b), entered + 1)
        if name == "array" and b.keys() <= _ARRAY_WORDS:
            return self._arrays(_Array.of(a), _Array.of(b), entered + 1)
        return False

    def _objects(self, a: "_Object", b: "_Object", entered: int) -> bool:
        if not b.required <= a.required or b.least > max(a.least, len(a.required)):
            return False
        if b.most is not None and (a.largest is None or a.largest > b.most):
            return False
        # A pattern of the consumer judges names that only a regular expression can tell. It is
        # enough that the producer has the same pattern, and that every name it declares and every
        # pattern obeys all of the consumer's patterns.
        if not b.patterns.keys() <= a.patterns.keys():
            return False
        patterned = (
            (given, wanted)
            for given in (*a.properties.values(), *a.patterns.values())
            for wanted in b.patterns.values()
        )
        # Tags first: they tell the arms of a union apart, and cost least.
        names = sorted(a.properties, key=lambda name: not _is_tag(b.properties.get(name)))
        declared = ((a.properties[name], b.properties.get(name, b.others)) for name in names)
        undeclared = (
            (given, wanted)
            for name, wanted in b.properties.items()
            if name not in a.properties
            for given in a.elsewhere
        )
        others = ((given, b.others) for given in a.elsewhere)
        return all(
            self.holds(given, wanted, entered)
            for pairs in (declared, undeclared, others, patterned)
            for given, wanted in pairs
        )

    def _arrays(self, a: "_Array", b: "_Array", entered: int) -> bool:
        if b.least > a.least or (b.most is not None and (a.most is None or a.most > b.most)):
            return False
        if b.is_unique and not a.is_unique and (a.most is None or a.most > 1):
            return False
        positions = max(len(a.prefix), len(b.prefix)) + 1
        if a.most is not None:
            positions = min(positions, a.most)
        return all(self.holds(a.at(n), b.at(n), entered) for n in range(positions))

    def _leaf(self, a: Node, b: Node) -> bool:
        if _is_settled(a, b, "object", _OBJECT_WORDS) or _is_settled(a, b, "array", _ARRAY_WORDS):
            return False
        left, right = _completed(a, self.producer), _completed(b, self.consumer)
        if left is None or right is None:
            return False
        self.leaves -= 1
        return self.leaves >= 0 and self.covers(left, right)


@dataclass(eq=False, kw_only=True, repr=False, slots=True)
class _Object:
    """An object schema; `others` judges the names that are neither declared nor patterned."""

    properties: Mapping[str, JsonValue]
    patterns: Mapping[str, JsonValue]
    others: JsonValue
    required: frozenset[str]
    least: int
    most: int | None

    @classmethod
    def of(cls, schema: Node) -> "_Object":
        properties = schema.get("properties", {})
        patterns = schema.get("patternProperties", {})
        required = schema.get("required", [])
        if not (
            isinstance(properties, dict)
            and isinstance(patterns, dict)
            and isinstance(required, list)
        ):
            raise _NotUnderstood
        found = cls(
            properties=properties,
            patterns=patterns,
            others=schema.get("additionalProperties", True),
            required=frozenset(name for name in required if isinstance(name, str)),
            least=_count(schema, "minProperties") or 0,
            most=_count(schema, "maxProperties"),
        )
        names = _names(schema.get("propertyNames"))
        return found if names is None or patterns else found.limited_to(names)

    def limited_to(self, names: frozenset[str]) -> "_Object":
        """The same with no names but these; the canonical form closes an object so."""
        return _Object(
            properties={name: self.properties.get(name, self.others) for name in names},
            patterns={},
            others=False,
            required=self.required,
            least=self.least,
            most=self.most,
        )

    @property
    def elsewhere(self) -> Iterator[JsonValue]:
        """The schemas one of which judges a name that is not declared."""
        yield self.others
        yield from self.patterns.values()

    @property
    def largest(self) -> int | None:
        """How many properties there are at most, if that is limited."""
        if self.others is False and not self.patterns:
            declared = len(self.properties)
            return declared if self.most is None else min(self.most, declared)
        return self.most


@dataclass(eq=False, kw_only=True, repr=False, slots=True)
class _Array:
    """An array schema; `rest` judges the items after the fixed positions."""

    prefix: list[JsonValue]
    rest: JsonValue
    least: int
    most: int | None
    is_unique: bool

    @classmethod
    def of(cls, schema: Node) -> "_Array":
        prefix = schema.get("prefixItems", [])
        if not isinstance(prefix, list):
            raise _NotUnderstood
        rest = schema.get("items", True)
        most = _count(schema, "maxItems")
        if rest is False:
            most = len(prefix) if most is None else min(most, len(prefix))
        return cls(
            prefix=prefix,
            rest=rest,
            least=_count(schema, "minItems") or 0,
            most=most,
            is_unique=schema.get("uniqueItems") is True,
        )

    def at(self, position: int) -> JsonValue:
        """The schema of the item at a position."""
        return self.prefix[position] if position < len(self.prefix) else self.rest


def _resolved(root: SchemaDocument, schema: JsonValue) -> Node | bool:
    """A schema without annotations and with the reference followed that it consists of."""
    followed: set[str] = set()
    while True:
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, dict):
            raise _NotUnderstood
        node = {word: held for word, held in schema.items() if word not in _IGNORED}
        reference = node.get("$ref")
        if reference is None:
            return node or True
        if not isinstance(reference, str) or len(node) > 1 or reference in followed:
            raise _NotUnderstood
        followed.add(reference)
        schema = referenced(root, reference)


def _is_settled(a: Node, b: Node, name: str, words: frozenset[str]) -> bool:
    """Whether the rules for a type have already looked at all that both sides say."""
    return a.get("type") == b.get("type") == name and a.keys() | b.keys() <= words


def _is_plain(document: SchemaDocument) -> bool:
    """Whether pointers mean what they say: one dialect, no resource inside the document."""
    if isinstance(document, bool):
        return True
    return document.get("$schema", CURRENT_DIALECT) == CURRENT_DIALECT and not any(
        "$id" in schema or "$schema" in schema
        for schema in all_schemas(document)
        if schema is not document
    )


def _completed(schema: Node, root: SchemaDocument) -> SchemaDocument | None:
    """A part of a document as a document of its own, or None if it refers to the whole."""
    if isinstance(root, bool):
        return schema
    if not any(REFERENCES & part.keys() for part in all_schemas(schema)):
        return schema
    definitions = {word: held for word, held in root.items() if word in DEFINITIONS}
    complete = {**schema, **definitions}
    references = (
        str(part[word]) for part in all_schemas(complete) for word in REFERENCES & part.keys()
    )
    if all(target.startswith(_WITHIN_DEFINITIONS) for target in references):
        return complete
    return None


def _is_tag(schema: JsonValue) -> bool:
    return isinstance(schema, dict) and bool({"const", "enum"} & schema.keys())


def _names(schema: JsonValue) -> frozenset[str] | None:
    if not isinstance(schema, dict):
        return None
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if not isinstance(values, list):
        return None
    return frozenset(name for name in values if isinstance(name, str))


def _count(schema: Node, word: str) -> int | None:
    number = schema.get(word)
    if number is None:
        return None
    if not isinstance(number, int | float) or number != int(number):
        raise _NotUnderstood
    return int(number)
