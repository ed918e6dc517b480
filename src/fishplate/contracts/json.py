"""JSON at the edge: text is read strictly, written canonically, and addressed by pointers.

Python's own reader takes the last of two equal keys, `NaN`, lone surrogates and UTF-16, and turns
`1e999` into infinity. Each of these lets two programs see two different values in one text, so
here each is an error with its own code.
"""

from __future__ import annotations

import codecs
import functools
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from pydantic_core import PydanticSerializationError, from_json, to_json

from fishplate.core.data import dataclass
from fishplate.core.errors import JsonError, JsonValue

if TYPE_CHECKING:
    from json import JSONDecoder

# Beyond it, a reader that keeps numbers as doubles takes another integer: RFC 7493, section 2.2.
MOST_PORTABLE: Final = 2**53

_SEQUENCES: Final = (list, tuple)
_BYTE_ORDER_MARKS: Final = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# From here on, and below the second, ECMAScript writes a number with an exponent.
_LARGE_NUMBER: Final = 1e21
# Below this, a double that is an integer is written by its digits, in Python too.
_EXACT: Final = 2.0**53
_SMALL_NUMBER: Final = 1e-6
# No limit of ours admits an integer with so many digits; Python itself refuses above 4,300.
_MOST_DIGITS: Final = 400
_INDEX: Final = "0|[1-9][0-9]*"
_LONGEST_QUOTE: Final = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class JsonLimits:
    """What a JSON text may cost; the ends of every range are allowed.

    Attributes:
        size_bytes: Length of the text in UTF-8.
        depth: Levels of arrays and objects.
        nodes: Values of any kind, containers included, keys not.
        string_bytes: Length of one string or key in UTF-8.
        integer: Largest magnitude of an integer; None for any that has at most 400 digits.
    """

    size_bytes: int = 1024 * 1024
    depth: int = 64
    nodes: int = 100_000
    string_bytes: int = 256 * 1024
    integer: int | None = MOST_PORTABLE


_DEFAULT_LIMITS: Final = JsonLimits()


def parse_json(data: bytes | bytearray | str, *, limits: JsonLimits = _DEFAULT_LIMITS) -> JsonValue:
    """Read one JSON text strictly.

    Raises:
        JsonError: With code `json_too_large`, `json_encoding`, `json_malformed`,
            `json_not_finite`, `json_too_deep`, `json_duplicate_key`, `json_number_range`,
            `json_too_many_nodes` or `json_string_too_long`, and the pointer of the offending value
            where it is known; its `remedy` says what to do.

    Source: RFC 8259; stricter on duplicate keys, numbers and surrogates as in RFC 7493 (I-JSON).
    """
    encoded = _encoded(data)
    if len(encoded) > limits.size_bytes:
        raise JsonError(
            f"JSON text has more than {limits.size_bytes} bytes, the most that is read",
            code="json_too_large",
        )
    if encoded.startswith(_BYTE_ORDER_MARKS):
        raise JsonError("JSON text starts with a byte order mark", code="json_encoding")
    value = _decoded(encoded, limits)
    _check_tree(value, limits)
    return value


def canonical_json(value: JsonValue) -> bytes:
    """Write a value in the one form that its fingerprint is taken of.

    Integers keep all their digits, also beyond 2^53 where RFC 8785 would round them.

    Raises:
        JsonError: Code `json_not_canonical`; the value holds a number that is not finite, a lone
            surrogate, a key that is no string, or an object that is no JSON.

    Source: RFC 8785, JSON Canonicalization Scheme.
    """
    try:
        return _text(value).encode("utf-8")
    except (PydanticSerializationError, UnicodeEncodeError) as error:
        raise JsonError(
            "text holds a lone surrogate, which UTF-8 cannot carry", code="json_not_canonical"
        ) from error
    except RecursionError as error:
        raise JsonError(
            "value is nested too deeply to be written", code="json_not_canonical"
        ) from error


def to_pointer(tokens: Sequence[str | int]) -> str:
    """Join keys and positions to a pointer; none gives `""`, the whole document.

    Source: RFC 6901.
    """
    return "".join(f"/{escape_token(str(token))}" for token in tokens)


def escape_token(token: str) -> str:
    """Escape one key for use inside a pointer."""
    return token.replace("~", "~0").replace("/", "~1")


def pointer_tokens(pointer: str) -> tuple[str, ...]:
    """Split a pointer into its unescaped tokens.

    Raises:
        JsonError: Code `json_pointer`; the pointer is neither empty nor starts with `/`.
    """
    if not pointer:
        return ()
    if not pointer.startswith("/"):
        raise JsonError(f"{pointer!r} is no JSON pointer: start it with '/'", code="json_pointer")
    return tuple(t.replace("~1", "/").replace("~0", "~") for t in pointer[1:].split("/"))


