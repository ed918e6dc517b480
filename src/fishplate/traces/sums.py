"""Calculations that a text shows: those that are wrong, and those that nobody can follow.

A calculation that is wrong proves itself. One in several units is judged in one of them, where all
are known; where it may mean something besides, nobody can know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import localcontext
from typing import Final, NamedTuple

from fishplate.traces.figures import NUMBER, read
from fishplate.traces.meant import may_be_right
from fishplate.traces.reckoning import Calculation, Quantity, comes_out
from fishplate.traces.units import WORDS, factor_of, plain_unit, scale_of

_MOST_TERMS: Final = 12  # behind the first of a calculation
_MOST_DAYS: Final = 31  # of a month
# Words that stand behind a number and are no unit of it.
_NO_UNIT: Final = (
    r"x|is|are|was|were|be|been|may|might|can|could|will|would|should|must|do|does|in|on|at|to|of"
    r"|off|for|from|by|per|as|and|or|nor|so|but|if|then|than|that|this|which|the|an?|you|we|i|it"
    r"|they|your|our|not|no|too|also|only|just|with|without|incl\w*|excl\w*|net|gross|plus|total"
    r"|all|altogether|together|now|here|again|each|after|before|because|since|when|while"
    r"|und|oder|aber|also|so|ist|sind|war|waren|kann|können|wird|werden|wäre|wären|darf|dürfen"
    r"|sein|mit|ohne|für|von|vom|pro|je|das|die|der|den|dem|des|ein\w*|im|am|an|auf|aus|bei|zu|zum"
    r"|zur|nur|wie|als|dass|weil|wenn|nicht|auch|noch|nach|vor|bis|sie|wir|ihr|ich|er|es|netto"
    r"|brutto|inkl\w*|zzgl|gesamt\w*|zusammen|insgesamt|mal"
)
_UNIT: Final = (
    rf"(?>(?:\s?[€$£]|\s(?!(?i:{_NO_UNIT})(?!\w))[^\W\d_½¼¾⅓⅔⅛]+(?!\w)"
    r"|\sin(?=\s?[^\s\w]|\sx|\s*(?:\n|$)))?)"  # an inch
)
_SIGN: Final = r"\s*(?:[×*·/÷]|(?<![^\W\d_])x(?![^\W\d_]))\s*|\s+[+\N{MINUS SIGN}-]\s+"  # noqa: RUF001 -- written so by people
_TERM: Final = rf"[€$£]?{NUMBER}{_UNIT}"
# What makes another number of a result: a share or a multiple.
_SCALED: Final = (
    r"\s*(?:[%‰]|(?i:per\s?cent|percentage|pct|prozent|promille|bps|thousand|million|billion"
    r"|hundred|dozen|k|bn|mn|tsd|mio|mrd)\b)"
)
_STATED: Final = re.compile(
    rf"(?<![\d/:^-])(?P<sum>{_TERM}(?:(?:{_SIGN}){_TERM}){{1,{_MOST_TERMS}}})"
    rf"\s*=\s*(?P<result>(?P<mark>[€$£]?)(?P<number>{NUMBER})(?!:\d|[.,]\d|{_SCALED})"
    rf"(?P<unit>{_UNIT}))(?!\s*[x×*·/÷+^-])"  # noqa: RUF001 -- the same
)
_PARTED: Final = re.compile(_SIGN)
_QUANTITY: Final = re.compile(rf"(?P<mark>[€$£]?)(?P<number>{NUMBER})(?P<unit>{_UNIT})")
_GOES_ON: Final = re.compile(
    r"(?:[\w)\]%]\s*[x×*·/÷^+\N{MINUS SIGN}-]|√)\s*$"  # noqa: RUF001 -- the same
)
_NEGATIVE: Final = re.compile(r"[\N{MINUS SIGN}-]\s*$")
_MONTH: Final = re.compile(
    r"\.?\s*(?:M(?:a[iy]|är[zZ]?|ar(?:ch)?)|(?i:jan(?:uary?)?|feb(?:ruary?)?|apr(?:il)?|jun[ei]?"
    r"|jul[iy]?|aug(?:ust)?|sept?(?:ember)?|o[ck]t(?:ober)?|nov(?:ember)?|de[cz](?:ember)?))(?!\w)"
)
# Who parts thousands by a blank writes one number where two seem to stand; `1 1/2` is one, too.
_NUMBER_BEFORE: Final = re.compile(r"\d\s$")
_NUMBER_BEHIND: Final = re.compile(r"\s\d{3}(?!\d)")
_ITS_REST: Final = re.compile(r"\d{3}(?!\d)|\d+\s?/")
_PADDED: Final = re.compile(r"0\d")
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


def wrong_sums(text: str) -> Iterator[WrongSum]:
    """Calculations in a text that are wrong, such as `2 x 19.90 = 41.80`, by more than rounding."""
    with localcontext(prec=_PRECISION):
        for clock in _CLOCK.finditer(text):
            if _is_wrong_time(clock):
                yield WrongSum(clock[0], is_doubt=False)
        for stated in _STATED.finditer(text):
            before, behind = text[: stated.start()], text[stated.end("number") :]
            before = before[before.rfind("\n") + 1 :]
            if _GOES_ON.search(before) or _is_cut(stated, before):
                continue  # a part of a longer one
            calculation = _calculation(stated)
            if calculation is None or _is_right(calculation, before):
                continue
            is_date = _is_date(stated)
            if not (is_date and set(calculation.signs) == {"/"}):
                is_doubt = is_date or may_be_right(calculation, before, behind)
                yield WrongSum(stated[0].strip(), is_doubt)


def _is_cut(stated: re.Match[str], before: str) -> bool:
    """Whether its first number or its result is the end or the beginning of `1 200`."""
    if _NUMBER_BEFORE.search(before[-2:]) and _ITS_REST.match(stated["sum"]):
        return True
    return bool(_NUMBER_BEHIND.match(stated.string, stated.end("number")))


def _is_date(stated: re.Match[str]) -> bool:
    """Whether its result may be a day of a month."""
    is_day = stated["number"].isdecimal() and int(stated["number"]) <= _MOST_DAYS
    return is_day and _MONTH.match(stated.string, stated.end("number")) is not None


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


def _calculation(stated: re.Match[str]) -> Calculation | None:
    """What is reckoned; `None` where that can be read in two ways, or is no calculation."""
    parts = _PARTED.split(stated["sum"])
    if any(map(_PADDED.match, parts)):
        return None  # `03/04` is a day
    terms = [_quantity(_QUANTITY.search(part)) for part in parts]
    result = _quantity(stated)
    known = tuple(one for one in terms if one is not None)
    if result is None or len(known) != len(terms):
        return None
    signs = tuple(sign.strip() for sign in _PARTED.findall(stated["sum"]))
    found = Calculation(known, signs, result)
    return None if found.value is None else found


def _quantity(found: re.Match[str] | None) -> Quantity | None:
    readings = [] if found is None else read(found["number"])
    if found is None or len(readings) != 1:
        return None
    return Quantity(readings[0], plain_unit(found["mark"] or found["unit"]))


def _is_right(calculation: Calculation, before: str) -> bool:
    if comes_out(calculation):
        return True
    if _NEGATIVE.search(before) is None:
        return False
    first, *others = calculation.terms
    terms = (Quantity(-first.value, first.unit), *others)
    return comes_out(calculation._replace(terms=terms))
