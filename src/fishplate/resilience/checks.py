"""What a policy accepts as a number and as a part; everything else is refused by name."""

from __future__ import annotations

import math


def check_number(  # noqa: PLR0913 -- the bounds of one number
    owner: str,
    name: str,
    value: object,
    *,
    unit: str = "seconds",
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
) -> None:
    """Refuse what is not a finite number within its bounds; a share has the unit `""`.

    Raises:
        ValueError: Names the class, the field, the value and the bound.
    """
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not _is_finite(value)
        or (above is not None and not value > above)
        or (at_least is not None and not value >= at_least)
        or (below is not None and not value < below)
        or (at_most is not None and not value <= at_most)
    ):
        bounds = {"above": above, "at least": at_least, "below": below, "at most": at_most}
        words = " and ".join(f"{word} {n:g}" for word, n in bounds.items() if n is not None)
        of = f" of {unit}" if unit else ""
        msg = f"{owner}({name}={value!r}): {name} is a finite number{of}, {words}"
        raise ValueError(msg)


def check_count(owner: str, name: str, value: object, *, at_least: int = 1) -> None:
    """Refuse what is not a whole number of at least `at_least`.

    Raises:
        ValueError: Names the class, the field, the value and the bound.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < at_least:
        msg = f"{owner}({name}={value!r}): {name} is a whole number, at least {at_least}"
        raise ValueError(msg)


def check_flag(owner: str, name: str, value: object) -> None:
    """Refuse what is neither true nor false.

    Raises:
        ValueError: Names the class, the field and the value.
    """
    if not isinstance(value, bool):
        msg = f"{owner}({name}={value!r}): {name} is True or False"
        raise ValueError(msg)  # noqa: TRY004 -- as all impossible settings


def check_part(owner: str, name: str, value: object, kind: type, *, may_be_off: bool) -> None:
    """Refuse a part of a policy that is of another class.

    Raises:
        ValueError: Names the class, the field, the value and what may stand there.
    """
    if value is None or isinstance(value, kind) or (may_be_off and value == "off"):
        return
    allowed = f"{kind.__name__}(...)" + (" or 'off'" if may_be_off else "")
    msg = f"{owner}({name}={value!r}): {name} is {allowed}"
    raise ValueError(msg)


def check_word(owner: str, name: str, value: object) -> None:
    """Refuse what is not a text, or an empty one.

    Raises:
        ValueError: Names the class, the field and the value.
    """
    if not isinstance(value, str) or not value:
        msg = f"{owner}({name}={value!r}): {name} is a text that is not empty"
        raise ValueError(msg)


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond what a float holds
        return False
