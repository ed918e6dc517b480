"""Set algebra over schemas, with "not known" as an answer.

The canonical form of jsonschema-rs answers most questions at once and leaves some open; a schema
that is too large for it leaves all of them open.
"""

from collections.abc import Callable
from typing import Final

from jsonschema_rs import CanonicalSchema
from jsonschema_rs.canonical import CanonicalizationError, Containment, Satisfiability

from fishplate.contracts.keywords import SchemaDocument
from fishplate.contracts.schema import Schema, written

# Two unions are compared arm by arm, so that the product counts.
_MOST_COMMON_CASES: Final = 10_000


def covers(consumer: Schema, producer: Schema) -> bool | None:
    """Whether the consumer accepts all that the producer does; None if that is not known."""
    form, other = consumer.canonical, producer.canonical
    if form is None or other is None:
        return None
    try:
        answer = form.covers(other)
    except CanonicalizationError:
        return None
    return {Containment.YES: True, Containment.NO: False}.get(answer)


def remainder(producer: Schema, consumer: Schema) -> SchemaDocument | None:
    """What the producer accepts and the consumer does not; None if that has no schema."""
    form, other = producer.canonical, consumer.canonical
    if form is None or other is None:
        return None
    return written(_attempted(lambda: form.subtract(other)))


def common(first: Schema, second: Schema) -> tuple[SchemaDocument | None, bool | None]:
    """What both accept, and whether that is anything at all; None for what is not known."""
    form, other = first.canonical, second.canonical
    if form is None or other is None or first.cases * second.cases > _MOST_COMMON_CASES:
        return None, None
    both = _attempted(lambda: form.intersect(other))
    return written(both), _satisfied(both)


def is_satisfiable(schema: Schema) -> bool | None:
    """Whether any value satisfies the schema; None if that is not known."""
    return _satisfied(schema.canonical)


def _attempted(operation: Callable[[], CanonicalSchema]) -> CanonicalSchema | None:
    try:
        return operation()
    except CanonicalizationError:
        return None


def _satisfied(form: CanonicalSchema | None) -> bool | None:
    if form is None:
        return None
    return {Satisfiability.YES: True, Satisfiability.NO: False}.get(form.satisfiability())
