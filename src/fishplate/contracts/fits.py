"""Whether everything that one schema accepts is accepted by another.

`fits` decides in stages, cheapest first, and never claims more than it has shown: *fits* comes from
the set algebra of the canonical form or from a structural proof; *breaks* from the same algebra or
from a value that compiled validators judge; what is left is *unproven*.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from jsonschema_rs import CanonicalSchema
from jsonschema_rs.canonical import CanonicalizationError, Containment, Satisfiability
from typing_extensions import override

from fishplate.contracts.compose import union
from fishplate.contracts.disjoint import are_disjoint
from fishplate.contracts.json import resolve_pointer
from fishplate.contracts.keywords import SchemaDocument
from fishplate.contracts.proof import is_proved
from fishplate.contracts.repairs import GENERAL_REPAIRS, repairs_for
from fishplate.contracts.schema import Schema, written
from fishplate.contracts.witness import hints_of, proposals
from fishplate.core.errors import JsonValue, Violation

_MOST_CACHED: Final = 4096


@dataclass(frozen=True, kw_only=True, slots=True)
class Fit:
    """The answer to "may every value of one schema be given to another?".

    Attributes:
        verdict: `fits`: proved. `breaks`: some value of the producer is refused. `unproven`:
            neither was shown, which is an error unless someone vouches for it.
        reason: One plain sentence.
        counterexample: A value that the producer may give and the consumer refuses; both were
            asked. `has_counterexample` tells a counterexample of None from the lack of one.
        pointer: RFC 6901 pointer to the refused part of the counterexample; `""` is all of it.
        repairs: What usually helps, most fitting first; empty unless the verdict is `breaks`.
    """

    verdict: Literal["fits", "breaks", "unproven"]
    reason: str
    counterexample: JsonValue = None
    has_counterexample: bool = False
    pointer: str = ""
    repairs: tuple[str, ...] = ()


def fits(producer: Schema, consumer: Schema) -> Fit:
    """Whether the consumer accepts every value that the producer may give.

    Raises:
        DeclarationError: Code `invalid_schema`; one of the two is no schema.
    """
    return _decided(_Shape(producer), _Shape(consumer))


class _Shape:
    """A schema as a key of the cache: equal shapes have equal answers."""

    __slots__ = ("schema",)

    def __init__(self, schema: Schema) -> None:
        self.schema = schema

    @override
    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _Shape)
            and self.schema.shape_fingerprint == other.schema.shape_fingerprint
        )

    @override
    def __hash__(self) -> int:
        return hash(self.schema.shape_fingerprint)


@lru_cache(maxsize=_MOST_CACHED)
def _decided(producer: _Shape, consumer: _Shape) -> Fit:
    a, b = producer.schema, consumer.schema
    if producer == consumer:
        return _FITS
    covered = _covered(a, b)
    if covered is Containment.YES or (covered is Containment.UNKNOWN and _is_proved(a, b)):
        return _FITS
    remainder = _remainder(a, b)
    for value in _proposed(remainder, a.json, hints=(a.json, b.json)):
        if a.is_valid(value) and (violations := b.violations(value)):
            return _broken(value, violations[0])
    return _BREAKS_SOMEHOW if covered is Containment.NO else _UNPROVEN


def _covered(a: Schema, b: Schema) -> Containment:
    try:
        return b.canonical.covers(a.canonical)
    except CanonicalizationError:
        return Containment.UNKNOWN


def _is_proved(a: Schema, b: Schema) -> bool:
    producer, consumer = written(a.canonical), written(b.canonical)
    return producer is not None and consumer is not None and is_proved(producer, consumer, _covers)


def _covers(producer: SchemaDocument, consumer: SchemaDocument) -> bool:
    return _covered(Schema(producer), Schema(consumer)) is Containment.YES


def _remainder(a: Schema, b: Schema) -> SchemaDocument | None:
    """What `a` accepts and `b` does not, or None where the canonical form cannot tell."""
    try:
        return written(a.canonical.subtract(b.canonical))
    except CanonicalizationError:
        return None


def _proposed(
    *documents: SchemaDocument | None, hints: Sequence[SchemaDocument]
) -> Iterator[JsonValue]:
    limits = hints_of(*hints)
    for document in documents:
        if document is not None:
            yield from proposals(document, limits)


def _broken(value: JsonValue, violation: Violation) -> Fit:
    part = resolve_pointer(value, violation.pointer)
    return Fit(
        verdict="breaks",
        reason=_reason(violation),
        counterexample=value,
        has_counterexample=True,
        pointer=violation.pointer,
        repairs=repairs_for(violation, part),
    )


def _reason(violation: Violation) -> str:
    place = repr(violation.pointer) if violation.pointer else "the value"
    if violation.keyword == "required":
        within = f" in {place}" if violation.pointer else ""
        return violation.message.replace(" is missing", " may be missing") + within
    return f"{place} may be refused: {violation.message}"


_FITS: Final = Fit(verdict="fits", reason="the consumer accepts every value of the producer")
_BREAKS_SOMEHOW: Final = Fit(
    verdict="breaks",
    reason="the producer may give values that the consumer refuses; no example was found",
    repairs=GENERAL_REPAIRS,
)
_UNPROVEN: Final = Fit(verdict="unproven", reason="neither a proof nor a counterexample was found")


def uncovered(output: Schema, guards: Sequence[Schema]) -> Fit:
    """Whether some guard takes every value of an output.

    Returns:
        `fits` if the guards are exhaustive; `breaks` with a value that none of them takes.

    Raises:
        DeclarationError: Code `invalid_schema`; one of them is no schema.
    """
    return fits(output, union(guards))


@dataclass(frozen=True, kw_only=True, slots=True)
class Overlap:
    """Whether two schemas accept a value in common.

    Attributes:
        answer: `no` is proved; `yes` is proved too, and mostly has an example.
        example: A value that both accept, if `has_example`.
    """

    answer: Literal["yes", "no", "unknown"]
    example: JsonValue = None
    has_example: bool = False


def overlap(a: Schema, b: Schema) -> Overlap:
    """Whether two schemas accept a value in common, with such a value.

    Raises:
        DeclarationError: Code `invalid_schema`; one of them is no schema.
    """
    return _overlapping(_Shape(a), _Shape(b))


def overlaps(a: Schema, b: Schema) -> Literal["yes", "no", "unknown"]:
    """Whether two schemas accept a value in common: `no` is proved.

    Raises:
        DeclarationError: Code `invalid_schema`; one of them is no schema.
    """
    return overlap(a, b).answer


@lru_cache(maxsize=_MOST_CACHED)
def _overlapping(first: _Shape, second: _Shape) -> Overlap:
    a, b = first.schema, second.schema
    form = _common(a, b)
    if form is not None and form.satisfiability() is Satisfiability.NO:
        return Overlap(answer="no")
    if are_disjoint(a.json, b.json, _excludes):
        return Overlap(answer="no")
    shared = None if form is None else written(form)
    for value in _proposed(shared, a.json, b.json, hints=(a.json, b.json)):
        if a.is_valid(value) and b.is_valid(value):
            return Overlap(answer="yes", example=value, has_example=True)
    is_certain = form is not None and form.satisfiability() is Satisfiability.YES
    return Overlap(answer="yes" if is_certain else "unknown")


def _common(a: Schema, b: Schema) -> CanonicalSchema | None:
    try:
        return a.canonical.intersect(b.canonical)
    except CanonicalizationError:
        return None


def _excludes(first: SchemaDocument, second: SchemaDocument) -> bool:
    form = _common(Schema(first), Schema(second))
    return form is not None and form.satisfiability() is Satisfiability.NO


def unsatisfiable(schema: Schema) -> Mapping[str, str]:
    """The parts of a schema that no value satisfies: JSON pointer into the schema, and why.

    A part that is written as `false` is meant so and left out. If the pointer `""` is in it, nobody
    can satisfy the schema; what is not listed is not thereby satisfiable.

    Raises:
        DeclarationError: Code `invalid_schema`; it is no schema.
    """
    found = dict(schema.contradictions())
    if not found.get("") and schema.canonical.satisfiability() is Satisfiability.NO:
        found[""] = "no finite value satisfies it"
    return found
