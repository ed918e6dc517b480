"""Ids: text whose order is that of time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fishplate.core.ids import root_span_id, run_id, runs_near, step_span_id, timed_trace_id

moments = st.integers(min_value=0, max_value=2**48 - 1)
bits = st.integers(min_value=0, max_value=2**128 - 1)


@given(moments, bits, moments, bits)
def test_run_ids_are_ordered_by_time(one: int, its: int, other: int, others: int) -> None:
    """Of two runs the id of the earlier one comes first, whatever their random bits."""
    if one < other:
        assert run_id(one, its) < run_id(other, others)


@given(moments, bits)
def test_a_run_id_has_the_layout_of_uuid_7(moment: int, randomness: int) -> None:
    """The id holds the moment, version 7, variant 2 and 74 of the random bits."""
    alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
    number = 0
    for character in run_id(moment, randomness):
        number = number * 32 + alphabet.index(character)
    assert number >> 80 == moment
    assert number >> 76 & 0xF == 7
    assert number >> 62 & 0b11 == 0b10
    assert number & (1 << 62) - 1 == randomness & (1 << 62) - 1
    assert number >> 64 & (1 << 12) - 1 == randomness >> 62 & (1 << 12) - 1


@given(moments, bits, moments, bits)
def test_timed_trace_ids_are_ordered_by_time(one: int, its: int, other: int, others: int) -> None:
    """A trace that begins earlier has a smaller id, and its last ten bytes are the random ones."""
    ids = timed_trace_id(one, its), timed_trace_id(other, others)
    if one != other:
        assert (ids[0] < ids[1]) is (one < other)
    assert ids[0] % (1 << 80) == its % (1 << 80)
    assert ids[0] < 1 << 128


@given(moments, bits, st.integers(min_value=-3_000, max_value=3_000))
def test_a_run_is_found_by_the_time_in_its_trace_id(moment: int, its: int, later: int) -> None:
    """Its id stands between two ids exactly if it began no more than so long before or after."""
    began = min(max(moment + later, 0), 2**48 - 1)
    least, most = runs_near(timed_trace_id(moment, its), 1_000)
    assert (least <= run_id(began, its) <= most) is (abs(began - moment) <= 1_000)


@given(bits, st.text(max_size=20))
def test_ids_of_spans_fit_a_machine_word(trace_id: int, path: str) -> None:
    """They are above 0, as W3C Trace Context asks, and have a sign bit to spare."""
    for span_id in (root_span_id(trace_id), step_span_id(trace_id, path)):
        assert 0 < span_id < 1 << 63
