"""What an id may be made of: who was given `W1 to W5` or `order 3` may speak of `W3`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from fishplate.traces.spelling import Ids, bare_numbers_in, ids_in, kind_of_id

_MOST_DIGITS: Final = 18  # of a number that is compared
_ID: Final = r"(?P<kind>[^\W\d_]+)[-_#]?(?P<first>\d+)"
_RANGE: Final = re.compile(
    rf"{_ID}\s*(?:[-\u2013\u2014\u2026/]|\.\.+|to|through|until|thru|bis)\s*"
    r"(?:[^\W\d_]+[-_#]?)?(?P<last>\d+)"
)
_LIST: Final = re.compile(rf"{_ID}(?P<others>(?:\s*(?:[,/&+]|and|und|or|oder)\s*-?\d+)+)")


class Origins:
    """The ids in all that somebody has read, and what else an id may come from.

    Args:
        text: What they have read.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        ids = ids_in(text)
        self._ids = Ids(ids)
        self._wholes = {one.casefold() for one in ids}
        self._plain = _letters_and_digits(text)
        self._numbers = Ids(bare_numbers_in(text, least=1))
        self._ranges = [
            (found["kind"].casefold(), _number(found["first"]), _number(found["last"]))
            for found in _RANGE.finditer(text)
        ] + [
            (found["kind"].casefold(), number, number)
            for found in _LIST.finditer(text)
            for number in map(_number, re.findall(r"\d+", found["others"]))
        ]
        self.kinds = {kind_of_id(one) for one in ids}
        """What the ids in the text begin with, as `kind_of_id` gives it."""

    def hold(self, found: str) -> bool:
        """Whether the text holds an id, in any spelling."""
        return found in self._text or self._ids.hold(found)

    def may_give(self, found: str) -> bool:
        """Whether an id that the text does not hold may be made of it.

        It is a part of another one (`W1-2` of `W1`), stands there in pieces (`DE89 3704`) or by its
        number alone (`order 3`), or in a list or range of numbers (`W1 to W5`).
        """
        if _letters_and_digits(found) in self._plain or self._numbers.hold(found):
            return True
        if any(whole in self._wholes for whole in _wholes_of(found.casefold())):
            return True
        kind, number = kind_of_id(found), _number(re.findall(r"\d+", found)[-1])
        return any(kind == one and low <= number <= high for one, low, high in self._ranges)


def _wholes_of(part: str) -> Iterator[str]:
    """What an id may be a part of, as far as it begins with it: no number is cut."""
    return (part[:end] for end in range(1, len(part)) if not part[end].isdigit())


def _number(digits: str) -> int:
    return int(digits[:_MOST_DIGITS])


def _letters_and_digits(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))
