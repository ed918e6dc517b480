"""What must not be kept: secrets, found by the names they stand under and by what they look like.

The text of a whole batch is looked through for words that a secret would stand near, which costs
next to nothing; what holds one of them is then taken apart and read value by value.
"""

from __future__ import annotations

import functools
import re
import string
from collections.abc import Iterable, Mapping
from typing import Final, cast

from pydantic_core import to_json

from fishplate.core.errors import UsageError

HIDDEN: Final = "[redacted]"
LEAST_SECRET: Final = 8
"""Characters; a shorter value of an environment variable is no secret, and stands in every text."""

_WORDS: Final = (
    r"passw(?:or)?d|passphrase|passcode|pwd|secret|token|(?:api|access|private)[-_ ]?key"
    r"|authorization|credential|cookie|bearer"
)
# Words of their own, not the beginnings of others: neither a passage nor a ski pass is a password.
_WHOLE_WORDS: Final = (
    r"(?:^|[-_])(?:dsn|cvv2?|cvc2?)$|^x-[\w-]*signature$"
    r"|(?:^|[-_])(?:smtp|mail|imap|db|database|sql|pg|redis|ftp|ssh|http|proxy|user|admin|root|login)"
    r"[-_]?pass$"
)
_SECRET_NAME: Final = re.compile(
    rf"(?:{_WORDS}|^auth$|{_WHOLE_WORDS})(?!.*(?:_tokens|_count)$)", re.IGNORECASE
)
_SECRET_VARIABLE: Final = re.compile(
    r"(?:^|_)KEY(?:_|$)|_PAT$|_PASS$|^SESSION(?:_?ID)?$|_SESSION_(?:KEY|COOKIE)$"
    r"|(?:^|_)(?:JWT|HMAC|PW|PEM|SK|AUTH)$|_WEBHOOK_URL$",
    re.IGNORECASE,
)
# Text may be JSON within JSON, at any depth: there a quote has backslashes before it, and a line
# ends in a backslash and a letter.
_BEGIN: Final = r"(?:\b|[_-]|(?<=\\[nrt]))"
_BLANK: Final = r"(?:\s|\\+[nrt])*"
_QUOTE: Final = r"(?:\\*[\"'])?"
_TOLD: Final = re.compile(
    rf"(?P<name>{_BEGIN}(?:{_WORDS})s?)"
    rf"(?P<between>{_QUOTE}{_BLANK}(?:=>|[:=]|\bis\b){_BLANK}{_QUOTE}|\s+{_QUOTE}(?=\S*\d))"
    r"(?:(?:bearer|basic|token)\s+)?(?:[^\s\"',;&\\]|\\+(?![\"'nrt\\])){4,}",
    re.IGNORECASE,
)
# Their values are lists, with blanks and quotes in them, and end where the line does.
_HEADER: Final = re.compile(
    rf"(?P<name>{_BEGIN}(?:(?:proxy-)?authorization|(?:set-)?cookie){_BLANK}:{_BLANK})"
    r"(?:[^\r\n'\\]|\\+(?![nr\\]))+",
    re.IGNORECASE,
)
_ELEMENT: Final = re.compile(rf"(?P<open><(?:[\w.-]*[:._-])?(?:{_WORDS})>)[^<]+", re.IGNORECASE)
# Three patterns and not one: where every alternative begins otherwise, each is tried everywhere,
# which takes ten times as long.
_PRIVATE_KEY: Final = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
)
_SHAPES: Final = re.compile(
    r"\b(?:[sprw]k[-_][A-Za-z0-9_-]{12,}"
    r"|A(?:KIA|SIA)[0-9A-Z]{16}\b"
    r"|gh[opusr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}"
    r"|xox[abeprs]-[A-Za-z0-9-]{10,}"
    r"|AIza[0-9A-Za-z_-]{30,}"
    r"|whsec_[A-Za-z0-9+/=]{16,}|npm_[A-Za-z0-9]{30,}|hf_[A-Za-z0-9]{30,}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?)"
)
_URL_LOGIN: Final = re.compile(r"://[^\s/:@]*:[^\s/@]+(?=@)")
_BASIC: Final = re.compile(r"\b(?:bearer|basic)\s+[A-Za-z0-9+/=._~-]{8,}", re.IGNORECASE)
_SIGNED: Final = re.compile(
    r"(?P<name>[?&](?:[\w.-]*[-_.])?(?:sig|signature)=)[^\s&#\"']{8,}", re.IGNORECASE
)
# `-u 1000:1000` is how a container is told whose rights it has.
_LOGIN: Final = re.compile(
    r"(?P<option>(?<!\S)(?:-u +|--user[= ]))(?!\d+:\d+(?!\S)|\+)[\"']?[^\s:\"']+:[^\s\"']+"
)
# The numbers that card networks give out, in one piece or as they stand on the card.
# Source: ISO/IEC 7812-1, whose check digit (Luhn) is looked at as well.
_CARD: Final = re.compile(
    r"(?<![\w#.+-])(?:"
    r"(?:4\d{3}|5[1-5]\d\d|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)|6011|64[4-9]\d|65\d\d"
    r"|35(?:2[89]|[3-8]\d))(?P<by>[ -]?)\d{4}(?P=by)\d{4}(?P=by)\d{4}"
    r"|3[47]\d\d(?P<by2>[ -]?)\d{6}(?P=by2)\d{5}"
    r"|3(?:0[0-5]|[68]\d)\d(?P<by3>[ -]?)\d{6}(?P=by3)\d{4}"
    r")(?![\w-]|\.\d)"
)
_NO_SECRETS: Final = frozenset({"PWD", "OLDPWD"})  # folders, whatever the word says elsewhere
_PASSWORD_IN_URL: Final = re.compile(r"://[^\s/:@]*:([^\s/@]+)@")

