"""A JSON value as it is kept: without secrets, of which what is long, deep or wide is cut."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from itertools import islice, repeat
from typing import Final

from pydantic_core import from_json, to_json

from fishplate.core.errors import JsonValue
from fishplate.traces.redaction import HIDDEN, Redactor

MOST_CHARACTERS: Final = 2_048
MOST_ITEMS: Final = 50
MOST_DEPTH: Final = 12
CUT: Final = "[cut: "
CUT_MEMBERS: Final = "[cut]"
_MARGIN: Final = 4_096


def bounded(  # noqa: PLR0911 -- a table
    value: JsonValue, redactor: Redactor | None = None, name: str = "", depth: int = 0
) -> JsonValue:
    """A JSON value of which long texts, lists and objects are cut, each with a mark.

    The mark of a text names its length and its SHA-256; lone surrogates become `?`.

    Args:
        value: The value.
        redactor: Takes the secrets out.
        name: What the value stands under.
        depth: How deep it stands.
    """
    if redactor is not None and redactor.hides(name) and isinstance(value, (str, list, dict)):
        return HIDDEN
    match value:
        case str():
            return bounded_text(_document(value, redactor, depth), redactor)
        case list():
            if depth == MOST_DEPTH:
                return f"{CUT}{len(value)} items]"
            names = _names_in(value)
            kept = [
                bounded(one, redactor, name, depth + 1)
                for name, one in zip(names, value[:MOST_ITEMS], strict=False)
            ]
            over = len(value) - MOST_ITEMS
            return [*kept, f"{CUT}{over} more items]"] if over > 0 else kept
        case dict():
            if depth == MOST_DEPTH:
                return f"{CUT}{len(value)} members]"
            found = {
                bounded_text(key, redactor): bounded(one, redactor, _name_of(key, value), depth + 1)
                for key, one in islice(value.items(), MOST_ITEMS)
            }
            over = len(value) - MOST_ITEMS
            return {**found, CUT_MEMBERS: f"{over} more members"} if over > 0 else found
        case float() if not math.isfinite(value):
            return None
        case _:
            return value


def _name_of(key: str, members: Mapping[str, JsonValue]) -> str:
    """What a member stands under; for `{"name": "password", "value": ...}` that is the name."""
    if key in {"value", "Value"}:
        for word in ("name", "Name", "key", "Key"):
            named = members.get(word)
            if isinstance(named, str):
                return named
    return key


def _document(text: str, redactor: Redactor | None, depth: int) -> str:
    """A text without the secrets that it holds as a JSON document; as it is if it is none.

    What tools give is told to models as JSON within the JSON of a message.
    """
    if redactor is None or text[:1] not in {"{", "["} or len(text) > MOST_CHARACTERS + _MARGIN:
        return text
    if depth == MOST_DEPTH or not redactor.is_suspect(text.encode("utf-8", "replace")):
        return text
    try:
        found: JsonValue = from_json(text)
    except ValueError:
        return text
    cleaned = bounded(found, redactor, "", depth + 1)
    return text if cleaned == found else to_json(cleaned).decode()


def _names_in(values: list[JsonValue]) -> Iterable[str]:
    """What items stand under: the second of a pair under the first, as headers are given."""
    if len(values) == 2 and isinstance(values[0], str):  # noqa: PLR2004 -- a pair
        return ("", values[0])
    return repeat("")


def bounded_text(text: str, redactor: Redactor | None) -> str:
    """A text as `bounded` leaves it, whatever it is a text of."""
    # Cut with a margin first: a secret at the edge is found before what is behind it goes.
    head = text[: MOST_CHARACTERS + _MARGIN]
    if redactor is not None:
        head = redactor.text(head)
    if not head.isascii():
        head = head.encode("utf-8", "replace").decode()
    if len(text) <= MOST_CHARACTERS:
        return head
    digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
    return f"{head[:MOST_CHARACTERS]}{CUT}{len(text)} characters, sha256 {digest}]"
