"""The JSON form of Python values, as it is judged and written.

What is written has to mean the same to every reader: numbers are finite, integers lie within 2^53,
and text is Unicode without lone surrogates, as in RFC 7493 (I-JSON) and as our reader of JSON asks
for. Inside a process a value goes from agent to agent as it is; the rule is asked where a value
comes in as JSON or leaves as JSON.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final, cast

from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError, ValidationError, to_jsonable_python

from fishplate.contracts.json import MOST_PORTABLE, to_pointer
from fishplate.core.errors import JsonValue, Violation

_DIGITS: Final = bytes(0x30 if chr(byte) in "0123456789" else 0x20 for byte in range(256))
_N: Final = ord("N")
_I: Final = ord("I")
_ZERO: Final = ord("0")
_AS_LARGE_AS_2_53: Final = b"0" * len(str(MOST_PORTABLE))


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
        BrokenValueError: The value has no JSON form, or one that readers would not agree on.
    """
    try:
        found = to_jsonable_python(value, by_alias=True, inf_nan_mode="constants")
        if (violation := not_portable(found)) is not None:
            raise BrokenValueError(violation)
        if adapter is None:
            return cast("JsonValue", found)
        narrowed = adapter.dump_python(value, mode="json", by_alias=True, warnings=False)
        # The value is read twice, and a generator gives nothing the second time.
        if narrowed != found and (violation := _readable_once(value)) is not None:
            raise BrokenValueError(violation)
    except (PydanticSerializationError, ValueError) as error:
        message = f"{type(value).__name__!r} has no JSON form ({type(error).__name__})"
        raise BrokenValueError(Violation(pointer="", message=message, keyword="type")) from None
    return cast("JsonValue", narrowed)


def not_portable(value: object) -> Violation | None:
    """What readers of JSON would not agree on, or `None`; tuples stand for arrays."""
    return None if _is_portable(value) else _first_not_portable(value)


def is_surely_portable(text: bytes) -> bool:
    """Whether the JSON text that pydantic has written for a value means the same to every reader.

    It is asked of the text, which takes less time than a walk through the value. A no leaves it
    open: many digits may stand in a string, and `null` may be one or a number that is not finite.
    """
    # One byte is found five times as fast as a word, and most texts have few digits in all. `find`,
    # for `in` asks first whether the word is a number, and makes and drops an exception for that.
    if (
        text.find(b"null") >= 0
        or (_N in text and b"NaN" in text)
        or (_I in text and b"Infinity" in text)
    ):
        return False
    digits = text.translate(_DIGITS)
    return digits.count(_ZERO) < len(_AS_LARGE_AS_2_53) or _AS_LARGE_AS_2_53 not in digits


def _is_portable(value: object) -> bool:  # noqa: C901 -- one branch per kind of JSON
    """The same question without a place: asked of every document, and nearly always answered yes.

    A kind that JSON does not have, such as a subclass, is left to the walk that knows places.
    """
    pending: list[Any] = [value]
    for found in pending:  # it grows as it is read
        kind = type(found)  # pyright: ignore[reportUnknownVariableType] -- anything may be inside
        if kind is str:
            if not found.isascii() and _has_surrogate(found):
                return False
        elif kind is int:
            if not -MOST_PORTABLE <= found <= MOST_PORTABLE:
                return False
        elif kind is float:
            if not math.isfinite(found):
                return False
        elif kind is dict:
            pending += found
            pending += found.values()
        elif kind is list:
            pending += found
        elif found is not None and kind is not bool:
            return False
    return True


def _first_not_portable(value: object) -> Violation | None:
    stack: list[tuple[tuple[str | int, ...], object]] = [((), value)]
    while stack:
        path, found = stack.pop()
        if isinstance(found, dict):
            members = cast("dict[object, object]", found)
            stack.extend(((*path, str(key)), item) for key, item in members.items())
            reason = next(filter(None, map(_why_not_portable, members)), None)
        elif isinstance(found, (list, tuple)):
            elements = cast("list[object]", found)
            stack.extend(((*path, index), item) for index, item in enumerate(elements))
            continue
        else:
            reason = _why_not_portable(found)
        if reason is not None:
            pointer = to_pointer(path).encode(errors="backslashreplace").decode()
            return Violation(pointer=pointer, message=reason, keyword="type")
    return None


def _why_not_portable(value: object) -> str | None:
    if isinstance(value, str):
        if value.isascii() or not _has_surrogate(value):
            return None
        return "the text holds a lone surrogate, which UTF-8 cannot carry"
    if isinstance(value, float):
        finite = math.isfinite(value)
        return None if finite else "the number is not finite; JSON holds no NaN and no Infinity"
    if isinstance(value, int) and not -MOST_PORTABLE <= value <= MOST_PORTABLE:
        return "the integer is beyond 2^53, where readers of JSON round: give it as a text"
    return None


def _readable_once(value: object) -> Violation | None:
    """The first generator or other iterator inside of plain containers, or `None`."""
    stack: list[tuple[tuple[str | int, ...], object]] = [((), value)]
    while stack:
        path, found = stack.pop()
        if isinstance(found, dict):
            members = cast("dict[object, object]", found)
            stack.extend(((*path, str(key)), item) for key, item in members.items())
        elif isinstance(found, (list, tuple)):
            elements = cast("list[object]", found)
            stack.extend(((*path, index), item) for index, item in enumerate(elements))
        elif isinstance(found, Iterator):
            kind = type(cast("object", found)).__name__
            message = f"a {kind} can be read only once: give a list"
            return Violation(pointer=to_pointer(path), message=message, keyword="type")
    return None


def _has_surrogate(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # the one thing that UTF-8 cannot carry
        return True
    return False


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
    return [_violation(one["loc"], one["msg"], one["type"]) for one in found]


def _violation(path: tuple[str | int, ...], message: str, keyword: str) -> Violation:
    if path[-1:] == ("[key]",):  # pydantic's own mark, which is no member of the value
        path, message = path[:-1], f"the key: {message}"
    return Violation(pointer=to_pointer(path), message=message, keyword=keyword)
