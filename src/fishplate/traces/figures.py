"""Numbers in texts: what they may mean, and what follows from others.

People and models write one number in many ways, and reckon with what they were given. That a
number stands nowhere is therefore no proof.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal, localcontext
from typing import Final

NUMBER: Final = r"(?<![\w.,])\d(?:[\d'.,\u00a0\u202f]*\d)?(?![\w])"
_FIGURE: Final = re.compile(NUMBER)
_DIGITS: Final = re.compile(r"\d+")
_THOUSANDS: Final = 3  # digits that stand behind a mark which may part thousands
_MOST_DIGITS: Final = 15  # of a number that somebody reckons with
_PRECISION: Final = 60  # digits, so that a product of two can be rounded to the places of a third
_MOST_KNOWN: Final = 40
"""Numbers of which two are reckoned with; with more, nearly every number would follow."""


def unexplained(text: str, given: str) -> list[str]:
    """Numbers in a text that neither stand in what was given, nor follow from two numbers of it.

    A number follows that is the sum, difference, product, quotient or percentage of two, the sum
    or mean of some in a row, one in another unit of ten or of time, a part of a date; rounded.

    Args:
        text: What somebody has written.
        given: All that they have read, as text.
    """
    figures = list(dict.fromkeys(_figures(text)))
    listed = [read(figure) for figure in _figures(given)]
    parts = [Decimal(part) for part in _DIGITS.findall(given) if len(part) <= _MOST_DIGITS]
    known = dict.fromkeys((*(one for readings in listed for one in readings), *parts))
    in_order = [readings[0] for readings in listed[:_MOST_KNOWN]]
    with localcontext(prec=_PRECISION):
        reachable = {*known, *_followers([*known][:_MOST_KNOWN]), *_of_rows(in_order)}
        rounded: dict[int, set[Decimal]] = {}
        return [one for one in figures if not _is_reached(one, reachable, rounded)]


def holds(text: str, wanted: str) -> bool:
    """Whether a text holds another one, or if that is a number, the same in another form."""
    if wanted in text:
        return True
    if not _FIGURE.fullmatch(wanted):
        return False
    values = set(read(wanted))
    return any(values.intersection(read(figure)) for figure in _FIGURE.findall(text))


def _figures(text: str) -> Iterator[str]:
    """Numbers in a text; what is longer is the number of an account, and nobody reckons with it."""
    return (one for one in _FIGURE.findall(text) if len(one) <= _MOST_DIGITS)


def read(figure: str) -> list[Decimal]:
    """What a number may mean: `1.234` is 1234 to some, and 1.234 to others."""
    plain = re.sub(r"['\u00a0\u202f]", "", figure)
    marks = [one for one in plain if one in ".,"]
    if not marks:
        return [Decimal(plain)]
    whole, _, rest = plain.rpartition(marks[-1])
    as_fraction = f"{re.sub('[.,]', '', whole)}.{rest}"
    as_whole = re.sub("[.,]", "", plain)
    if len(set(marks)) > 1:
        return [Decimal(as_fraction)]
    if len(marks) > 1:
        return [Decimal(as_whole)]
    if len(rest) == _THOUSANDS and whole != "0":
        return [Decimal(as_fraction), Decimal(as_whole)]
    return [Decimal(as_fraction)]


def _followers(known: Sequence[Decimal]) -> Iterator[Decimal]:
    for one in known:
        yield from (one * 100, one / 100, one / 60, one / 1_000, one / 1_000_000)
    for one in known:
        for other in known:
            yield from (one + other, one - other, one * other)
            share = one * other / 100
            yield from (share, one - share, one + share)
            if other:
                yield from (one / other, one / other * 100)


def _of_rows(listed: Sequence[Decimal]) -> Iterator[Decimal]:
    """Sums and means of numbers that stand in a row."""
    for first in range(len(listed)):
        total = Decimal(0)
        for count, one in enumerate(listed[first:], start=1):
            total += one
            yield from (total, total / count)


def _is_reached(figure: str, reachable: set[Decimal], rounded: dict[int, set[Decimal]]) -> bool:
    for value in read(figure):
        places = places_of(value)
        if places not in rounded:
            rounded[places] = {round(one, places) for one in reachable}
        if value in reachable or value in rounded[places]:
            return True
    return False


def places_of(value: Decimal) -> int:
    """Digits behind the point."""
    exponent = value.as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0
