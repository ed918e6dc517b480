"""A window counts what happened lately, and forgets it in tenths."""

from hypothesis import given
from hypothesis import strategies as st

from fishplate.resilience.window import BUCKETS, Window

SPAN = 30.0  # three seconds a bucket


def count(window: Window, now: float) -> None:
    """Count one, as the fast path does."""
    if now >= window.ends:
        window.roll(now)
    window.current[0] += 1


@given(st.lists(st.floats(0, 60), min_size=1, max_size=60))
def test_the_sum_covers_nine_tenths_of_the_span_to_all_of_it(steps: list[float]) -> None:
    """What is younger than nine tenths is in the sum, and what is older than the span is not."""
    now = 1000.0
    window = Window(SPAN, 1, now)
    counted: list[float] = []
    for step in steps:
        now += step
        count(window, now)
        counted.append(now)

    (total,) = window.sums(now)

    young = sum(now - at < SPAN * (1 - 1 / BUCKETS) - 1e-6 for at in counted)
    not_too_old = sum(now - at <= SPAN + 1e-6 for at in counted)
    assert young <= total <= not_too_old


def test_rounding_does_not_keep_a_window_behind() -> None:
    """The end of the newest bucket is always ahead, also where steps do not add up exactly."""
    window = Window(3.0, 1, 1.7)
    window.roll(2.3)  # two buckets later, by a hair

    assert window.ends > 2.3


def test_a_bucket_ends_at_its_end() -> None:
    """What is as old as the span, to the moment, is forgotten."""
    window = Window(SPAN, 1, 0.0)
    count(window, 0.0)

    assert window.ends == 3.0
    assert window.sums(29.9) == [1]
    assert window.sums(30.0) == [0]


def test_a_long_silence_forgets_everything() -> None:
    """However long it was, and however large the clock's numbers are."""
    window = Window(SPAN, 2, 0.0)
    window.current[1] += 5

    assert window.sums(1e9) == [0, 0]
    assert window.ends > 1e9
