"""How much time a call, its attempts and what they call may take. All times are seconds."""

from __future__ import annotations

from typing import Final

RESERVED_SHARE: Final = 0.1
LEAST_RESERVE: Final = 0.2
MOST_RESERVE: Final = 5.0

# What is left of a deadline is useless below this: no attempt is started.
LEAST_USEFUL: Final = 0.05


def reserve_of(time: float, declared: float | None = None) -> float:
    """The part of `time` that is kept for a fallback and for composing an answer.

    Args:
        time: What there is; at least 0.
        declared: `Policy.reserve`; `None` is a tenth of `time`, 0.2 to 5 s.

    Returns:
        The reserve, never more than half of `time`: a short call would else have none for itself.
    """
    wanted = declared
    if wanted is None:
        wanted = min(max(time * RESERVED_SHARE, LEAST_RESERVE), MOST_RESERVE)
    return min(wanted, time / 2)


def time_for(own: float | None, left_above: float | None, reserve: float = 0.0) -> float | None:
    """How long something may take below a deadline.

    Args:
        own: Its own limit, if it has one.
        left_above: What the caller has left, if that is bounded; not above 0 once it is past.
        reserve: What the caller keeps of it for itself.

    Returns:
        The time; 0 if none is left; `None` if nothing bounds it.
    """
    if left_above is None:
        return own
    left = max(left_above - reserve, 0.0)
    return left if own is None else min(own, left)


def least_useful(own: float | None) -> float:
    """Below how many seconds an attempt is not worth its start: 0.05, and less of a short `own`."""
    return LEAST_USEFUL if own is None else min(LEAST_USEFUL, own / 2)
