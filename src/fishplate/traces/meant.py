"""What a calculation that does not come out may mean besides, so that it may be right.

A dash is a range or a score, a stroke a date or a share, a cross a size; a number counts what only
its author knows; and who quotes a wrong calculation has not made it.
"""

from __future__ import annotations

import re
from typing import Final

from fishplate.traces.figures import NUMBER
from fishplate.traces.reckoning import DIVIDED, MINUS, Calculation, Quantity, comes_out
from fishplate.traces.units import WORDS, is_money, scale_of

_SEEN: Final = 60  # characters on either side that are looked at
_MOST_DAYS: Final = 31  # of a month, so that two such numbers may be a date
_LEAST_OF_A_SIZE: Final = 10  # of a picture or a sheet, where its price is less
_HOURS: Final = 24
_YEARS: Final = range(1900, 2101)

_MEASURE: Final = rf"(?i:{WORDS}|h|d|m|s|g|l)"
_BEFORE: Final = re.compile(
    # The rest of `2 h 10 min + 20 min`.
    rf"(?:\d\s?{_MEASURE}\.?\s(?:and\s|und\s)?"
    # What is taken of it, such as the mean.
    r"|(?:(?<!\bsum\s)(?<!\btotal\s)(?<!\bproduct\s)(?<!\bsumme\s)\b(?:of|von)"
    r"|\b(?:average|mean|avg|median|half|twice|double|mittel\w*|durchschnitt\w*)"
    r"|\b(?:sqrt|log|ln|exp|min|max|sin|cos|tan|wurzel|root))\s*[(:]?\s*"
    # That it is not exact.
    r"|(?:\b(?:about|around|roughly|approx(?:imately)?|circa|ca|rund|etwa|ungefähr)\b\.?|[~≈])\s*"
    # Who quotes it.
    r"|\b(?:not|n['\u2019]t|never|nicht|keine?|nie|instead\s+of|statt|anstatt|rather\s+than"
    r"|wrote|writes?|said|says?|claim\w*|states?|stated|schr[ei]+b\w*|sag\w+|behaupt\w*)\b"
    r"[\s,:]*(?:[^\W\d]+[\s,:]+){0,3}|\b(?:if|wenn|falls|suppose|assume|angenommen)[\s,:]+"
    r")['\"\u201c\u201e(]*$",
    re.IGNORECASE,
)
# Whose number it is: `room 3 + 4`.
_NAMED: Final = re.compile(
    r"(?:[#§]|\b(?:items?|lines?|rows?|pos(?:itions?|ition(?:en)?)?|nos?|nrs?|numbers?|nummern?"
    r"|options?|rooms?|zimmer|pages?|seiten?|pp|[ps](?=\.)|parts?|teile?|vol(?:umes?)?|days?|tage?"
    r"|steps?|schritte?|levels?|stufen?|articles?|artikel|points?|punkte?|gates?|sizes?|größen?"
    r"|chapters?|kapitel|weeks?|wochen?|months?|monate?|phases?|zonen?|zones?|class(?:es)?"
    r"|klassen?|figures?|tables?|tabellen?|sections?|abschnitte?|questions?|fragen?|aufgaben?"
    r"|formate?|photos?|fotos?|grades?|noten?|ratings?|scores?|orders?|bestellung(?:en)?|auftr[aä]ge?"
    r"|auftrag|tickets?|invoices?|rechnung(?:en)?|sku|ids?|bus(?:ses|se)?|trains?|zug|züge|flights?"
    r"|flug|flüge|lini(?:e|en))\.?)\s*$",
    re.IGNORECASE,
)
_UNIT: Final = r"(?:\s?(?:[€$£]|[^\W\d_]+))?"
_BEHIND: Final = re.compile(
    rf"{_UNIT}\s(?:and\s|und\s)?{NUMBER}\s{_MEASURE}\b"
    rf"|{_UNIT}['\"\u201d)]*\s*\?"
    rf"|{_UNIT}[\s,(]*\b(?:rounded|approx|roughly|gerundet|etwa|ungefähr)\b"
    r"|[^.!?\n]{0,30}?\b(?:wrong|incorrect|false|mistaken|falsch|unrichtig|binary|binär|base\s\d"
    r"|hex\w*|octal|(?:not|nicht|n['\u2019]t)\s+(?:be\s+)?(?:right|correct|true|richtig|wahr)"
    r"|stimmt\s+nicht)\b",
    re.IGNORECASE,
)