def resolve_pointer(value: JsonValue, pointer: str) -> JsonValue:
    """The part of a value that a pointer names.

    Raises:
        JsonError: Code `json_pointer`; there is no such part. The error's pointer is the deepest
            part that does exist.
    """
    reached: list[str] = []
    for token in pointer_tokens(pointer):
        if isinstance(value, dict) and token in value:
            value = value[token]
        elif isinstance(value, list) and _is_index(token) and int(token) < len(value):
            value = value[int(token)]
        else:
            raise JsonError(
                f"{pointer!r} names nothing: there is no {token!r} below {to_pointer(reached)!r}",
                code="json_pointer",
                pointer=to_pointer(reached),
            )
        reached.append(token)
    return value


def _is_index(token: str) -> bool:
    return re.fullmatch(_INDEX, token) is not None


def _encoded(data: bytes | bytearray | str) -> bytes:
    if not isinstance(data, str):
        return bytes(data)
    try:
        return data.encode("utf-8")
    except UnicodeEncodeError as error:
        raise JsonError(
            f"JSON text holds a lone surrogate at character {error.start}", code="json_encoding"
        ) from error


@dataclass(eq=False, kw_only=True, repr=False, slots=True)
class _Refused:
    """Stands in the tree for what the reader refuses, until the walk knows its pointer."""

    code: str
    message: str


def _decoded(encoded: bytes, limits: JsonLimits) -> JsonValue:
    try:
        # The strict reader alone refuses NaN, surrogates and other encodings; the standard one
        # alone shows every pair and every digit. So each text is read by both.
        from_json(encoded, allow_inf_nan=False)
        value: JsonValue = _decoder(limits).decode(encoded.decode("utf-8"))
        return value
    except UnicodeDecodeError as error:
        raise JsonError(
            f"JSON text is not UTF-8: byte {error.start} is wrong", code="json_encoding"
        ) from error
    except RecursionError as error:
        raise _too_deep(limits) from error
    except ValueError as error:
        raise _not_finite(encoded, limits) or _refusal(str(error), limits) from error


def _refusal(reason: str, limits: JsonLimits) -> JsonError:
    if "recursion limit" in reason:
        return _too_deep(limits)
    if "out of range" in reason:
        return JsonError(
            f"JSON text holds a number out of range: {reason}", code="json_number_range"
        )
    return JsonError(f"text is not JSON: {reason}", code="json_malformed")


def _not_finite(encoded: bytes, limits: JsonLimits) -> JsonError | None:
    """What is wrong with a text, if it would be JSON but for `NaN`, `Infinity` or `-Infinity`."""
    found: list[_Refused] = []

    def constant(name: str) -> _Refused:
        found.append(_Refused(code="json_not_finite", message=f"{name} is no JSON number"))
        return found[-1]

    try:
        root: JsonValue = _new_decoder(limits, constant).decode(encoded.decode("utf-8"))
    except (ValueError, RecursionError):  # it has another defect, which the strict reader has told
        return None
    if not found:
        return None
    first = found[0]
    return JsonError(first.message, code=first.code, pointer=_pointer_to(root, first))


def _too_deep(limits: JsonLimits) -> JsonError:
    return JsonError(f"JSON text is nested deeper than {limits.depth} levels", code="json_too_deep")


@functools.lru_cache(maxsize=16)
def _decoder(limits: JsonLimits) -> JSONDecoder:
    # It keeps nothing between two texts, and to make it costs as much as to read a short one.
    return _new_decoder(limits, None)


def _new_decoder(limits: JsonLimits, constant: Callable[[str], _Refused] | None) -> JSONDecoder:
    # A hundredth of the import of fishplate, and only who reads JSON text from outside needs it.
    from json import JSONDecoder  # noqa: PLC0415 -- as said

    bound = limits.integer

    def integer(digits: str) -> int | _Refused:
        if len(digits) <= _MOST_DIGITS:
            number = int(digits)
            if bound is None or -bound <= number <= bound:
                return number
        limit = f"{_MOST_DIGITS} digits" if bound is None else f"a magnitude of {bound}"
        return _Refused(
            code="json_number_range", message=f"integer {_short(digits)} is beyond {limit}"
        )

    return JSONDecoder(
        object_pairs_hook=_unique,
        parse_constant=constant,
        parse_float=_finite,
        parse_int=integer,
    )


