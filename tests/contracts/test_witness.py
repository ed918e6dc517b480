"""Proposed values: bounded, and near enough to the corners of a schema."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fishplate.contracts.patterns import matching
from fishplate.contracts.witness import MOST_PROPOSALS, hints_of, proposals
from tests.contracts.independent import accepts
from tests.contracts.pairs import PAIRS, Document, Pair, tree
from tests.contracts.schemas import documents


@pytest.mark.parametrize("pair", PAIRS, ids=[pair.name for pair in PAIRS])
def test_proposes_a_valid_value(pair: Pair) -> None:
    """Among the proposals for a schema is one that it accepts, if there is any."""
    for document in (pair.producer, pair.consumer):
        if document is not False:
            assert any(
                accepts(document, value) for value in proposals(document, hints_of(document))
            )


@given(documents())
def test_proposals_come_to_an_end(document: Document) -> None:
    """However a schema is made, the number of proposals is bounded."""
    assert sum(1 for _ in proposals(document, hints_of(document))) <= MOST_PROPOSALS


def test_a_recursive_type_is_entered_a_few_times() -> None:
    """Values of a recursive type are proposed at several depths."""
    shown = {
        repr(value).count("children") for value in proposals(tree({"type": "null"}), hints_of())
    }

    assert len(shown) > 2


@pytest.mark.parametrize(
    "pattern",
    [
        r"^ORD-[0-9]{4}$",
        r"^[A-Z]{2}\d{1,3}$",
        r"^(a|bc)*d?$",
        r"^[^a-z]+$",
        r"^(?:x|y){2,}$",
        r"^(?P<name>a)+$",
        r"^[]a-]$",
        r"^[\w.-]+@[\w-]+\.[a-z]{2,}$",
        r"^\x41\u0042$",
        r"^a{3}b{0}c{2,3}$",
        r"^a*?b+?$",
        r"^.\.\s\S\D\W$",
        r"a|b|",
        r"^[+-]?(\d+\.?\d*|\.\d+)$",
    ],
)
def test_strings_match_common_patterns(pattern: str) -> None:
    """Most proposals for a pattern match it, as Python's engine judges."""
    samples = matching(pattern)

    assert samples
    assert all(re.search(pattern, sample) for sample in samples)


@given(st.text(r"ab01[]()^$|?*+{},.\-dpuxN:", max_size=24))
def test_any_text_is_a_pattern(pattern: str) -> None:
    """What is no pattern gives proposals or none, but never an error."""
    assert len(matching(pattern)) <= 12


def test_properties_of_unicode_are_known() -> None:
    """A class by its Unicode name has a sample."""
    assert matching(r"^\p{Lu}\p{L}\p{Nd}$") == ("Aa1",)


@pytest.mark.parametrize("pattern", ["a" * 513, "(" * 5000, "((a{64}){64}){64}{64}"])
def test_huge_patterns_cost_nothing(pattern: str) -> None:
    """Patterns that are too long, too deep or would grow too large are left out."""
    assert all(len(sample) <= 5000 for sample in matching(pattern))