def may_be_right(calculation: Calculation, before: str, behind: str) -> bool:
    """Whether a calculation that does not come out may be right in a way that its author knows.

    Args:
        calculation: It divides by nothing that is zero.
        before: The text that stands before it.
        behind: The text that stands behind the number that it should come to.
    """
    return (
        _BEFORE.search(before[-_SEEN:]) is not None
        or _BEHIND.match(behind[:_SEEN]) is not None
        or comes_out(calculation, at_work=True)
        or _has_unknown_units(calculation)
        or _has_other_units(calculation)
        or _is_range(calculation)
        or _is_of_clock(calculation)
        or _is_share(calculation)
        or _is_size(calculation)
        or _is_of_names(calculation, before[-_SEEN:])
    )


def _has_unknown_units(calculation: Calculation) -> bool:
    """Whether it has units that nobody knows here, and not the same one wherever one may stand."""
    unknown = {one for one in calculation.units if scale_of(one) is None and not is_money(one)}
    if not unknown:
        return False
    found = {one.unit for one in calculation.terms if one.unit}
    if not found:  # `2 x 3 = 7 nights`
        return False
    if found != {calculation.result.unit}:
        return True
    return not (calculation.is_measured and len(*found) > 1)


def _has_other_units(calculation: Calculation) -> bool:
    """Whether its known units are of different things, or stand at some of its summands only."""
    units, result = calculation.units, calculation.result.unit
    if calculation.is_sum:
        if len(units) > 1 and not (calculation.scale and result and calculation.is_measured):
            return True
        are_measured = {any(one.unit for one in factors) for factors in calculation.summands}
        return len(are_measured) > 1 and not all(map(is_money, units))
    # `4 x 100 m = 36.84 s`: the result measures what no term does.
    found = {_kind(one.unit) for one in calculation.terms if one.unit}
    return bool(result and found) and _kind(result) not in found


def _kind(unit: str) -> str:
    return scale_of(unit) or unit


def _is_range(calculation: Calculation) -> bool:
    """Whether a dash may stand for `to`, between days, hours, pages or the goals of two teams."""
    if not MINUS.intersection(calculation.signs):
        return False
    terms, _, result = calculation
    value = calculation.value
    is_below = calculation.scale is None and value is not None and value < 0 <= result.value
    is_of_years = all(one.value in _YEARS for one in terms)
    is_of_others = bool(result.unit) and not is_money(result.unit)
    return is_below or (calculation.is_bare and (is_of_years or is_of_others))


def _is_of_clock(calculation: Calculation) -> bool:
    """Whether hours may be those of a day, of which the last is followed by the first."""
    terms, _, result = calculation
    if not calculation.is_sum or not calculation.units <= {"h"} or calculation.value is None:
        return False
    is_of_day = all(_is_whole(one) and one.value <= _HOURS for one in (*terms, result))
    later = calculation.value - result.value, calculation.value + result.value
    return is_of_day and (later[0] % (_HOURS // 2) == 0 or later[1] % _HOURS == 0)


def _is_share(calculation: Calculation) -> bool:
    """Whether a stroke may make a date, a share or a rating of two numbers."""
    terms, signs, result = calculation
    if signs != ("/",) or not calculation.is_bare:
        return False
    first, second = (one.value for one in terms)
    is_date = first <= _MOST_DAYS and all(map(_is_whole, terms))
    return is_date or first <= second or result.value in {first, second}


def _is_size(calculation: Calculation) -> bool:
    """Whether a cross may make a size of whole numbers, and the result be its price or name."""
    terms, signs, result = calculation
    value = calculation.value
    if value is None or calculation.is_sum or DIVIDED.intersection(signs):
        return False
    if not result.unit or scale_of(result.unit) or not calculation.is_bare:
        return False
    if not all(_is_whole(one) for one in terms):
        return False
    is_large = all(one.value >= _LEAST_OF_A_SIZE for one in terms)
    return result.value < max(one.value for one in terms) or (is_large and result.value < value / 2)


def _is_of_names(calculation: Calculation, before: str) -> bool:
    """Whether whole numbers name what is reckoned with, as in `lines 1 + 2 = 59.80`."""
    terms, signs, result = calculation
    if not all(_is_whole(one) and not one.unit for one in terms):
        return False
    makes_fraction = not DIVIDED.intersection(signs) and not _is_whole(result)
    return makes_fraction or _NAMED.search(before) is not None


def _is_whole(one: Quantity) -> bool:
    return one.value == one.value.to_integral_value()
