"""Whether a text says nothing beyond the facts that it was written from.

A rewrite may choose its words, and no facts. Since nobody can list what a model may make up, it is
the other way round: what a text may say without its facts is listed, in `plain_words`, and all else
has to stand in the facts: ids, numbers, dates, signs of money, names of things, and every word that
tells what happens, said as it is said there. Somebody who writes that an order "was cancelled" does
not say what "can be cancelled" says, nor what "was not cancelled" does. A count goes with what it
counts, a no and a "once" must not be dropped, nothing is said twice, a question is no answer, and a
text without any fact is none. Who does it counts too: see `roles`. Kind words are free as whole
phrases.

Where that leaves a doubt the text is refused, since the template is always there to be sent
instead. What is not found: grounded words that are joined to another meaning where no person and no
fee is in it, such as a cause that is told as the effect.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, TypeAlias

from examples.order_support.plain_words import (
    CONDITIONS,
    COURTESY,
    DENIALS,
    EVENTS,
    FREE_CONDITIONS,
    GRAMMAR,
    IRREGULAR,
    KEPT,
    NEUTRAL,
    NUMBERS,
    POSSIBLE,
    REGRETS,
    WHOLE,
)
from examples.order_support.roles import Mood, Word, exchanged, exchanged_amounts

Clauses: TypeAlias = list[tuple[Word, ...]]

_ID: Final = re.compile(r"#?\b[a-z]+[-_]?\d[\w-]*|#\w+")
_NUMBER: Final = re.compile(r"\d[\d.,:/-]*")
# A whole number, with the word before it and the one behind it.
_COUNT: Final = re.compile(
    r"(?:([^\W\d_]+)\s+)?(?<![\w.,:/-])(\d+)(?![.,:/-]?\d)(?:\s+([^\W\d_]+))?"
)
_SIGN: Final = re.compile(r"[%$€£¥]")
_WORD: Final = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
# Where a clause begins that is no longer denied, or possible, by what was said before it.
_CLAUSE: Final = re.compile(
    r"[.,;:!?()\n](?!\d)|\s[-\N{EN DASH}\N{EM DASH}]+\s"
    r"|\b(?:and|but|so|because|since|as|although|though|while)\b"
)
_SENTENCE: Final = re.compile(r"[.!?\n](?!\d)")
_CAUSE: Final = re.compile(r"\b(?:so|because)\b")
_COURTESY: Final = re.compile(rf"\b(?:{'|'.join(COURTESY)})\b")
# What anybody may say who says that something can be done.
_WELCOME: Final = re.compile(r"\bare welcome to (?=return|cancel)")
_ENDINGS: Final = ("ing", "ies", "ied", "ed", "es", "ly", "s", "y", "e")
_EMPTY: Final = NEUTRAL | DENIALS | REGRETS | CONDITIONS
# After "not", though not after "nothing", these begin what is no more denied: "an order that is not
# wanted can be returned".
_RESUMING: Final = frozenset({"can", "could", "may", "might"})
_DENIED: Final = frozenset({"denied", "impossible"})
_UNABLE: Final = frozenset({"cannot", "unable", "impossible"})
_LEAST: Final = 3  # letters of a word that stay when its ending goes


def ungrounded(text: str, facts: str) -> tuple[str, ...]:
    """What a text says that the facts do not, and what it must not leave out; empty if it is fine.

    Args:
        text: What somebody has written from the facts.
        facts: All that may be said, as text.
    """
    text, facts = _plain(text), _plain(facts)
    found: list[str] = []
    for of in (_ids, _numbers, _SIGN.findall):
        known = set(of(facts))
        found += [one for one in dict.fromkeys(of(text)) if one not in known]
    found += dict.fromkeys(_unknown_counts(text, facts))
    found += dict.fromkeys(exchanged_amounts(text, facts))
    if "?" in text and "?" not in facts:
        found.append("a question")
    if "because" in text and not _CAUSE.search(facts):
        found.append("because")
    told, known_clauses = list(_clauses(_without_courtesy(text))), list(_clauses(facts))
    found += dict.fromkeys(_unknown_words(told, known_clauses))
    found += dict.fromkeys(_unknown_denials(told, known_clauses))
    found += dict.fromkeys(exchanged(told, known_clauses))
    found += (f"no {one}" for one in sorted(_conditions(known_clauses) - _conditions(told)))
    if _denies(known_clauses) and not _denies(told):
        found.append("a no that is missing")
    found += _said_twice(text)
    if not found and not _says_any(told, text):
        found.append("nothing of what the facts say")
    return tuple(found)


def _plain(text: str) -> str:
    """Small letters, one kind of apostrophe, and one form of each letter and digit."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    plain = plain.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    # Each says with several words what one says too.
    plain = (
        plain.replace("as soon as", "once")
        .replace("only once", "once")
        .replace("no longer", "not longer")
    )
    return _WORD.sub(lambda found: NUMBERS.get(found[0], found[0]), plain)


def _without_courtesy(text: str) -> str:
    return _COURTESY.sub(" ", _WELCOME.sub("can ", text))


def _conditions(clauses: Clauses) -> set[str]:
    return {one.word for clause in clauses for one in clause if one.word in KEPT}


def _ids(text: str) -> Iterator[str]:
    for found in _ID.findall(text):
        yield found.strip("-_").lstrip("#")


