"""Faults as data: what a schedule includes, and which numbers are refused."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fishplate import ErrorClass
from fishplate.testing.faults import Error, Garbage, Hang, Latency, Partial, Schedule


@given(
    st.builds(
        Schedule,
        first=st.none() | st.integers(5, 9),
        after=st.integers(0, 9),
        every=st.integers(1, 5),
    ),
    st.integers(1, 40),
)
def test_a_schedule_behind_others_is_the_same_one_moved(when: Schedule, attempt: int) -> None:
    """`after` moves a schedule by so many attempts and changes nothing else."""
    moved = replace(when, after=when.after + 3)

    assert moved.includes(attempt + 3, 0.0) == when.includes(attempt, 0.0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Schedule(rate=1.5), r"Schedule\(rate=1.5\).*at least 0 and at most 1"),
        (lambda: Schedule(rate=float("nan")), r"Schedule\(rate=nan\)"),
        (lambda: Schedule(first=0), r"Schedule\(first=0\).*at least 1"),
        (lambda: Schedule(after=-1), r"Schedule\(after=-1\).*at least 0"),
        (lambda: Schedule(every=0), r"Schedule\(every=0\).*at least 1"),
        (lambda: Schedule(every=4, first=3), "every is at most first"),
        (lambda: Schedule(since=-1), r"Schedule\(since=-1\).*at least 0"),
        (lambda: Schedule(since=5, until=5), r"Schedule\(until=5\).*above 5"),
        (lambda: Latency(-1), r"Latency\(seconds=-1\).*at least 0"),
        (lambda: Latency(float("inf")), r"Latency\(seconds=inf\)"),
        (lambda: Error(retry_after=-1), r"Error\(retry_after=-1\).*at least 0"),
        (lambda: Error(ErrorClass.UNKNOWN_OUTCOME), "add answer_lost=True"),
        (lambda: Error(error_class="overload"), r"Error\(error_class='overload'\)"),  # pyright: ignore[reportArgumentType] -- what is refused
        (lambda: Hang(answer_lost=1), r"Hang\(answer_lost=1\)"),  # pyright: ignore[reportArgumentType] -- what is refused
        (lambda: Garbage(when=0.5), r"Garbage\(when=0.5\)"),  # pyright: ignore[reportArgumentType] -- what is refused
        (lambda: Partial(when=0.5), r"Partial\(when=0.5\)"),  # pyright: ignore[reportArgumentType] -- what is refused
    ],
)
def test_what_cannot_be_is_refused_by_name(make: Callable[[], object], message: str) -> None:
    """The field and its bound are named."""
    with pytest.raises(ValueError, match=message):
        make()
