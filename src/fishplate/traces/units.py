"""Units of quantities that people add up: what one is in another, and when nobody can know.

Factors are exact, by definition of the SI, the international yard and pound, and ISO 8601's clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final

_SCALES: Final[Mapping[str, Mapping[str, str]]] = {
    "time": {
        "ms millisecond milliseconds": "0.001",
        "s sec secs second seconds sekunde sekunden": "1",
        "min mins minute minutes minuten": "60",
        "h hr hrs hour hours std stunde stunden": "3600",
        "d day days tag tage tagen": "86400",
        "wk week weeks woche wochen": "604800",
    },
    "length": {
        "mm millimetre millimetres": "0.001",
        "cm centimetre centimetres": "0.01",
        "m metre metres meter meters": "1",
        "km kilometre kilometres kilometer kilometers": "1000",
        "in inch inches": "0.0254",
        "ft foot feet": "0.3048",
        "yd yard yards": "0.9144",
    },
    "mass": {
        "mg milligram milligrams": "0.001",
        "g gram grams": "1",
        "kg kilogram kilograms": "1000",
        "t tonne tonnes": "1000000",
        "oz ounce ounces": "28.349523125",
        "lb lbs pound pounds": "453.59237",
    },
    "volume": {
        "ml millilitre millilitres": "0.001",
        "cl centilitre centilitres": "0.01",
        "l litre litres liter liters": "1",
    },
}
_CURRENCIES: Final[Mapping[str, str]] = {
    "eur": "€ euro euros",
    "usd": "$ dollar dollars",
    "gbp": "£",
    "chf": "fr franken",
    "jpy": "yen",
}
_MONEY: Final = {
    **dict.fromkeys(("aud", "cad", "cny", "czk", "dkk", "huf", "inr", "nok", "pln", "sek")),
    **{word: code for code, words in _CURRENCIES.items() for word in (code, *words.split())},
}
_WORKING: Final = {"d": Decimal(8 * 3600), "wk": Decimal(40 * 3600)}
# Of a price for a day or week of work, a month or a year, calculated in hours.
_PRICED: Final = (*_WORKING.values(), *(Decimal(days * 86_400) for days in (5, 30, 365)))
_UNITS: Final = {
    word: (scale, Decimal(factor))
    for scale, units in _SCALES.items()
    for words, factor in units.items()
    for word in words.split()
}

WORDS: Final = "|".join(sorted((word for word in _UNITS if len(word) > 1), key=len, reverse=True))
"""Every unit of more than one letter, as alternatives of a regular expression."""


def plain_unit(text: str) -> str:
    """A unit as it is compared: `€` is `eur`, `Min` is `min`, `days` is `day`."""
    word = text.strip().lower()
    if word in _MONEY:
        return _MONEY[word] or word
    if word in _UNITS:
        return next(one for one, unit in _UNITS.items() if unit == _UNITS[word])
    return word


def scale_of(unit: str) -> str | None:
    """What a unit measures, e.g. `time`; `None` if it is no unit that is known here."""
    return _UNITS[unit][0] if unit in _UNITS else None


def is_money(unit: str) -> bool:
    """Whether a unit is a currency that is known here."""
    return unit in _MONEY


def factor_of(unit: str, *, at_work: bool = False) -> Decimal:
    """How many of the basic unit of its scale a known unit is.

    Args:
        unit: As `plain_unit` gives it.
        at_work: A day has 8 hours, and a week 5 days.
    """
    return _WORKING.get(unit, _UNITS[unit][1]) if at_work else _UNITS[unit][1]


def conversions_of(scale: str, *, of_prices: bool = False) -> Iterator[tuple[Decimal, Decimal]]:
    """The factors of each two units of a scale.

    Args:
        scale: What they measure.
        of_prices: Also of a day and a week of work, a month and a year.
    """
    factors = {factor for known, factor in _UNITS.values() if known == scale}
    if of_prices and scale == "time":
        factors.update(_PRICED)
    return ((one, other) for one in factors for other in factors if one != other)
