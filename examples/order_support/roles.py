"""Who does what to whom, as far as the order of words tells it.

The words of the facts can be put together to another meaning: "damaged by you", "you have not sent
it". So what stands side by side matters where a person is in it, and a number with what it is.
"""

import re
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple, TypeAlias

from examples.order_support.plain_words import DENIALS, GRAMMAR, POSSIBLE, THINGS

Mood: TypeAlias = Literal["said", "ongoing", "possible", "denied", "impossible"]


class Word(NamedTuple):
    """A word as a clause says it.

    Attributes:
        word: As it stands there.
        stem: All its forms have it; those of an event, all its words.
        mood: How it is said.
        is_event: It tells what happens, so its mood matters.
    """

    word: str
    stem: str
    mood: Mood
    is_event: bool


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


_SUBJECTS: Final = _listed("we you")
_PERSONS: Final = _listed("we us you")
_PREPOSITIONS: Final = _listed("by to from with of for on in at about into onto than")
_DIRECTIONS: Final = _listed("by to from")
_ARTICLES: Final = _listed("a an the this that these those its our your both any")
# What stands between a subject and what it does.
_BETWEEN: Final = (
    POSSIBLE
    | DENIALS
    | _listed(
        "is are be been being am has have had having do does did will would "
        "still already just currently only yet longer"
    )
)
_ADVERBS: Final = DENIALS | _listed("still already just currently only yet it you we")
# What we do, though the facts may say it without us; and the same of the customer.
_OURS: Final = _listed("sent refund return")
_YOURS: Final = _listed("ask want writ")
_OPEN_MOODS: Final = _listed("possible impossible")  # "it can be returned": you can return it
_DECISIONS: Final = _listed("reject approv accept confirm")
_FEE: Final = re.compile(r"\b(?:fee(?:\s+(?:of|is|was))*|less)\s+(\d[\d.,]*)")
_WITH_FEE: Final = re.compile(r"\b(\d[\d.,]*)\s+less\b")
_LASTING: Final = re.compile(r"\b(?:for|in)\s+\d+\s+(?:day|week|month|hour|min)")
_IS_AMOUNT: Final = re.compile(r"([^.!?]*)\b(?:is|was|are|costs?)\s+(\d+[.,]\d\d)\b")


def exchanged(told: list[tuple[Word, ...]], facts: list[tuple[Word, ...]]) -> Iterator[str]:
    """Persons and things of a text with another part in it than the facts give them.

    Args:
        told: The clauses of the text.
        facts: Those of its facts.
    """
    known = {pair for clause in facts for pair in _parts(clause)}
    for clause in told:
        yield from (
            f"{first} {second}"
            for first, second in dict.fromkeys(_parts(clause))
            if (first, second) not in known
        )


def exchanged_amounts(text: str, facts: str) -> Iterator[str]:
    """Amounts and times that are something else in the facts, such as their fee."""
    fees, amounts = _fees(facts), _fees(text)
    yield from (f"a fee of {one}" for one in sorted(amounts - fees))
    yield from (f"{one} without its fee" for one in sorted(fees - amounts) if one in text)
    # What there is before the fee goes is not what is paid.
    whole = set(_WITH_FEE.findall(facts)) - set(_WITH_FEE.findall(text))
    yield from (f"{one} without its fee" for one in sorted(whole) if one in text)
    yield from sorted(set(_LASTING.findall(text)) - set(_LASTING.findall(facts)))
    known = {amount for _, amount in _IS_AMOUNT.findall(facts)}
    for before, amount in _IS_AMOUNT.findall(text):
        if amount not in known and "total" not in before:
            yield f"is {amount}"


def _fees(text: str) -> set[str]:
    return {one.rstrip(".,") for one in _FEE.findall(text)}


def _parts(clause: tuple[Word, ...]) -> Iterator[tuple[str, str]]:
    """Pairs of words that need the same pair in the facts."""
    for at, one in enumerate(clause):
        before = clause[at - 1] if at else None
        behind = clause[at + 1 :]
        does = one.word in _SUBJECTS and behind and behind[0].word in _BETWEEN
        is_behind = before and (before.word in _PREPOSITIONS or (before.is_event and not does))
        if one.word in _PERSONS and before and is_behind:
            yield before.stem, one.word
        elif one.word in _SUBJECTS:
            yield from _does(one.word, behind)
        if one.word in _DIRECTIONS:
            yield from _leads(one.word, behind)
        if one.word in POSSIBLE:
            yield from _may(behind)
        if one.stem in _DECISIONS:
            yield from _decides(one.stem, behind)
        if one.stem == "hold" and before and before.word not in GRAMMAR | THINGS:
            yield before.stem, one.stem


def _does(subject: str, behind: tuple[Word, ...]) -> Iterator[tuple[str, str]]:
    """The subject with what it does, unless anybody would take it for the one who does that."""
    verb = next((one for one in behind if one.word not in _BETWEEN), None)
    if verb is None:
        yield subject, "nothing"
    elif subject == "we":
        if verb.stem not in _OURS:
            yield subject, verb.stem
    elif verb.stem not in _YOURS and not (verb.is_event and verb.mood in _OPEN_MOODS):
        yield subject, verb.stem


def _leads(preposition: str, behind: tuple[Word, ...]) -> Iterator[tuple[str, str]]:
    end = next((one for one in behind if one.word not in _ARTICLES), None)
    if end and not end.is_event and end.word not in GRAMMAR | THINGS:
        yield preposition, end.stem


def _may(behind: tuple[Word, ...]) -> Iterator[tuple[str, str]]:
    """What is possible is an event: "can have" is none."""
    what = next((one for one in behind if one.word not in _ADVERBS), None)
    if what and what.word in GRAMMAR and what.word not in {"be", "to"}:
        yield "can", what.word


def _decides(decision: str, behind: tuple[Word, ...]) -> Iterator[tuple[str, str]]:
    what = next((one for one in behind if one.word not in _ARTICLES), None)
    if what and what.word in THINGS:
        yield decision, what.stem
