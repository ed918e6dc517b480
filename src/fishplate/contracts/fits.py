"""Whether everything that one schema accepts is accepted by another.

`fits` decides in stages, cheapest first, and never claims more than it has shown: *fits* comes from
the set algebra of the canonical form or from a structural proof; *breaks* from the same algebra or
from a value that compiled validators judge; what is left is *unproven*.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain, islice
from typing import Final, Literal

from typing_extensions import override

from fishplate.contracts.algebra import common, covers, is_satisfiable, remainder
from fishplate.contracts.compose import union
from fishplate.contracts.disjoint import are_disjoint
from fishplate.contracts.json import resolve_pointer
from fishplate.contracts.keywords import SchemaDocument
from fishplate.contracts.proof import is_proved
from fishplate.contracts.repairs import GENERAL_REPAIRS, repairs_for
from fishplate.contracts.schema import Schema, written
from fishplate.contracts.witness import hints_of, proposals
from fishplate.core.data import dataclass
from fishplate.core.errors import JsonValue, Violation

_MOST_CACHED: Final = 4096
_FIRST_PROPOSALS: Final = 400


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
    covered = covers(b, a)
    if covered or producer == consumer:
        return _FITS
    limits = hints_of(a.json, b.json)
    # A few values of the producer settle most breaks sooner than the search for a proof ends.
    if found := _first_break(a, b, islice(proposals(a.json, limits), _FIRST_PROPOSALS)):
        return found
    if covered is None and is_proved(_plain(a), _plain(b), _fits_by_algebra):
        return _FITS
    left = remainder(a, b)
    candidates = proposals(a.json, limits) if left is None else proposals(left, limits)
    if found := _first_break(a, b, candidates):
        return found
    return _UNPROVEN if covered is None else _BREAKS_SOMEHOW


def _first_break(a: Schema, b: Schema, values: Iterable[JsonValue]) -> Fit | None:
    for value in values:
        if a.is_valid(value) and (violations := b.violations(value)):
            return _broken(value, violations[0])
    return None


def _plain(schema: Schema) -> SchemaDocument:
    """The canonical form as a document, if there is one: it has fewer spellings."""
    form = written(schema.canonical)
    return schema.json if form is None else form


def _fits_by_algebra(producer: SchemaDocument, consumer: SchemaDocument) -> bool:
    return covers(Schema(consumer), Schema(producer)) is True


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
    both, is_something = common(a, b)
    if is_something is False or are_disjoint(a.json, b.json, _excludes):
        return Overlap(answer="no")
    limits = hints_of(a.json, b.json)
    documents = [document for document in (both, a.json, b.json) if document is not None]
    for value in chain.from_iterable(proposals(document, limits) for document in documents):
        if a.is_valid(value) and b.is_valid(value):
            return Overlap(answer="yes", example=value, has_example=True)
    return Overlap(answer="yes" if is_something else "unknown")


def _excludes(first: SchemaDocument, second: SchemaDocument) -> bool:
    _, is_something = common(Schema(first), Schema(second))
    return is_something is False


def unsatisfiable(schema: Schema) -> Mapping[str, str]:
    """The parts of a schema that no value satisfies: JSON pointer into the schema, and why.

    A part that is written as `false` is meant so and left out. If the pointer `""` is in it, nobody
    can satisfy the schema; what is not listed is not thereby satisfiable.

    Raises:
        DeclarationError: Code `invalid_schema`; it is no schema.
    """
    found = dict(schema.contradictions())
    if "" not in found and is_satisfiable(schema) is False:
        found[""] = "no finite value satisfies it"
    return found
