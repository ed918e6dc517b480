"""Whether an answer says another number of something than the passages that it should rest on.

Two numbers of one thing need not speak against each other: one may be a limit or be denied, be
reckoned from others, or be another case of it. Quantities of things differ from one to the next, so
what is measured is a doubt at most; a number of days, a share and a price are of the rule itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from fishplate.traces.figures import NUMBER, read, unexplained
from fishplate.traces.findings import Sign
from fishplate.traces.units import factor_of, plain_unit, scale_of

_FEW_WORDS: Final = 2
_BEGINNING: Final = 4  # of a word, in which its forms agree: `change`, `changed`
_SEEN: Final = 25  # characters before a number that are looked at

_WORD: Final = re.compile(r"[^\W\d_]{4,}")
_DIGITS: Final = re.compile(r"\d+")
# Of units of one or two letters those that are no word: `2 in the morning` is no length.
_SHORT: Final = r"%|€|\$|£|mm|cm|m|km|mg|g|kg|ml|cl|l|h|ft|lb|oz"
_COUNTED: Final = re.compile(
    r"(?<![\w.,:/-])(?P<count>\d+)[\s-]+(?P<what>[^\W\d_]{3,})"
    rf"|(?P<number>{NUMBER})\s?(?P<unit>{_SHORT})(?![\w²³/])"
)
_SENTENCE: Final = re.compile(r"[^.!?\n]+(?:\.\d[^.!?\n]*)*")
_LIMIT: Final = re.compile(
    r"\b(?:up\s+to|at\s+(?:most|least)|between|within|under|over|above|below|than|max\w*|min\w*"
    r"|until|every|about|bis|ab|höchstens|mindestens|zwischen|innerhalb|binnen|unter|über|als"
    r"|not|n['\u2019]t|never|instead\s+of|nicht|statt|kein\w*|nie)\s+(?:[^\W\d_]+\s+)?$"
    r"|\d\s*(?:[-\u2013]|to|and|or|bis|und|oder)\s*$|[<>\u2264\u2265~]\s*$",
    re.IGNORECASE,
)


def contrary_to(
    passages: Sequence[str], answer: str, query: str, *, read_besides: str
) -> Sign | None:
    """That an answer says another number of something than each passage which tells it.

    Args:
        passages: Their texts; the answer should be made of one of them.
        answer: What was answered, as text.
        query: What was searched for.
        read_besides: What else whoever answered has read.
    """
    known = {
        number for text in (*passages, query, read_besides) for number in _DIGITS.findall(text)
    }
    told = [counted for text in passages for counted in _counted(text)]
    doubts, firm = list[Sign](), dict[str, Sign]()
    for said in _counted(answer):
        others = [other for other in told if other.what == said.what]
        is_told = any(other.value == said.value for other in others)
        if not others or is_told or known.issuperset(_DIGITS.findall(said.text)):
            continue
        # An answer of few words is about what was asked.
        about = said.words if len(said.words) >= _FEW_WORDS else words_of(query)
        other = next((other for other in others if about & other.words), None)
        is_firm = not (said.is_loose or any(one.is_loose for one in others))
        text = (
            f"no passage was used, and the answer says {said.text} where one that fits says "
            f"{(other or others[0]).text}"
        )
        doubts.append(Sign(text, is_doubt=True))
        if other is not None and is_firm:
            firm.setdefault(said.number, Sign(text, is_doubt=False))
    # A sum of two that the passages tell speaks against none of them.
    made_of_nothing = unexplained(" ".join(firm), f"{query} {' '.join(passages)}") if firm else ()
    return next((firm[number] for number in made_of_nothing), next(iter(doubts), None))


def words_of(text: object) -> set[str]:
    """The beginnings of the longer words in a text, which the forms of one word have in common."""
    found = _WORD.findall(text.lower()) if isinstance(text, str) else ()
    return {word[:_BEGINNING] for word in found}


class _Counted(NamedTuple):
    """A number in a text.

    Attributes:
        text: As it stands, with what it counts.
        number: As it stands.
        value: In the basic unit of what it measures.
        what: What it counts, e.g. `day`, or measures, e.g. `length`.
        words: The beginnings of the others in its sentence.
        is_loose: Another one may hold as well: it is a measure, a limit, or denied.
    """

    text: str
    number: str
    value: Decimal
    what: str
    words: set[str]
    is_loose: bool


def _counted(text: str) -> Iterator[_Counted]:
    """Numbers and what they count."""
    for sentence in _SENTENCE.findall(text):
        for found in _COUNTED.finditer(sentence):
            number, what = found["count"] or found["number"], found["what"] or found["unit"]
            readings = read(number)
            if len(readings) != 1:
                continue
            unit = plain_unit(what)
            scale = scale_of(unit) if found["unit"] else None
            is_limit = _LIMIT.search(sentence[: found.start()][-_SEEN:]) is not None
            yield _Counted(
                text=f"{number} {what.lower().removesuffix('s')}" if found["what"] else found[0],
                number=number,
                value=readings[0] * (factor_of(unit) if scale else 1),
                what=scale or (unit if found["unit"] else what.lower().removesuffix("s")),
                words=words_of(sentence) - words_of(what),
                is_loose=scale is not None or is_limit,
            )
