"""A target knows roughly how long it usually takes."""

import random
import statistics

import pytest

from fishplate.resilience.target import Target


@pytest.mark.parametrize("seed", range(5))
def test_the_usual_duration_is_about_the_median(seed: int) -> None:
    """A few attempts that take very long do not move it far."""
    draw = random.Random(seed)
    target = Target("model", 0.0)
    durations = [draw.lognormvariate(0, 1) for _ in range(500)]

    for duration in durations:
        target.remember(duration)

    assert target.useful == pytest.approx(statistics.median(durations), rel=0.6)


def test_a_target_that_takes_the_same_time_each_time_usually_takes_that_time() -> None:
    """Nothing moves what is right already."""
    target = Target("model", 0.0)
    for _ in range(10):
        target.remember(2.0)

    assert target.useful == 2.0


def test_the_usual_duration_follows_a_target_that_gets_quicker() -> None:
    """From three seconds to almost nothing within fifty attempts, and never to nothing."""
    target = Target("model", 0.0)
    target.remember(3.0)
    for _ in range(50):
        target.remember(0.001)

    assert target.useful == 0.05
