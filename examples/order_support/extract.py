"""What a customer's words say about order and reason, read by rules and not by a model.

A wrong order or reason moves money, so both functions prefer no answer to a guess: the workflow
can ask. Every rule is a row of a table, tested row by row.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from examples.order_support.refund_rules import ReasonCode


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Exactly seven digits: neither part of a longer number or word, nor the whole part of a price.
_DIGITS: Final = r"(?<![0-9])([0-9]{7})(?![0-9A-Za-z_])(?![.,][0-9])"
# Blanks are bounded, so that a message of nothing but blanks costs no more than its length.
_ANNOUNCED: Final = (
    r"(?<![0-9A-Za-z_])orders?(?:\s{1,3}(?:numbers?|nr|no|ids?|ref|reference))?"
    r"[\s.,:]{0,3}(?:(?:is|are|was)\s{1,3})?"
)
_MARKED: Final = rf"(?<![0-9A-Za-z_])(?:\#\s?w?|w)[\s-]?{_DIGITS}"
_ORDER_ID: Final = re.compile(rf"(?:{_ANNOUNCED})?{_MARKED}|{_ANNOUNCED}{_DIGITS}", re.IGNORECASE)
# `orders 1234567 and 7654321`: what follows a found id at once is an id too.
_NEXT_ID: Final = re.compile(
    rf"(?:\s{{0,3}}(?:,|&|\band\b|\bor\b)){{1,2}}\s{{0,3}}{_DIGITS}", re.IGNORECASE
)
_BARE_ID: Final = re.compile(r"[0-9]{7}")
# Words around an id in the answer to a question for it.
_FILLERS: Final = _words(
    "ah hi it it's its is the number id sure ok yes yeah here please thanks sorry i think"
)
_WORD: Final = re.compile(r"[\w']+")


class _FoundId(NamedTuple):
    digits: str
    start: int
    end: int


def order_ids(text: str) -> tuple[str, ...]:
    """Find the order ids in a message, written as customers write them.

    `#W1234567`, `w1234567`, `W 1234567`, `#1234567`, `order no. 1234567`, `orders 1234567 and
    7654321` are ids. Seven digits by themselves are one only if the message says nothing else,
    since that is how a question for the id is answered: `it's 1234567`.

    Returns:
        Ids as the shop writes them (`#W` and seven digits), each once, in order of first mention.
    """
    said = [word for word in _WORD.findall(text.lower()) if word not in _FILLERS]
    if len(said) == 1 and _BARE_ID.fullmatch(said[0]):
        return (f"#W{said[0]}",)
    return tuple(dict.fromkeys(f"#W{found.digits}" for found in _find_ids(text)))


def replace_order_ids(text: str, stand_in: str) -> str:
    """Put one and the same text in the place of each order id and of what announces it."""
    kept: list[str] = []
    end = 0
    for found in _find_ids(text):
        kept += (text[end : found.start], stand_in)
        end = found.end
    return "".join((*kept, text[end:]))


def _find_ids(text: str) -> Iterator[_FoundId]:
    position = 0
    while match := _ORDER_ID.search(text, position):
        position = match.end()
        yield _FoundId(next(filter(None, match.groups())), match.start(), position)
        while following := _NEXT_ID.match(text, position):
            position = following.end()
            yield _FoundId(following[1], following.start(1), position)


class _Cue(NamedTuple):
    reason: ReasonCode
    words: re.Pattern[str]


def _cues(reason: ReasonCode, *patterns: str) -> tuple[_Cue, ...]:
    return tuple(_Cue(reason, re.compile(rf"\b(?:{pattern})\b")) for pattern in patterns)


_GOODS: Final = (
    r"(?:items?|products?|articles?|goods|things?|ones?|stuff|sizes?|colou?rs?|models?|versions?|"
    r"variants?|styles?|orders?|pairs?|kinds?|types?)"
)
_NOT: Final = r"(?:do not|don'?t|did not|didn'?t|does not|doesn'?t|no longer|never)"
_DOES_NOT: Final = r"(?:does not|doesn'?t|did not|didn'?t|will not|won'?t)"
_CAME: Final = r"(?:sent|shipped|delivered|got|gave|given|received|recieved|came|arrived|contains?)"

# A customer's own words for each reason. Words that only might mean it are left out: the workflow
# asks rather than decides.
_CUES: Final = (
    *_cues(
        "damaged",
        r"damaged?",
        r"broken",
        r"(?:it|that|which|they|screen|handle|zip|glass|strap|lid|leg|button) broke",
        r"cracked|shattered|smashed|chipped|dented|scratched|bent|torn(?! between)|ripped",
        r"leak(?:s|ed|ing)|rust(?:s|ed|ing|y)",
        r"defective|defect|faulty|malfunction(?:s|ed|ing)?",
        rf"(?:{_DOES_NOT}|not|never) work(?:s|ed|ing)?",
        r"stopped working|dead on arrival|in pieces",
        r"(?:falls|falling|fell|comes|coming|came) apart",
        rf"{_DOES_NOT} (?:turn on|switch on|start|charge|hold (?:a )?charge)",
    ),
    *_cues(
        "late",
        r"(?<!refund is )(?<!refund was )late"
        r"(?! (?:to|at night|in the|last|fee|night|reply|answer|for)\b)",
        r"delayed|(?<!sorry for the )(?<!sorry about the )delay|overdue",
        r"took (?:far |way |much )?too long",
        r"(?:not|never|\w{1,9}n'?t) (?:\w+ ){0,2}"
        r"(?:arrived?|come|came|here|delivered|it|them) (?:on|in) time",
        r"(?:arrived|came|delivered) (?:\w+ ){0,3}after (?:the|my|our|his|her|christmas)",
    ),
    *_cues(
        "wrong_item",
        rf"wrong (?:\w+ )?{_GOODS}",
        rf"{_CAME} (?:\w+ ){{0,4}}wrong "
        r"(?!address|house|door|city|street|place|day|time|person|email|link|invoice|tracking|"
        r"label|code|amount|price)\w+",
        r"(?:not|isn'?t|wasn'?t|aren'?t) (?:what|the \w+) (?:i|we) (?:\w+ )?"
        r"(?:ordered|bought|chose)",
        r"never ordered (?:this|that|these|those|it)",
        rf"{_CAME} (?!to )(?:\w+ ){{1,6}}instead"
        r"(?! of (?:an? |the |my )?(?:refund|exchange|replacement|credit|voucher|money))",
        r"different (?:\w+ )?(?:than|from|to) what (?:i|we) (?:\w+ )?ordered",
        r"(?:someone|somebody) else'?s (?:order|package|parcel|stuff)",
    ),
    *_cues(
        "changed_mind",
        r"chang(?:ed?|ing) (?:my|our) minds?|change of heart",
        r"buyer'?s remorse|regret (?:buying|ordering|the purchase|my purchase)",
        r"decided against|ordered (?:\w+ ){0,5}by (?:mistake|accident)",
        r"found (?:it|them|one|this) cheaper",
    ),
)
# Said of a change of mind, but just as well because of a damage or a delay: counts if alone.
_UNWANTED: Final = _cues(
    "changed_mind",
    rf"{_NOT} (?:really |even )?(?:want|need) (?:it|this|these|them|that|the \w+)(?! to)",
    rf"{_NOT} (?:really )?(?:like|love) (?:it|this|these|them|that)",
    rf"{_NOT} (?:really )?(?:like|love) the (?:look|colou?r|style|feel)",
)

_CLAUSE_END: Final = re.compile(
    r"[.,;:!?\n()]+|\b(?:but|however|although|though|yet|because|since)\b"
)
_NEGATIONS: Final = _words(
    "not no never without nothing none neither nor hardly cannot cant dont doesnt didnt isnt wasnt "
    "arent werent hasnt havent wont"
)
# After these, up to the end of the clause, a cue is a possibility or a question of principle.
_SUPPOSITIONS: Final = _words("if whether unless suppose policy")
# So it is right behind these.
_EXPECTATIONS: Final = _words("might will may going")
# Things that can be broken, late or wrong and are not the goods.
_ELSEWHERE: Final = _words(
    "website site page app link tracking checkout reply answer email promise card doorbell"
)
# Whose choice it was decides whose mistake it is: `I ordered the wrong size` is no wrong item.
_OWN_CHOICES: Final = _words("ordered bought chose picked selected clicked")
_SPELLINGS: Final = (
    ("\N{RIGHT SINGLE QUOTATION MARK}", "'"),
    ("in case", "if"),
    ("if possible", ""),
    ("not only", ""),
)
_MOST_CHARACTERS: Final = 4_000
_REACH: Final = 4  # words before a cue in which a negation or another subject still belongs to it


def reason_code(text: str) -> ReasonCode | None:
    """Read from a message why goods shall go back.

    A cue counts if it is reported: neither negated (`not damaged`), supposed (`if it is late`) nor
    said of something else (`your link is broken`).

    Args:
        text: The message; its first 4,000 characters are read.

    Returns:
        The one reason that is reported; None if there is none, if several are, or if one is
        both reported and negated.
    """
    plain = replace_order_ids(text[:_MOST_CHARACTERS], "order").lower()
    for written, meant in _SPELLINGS:
        plain = plain.replace(written, meant)
    clauses = _CLAUSE_END.split(plain)
    reported, denied = _weigh(clauses, _CUES)
    if not reported:
        reported, unclear = _weigh(clauses, _UNWANTED)
        denied |= unclear
    clear = reported - denied
    return clear.pop() if len(reported) == len(clear) == 1 else None


def _weigh(clauses: list[str], cues: tuple[_Cue, ...]) -> tuple[set[ReasonCode], set[ReasonCode]]:
    """Sort the cues of all clauses into reported and denied reasons."""
    reported: set[ReasonCode] = set()
    denied: set[ReasonCode] = set()
    for clause in clauses:
        for cue in cues:
            for match in cue.words.finditer(clause):
                before = _WORD.findall(clause[: match.start()])
                near = before[-_REACH:]
                if _is_report(cue, before, near):
                    negated = any(_is_negation(word) for word in near)
                    (denied if negated else reported).add(cue.reason)
    return reported, denied


def _is_report(cue: _Cue, before: list[str], near: list[str]) -> bool:
    """Whether a cue tells of these goods, given the words of its clause before it."""
    if _SUPPOSITIONS.intersection(before) or _EXPECTATIONS.intersection(near):
        return False
    if cue.reason == "wrong_item" and _OWN_CHOICES.intersection(near):
        return False
    return not _ELSEWHERE.intersection(near)


def _is_negation(word: str) -> bool:
    return word in _NEGATIONS or word.endswith("n't")
