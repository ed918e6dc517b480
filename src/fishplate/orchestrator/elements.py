"""The elements of an `each`: what tells them apart, in keys and in traces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, cast
from urllib.parse import quote

from fishplate.core.errors import ErrorClass, StepError

WIDEST_EACH: Final = 10_000


def element_names(
    items: Sequence[object], field: str | None, key: str, where: str
) -> Sequence[str]:
    """What names each element in keys: its position, or one of its fields.

    A name holds neither `/` nor `.`, which have a meaning of their own in a key.

    Args:
        items: The elements.
        field: The field that names an element; `None` for its position.
        key: Path of the step.
        where: `file:line` of the step.

    Raises:
        StepError: There are too many elements (code `too_wide`), or two of one name (code
            `repeated_key`).
    """
    if len(items) > WIDEST_EACH:
        raise StepError(
            f"step {key!r} has {len(items)} elements, and each takes at most {WIDEST_EACH}: "
            "split the list",
            step=key,
            code="too_wide",
            error_class=ErrorClass.PERMANENT,
            where=where,
        )
    if field is None:
        return [str(index) for index in range(len(items))]
    names = [str(field_of(item, field)) for item in items]
    if len(set(names)) < len(names):
        repeated = next(name for name in names if names.count(name) > 1)
        raise StepError(
            f"step {key!r} has two elements with {field}={repeated!r}: "
            "key= names a field that tells them apart",
            step=key,
            code="repeated_key",
            error_class=ErrorClass.PERMANENT,
            where=where,
        )
    return [quote(name, safe="").replace(".", "%2E") for name in names]


def field_of(value: object, name: str) -> object:
    """A field of a typed object by its Python name, of plain JSON by its key."""
    if isinstance(value, Mapping):
        return cast("Mapping[str, object]", value)[name]
    return cast("object", getattr(value, name))
