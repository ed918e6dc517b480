"""The shop's time starts at noon of the data's day and goes on; its clock can be let skip."""

from datetime import timedelta

import pytest

from examples.order_support.shop_clock import Calendar, ShopClock
from fishplate.core.clock import SystemClock
from tests.examples.stage import NOON


def test_the_clock_starts_at_noon_of_the_datas_day() -> None:
    """Whatever day it is, the shop's day is the one that its data stands for."""
    assert timedelta(0) <= ShopClock().now() - NOON < timedelta(minutes=1)


def test_both_hands_go_on_and_skip_together() -> None:
    """What goes by on one scale goes by on the other."""
    clock = ShopClock()
    now, monotonic_ns = clock.now(), clock.monotonic_ns()

    clock.skip(3600)

    assert timedelta(hours=1) <= clock.now() - now < timedelta(hours=1, minutes=1)
    assert 3600 <= (clock.monotonic_ns() - monotonic_ns) / 1e9 < 3660


def test_the_clock_does_not_go_back() -> None:
    """Time that has gone by stays gone."""
    with pytest.raises(ValueError, match="does not go back"):
        ShopClock().skip(-1)


def test_a_calendar_tells_the_shops_time_by_any_clock() -> None:
    """By the machine's clock it is noon of the data's day; a clock of that day is left alone."""
    now = SystemClock().now()

    told = Calendar.of_the_data().at(now + timedelta(hours=1)) - NOON
    assert timedelta(minutes=59) < told <= timedelta(hours=1)
    assert Calendar().at(NOON) == NOON
