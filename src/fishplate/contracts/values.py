"""The JSON form of Python values, as it is judged and written."""

from __future__ import annotations

import math
from typing import Any, cast

from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError, ValidationError, to_jsonable_python

from fishplate.contracts.json import to_pointer
from fishplate.core.errors import JsonValue, Violation


class BrokenValueError(Exception):
    """A value that a shape does not take; its caller says whose fault that is.

    Attributes:
        violations: Where and why, at least one.
    """

    def __init__(self, *violations: Violation) -> None:
        super().__init__(violations[0].message)
        self.violations = violations


def plain(value: object, adapter: TypeAdapter[Any] | None) -> JsonValue:
    """The JSON form of a value, narrowed to the types of the adapter if there is one.

    Raises:
        BrokenValueError: The value has no JSON form, or holds a number that is not finite.
    """
    try:
        found = to_jsonable_python(value, by_alias=True, inf_nan_mode="constants")
        if (pointer := not_finite(found)) is not None:
            message = "the number is not finite; JSON holds no NaN and no Infinity"
            raise BrokenValueError(Violation(pointer=pointer, message=message, keyword="type"))
        if adapter is not None:
            found = adapter.dump_python(value, mode="json", by_alias=True, warnings=False)
    except (PydanticSerializationError, ValueError) as error:
        message = f"{type(value).__name__!r} has no JSON form ({type(error).__name__})"
        raise BrokenValueError(Violation(pointer="", message=message, keyword="type")) from None
    return cast("JsonValue", found)


def not_finite(value: object) -> str | None:
    """Pointer to a number that is not finite, or `None`; tuples stand for arrays."""
    stack: list[tuple[tuple[str | int, ...], object]] = [((), value)]
    while stack:
        path, found = stack.pop()
        if isinstance(found, float) and not math.isfinite(found):
            return to_pointer(path)
        if isinstance(found, dict):
            items = cast("dict[object, object]", found).items()
            stack.extend(((*path, str(key)), item) for key, item in items)
        elif isinstance(found, (list, tuple)):
            elements = cast("list[object]", found)
            stack.extend(((*path, index), item) for index, item in enumerate(elements))
    return None


def integral(value: JsonValue) -> JsonValue:
    """The value with whole numbers as integers, as JSON Schema sees them."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [integral(item) for item in value]
    if isinstance(value, dict):
        return {key: integral(item) for key, item in value.items()}
    return value


def violations_of(error: ValidationError) -> list[Violation]:
    """What pydantic found, as places in the JSON form."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [
        Violation(pointer=to_pointer(one["loc"]), message=one["msg"], keyword=one["type"])
        for one in found
    ]
