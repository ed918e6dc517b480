"""The words that a reply may use whatever its facts are, and those that tell what happens.

A word of the first kind states nothing about an order by itself; a word of the second kind matters
together with how it is said. Courtesy is free in whole phrases. Any other word has to stand in the
facts.
"""

from collections.abc import Mapping
from typing import Final


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


GRAMMAR: Final = _listed(
    "a an the this that these those it its itself we us our you your there which what something "
    "is are be been being am has have had having do does did "
    "in on at of to for from with by about into onto as than then out per "
    "and or but so because since while both just "
    "currently still yet already longer any total"
)
"""Words that hold a sentence together, or say when it is said."""

THINGS: Final = _listed("order orders ordered parcel package item items purchase question message")
"""What every reply is about: to name it says nothing, to deny it does."""

NEUTRAL: Final = GRAMMAR | THINGS | {"please"}
"""Words that say nothing that could be wrong."""

_SPEAKING: Final = r"(?:let you know|tell you|inform you)(?: that)?"
_CAUSED: Final = r"(?: for (?:the|any) inconvenience(?: (?:this|it) has)?(?: caused)?)?"
_REASONS: Final = (
    r"(?:asking|writing(?: to us)?|contacting us|getting in touch"
    r"|your (?:answer|message|question|order|patience|understanding))"
)

COURTESY: Final = (
    rf"thank(?:s| you)(?: for {_REASONS})?",
    r"(?:hello|hi)(?: there)?",
    r"dear customer",
    r"(?:good|great) news",
    rf"we(?: a|')re (?:happy|glad|pleased|sorry) to {_SPEAKING}",
    r"we(?: a|')re (?:very )?(?:happy|glad|pleased|sorry)(?: that)?",
    r"sorry",
    rf"(?:we apologi[sz]e|(?:our )?apologies){_CAUSED}",
    rf"we(?: woul|')d like to {_SPEAKING}",
    r"we(?: a|')re getting in touch about",
    r"please let us know if you have any(?: other| further)? questions",
    r"please note that",
    r"(?:kind|best) regards",
    r"according to",
    r"so far",
)
"""Phrases that say nothing, as regular expressions: as a whole, since their words promise much."""

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
    ("hold", "held", "contain", "includ"),
    *((one,) for one in ("find", "found", "exist", "answer", "provid", "access")),
)
"""Beginnings of the words that tell what happens; those of one entry mean the same."""

WHOLE: Final = _listed("go goes gone went going way take taken took back paid lost")
"""Entries of `EVENTS` that are words and no beginnings."""

DENIALS: Final = _listed(
    "not no nobody never none nothing neither nor without cannot unable impossible"
)
REGRETS: Final = _listed("unfortunately sadly regret regrettably afraid")
POSSIBLE: Final = _listed("can could may able")
"""One says what the others say."""

CONDITIONS: Final = POSSIBLE | _listed("might would once after when if unless should")
"""What is said behind one of them has not happened by that."""

FREE_CONDITIONS: Final = POSSIBLE | {"after"}
"""Those that need not stand in the facts.

An event after "after" is possible only, so it has to be so in the facts too.
"""

KEPT: Final = _listed("once unless until")
"""Conditions without which a text promises more than its facts."""

IRREGULAR: Final[Mapping[str, str]] = {
    "came": "come",
    "says": "say",
    "said": "say",
    "bought": "buy",
    "made": "make",
}