def _numbers(text: str) -> Iterator[str]:
    for found in _NUMBER.findall(_ID.sub(" ", text)):
        yield found.rstrip(".,:/-").replace(",", "")


def _unknown_counts(text: str, facts: str) -> Iterator[str]:
    """Whole numbers of the facts that count another thing there."""
    known = _counts(facts)
    for number, things in _counts(text).items():
        yield from (f"{number} {thing}" for thing in things - known.get(number, things))


def _counts(text: str) -> dict[str, set[str]]:
    """Whole numbers with what they count, or else with the word before them."""
    found: dict[str, set[str]] = {}
    for before, number, behind in _COUNT.findall(_ID.sub(" ", text)):
        is_counted = behind and behind not in GRAMMAR
        found.setdefault(number, set()).add(_stem(behind) if is_counted else before)
    return found


def _said_twice(text: str) -> list[str]:
    """Sentences that come again: small models run in circles, and again is more than once."""
    sentences = [" ".join(one.split()) for one in _SENTENCE.split(text)]
    again = [one for one, count in Counter(sentences).items() if count > 1 and " " in one]
    return [f"twice: {one}" for one in again]


def _unknown_words(told: Clauses, facts: Clauses) -> Iterator[str]:
    """Words that neither say nothing nor stand in the facts, events as they are said there."""
    stems = {one.stem for clause in facts for one in clause}
    events = {(one.stem, one.mood) for clause in facts for one in clause if one.is_event}
    may_regret = _denies(facts)
    for one in (one for clause in told for one in clause):
        if (
            one.word in DENIALS
            or one.word in FREE_CONDITIONS
            or (may_regret and one.word in REGRETS)
        ):
            continue
        if one.is_event and one.word in NEUTRAL and one.mood in {"said", "possible"}:
            continue
        is_known = (one.stem, one.mood) in events if one.is_event else one.stem in stems
        if not is_known and (one.is_event or one.word not in NEUTRAL):
            yield f"{one.word} ({one.mood})" if one.is_event else one.word


def _unknown_denials(told: Clauses, facts: Clauses) -> Iterator[str]:
    """Things of which there are none, or no word of what is denied, while the facts deny others."""
    denied = {one.stem for clause in facts for one in clause if one.mood in _DENIED}
    may_deny_nothing = any(_denies([one]) and not _scope(one) for one in facts)
    for clause in told:
        if not _denies([clause]):
            continue
        scope = _scope(clause)
        if not _denies(facts):
            yield "a no that the facts do not say"
        elif scope and not any(one.stem in denied for one in scope):
            yield f"no {scope[0].word}"
        elif not scope and not may_deny_nothing:
            yield "a no about nothing"


def _scope(clause: tuple[Word, ...]) -> list[Word]:
    """What a clause denies."""
    empty = DENIALS | CONDITIONS | GRAMMAR
    return [one for one in clause if one.mood in _DENIED and one.word not in empty]


def _denies(clauses: Clauses) -> bool:
    return any(one.word in DENIALS for clause in clauses for one in clause)


def _says_any(told: Clauses, text: str) -> bool:
    """Whether there is an id, a number, an event or the name of a thing in it."""
    if _NUMBER.search(text) or _ID.search(text):
        return True
    words = (one for clause in told for one in clause)
    return any(one.is_event or one.word not in _EMPTY for one in words)


def _clauses(text: str) -> Iterator[tuple[Word, ...]]:
    for clause in _CLAUSE.split(_NUMBER.sub(" ", _ID.sub(" ", text))):
        yield tuple(_told(clause))


def _told(clause: str) -> Iterator[Word]:
    """The words of a clause; what is denied or possible is so to its end."""
    mood: Mood = "said"
    is_being = may_end = False
    last = ""
    for word in _words(clause):
        event = _event(word)
        if word in DENIALS:
            is_able = last in POSSIBLE or word in _UNABLE
            mood, may_end = "impossible" if is_able else "denied", word == "not"
        elif mood == "denied" and not may_end and word in POSSIBLE:
            mood = "impossible"
        elif word in CONDITIONS and (mood == "said" or (may_end and word in _RESUMING)):
            mood = "possible"
        is_ongoing = mood == "said" and (is_being or word.endswith("ing"))
        yield Word(
            word=word,
            stem=event or _stem(word),
            mood="ongoing" if is_ongoing else mood,
            is_event=event is not None,
        )
        is_being, last = word == "being", word


def _words(clause: str) -> Iterator[str]:
    for word in _WORD.findall(clause):
        base, _, rest = word.partition("'")
        if word in {"can't", "couldn't"}:
            yield "cannot"
        elif word.endswith("n't"):
            yield "not"
        else:
            yield base
            if rest == "ll":
                yield "will"


@lru_cache(maxsize=4096)  # the words of a language, or of whatever a model writes
def _event(word: str) -> str | None:
    """What the words for an event have in common; `None` for any other word."""
    return next((entry[0] for entry in EVENTS if _is_of(word, entry)), None)


def _is_of(word: str, event: tuple[str, ...]) -> bool:
    return any(word == one if one in WHOLE else word.startswith(one) for one in event)


def _stem(word: str) -> str:
    """A word without its ending; it need not be a word itself."""
    word = IRREGULAR.get(word, word)
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _LEAST:
            stem = word.removesuffix(ending)
            return stem[:-1] if len(stem) > _LEAST and stem[-1] == stem[-2] else stem
    return word
