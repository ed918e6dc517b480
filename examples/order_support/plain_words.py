"""The words that a reply may use whatever its facts are, and those that tell what happens.

A word of the first kind states nothing about an order by itself; a word of the second kind matters
together with how it is said. Any other word has to stand in the facts.
"""

from collections.abc import Mapping
from typing import Final


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


GRAMMAR: Final = _listed(
    "a an the this that these those it its itself i me my we us our ours you your he she "
    "they them their there here who which what something anything "
    "is are be been being am has have had having do does did "
    "in on at of to for from with by about into onto as than then out per "
    "and or but so because since though although while however both just very only "
    "currently still yet already far longer any total"
)
"""Words that hold a sentence together, or say when it is said."""

THINGS: Final = _listed("order orders ordered parcel package item items purchase shop customer")
"""What every reply is about: to name it says nothing, to deny it does."""

COURTESY: Final = _listed(
    "hello hi dear thank thanks please kind kindly regards best sorry apologize apologise "
    "apologies inconvenience caused patience understanding happy glad pleased good great news "
    "well welcome like know help inform informed let tell note see asking message "
    "contact contacting write wrote writing reach reaching getting touch shopping question "
    "questions support wanted want holds hold held contains contain includes include including "
    "according"
)

NEUTRAL: Final = GRAMMAR | THINGS | COURTESY
"""Words that say nothing that could be wrong."""

NUMBERS: Final[Mapping[str, str]] = {
    word: str(number)
    for number, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
        ]
    )
}
"""Numbers in words, and in figures."""

EVENTS: Final[tuple[tuple[str, ...], ...]] = (
    ("sent", "send", "ship", "dispatch"),
    ("deliver", "arriv"),
    ("return", "take", "taken", "took", "back"),
    ("way", "transit"),
    ("go", "goes", "gone", "went", "going"),
    *((one,) for one in ("cancel", "pend", "process", "lost", "receiv")),
    *((one,) for one in ("refund", "exchang", "replac", "modif", "chang", "request")),
    *((one,) for one in ("delay", "track", "expect", "scan", "estimate", "decid", "mov")),
    *((one,) for one in ("approv", "accept", "eligib", "entitle", "confirm", "paid", "charg")),
    ("reject", "declin", "denied", "deny", "refus"),
    ("help", "assist"),
    ("know",),
    *((one,) for one in ("find", "found", "exist", "answer", "provid", "access")),
)
"""Beginnings of the words that tell what happens; those of one entry mean the same."""

WHOLE: Final = _listed("go goes gone went going way take taken took back paid lost")
"""Entries of `EVENTS` that are words and no beginnings."""

DENIALS: Final = _listed(
    "not no nobody never none nothing neither nor without cannot unable impossible"
)
REGRETS: Final = _listed("unfortunately sadly regret regrettably afraid")
CONDITIONS: Final = _listed("can could may might would once after when if unless should able")

IRREGULAR: Final[Mapping[str, str]] = {
    "came": "come",
    "says": "say",
    "said": "say",
    "bought": "buy",
    "made": "make",
}
