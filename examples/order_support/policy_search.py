"""Which section of the refund policy a question is about: a search by words, with scores.

The score of a section is the share of the question's words that it holds, the rare words counting
more: 1 if it holds them all, 0 if it holds none. That is enough for nine sections, explains itself,
and needs no model; words are compared by their beginnings, so that `delivered` finds `delivery`.

Source: the weight of a word is its inverse document frequency (Sparck Jones, 1972), smoothed.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fishplate.core.current import Passage

POLICY: Final = Path(__file__).parent / "refund_policy.md"
SOURCE: Final = "refund_policy"
LEAST_SCORE: Final = 0.3
"""A section that holds less of the question is not about it."""

_SECTION: Final = re.compile(r"^## (.+)\n+((?:(?!^## ).*\n?)*)", re.MULTILINE)
_WORD: Final = re.compile(r"[a-z]+")
_BEGINNING: Final = 5
_EMPTY: Final = re.compile(
    "the|and|not|was|were|has|have|had|its|that|this|with|for|you|your|our|they|them|what|which|"
    "can|been|than|are|but|from|out|there|some|something"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A piece of the policy, found by its title."""

    title: str
    text: str


class PolicySearch:
    """Finds sections of the refund policy.

    Args:
        sections: In any order; by default those of `refund_policy.md`.
    """

    def __init__(self, sections: Sequence[Section] | None = None) -> None:
        self._policy = read_sections()
        self._sections = self._policy if sections is None else tuple(sections)
        self._words = {one.title: _words(f"{one.title} {one.text}") for one in self._sections}
        self._weights = _weights(self._words)

    @property
    def is_current(self) -> bool:
        """Whether what it searches is the policy at hand, and not an older or another one."""
        return self._sections == self._policy

    def search(self, question: str, *, limit: int = 3) -> tuple[Passage, ...]:
        """Find the sections that a question is about.

        Args:
            question: In words, of which those count that the policy has.
            limit: Most of them.

        Returns:
            Those that share a word with the question, best first; ids are the titles.
        """
        asked = {word for word in _words(question) if word in self._weights}
        whole = sum(self._weights[word] for word in asked)
        found = (
            Passage(
                id=one.title,
                score=round(sum(self._weights[word] for word in shared) / whole, 2),
                text=one.text,
            )
            for one in self._sections
            if (shared := asked & self._words[one.title])
        )
        return tuple(sorted(found, key=lambda one: -(one.score or 0.0))[:limit])


def read_sections(path: Path = POLICY) -> tuple[Section, ...]:
    """Read the sections of a policy: each below a heading of the second level."""
    return tuple(
        Section(title=title, text=" ".join(text.split()))
        for title, text in _SECTION.findall(path.read_text("utf-8"))
    )


def _words(text: str) -> frozenset[str]:
    return frozenset(
        word[:_BEGINNING]
        for word in _WORD.findall(text.lower())
        if len(word) > 2 and not _EMPTY.fullmatch(word)  # noqa: PLR2004 -- shorter ones say nothing
    )


def _weights(words: Mapping[str, frozenset[str]]) -> dict[str, float]:
    every = [word for found in words.values() for word in found]
    return {word: math.log((1 + len(words)) / (1 + every.count(word))) + 1 for word in set(every)}
