"""Rates are checked, and drawn so that every seed has faults."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fishplate.testing.simulation import FaultRates


@given(seed=st.integers())
def test_every_seed_has_faults_in_at_least_a_tenth_of_the_calls(seed: int) -> None:
    """Drawn faults are frequent enough to matter, and rare enough for runs to succeed."""
    rates = FaultRates.drawn(random.Random(seed))

    assert 0.1 <= rates.of_calls <= 0.25 + 1e-9


def test_seeds_leave_kinds_of_fault_out() -> None:
    """Each kind is absent in some seeds and present in others."""
    drawn = [FaultRates.drawn(random.Random(seed)) for seed in range(50)]

    for kind in ("fails", "loses", "hangs", "slows", "garbles", "lingers", "down"):
        present = [getattr(rates, kind) > 0 for rates in drawn]
        assert any(present), kind
        assert not all(present), kind


def test_a_rate_is_a_share() -> None:
    """A rate above 1 is refused, and so are faults of more than all calls."""
    with pytest.raises(ValueError, match=r"FaultRates\(hangs=1.5\): a rate is 0 to 1"):
        FaultRates(hangs=1.5)
    with pytest.raises(ValueError, match="more than all calls"):
        FaultRates(hangs=0.6, fails=0.6)
