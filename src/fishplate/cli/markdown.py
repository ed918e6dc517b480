"""Text of others in Markdown: shown as it is, and never the end of what it stands in."""

import re
from collections.abc import Iterator, Sequence


def cell(text: str) -> str:
    """Text that a table cell shows as it is."""
    for character in "\\`*_[]<>#~":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.split()).replace("|", "\\|")


def code(text: str) -> str:
    """Text of one line as code, also within a table cell."""
    fence = "`" * (1 + _longest_run(text))
    pad = " " if "`" in text else ""
    # A pipe ends a cell even in code.
    return f"{fence}{pad}{text}{pad}{fence}".replace("|", "\\|")


def block(language: str, lines: Sequence[str]) -> Iterator[str]:
    """Lines as a block of code."""
    fence = "`" * max(3, 1 + max(map(_longest_run, lines), default=0))
    yield from (f"{fence}{language}", *lines, fence)


def _longest_run(text: str) -> int:
    """A fence ends at as many backticks as it has, so it has more than any run inside."""
    return max(map(len, re.findall(r"`+", text)), default=0)
