"""What a calculation comes to, in one unit where all are known."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from fishplate.traces.figures import places_of
from fishplate.traces.units import conversions_of, factor_of, is_money, scale_of

MINUS: Final = frozenset({"-", "\N{MINUS SIGN}"})
DIVIDED: Final = frozenset({"/", "÷"})


class Quantity(NamedTuple):
    """A number, and of what: a unit in the spelling of `plain_unit`, empty if there is none."""

    value: Decimal
    unit: str


class Calculation(NamedTuple):
    """What somebody has reckoned.

    Attributes:
        terms: At least two.
        signs: Between each two.
        result: What stands behind the equals sign.
    """

    terms: tuple[Quantity, ...]
    signs: tuple[str, ...]
    result: Quantity

    @property
    def is_sum(self) -> bool:
        """Whether something is added or taken away."""
        return any(sign == "+" or sign in MINUS for sign in self.signs)

    @property
    def is_bare(self) -> bool:
        """Whether no term has a unit."""
        return not any(one.unit for one in self.terms)

    @property
    def units(self) -> set[str]:
        """Those of all numbers in it."""
        return {one.unit for one in (*self.terms, self.result) if one.unit}

    @property
    def scale(self) -> str | None:
        """What all its units measure, if there are several."""
        scales = {scale_of(unit) for unit in self.units}
        return scales.pop() if len(scales) == 1 and len(self.units) > 1 else None

    @property
    def summands(self) -> list[list[Quantity]]:
        """What is added up, each with its factors."""
        found = [[self.terms[0]]]
        for sign, term in zip(self.signs, self.terms[1:], strict=True):
            if sign == "+" or sign in MINUS:
                found.append([term])
            else:
                found[-1].append(term)
        return found

    @property
    def is_measured(self) -> bool:
        """Whether each summand has one unit: a bare number among them may be of any."""
        each = all(sum(bool(one.unit) for one in factors) == 1 for factors in self.summands)
        return each and not DIVIDED.intersection(self.signs)

    @property
    def value(self) -> Decimal | None:
        """What its numbers come to, whatever their units; `None` if it divides by zero."""
        return _value([one.value for one in self.terms], self.signs)


def comes_out(calculation: Calculation, *, at_work: bool = False) -> bool:
    """Whether a calculation comes to its result, rounded, in its own unit or in another one.

    Args:
        calculation: It does not come out if it divides by zero.
        at_work: A day has 8 hours, and a week 5 days.
    """
    terms, signs, result = calculation
    if calculation.value is None:
        return False
    if calculation.scale is not None:
        factor = _factor(result.unit, at_work=at_work)
        basic = [one.value * _factor(one.unit, at_work=at_work) for one in terms]
        value = _value(basic, signs)
        place = Decimal(1).scaleb(-places_of(result.value)) * factor
        if value is not None and _is_near(value, result.value * factor, place):
            return True
        if result.unit and calculation.is_measured:
            return _is_conversion(calculation, at_work=at_work)
    place = Decimal(1).scaleb(-places_of(result.value))
    if _is_near(calculation.value, result.value, place):
        return True
    if not calculation.is_bare and (calculation.is_sum or len(calculation.units) == 1):
        return False
    # `30 min x 60 EUR = 30 EUR` of a price an hour, and `8 x 30 = 4 h`.
    return any(
        _is_near(calculation.value * one, result.value * other, place * other)
        for scale in {scale_of(unit) for unit in calculation.units}
        if scale is not None
        for one, other in conversions_of(scale, of_prices=any(map(is_money, calculation.units)))
    )


def _is_conversion(calculation: Calculation, *, at_work: bool) -> bool:
    """Whether a factor makes another unit of one, as in `2 h x 60 = 120 min`."""
    factors = [_factor(one.unit, at_work=at_work) for one in calculation.terms if one.unit]
    wanted = {one / _factor(calculation.result.unit, at_work=at_work) for one in factors}
    is_shown = any(one.value in wanted and not one.unit for one in calculation.terms)
    return is_shown and not calculation.is_sum and calculation.value == calculation.result.value


def _factor(unit: str, *, at_work: bool) -> Decimal:
    return factor_of(unit, at_work=at_work) if unit else Decimal(1)


def _value(terms: Sequence[Decimal], signs: Sequence[str]) -> Decimal | None:
    """What a calculation comes to, products before sums; `None` if it divides by zero."""
    summands = [terms[0]]
    for sign, term in zip(signs, terms[1:], strict=True):
        if sign == "+":
            summands.append(term)
        elif sign in MINUS:
            summands.append(-term)
        elif sign in DIVIDED:
            if not term:
                return None
            summands[-1] /= term
        else:
            summands[-1] *= term
    return sum(summands, Decimal(0))


def _is_near(value: Decimal, result: Decimal, place: Decimal) -> bool:
    """Whether a result is a value, rounded up or down if it has fewer places."""
    return value == result or (value % place != 0 and abs(value - result) < place)
