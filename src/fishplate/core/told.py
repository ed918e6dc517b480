"""What a body tells about its call: of the right type, harmless, and its own from then on.

Whoever reads a trace later is another thread, and what it reads stands among what other runs have
told. So a value is made plain JSON when it is told: nothing in it can fail, change or never end any
more. What cannot be, stands there as a mark that says why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final, SupportsFloat, cast

from pydantic_core import from_json, to_json

from fishplate.core.errors import JsonValue, UsageError

MOST_DEPTH: Final = 32
MOST_VALUES: Final = 10_000
"""Of one value that is told, those in its lists and objects among them."""

_INT64: Final = 1 << 63
_CUT: Final = "[cut: too many values, or too deep]"


def inert(value: object) -> JsonValue:
    """A value as plain JSON that nobody else holds.

    Integers fit 64 bits, texts have a UTF-8 form (lone surrogates become `?`), and lists and
    objects are copies. What is no JSON is spelled as JSON if pydantic can, else as text. Numbers
    that are not finite stay.

    Returns:
        For what cannot be told a text that says why, e.g. `[not kept: RuntimeError]` for a value
        whose `__repr__` raises.
    """
    if value is None or value is True or value is False:
        return value
    kind = type(value)
    if kind is str:
        return _encodable(cast("str", value))
    if kind is int:
        return _whole(cast("int", value))
    if kind is float:
        return cast("float", value)
    return _Copy().of(value, 0)


def text_told(value: object, what: str) -> str:
    """A text.

    Args:
        value: What a body has given.
        what: How it is called there, e.g. `doubt(reason=)`.

    Raises:
        UsageError: It is none (code `bad_fact`).
    """
    if not isinstance(value, str):
        raise wrong_type(value, what, "a text")
    return _encodable(value)


def texts_told(value: object, what: str) -> list[JsonValue]:
    """Texts; see `text_told`."""
    if isinstance(value, (str, bytes)) or not isinstance(value, (Sequence, AbstractSet)):
        raise wrong_type(value, what, "a list of texts")
    return [text_told(one, what) for one in cast("Sequence[object]", value)]


def object_told(value: object, what: str) -> dict[str, JsonValue]:
    """A JSON object; see `text_told`."""
    if not isinstance(value, Mapping):
        raise wrong_type(value, what, "a mapping of names to JSON values")
    members = cast("Mapping[object, object]", value)
    found = inert(members if isinstance(members, dict) else {**members})
    return cast("dict[str, JsonValue]", found)  # as `inert` makes of a dict


def number_told(value: object, what: str) -> float | None:
    """A number or `None`; see `text_told`."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, SupportsFloat):  # arrays' numbers are, too
        raise wrong_type(value, what, "a number or None")
    try:
        return float(value)
    except (OverflowError, ValueError, TypeError):
        raise wrong_type(value, what, "a number that a float can hold") from None


def wrong_type(value: object, what: str, wanted: str) -> UsageError:
    """What is said of a value that is of the wrong type; its content is not shown.

    Args:
        value: That was given.
        what: How it is called, e.g. `doubt(reason=)`.
        wanted: What it has to be, e.g. `a text`.
    """
    msg = f"current().{what} is {wanted}, and got a {type(value).__name__}"
    return UsageError(msg, code="bad_fact")


class _Copy:
    """The copy of one value, which ends whatever the value is.

    A list may hold itself, or one list a thousand times: so what is left to copy is counted.
    """

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = MOST_VALUES

    def of(self, value: object, depth: int) -> JsonValue:
        """A value as plain JSON; a mark in place of one whose own code fails."""
        self._left -= 1
        if value is None or (type(value) is str and value.isascii()):
            return value
        try:
            return self._read(value, depth)
        except Exception as error:  # noqa: BLE001 -- a class may do anything when it is looked at
            return f"[not kept: {type(error).__name__}]"

    def _read(self, value: object, depth: int) -> JsonValue:  # noqa: PLR0911 -- a table
        match value:
            case None | bool():
                return value
            case str():
                return _encodable(str.__str__(value))
            case int():
                return _whole(int.__int__(value))
            case float():
                return float.__float__(value)
            case dict() | list() | tuple() if depth >= MOST_DEPTH:
                return _CUT
            case dict():
                return self._object(cast("dict[object, object]", value), depth)
            case list() | tuple():
                return self._list(cast("Sequence[object]", value), depth)
            case _:
                return self._spelled(value, depth)

    def _list(self, values: Sequence[object], depth: int) -> JsonValue:
        found: list[JsonValue] = []
        for one in values:
            if self._left <= 0:
                found.append(_CUT)
                break
            found.append(self.of(one, depth + 1))
        return found

    def _object(self, value: dict[object, object], depth: int) -> JsonValue:
        found: dict[str, JsonValue] = {}
        for name, one in value.items():
            if self._left <= 0:
                found[_CUT] = True
                break
            found[str(self.of(name, MOST_DEPTH))] = self.of(one, depth + 1)
        return found

    def _spelled(self, value: object, depth: int) -> JsonValue:
        if not issubclass(type(value), Iterator):  # to read one takes its values from the body
            try:
                found: object = from_json(to_json(value, inf_nan_mode="constants"))
            except Exception:  # noqa: BLE001, S110 -- no JSON form, or one that fails: text is next
                pass
            else:
                return self.of(found, depth)
        return _encodable(str.__str__(str(value)))


def _encodable(text: str) -> str:
    """A text that has a UTF-8 form."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _whole(value: int) -> JsonValue:
    """An integer, if readers of a trace can hold it."""
    if -_INT64 <= value < _INT64:
        return value
    return f"[not kept: an integer of {value.bit_length()} bits]"
