"""Answers that break their contract: what an agent says that does not keep its word."""

from __future__ import annotations

from typing import Any, Final

from fishplate.contracts.parts import opened_reference
from fishplate.contracts.shape import BrokenValueError, Shape
from fishplate.core.errors import JsonValue

_GARBAGE: Final[tuple[JsonValue, ...]] = ({"injected": "garbage"}, "injected garbage")
# A contract may take any object and any text, but JSON has no such number, so none takes it.
_NO_JSON: Final = float("nan")


def garbage_for(shape: Shape[Any]) -> JsonValue:
    """What is no answer of this shape, whatever the shape is."""
    return next((value for value in _GARBAGE if _is_refused(shape, value)), _NO_JSON)


def can_be_partial(shape: Shape[Any]) -> bool:
    """Whether every answer of this shape is an object with a field that has to be there."""
    return all(opened_reference(arm.gives.json).get("required") for arm in shape.arms())


def without_a_field(shape: Shape[Any], answer: object) -> tuple[str, JsonValue]:
    """The name of a required field and the JSON of an answer without it.

    Raises:
        BrokenValueError: The answer breaks its contract as it is.
        LookupError: The shape takes the answer without any one of its fields.
    """
    whole = shape.encode(shape.accept(answer, given=True))
    fields = whole if isinstance(whole, dict) else {}
    for missing in sorted(fields):
        rest: JsonValue = {name: value for name, value in fields.items() if name != missing}
        if _is_refused(shape, rest):
            return missing, rest
    msg = f"{shape.name!r} takes this answer without any one of its fields"
    raise LookupError(msg)


def _is_refused(shape: Shape[Any], value: JsonValue) -> bool:
    """Whether the check of an agent's answer refuses a value."""
    if type(value) in shape.exact:
        return False
    try:
        shape.accept(value, given=True)
    except BrokenValueError:
        return True
    return False
