"""Whether a text says nothing beyond the facts that it was written from.

A rewrite may choose its words, and no facts. So whatever could be a fact has to stand in the facts
too: ids, numbers, amounts, dates, times, what became of an order, and what is promised. And a no
stays a no: a text may neither deny what the facts say nor drop their denial. Where that leaves a
doubt the text is refused, since the template is always there to be sent instead.
"""

import re
from collections.abc import Iterator
from typing import Final

_ID: Final = re.compile(r"#?\b[A-Za-z]+[-_]?\d[\w-]*|#\w+")
_NUMBER: Final = re.compile(r"\d[\d.,:/-]*")
_WORD: Final = re.compile(r"[a-z]+(?:'[a-z]+)?")


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


def ungrounded(text: str, facts: str) -> tuple[str, ...]:
    """What a text says that the facts do not, as it stands there; empty if there is nothing.

    Args:
        text: What somebody has written from the facts.
        facts: All that may be said, as text.
    """
    found: list[str] = []
    for of in (_ids, _numbers, _words):
        known = set(of(facts))
        found += [one for one in dict.fromkeys(of(text)) if one not in known]
    if _denies(text) != _denies(facts):
        found.append("a no that the facts do not say" if _denies(text) else "a no that is missing")
    return tuple(found)


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


def _denies(text: str) -> bool:
    return any(word in _DENIALS or word.endswith("n't") for word in _plain(text))


def _plain(text: str) -> list[str]:
    return _WORD.findall(text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))
