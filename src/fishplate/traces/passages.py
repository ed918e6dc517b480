"""What speaks against a search: whether what it found was used against its own scores.

What a score means only the search knows: a share is the better the higher it is, a distance the
lower, and some count without end. Scores are judged where the search says from which on a passage
fits, and nowhere else; where it says so, and uses none that fits, an answer that says another
number than that passage is not made of what was found. That nothing was found, or that a passage
is in other words than the question, is odd and no fault by itself: there may be nothing, and people
have many words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from fishplate.traces.findings import Sign, facts_of, objects_of, texts_of
from fishplate.traces.queries import TracedSpan

_WORD: Final = re.compile(r"[^\W\d_]{4,}")
_DIGITS: Final = re.compile(r"\d+")
_COUNTED: Final = re.compile(r"(?<![\w.,:/-])(\d+)[\s-]+([^\W\d_]{3,})")
_SENTENCE: Final = re.compile(r"[^.!?\n]+(?:\.\d[^.!?\n]*)*")
_FEW_WORDS: Final = 2
_BEGINNING: Final = 4  # of a word, in which its forms agree: `change`, `changed`


def sign_against(
    search: TracedSpan, found_elsewhere: Sequence[str], answer: str = ""
) -> Sign | None:
    """What speaks against a search; `None` if nothing does.

    Args:
        search: Its span.
        found_elsewhere: Ids of passages that other searches of the run have found.
        answer: What was answered by who has searched, as text.
    """
    facts = facts_of(search.span)
    passages = objects_of(facts.get("passages"))
    used = texts_of(facts.get("used")) if isinstance(facts.get("used"), list) else None
    if not passages and not used:
        return Sign("it found no passage", is_doubt=True)
    if used is None:
        return _as_doubt(_misfit(facts, passages, None))
    if not used:
        return _sign_of_none_used(facts, passages, answer)
    known = [*(str(one.get("id")) for one in passages), *found_elsewhere]
    foreign = next((one for one in used if not any(_belongs(one, own) for own in known)), None)
    if foreign is not None:
        return Sign(f"the passage {foreign!r} was used, and no search found it", is_doubt=False)
    misfit = _misfit(facts, passages, used)
    if misfit is not None:
        return Sign(misfit, is_doubt=False)
    return _as_doubt(_stranger(facts, passages, used))


def _sign_of_none_used(
    facts: Mapping[str, Any], passages: Sequence[Mapping[str, Any]], answer: str
) -> Sign:
    if (contrary := _contrary(facts, passages, answer)) is not None:
        return contrary
    misfit = _misfit(facts, passages, None)
    return Sign(misfit or f"none of {len(passages)} passages was used", is_doubt=True)


def _as_doubt(text: str | None) -> Sign | None:
    return None if text is None else Sign(text, is_doubt=True)


def _misfit(
    facts: Mapping[str, Any], passages: Sequence[Mapping[str, Any]], used: Sequence[str] | None
) -> str | None:
    """That no passage fits by the declared scores, of those that were used or of all."""
    least, most = facts.get("at_least"), facts.get("at_most")
    scored = [
        (float(one["score"]), one)
        for one in passages
        if isinstance(one.get("score"), (int, float)) and (used is None or one.get("id") in used)
    ]
    if not scored or any(_fits(score, least, most) for score, _ in scored):
        return None
    limits = {"at least": least, "at most": most}
    limit = " and ".join(f"{word} {one}" for word, one in limits.items() if one is not None)
    score, one = scored[0]
    what = "no passage fits" if used is None else "what was used does not fit"
    return f"{what}: {one.get('id')!r} has the score {score:.2f}, which should be {limit}"


def _contrary(
    facts: Mapping[str, Any], passages: Sequence[Mapping[str, Any]], answer: str
) -> Sign | None:
    """That the answer says another number of something than each passage which fits and tells it.

    Only a search that says from which score on a passage fits can tell that one should be used.
    """
    least, most = facts.get("at_least"), facts.get("at_most")
    if least is None and most is None:
        return None
    fitting = [
        str(one.get("text"))
        for one in passages
        if isinstance(one.get("score"), (int, float)) and _fits(float(one["score"]), least, most)
    ]
    query = str(facts.get("query"))
    known = {number for text in (*fitting, query) for number in _DIGITS.findall(text)}
    told = [counted for text in fitting for counted in _counted(text)]
    for said in _counted(answer):
        others = [other for other in told if other.what == said.what]
        if others and said.number not in known:
            # An answer of few words is about what was asked.
            about = said.words if len(said.words) >= _FEW_WORDS else _words(query)
            other = next((other for other in others if about & other.words), None)
            text = (
                f"none of {len(passages)} passages was used, and the answer says {said.number} "
                f"{said.what} where one that fits says {(other or others[0]).number}"
            )
            return Sign(text, is_doubt=other is None)
    return None


class _Counted(NamedTuple):
    """A number in a text.

    Attributes:
        number: Its digits.
        what: What it counts, e.g. `day`.
        words: The beginnings of the others in its sentence.
    """

    number: str
    what: str
    words: set[str]


def _counted(text: str) -> list[_Counted]:
    """Numbers and what they count."""
    return [
        _Counted(number, what.lower().removesuffix("s"), _words(sentence) - _words(what))
        for sentence in _SENTENCE.findall(text)
        for number, what in _COUNTED.findall(sentence)
    ]


def _fits(score: float, least: object, most: object) -> bool:
    is_low = isinstance(least, (int, float)) and score < least
    return not is_low and not (isinstance(most, (int, float)) and score > most)


def _belongs(used: str, found: str) -> bool:
    """Whether one is the other, or a part of it: `handbook#3` of `handbook`."""
    short, long = sorted((used, found), key=len)
    return long.startswith(short) and not long[len(short) : len(short) + 1].isalnum()


def _stranger(
    facts: Mapping[str, Any], passages: Sequence[Mapping[str, Any]], used: Sequence[str]
) -> str | None:
    asked = _words(facts.get("query"))
    for one in passages:
        text = one.get("text")
        is_read = one.get("id") in used and isinstance(text, str)
        if is_read and asked and not asked & _words(text):
            return f"the passage {one['id']!r} was used and shares no word with the question"
    return None


def _words(text: object) -> set[str]:
    found = _WORD.findall(text.lower()) if isinstance(text, str) else ()
    return {word[:_BEGINNING] for word in found}
