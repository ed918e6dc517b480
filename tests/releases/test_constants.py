"""Constants in fingerprints: read whole, and once."""

from __future__ import annotations

from fishplate.contracts.json import canonical_json
from fishplate.releases.constants import LONGEST, constant


def levels(innermost: object, depth: int) -> list[object]:
    """A list that holds one list twice, which holds one list twice, and so on."""
    found: list[object] = [innermost]
    for _ in range(depth):
        found = [found, found]
    return found


def test_tables_that_refer_to_each_other_are_read_once() -> None:
    """What would double with every level is told in a bounded text, and still tells changes."""
    told = constant(levels("small", 60))

    assert len(canonical_json(told)) < 4 * LONGEST
    assert told == constant(levels("small", 60))
    assert told != constant(levels("large", 60))


def test_deeply_nested_objects_are_told_in_bounded_text() -> None:
    """Likewise of tables by name that refer to each other."""
    table: dict[str, object] = {"price": 1}
    other: dict[str, object] = {"price": 2}
    for _ in range(60):
        table, other = {"a": table, "b": table}, {"a": other, "b": other}

    assert len(canonical_json(constant(table))) < 4 * LONGEST
    assert constant(table) != constant(other)


def test_a_shared_table_is_told_like_two_equal_ones() -> None:
    """Where a table stands in memory is no part of what it says, however long it is."""
    for text in ("short", "long" * LONGEST):
        shared = [text]
        assert constant([shared, shared]) == constant([[text], [text]])
        assert constant({"a": shared, "b": shared}) == constant({"a": [text], "b": [text]})
