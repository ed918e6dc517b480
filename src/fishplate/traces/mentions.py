"""Whether an id is only mentioned: as not there, as an example of its kind, or in a question.

`There is no W3`, `ids look like W3` and `do you mean W3?` say nothing about a thing called W3.
`W3 is not sent` does, and so does `we have not sent W3`: what is denied there is not the id.
"""

from __future__ import annotations

import re
from typing import Final

_AROUND: Final = 80  # characters on either side of an id that are looked at
_LINK: Final = (
    r"(?:(?:the|an?|any|such|for|of|about|on|in|under|with|called|named|id|number|zu|über|von|mit"
    r"|der|die|das|den|ein\w*|nummer|namens)\s+)*"
)
_NOUN: Final = r"(?:[^\W\d_]+\s+)?"  # what the id is one of: `no order W3`
_NO: Final = rf"\b(?:no|kein\w*|without|ohne|neither|nor|weder|noch)\s+{_LINK}{_NOUN}{_LINK}"
_NO_SUCH: Final = (  # `no record of an order W3`
    rf"\b(?:no|kein\w*|nichts)\s+(?:[^\W\d_]+\s+)?(?:of|on|about|for|with|zu|über|von|mit)\s+{_LINK}{_NOUN}"
    rf"|\bthere\s+(?:is|are|was|were)(?:\s+not|n['\u2019]t)\s+{_LINK}{_NOUN}{_LINK}"
)
_NOT: Final = (
    rf"(?:\bnot|n['\u2019]t|\bnever|\bnicht|\bcannot|\binstead\s+of|\brather\s+than|\bunlike)\s+"
    rf"(?:(?:find|found|exist|know|see|have|list|contain)\s+{_LINK}{_NOUN})?{_LINK}"
)
_EXAMPLE: Final = (
    r"\b(?:looks?\s+like|such\s+as|for\s+example|for\s+instance|e\.\s?g\.|z\.\s?B\.|zum\s+Beispiel"
    r"|examples?|of\s+the\s+form|in\s+the\s+format|like|wie|etwa)\W+(?:(?:an?|is|the|would\s+be)\s+)*"
)
# What is still to be: `the next order will be W3`.
_TO_BE: Final = rf"\b(?:will|would)\s+(?:then\s+)?be\s+{_LINK}"
_BEFORE: Final = re.compile(
    rf"(?:{_NO}|{_NO_SUCH}|{_NOT}|{_EXAMPLE}|{_TO_BE})['\"`\u201c\u201e\u2018(]*$", re.IGNORECASE
)
_BEHIND: Final = re.compile(
    r"['\"`\u201d\u2019)]*,?\s*(?:"
    r"(?:does|did|do)(?:\s+not|n['\u2019]t)\s+exist\b"
    r"|(?:is|was|are|were)(?:\s+not|n['\u2019]t)\s+(?:found|listed|known|recorded|among|one\s+of)\b"
    r"|(?:is|was)(?:\s+not|n['\u2019]t)\s+in\s+(?:our|the|my|your)\s+(?:records?|systems?|lists?"
    r"|database|books|files|data)\b"
    r"|(?:cannot|can['\u2019]t|could(?:\s+not|n['\u2019]t))\s+be\s+found\b"
    r"|(?:is|was)\s+(?:unknown|an?\s+example|(?:the\s+)?next)\b"
    r"|(?:for\s+example|for\s+instance|or\s+similar|gibt\s+es\s+nicht)\b"
    r"|(?:existiert|kenne[n]?|kennt|finde[n]?|findet)\s+(?:(?:ich|wir|man|sich)\s+)?(?:leider\s+)?nicht\b"
    r"|(?:ist|war)\s+(?:(?:mir|uns|hier|leider)\s+)*(?:unbekannt|nicht\s+(?:bekannt|vorhanden"
    r"|verzeichnet|hinterlegt|erfasst))\b"
    r"|(?:wurde|konnte|kann)\s+(?:(?:ich|wir|man|leider|hier)\s+)*nicht\s+(?:gefunden|finden)\b"
    r"|liegt\s+(?:(?:mir|uns|hier|leider)\s+)*nicht\s+vor\b"
    r"|(?:habe[n]?|gibt|finde[n]?|sehe[n]?|liegen)\s+(?:(?:ich|wir|es|mir|uns|leider)\s+)*(?:keine?\w?"
    r"|nichts)\b"
    r"|[^.!?\n]{0,40}\?)",
    re.IGNORECASE,
)


def is_only_mentioned(found: str, text: str) -> bool:
    """Whether an id is denied, an example or asked about, wherever it stands in a text.

    Args:
        found: The id, as it stands there.
        text: What somebody has written.
    """
    places = list(re.finditer(rf"(?<![\w-]){re.escape(found)}(?![\w-])", text))
    return bool(places) and all(
        _BEFORE.search(text[max(0, at.start() - _AROUND) : at.start()]) is not None
        or _BEHIND.match(text, at.end()) is not None
        for at in places
    )
