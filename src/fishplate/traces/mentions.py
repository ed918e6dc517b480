"""Whether an id is only mentioned: as one that is not there, or as an example of its kind.

`There is no W3` and `ids look like W3` say nothing about a thing called W3. `W3 is not sent` does,
and so does `we have not sent W3`: what is denied there is not the id.
"""

from __future__ import annotations

import re
from typing import Final

_AROUND: Final = 80  # characters on either side of an id that are looked at
_LINK: Final = r"(?:(?:the|an?|any|such|for|of|about|in|under|with|called|named|id|number)\s+)*"
_NOUN: Final = r"(?:[^\W\d_]+\s+)?"  # what the id is one of: `no order W3`
_NO: Final = rf"\b(?:no|kein\w*|without|neither|nor)\s+{_LINK}{_NOUN}{_LINK}"
_NOT: Final = (
    rf"(?:\bnot|n['\u2019]t|\bnever|\bnicht|\bcannot|\binstead\s+of|\brather\s+than|\bunlike)\s+"
    rf"(?:(?:find|found|exist|know|see|have|list|contain)\s+{_LINK}{_NOUN})?{_LINK}"
)
_EXAMPLE: Final = (
    r"\b(?:looks?\s+like|such\s+as|for\s+example|for\s+instance|e\.\s?g\.|z\.\s?B\.|zum\s+Beispiel"
    r"|examples?|of\s+the\s+form|in\s+the\s+format)\W+(?:(?:an?|is|the|would\s+be)\s+)*"
)
_BEFORE: Final = re.compile(rf"(?:{_NO}|{_NOT}|{_EXAMPLE})['\"`\u201c\u2018(]*$", re.IGNORECASE)
_BEHIND: Final = re.compile(
    r"['\"`\u201d\u2019)]*,?\s*(?:"
    r"(?:does|did|do)(?:\s+not|n['\u2019]t)\s+exist\b"
    r"|(?:is|was|are|were)(?:\s+not|n['\u2019]t)\s+(?:found|listed|known|recorded|among|one\s+of)\b"
    r"|(?:is|was)(?:\s+not|n['\u2019]t)\s+in\s+(?:our|the|my|your)\s+(?:records?|systems?|lists?"
    r"|database|books|files|data)\b"
    r"|(?:cannot|can['\u2019]t|could(?:\s+not|n['\u2019]t))\s+be\s+found\b"
    r"|(?:is|was)\s+(?:unknown|an?\s+example)\b"
    r"|(?:for\s+example|for\s+instance|or\s+similar|gibt\s+es\s+nicht)\b)",
    re.IGNORECASE,
)


def is_only_mentioned(found: str, text: str) -> bool:
    """Whether an id is denied or an example, wherever it stands in a text.

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
