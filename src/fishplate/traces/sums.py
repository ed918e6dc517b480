"""Calculations that a text shows: those that are wrong, and those that nobody can follow.

A calculation that is wrong proves itself. One in several units is judged in one of them, where all
are known; where a unit is missing or means something of its own, nobody can know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal, localcontext
from typing import Final, NamedTuple

from fishplate.traces.figures import NUMBER, places_of, read
from fishplate.traces.units import WORDS, conversions_of, factor_of, plain_unit, scale_of

_MOST_TERMS: Final = 12  # behind the first of a calculation
_UNIT: Final = rf"(?:\s?[€$£]|\s(?:(?i:{WORDS})|[^\W\d_]{{1,4}})\b)?"
_SIGN: Final = r"\s*[x×*·/÷]\s*|\s+[+\N{MINUS SIGN}-]\s+"  # noqa: RUF001 -- written so by people
_TERM: Final = rf"[€$£]?{NUMBER}{_UNIT}"
# What makes another number of a result: a share, a multiple, or the day of a month.
_SCALED: Final = (
    r"\s*(?:[%‰]|(?i:per\s?cent|percentage|pct|prozent|promille|bps|thousand|million|billion"
    r"|hundred|dozen|k|bn|mn|tsd|mio|mrd|jan\w*|feb\w*|mar(?:ch)?|märz|apr\w*|ma[iy]|ju[nl]\w*"
    r"|aug\w*|sept?\w*|okt\w*|oct\w*|nov\w*|de[cz]\w*)\b)"
)
_STATED: Final = re.compile(
    rf"(?<![\d/:^-])(?P<sum>{_TERM}(?:(?:{_SIGN}){_TERM}){{1,{_MOST_TERMS}}})"
    rf"\s*=\s*(?P<result>(?P<mark>[€$£]?)(?P<number>{NUMBER})(?!:\d|[.,]\d|{_SCALED})"
    rf"(?P<unit>{_UNIT}))(?!\s*[x×*·/÷+^-])"  # noqa: RUF001 -- the same
)
_PARTED: Final = re.compile(_SIGN)
_QUANTITY: Final = re.compile(rf"(?P<mark>[€$£]?)(?P<number>{NUMBER})(?P<unit>{_UNIT})")
_GOES_ON: Final = re.compile(r"[\w)\]%]\s*[x×*·/÷^+\N{MINUS SIGN}-]\s*$")  # noqa: RUF001 -- the same
_IN_PARTS_BEFORE: Final = re.compile(rf"\d\s?(?i:{WORDS}|h|d|m|s|g|l)\.?\s(?:and\s)?$")
_IN_PARTS_BEHIND: Final = re.compile(rf"\s(?:and\s)?{NUMBER}\s(?i:{WORDS}|h|d|m|s|g|l)\b")
# Who parts thousands by a blank writes one number where two seem to stand.
_NUMBER_BEFORE: Final = re.compile(r"\d\s$")
_NUMBER_BEHIND: Final = re.compile(r"\s\d{3}(?!\d)")
_PADDED: Final = re.compile(r"0\d")
_THREE_DIGITS: Final = re.compile(r"\d{3}(?!\d)")
_APPLIED: Final = re.compile(
    r"(?:(?<!\bsum\s)(?<!\btotal\s)(?<!\bproduct\s)(?<!\bsumme\s)\b(?:of|von)"
    r"|\b(?:average|mean|avg|median|half|twice|double|mittel\w*|durchschnitt\w*))\s*[(:]?\s*$",
    re.IGNORECASE,
)
_CLOCK: Final = re.compile(
    r"(?<![\d:])(?P<hour>\d{1,2}):(?P<minute>\d\d)\s+(?P<sign>[+\N{MINUS SIGN}-])\s+"
    rf"(?P<number>\d{{1,4}})\s?(?P<unit>(?i:{WORDS}|h))\s*=\s*"
    r"(?P<then_hour>\d{1,2}):(?P<then_minute>\d\d)(?![\d:])"
)
_HALF_A_DAY: Final = 12 * 3600
_PRECISION: Final = 60


class WrongSum(NamedTuple):
    """A calculation that does not come to what it says.

    Attributes:
        text: As it stands.
        is_doubt: It may be right in a way that only its author knows.
    """

    text: str
    is_doubt: bool


class _Quantity(NamedTuple):
    value: Decimal
    unit: str


def wrong_sums(text: str) -> Iterator[WrongSum]:
    """Calculations in a text that are wrong, such as `2 x 19.90 = 41.80`, by more than rounding."""
    with localcontext(prec=_PRECISION):
        for clock in _CLOCK.finditer(text):
            if _is_wrong_time(clock):
                yield WrongSum(clock[0], is_doubt=False)
        for stated in _STATED.finditer(text):
            before = text[: stated.start()]
            if _GOES_ON.search(before[before.rfind("\n") + 1 :]) or _is_cut(stated, before):
                continue  # a part of a longer one
            found = _judged(stated)
            if found is not None:
                meant_otherwise = (
                    _IN_PARTS_BEFORE.search(before[-40:])
                    or _IN_PARTS_BEHIND.match(text, stated.end())
                    or _APPLIED.search(before[-40:])  # e.g. the mean of what is added up
                )
                yield WrongSum(stated[0].strip(), is_doubt=found or meant_otherwise is not None)


def _is_cut(stated: re.Match[str], before: str) -> bool:
    """Whether its first number or its result is the end or the beginning of `1 200`."""
    if _NUMBER_BEFORE.search(before[-2:]) and _THREE_DIGITS.match(stated["sum"]):
        return True
    return bool(_NUMBER_BEHIND.match(stated.string, stated.end("number")))


def _is_wrong_time(clock: re.Match[str]) -> bool:
    """Whether a time of day, so much later or earlier, is another one, by either kind of clock."""
    unit = plain_unit(clock["unit"])
    if scale_of(unit) != "time":
        return False
    span = int(clock["number"]) * factor_of(unit)
    first = int(clock["hour"]) * 3600 + int(clock["minute"]) * 60
    then = int(clock["then_hour"]) * 3600 + int(clock["then_minute"]) * 60
    reached = first + span if clock["sign"] == "+" else first - span
    return (reached - then) % _HALF_A_DAY != 0


def _judged(  # noqa: PLR0911 -- one way out for each way in which it may be right
    stated: re.Match[str],
) -> bool | None:
    """Whether it is no more than a doubt that a calculation is wrong; `None` if it is right."""
    signs = [sign.strip() for sign in _PARTED.findall(stated["sum"])]
    parts = _PARTED.split(stated["sum"])
    if any(map(_PADDED.match, parts)):
        return None  # `03/04` is a day
    terms = [_quantity(_QUANTITY.search(part)) for part in parts]
    result = _quantity(stated)
    known = [one for one in terms if one is not None]
    # A number that can be read in two ways is no proof.
    if result is None or len(known) != len(terms):
        return None
    units = {one.unit for one in (*known, result) if one.unit}
    scales = {scale_of(unit) for unit in units}
    if len(units) > 1 and len(scales) == 1 and None not in scales:
        value = _value([_basic(one) for one in known], signs)
        place = Decimal(1).scaleb(-places_of(result.value)) * _factor(result.unit)
        if value is None or _is_near(value, _basic(result), place):
            return None
        if result.unit and _is_each_measured(known, signs):
            return False
    value = _value([one.value for one in known], signs)
    if value is None or _is_near(value, result.value, Decimal(1).scaleb(-places_of(result.value))):
        return None
    if len(units) > 1:
        if not _is_sum(signs) and _is_converted(value, result.value, scales):
            return None
        return _is_sum(signs)
    if (
        result.unit
        and not any(one.unit for one in known)
        and _is_converted(value, result.value, scales)
    ):
        return None  # `8 x 30 = 4 h`
    # A dash between two numbers is a range as often as it takes one from the other.
    return signs in (["-"], ["\N{MINUS SIGN}"]) and value == -result.value


def _quantity(found: re.Match[str] | None) -> _Quantity | None:
    readings = [] if found is None else read(found["number"])
    if found is None or len(readings) != 1:
        return None
    return _Quantity(readings[0], plain_unit(found["mark"] or found["unit"]))


def _factor(unit: str) -> Decimal:
    return factor_of(unit) if unit else Decimal(1)


def _basic(one: _Quantity) -> Decimal:
    return one.value * _factor(one.unit)


def _is_sum(signs: Sequence[str]) -> bool:
    return any(sign in {"+", "-", "\N{MINUS SIGN}"} for sign in signs)


def _is_each_measured(terms: Sequence[_Quantity], signs: Sequence[str]) -> bool:
    """Whether each summand has one unit: a bare number among them may be of any."""
    counts = [bool(terms[0].unit)]
    for sign, term in zip(signs, terms[1:], strict=True):
        if sign in {"/", "÷"}:
            return False
        if _is_sum([sign]):
            counts.append(False)
        elif counts[-1] and term.unit:
            return False
        counts[-1] = counts[-1] or bool(term.unit)
    return all(counts)


def _is_converted(value: Decimal, result: Decimal, scales: set[str | None]) -> bool:
    """Whether a product is right in another unit, as that of half an hour and a price an hour."""
    place = Decimal(1).scaleb(-places_of(result))
    return any(
        _is_near(value * one, result * other, place * other)
        for scale in scales
        if scale is not None
        for one, other in conversions_of(scale)
    )


def _value(terms: Sequence[Decimal], signs: Sequence[str]) -> Decimal | None:
    """What a calculation comes to, products before sums; `None` if it divides by zero."""
    summands = [terms[0]]
    for sign, term in zip(signs, terms[1:], strict=True):
        if sign == "+":
            summands.append(term)
        elif sign in {"-", "\N{MINUS SIGN}"}:
            summands.append(-term)
        elif sign in {"/", "÷"}:
            if not term:
                return None
            summands[-1] /= term
        else:
            summands[-1] *= term
    return sum(summands, Decimal(0))


def _is_near(value: Decimal, result: Decimal, place: Decimal) -> bool:
    """Whether a result is a value, rounded up or down if it has fewer places."""
    return value == result or (value % place != 0 and abs(value - result) < place)
