"""What makes a wording doubtful that says nothing beyond its facts: see `grounding`.

It may leave out a condition or a caveat, or exchange what two numbers count. That is no reason to
refuse a text, since kind words leave out much, and one to remember when the answer proves wrong.
"""

import re
from collections.abc import Iterator
from typing import Final

_ID: Final = re.compile(r"#?\b[A-Za-z]+[-_]?\d[\w-]*|#\w+")
_NUMBER: Final = re.compile(r"\d[\d.,:/-]*")
_WORD: Final = re.compile(r"[a-z]+(?:'[a-z]+)?")
_PART: Final = re.compile(r"[a-z]+|\d[\d.,:/-]*")
_SENTENCE_END: Final = re.compile(r"[.!?](?:\s|$)")

_REACH: Final = 4  # words before an event in which a denial still belongs to it


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


_COUNTS: Final = _listed(
    "one two three four five six seven eight nine ten eleven twelve dozen twenty thirty hundred "
    "half double twice once couple several few"
)
_TIMES: Final = _listed(
    "monday tuesday wednesday thursday friday saturday sunday january february march april may "
    "june july august september october november december today tomorrow yesterday tonight soon "
    "shortly immediately week weeks month months weekend hour hours minute minutes"
)
_ASSENTS: Final = _listed("yes sure certainly absolutely definitely indeed")
_DENIALS: Final = _listed(
    "not no never none nothing neither nor without cannot unable impossible fail failed fails "
    "ineligible unfortunately denied declined rejected refused"
)
# By their beginnings, as the events.
_HEDGES: Final = _listed("estimat once if unless until")
# What a number says how many or how much of.
_COUNTED: Final = _listed(
    "item items day days fee price total amount refund number ago week weeks month months hour "
    "hours minute minutes"
)
# By their beginnings, so that all forms of a word are found; those on a line mean the same.
_EVENTS: Final = (
    ("sent", "send", "ship", "dispatch"),
    *((one,) for one in ("deliver", "cancel", "pend", "process", "arriv", "lost", "receiv")),
    *((one,) for one in ("return", "refund", "exchang", "replac", "damag", "broken", "late")),
    *((one,) for one in ("delay", "track", "expect", "scan", "record", "modif", "estimate")),
    *((one,) for one in ("approv", "accept", "eligib", "entitle", "confirm")),
    ("reject", "declin", "denied", "deny"),
    *((one,) for one in ("credit", "voucher", "coupon", "discount", "free", "compensat", "gift")),
    *((one,) for one in ("bank", "card", "paypal", "payment", "transfer", "paid", "charge")),
    *((one,) for one in ("fee", "restock", "money", "moved")),
    *((one,) for one in ("guarante", "promis", "assur", "policy", "carrier", "warehouse")),
)


def unsaid(text: str, facts: str) -> tuple[str, ...]:
    """What a text leaves out that changes what it means: a condition, a caveat, or everything.

    Kind words may leave out much else.

    Args:
        text: What somebody has written from the facts.
        facts: All that may be said, as text.
    """
    left_out = tuple(sorted(_hedges(facts) - _hedges(text)))
    facts_told = set(_words(facts)) or {*_ids(facts), *_numbers(facts)}
    says_something = facts_told & {*_words(text), *_ids(text), *_numbers(text)}
    return left_out if says_something else ("everything",)


def misplaced(text: str, facts: str) -> tuple[str, ...]:
    """Numbers and denials that a text has elsewhere than the facts.

    Args:
        text: What somebody has written from the facts.
        facts: All that may be said, as text.

    Returns:
        A number with a word that has another one in the facts, e.g. `fee 90.00`; an event that
        one of both denies and the other does not, e.g. `sent`.
    """
    known: dict[str, set[str]] = {}
    for word, number in _beside(facts):
        known.setdefault(word, set()).add(number)
    pairs = dict.fromkeys(_beside(text))
    wrong = tuple(
        f"{word} {number}" for word, number in pairs if word in known and number not in known[word]
    )
    told = set(_words(text)) & set(_words(facts))
    return (*wrong, *sorted((_denied(text) ^ _denied(facts)) & told))


def _beside(text: str) -> Iterator[tuple[str, str]]:
    """Each number with the word that says what it counts: right behind it, or before it."""
    for sentence in _SENTENCE_END.split(_ID.sub(" ", text.lower())):
        parts = _PART.findall(sentence)
        for at, part in enumerate(parts):
            if part[0].isdigit():
                number = part.rstrip(".,:/-").replace(",", "")
                ahead = [one for one in parts[max(at - 2, 0) : at] if one not in {"of", "is"}]
                behind = parts[at + 1 : at + 3]
                near = (*ahead[-1:], *behind[:1])
                yield from ((one[:4], number) for one in near if one in _COUNTED)
                if behind[:1] and behind[0] in _COUNTED:  # "days ago" are others than "days of"
                    yield " ".join(behind), number


def _hedges(text: str) -> set[str]:
    return {hedge for hedge in _HEDGES for word in _plain(text) if word.startswith(hedge)}


def _denied(text: str) -> set[str]:
    """Events with a denial shortly before them in their sentence."""
    found = set[str]()
    for sentence in _SENTENCE_END.split(text):
        words = _plain(sentence)
        for at, word in enumerate(words):
            if any(_is_denial(near) for near in words[max(at - _REACH, 0) : at]):
                found |= {event[0] for event in _EVENTS if word.startswith(event)}
    return found


def _ids(text: str) -> Iterator[str]:
    for found in _ID.findall(text):
        yield found.strip("-_").lstrip("#").lower()


def _numbers(text: str) -> Iterator[str]:
    for found in _NUMBER.findall(_ID.sub(" ", text)):
        yield found.rstrip(".,:/-").replace(",", "")


def _words(text: str) -> Iterator[str]:
    """Words that state a fact: a count, a time, what became of something, a promise."""
    for word in _plain(text):
        if word in _COUNTS or word in _TIMES or word in _ASSENTS:
            yield word
        else:
            yield from (event[0] for event in _EVENTS if word.startswith(event))


def _is_denial(word: str) -> bool:
    return word in _DENIALS or word.endswith("n't")


def _plain(text: str) -> list[str]:
    return _WORD.findall(text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))
