"""How both sides are measured."""

import tracemalloc

from bench.measure import Sample, compare, compare_all, peak_kilobytes


def written_down(name: str, costs: list[float], calls: list[str]) -> Sample:
    """A sample that costs what the list says, and notes that it was taken."""
    left = iter(costs)

    async def take() -> float:
        calls.append(name)
        return next(left)

    return take


async def test_the_sides_take_turns_and_the_first_samples_are_dropped() -> None:
    """Who begins changes with every round; a cold start is nobody's figure."""
    calls: list[str] = []

    found = await compare(
        written_down("limit", [99, 1, 2, 4], calls),
        written_down("ours", [99, 3, 4, 20], calls),
        name="x",
        rounds=3,
        tell=calls.append,
    )

    assert calls == [
        *("limit", "ours"),
        *("x 1/3", "limit", "ours"),
        *("x 2/3", "ours", "limit"),
        *("x 3/3", "limit", "ours"),
    ]
    assert (found.limit.best, found.limit.median) == (1, 2)
    assert (found.ours.best, found.ours.median) == (3, 4)


async def test_the_ratio_is_taken_within_the_rounds() -> None:
    """A slow moment that both sides met does not change the ratio."""
    calls: list[str] = []

    found = await compare(
        written_down("limit", [1, 1, 10, 1], calls),
        written_down("ours", [1, 2, 20, 2], calls),
        name="x",
        rounds=3,
        tell=calls.append,
    )

    assert found.ratio == 2


async def test_what_is_added_is_taken_within_the_rounds() -> None:
    """One slow round of both sides does not change what ours adds."""
    calls: list[str] = []

    found = await compare(
        written_down("limit", [1, 1, 10, 1], calls),
        written_down("ours", [1, 3, 12, 3], calls),
        name="x",
        rounds=3,
        tell=calls.append,
    )

    assert found.added == 2


async def test_many_sides_are_compared_with_one_limit() -> None:
    """Every side meets the limit of its own round, whatever the order."""
    calls: list[str] = []

    found = await compare_all(
        written_down("limit", [9, 1, 2], calls),
        {"a": written_down("a", [9, 2, 4], calls), "b": written_down("b", [9, 3, 6], calls)},
        name="x",
        rounds=2,
        tell=calls.append,
    )

    assert calls[3:] == ["x 1/2", "limit", "a", "b", "x 2/2", "b", "a", "limit"]
    assert {side: comparison.ratio for side, comparison in found.items()} == {"a": 2, "b": 3}


async def test_memory_is_what_is_held_at_the_peak() -> None:
    """What is given back before the end counts as well."""

    async def hold() -> None:
        held = bytearray(1_000_000)
        assert held

    tracemalloc.start()
    try:
        found = await peak_kilobytes(hold, operations=100)()
    finally:
        tracemalloc.stop()

    assert 10 <= found < 10.5