# Digits as one sign: a long number is then found like a word.
_FOLD: Final = bytes.maketrans(
    string.ascii_uppercase.encode() + b"123456789",
    string.ascii_lowercase.encode() + b"0" * 9,
)
_NEAR: Final = tuple(
    word.encode()
    for word in (
        *("pass", "pwd", "secret", "token", "key", "authoriz", "credential", "cookie", "bearer"),
        *("basic ", '"auth"', "dsn", '"cv', "_cv", "signature", "sig=", "-u ", "--user"),
        *("k-", "k_", "akia", "asia", "gho_", "ghp_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        *("glpat-", "xox", "aiza", "eyj", "whsec_", "npm_", "hf_", "://"),
    )
)
_LONG_NUMBERS: Final = (
    *(b"00000000000000", b"0000 0000 0000", b"0000-0000-0000"),
    *(b"00 000000 0", b"00-000000-0"),
)
_LIKE_CARD: Final = re.compile(rb"(?<![\w#.+-])[2-6]\d{3}[ -]?\d{4}")
_COUNTS: Final = b'_tokens"'  # how many tokens a model has read is no secret, and on every span


class Redactor:
    """Takes secrets out of what is to be kept.

    Args:
        secrets: Values that are hidden wherever they stand, in capital and small letters alike.
        environment: Its `secrets_of` are hidden as well. It is looked at again by `look_again`, and
            what was once a secret stays one.
    """

    def __init__(
        self, secrets: Iterable[str] = (), environment: Mapping[str, str] | None = None
    ) -> None:
        self._environment = environment
        self._know(frozenset(secrets))
        self.look_again()

    def look_again(self) -> bool:
        """Learn what has come into the environment; whether that was anything."""
        if self._environment is None:
            return False
        found = secrets_of(self._environment)
        if found <= self._known:
            return False
        self._know(self._known | found)
        return True

    def _know(self, secrets: frozenset[str]) -> None:
        self._known = frozenset(secrets)
        # The longest first: one secret may be the beginning of another.
        exact = [re.escape(one) for one in sorted(secrets, key=len, reverse=True)]
        self._exact = re.compile("|".join(exact), re.IGNORECASE) if exact else None
        self._near = (*_NEAR, *{spelled for one in secrets for spelled in _spelled(one)})

    def is_suspect(self, data: bytes) -> bool:
        """Whether JSON text may hold a secret; `False` is certain."""
        folded = data.translate(_FOLD).replace(_COUNTS, b'"')
        if any(word in folded for word in self._near):
            return True
        # Most long numbers are the decimals of a measure.
        return _has_long_number(folded) and _LIKE_CARD.search(data) is not None

    def hides(self, name: str) -> bool:
        """Whether what stands under a name is a secret by that name."""
        return bool(name) and _SECRET_NAME.search(name) is not None

    def text(self, text: str) -> str:
        """A text without secrets."""
        if self._exact is not None:
            text = self._exact.sub(HIDDEN, text)
        text = _PRIVATE_KEY.sub(HIDDEN, text)
        text = _SHAPES.sub(HIDDEN, text)
        text = _URL_LOGIN.sub(f"://{HIDDEN}", text)
        text = _HEADER.sub(rf"\g<name>{HIDDEN}", text)
        text = _TOLD.sub(rf"\g<name>\g<between>{HIDDEN}", text)
        if "</" in text:
            text = _ELEMENT.sub(rf"\g<open>{HIDDEN}", text)
        # A look for what they cannot do without costs a tenth of these.
        if "=" in text:
            text = _SIGNED.sub(rf"\g<name>{HIDDEN}", text)
        if "-u " in text or "--user" in text:
            text = _LOGIN.sub(rf"\g<option>{HIDDEN}", text)
        if _has_long_number(text.encode("utf-8", "replace").translate(_FOLD)):
            text = _CARD.sub(_card, text)
        return _BASIC.sub(HIDDEN, text)


def check_secrets(setting: str, secrets: object) -> None:
    """Refuse what is no list of secrets: of a text, every character would be one.

    Args:
        setting: What they are given to, e.g. `TraceStore`.
        secrets: That were given; they are not shown.

    Raises:
        UsageError: It is none (code `bad_setting`).
    """
    if isinstance(secrets, (list, tuple, set, frozenset)):
        wrong = [one for one in cast("list[object]", secrets) if not (isinstance(one, str) and one)]
        if not wrong:
            return
    msg = f"{setting}(secrets=) takes texts that are not empty, e.g. secrets=('...',)"
    raise UsageError(msg, code="bad_setting")


def secrets_of(environment: Mapping[str, str]) -> frozenset[str]:
    """The values of environment variables whose names say that they are secrets.

    The password in a URL, such as a database's, is one under any name.
    """
    found: set[str] = set()
    for name in environment:
        value = environment.get(name)  # another thread may have taken it out
        if value is not None and len(value) >= LEAST_SECRET and name not in _NO_SECRETS:
            found.update(_secrets_in(name, value))
    return frozenset(found)


@functools.lru_cache(maxsize=1_024)
def _secrets_in(name: str, value: str) -> tuple[str, ...]:
    patterns = (
        (_SECRET_NAME, name.replace("_", " ")),
        (_SECRET_NAME, name),
        (_SECRET_VARIABLE, name),
    )
    if any(pattern.search(words) for pattern, words in patterns):
        return (value,)
    return tuple(one for one in _PASSWORD_IN_URL.findall(value) if len(one) >= LEAST_SECRET)


def _has_long_number(folded: bytes) -> bool:
    return any(word in folded for word in _LONG_NUMBERS)


def _card(found: re.Match[str]) -> str:
    """A card's number is hidden, another one of its length is not."""
    number = [int(sign) for sign in found[0] if sign.isdigit()]
    doubled = [2 * digit - 9 * (digit > 4) for digit in number[-2::-2]]  # noqa: PLR2004 -- two digits
    return found[0] if (sum(number[-1::-2]) + sum(doubled)) % 10 else HIDDEN


def _spelled(secret: str) -> set[bytes]:
    """A secret as it stands in folded JSON text; folding knows the two cases of ASCII alone."""
    cases = {secret} if secret.isascii() else {secret, secret.lower(), secret.upper()}
    return {
        to_json(one.encode("utf-8", "replace").decode())[1:-1].translate(_FOLD) for one in cases
    }
