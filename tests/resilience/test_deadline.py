"""Time only shrinks on its way down, and a reserve is kept on the way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fishplate.resilience.deadline import reserve_of, time_for

times = st.floats(0, 1e6)


@pytest.mark.parametrize(
    ("time", "declared", "reserve"),
    [
        (20, None, 2),  # a tenth
        (1, None, 0.2),  # at least
        (300, None, 5),  # at most
        (0.3, None, 0.15),  # never more than half
        (10, 3, 3),
        (10, 0, 0),
        (2, 3, 1),  # less time was left than was declared
    ],
)
def test_the_reserve_is_a_tenth_within_bounds(
    time: float, declared: float | None, reserve: float
) -> None:
    """A tenth of the time, 0.2 to 5 seconds, unless it is declared."""
    assert reserve_of(time, declared) == pytest.approx(reserve)


@given(times, st.none() | times)
def test_the_reserve_leaves_time(time: float, declared: float | None) -> None:
    """At least half of the time is the call's own."""
    assert 0 <= reserve_of(time, declared) <= time / 2


@given(st.none() | times, st.none() | st.floats(-1e6, 1e6), times)
def test_time_shrinks_on_its_way_down(
    own: float | None, left_above: float | None, reserve: float
) -> None:
    """Nothing may take longer than it may itself, nor than its caller has left."""
    time = time_for(own, left_above, reserve)

    if time is None:
        assert own is None
        assert left_above is None
    else:
        assert time >= 0
        assert own is None or time <= own
        assert left_above is None or time <= max(left_above - reserve, 0)