def _unique(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue] | _Refused:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    counts = Counter(key for key, _ in pairs)
    repeated = next(key for key, count in counts.items() if count > 1)
    return _Refused(
        code="json_duplicate_key", message=f"object holds the key {_short(repeated)!r} twice"
    )


def _finite(digits: str) -> float | _Refused:
    number = float(digits)
    if math.isfinite(number):
        return number
    return _Refused(
        code="json_number_range", message=f"number {_short(digits)} is beyond a double's range"
    )


def _check_tree(root: JsonValue, limits: JsonLimits) -> None:
    """Walk level by level, so that the depth is known without keeping it for each node."""
    level: list[JsonValue] = [root]
    depth = nodes = 0
    while level:
        nodes += len(level)
        if nodes > limits.nodes:
            raise JsonError(
                f"JSON text holds more than {limits.nodes} values", code="json_too_many_nodes"
            )
        below: list[JsonValue] = []
        for node in level:
            if isinstance(node, dict):
                for key in node:
                    _check_text(root, node, key, limits)
                below.extend(node.values())
            elif isinstance(node, list):
                below.extend(node)
            elif isinstance(node, str):
                _check_text(root, node, node, limits)
            elif isinstance(node, _Refused):
                raise JsonError(node.message, code=node.code, pointer=_pointer_to(root, node))
        depth += 1
        if depth > limits.depth and any(isinstance(node, dict | list) for node in level):
            raise _too_deep(limits)
        level = below


def _check_text(root: JsonValue, owner: object, text: str, limits: JsonLimits) -> None:
    most = limits.string_bytes
    # A character takes at most four bytes, so that nearly every text is settled by its length.
    if len(text) * 4 > most and (size := len(text.encode("utf-8"))) > most:
        raise JsonError(
            f"string {_short(text)!r} has {size} bytes; at most {most} are read",
            code="json_string_too_long",
            pointer=_pointer_to(root, owner),
        )


def _pointer_to(root: JsonValue, wanted: object) -> str:
    waiting: list[tuple[str, JsonValue]] = [("", root)]
    while waiting:
        pointer, node = waiting.pop()
        if node is wanted:
            return pointer
        waiting.extend((f"{pointer}/{escape_token(str(key))}", part) for key, part in _parts(node))
    return ""


def _parts(node: JsonValue) -> Iterator[tuple[str | int, JsonValue]]:
    if isinstance(node, dict):
        yield from node.items()
    elif isinstance(node, list):
        yield from enumerate(node)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_QUOTE else f"{text[: _LONGEST_QUOTE - 3]}..."


def _text(value: JsonValue) -> str:  # noqa: PLR0911 -- one return for each type
    # The declared type is what callers promise; here the value is taken as it is.
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, dict):
        parts = [f"{_quoted(key)}:{_text(value[key])}" for key in _ordered(value)]
        return f"{{{','.join(parts)}}}"
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, _SEQUENCES):  # pyright: ignore[reportUnnecessaryIsInstance] -- see above
        return f"[{','.join(map(_text, value))}]"
    raise JsonError(f"a {type(value).__name__} is no JSON value", code="json_not_canonical")


def _quoted(text: str) -> str:
    return to_json(text).decode()


def _ordered(members: Mapping[str, JsonValue]) -> list[str]:
    try:
        # In ASCII the order of code points is that of UTF-16, which the RFC asks for.
        is_plain = all(map(str.isascii, members))
        return sorted(members) if is_plain else sorted(members, key=_utf16)
    except (TypeError, AttributeError) as error:
        message = "an object has a key that is no string"
        raise JsonError(message, code="json_not_canonical") from error


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be")


def _number(value: float) -> str:
    """Write a double as ECMAScript does: the shortest digits that read back as the same number."""
    if value.is_integer() and -_EXACT < value < _EXACT:
        return int.__repr__(int(value))
    if not math.isfinite(value):
        raise JsonError(f"number {value} is not finite", code="json_not_canonical")
    mantissa, exponent_sign, exponent = float.__repr__(value).partition("e")
    if not exponent_sign:
        return mantissa.removesuffix(".0")
    if _SMALL_NUMBER <= abs(value) < _LARGE_NUMBER:
        return _positional(mantissa, int(exponent))
    return f"{mantissa}e{int(exponent):+d}"


def _positional(mantissa: str, exponent: int) -> str:
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.removeprefix("-").partition(".")
    digits = f"{whole}{fraction}"
    point = len(whole) + exponent
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits.rstrip('0')}"
    digits = digits.ljust(point, "0")
    fraction = digits[point:].rstrip("0")
    whole = digits[:point].lstrip("0") or "0"
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"
