"""Text of others in Markdown ends nothing that it stands in."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fishplate.cli.markdown import block, cell, code

TEXTS = st.text(alphabet="`|a \\", max_size=12)


@given(TEXTS)
def test_code_is_not_ended_by_what_it_holds(text: str) -> None:
    """No run of backticks inside is as long as those around it, and no pipe stands alone."""
    written = code(text)

    assert not re.search(r"(?<!\\)\|", written)
    runs = re.findall(r"`+", written)
    assert runs[0] == runs[-1]
    assert all(len(run) < len(runs[0]) for run in runs[1:-1])


@given(st.lists(TEXTS, max_size=4))
def test_a_block_is_not_ended_by_its_lines(lines: list[str]) -> None:
    """Its fence is longer than any run of backticks in it, and has three at least."""
    first, *held, last = block("diff", lines)

    assert first == f"{last}diff"
    assert held == lines
    assert len(last) >= 3
    assert all(last not in line for line in held)


@pytest.mark.parametrize(
    ("text", "written"),
    [("a|b", "a\\|b"), ("<b>", "\\<b\\>"), ("two\nlines", "two lines"), ("a_b", "a\\_b")],
)
def test_a_cell_shows_text_as_it_is(text: str, written: str) -> None:
    """Nothing in it is Markdown, and it stays on its line."""
    assert cell(text) == written
