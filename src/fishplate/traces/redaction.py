"""What must not be kept: secrets, found by the names they stand under and by what they look like.

The text of a whole batch is looked through for words that a secret would stand near, which costs
next to nothing; what holds one of them is then taken apart and read value by value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from pydantic_core import to_json

HIDDEN: Final = "[redacted]"
LEAST_SECRET: Final = 8
"""Characters; a shorter value of an environment variable is no secret, and stands in every text."""

_WORDS: Final = (
    r"passw(?:or)?d|passphrase|pwd|secret|token|(?:api|access|private)[-_ ]?key"
    r"|authorization|credential|cookie|bearer"
)
_SECRET_NAME: Final = re.compile(rf"(?:{_WORDS}|^auth$)(?!.*(?:_tokens|_count)$)", re.IGNORECASE)
_TOLD: Final = re.compile(
    rf"(?P<name>(?:\b|[_-])(?:{_WORDS})s?)(?P<between>[\"']?\s*(?:=>|[:=]|\bis\b)\s*[\"']?"
    r"|\s+(?=\S*\d))(?:(?:bearer|basic|token)\s+)?[^\s\"',;&]{4,}",
    re.IGNORECASE,
)
_SHAPES: Final = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\b[sprw]k[-_][A-Za-z0-9_-]{12,}"
    r"|\bAKIA[0-9A-Z]{16}\b"
    r"|\bgh[opusr]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}|\bglpat-[A-Za-z0-9_-]{16,}"
    r"|\bxox[abeprs]-[A-Za-z0-9-]{10,}"
    r"|\bAIza[0-9A-Za-z_-]{30,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?"
    r"|(?<=://)[^\s/:@]*:[^\s/@]+(?=@)",
    re.DOTALL,
)
_BASIC: Final = re.compile(r"\b(?:bearer|basic)\s+[A-Za-z0-9+/=._~-]{8,}", re.IGNORECASE)
_NEAR: Final = tuple(
    word.encode()
    for word in (
        *("pass", "pwd", "secret", "token", "key", "authoriz", "credential", "cookie", "bearer"),
        *("basic ", '"auth"', "k-", "k_", "akia", "gho_", "ghp_", "ghu_", "ghs_", "ghr_"),
        *("github_pat_", "glpat-", "xox", "aiza", "eyj", "://"),
    )
)
_COUNTS: Final = b'_tokens"'  # how many tokens a model has read is no secret, and on every span


class Redactor:
    """Takes secrets out of what is to be kept.

    Args:
        secrets: Values that are hidden wherever they stand, in any case those of `secrets_of`.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # The longest first: one secret may be the beginning of another.
        self._secrets = sorted({one for one in secrets if one}, key=len, reverse=True)
        exact = [re.escape(one) for one in self._secrets]
        self._exact = re.compile("|".join(exact)) if exact else None
        self._near = (*_NEAR, *{_spelled(one) for one in self._secrets})

    def is_suspect(self, data: bytes) -> bool:
        """Whether JSON text may hold a secret; `False` is certain."""
        lowered = data.lower().replace(_COUNTS, b'"')
        return any(word in lowered for word in self._near)

    def hides(self, name: str) -> bool:
        """Whether what stands under a name is a secret by that name."""
        return bool(name) and _SECRET_NAME.search(name) is not None

    def text(self, text: str) -> str:
        """A text without secrets."""
        if self._exact is not None:
            text = self._exact.sub(HIDDEN, text)
        text = _SHAPES.sub(HIDDEN, text)
        text = _TOLD.sub(rf"\g<name>\g<between>{HIDDEN}", text)
        return _BASIC.sub(HIDDEN, text)


def secrets_of(environment: Mapping[str, str]) -> frozenset[str]:
    """The values of environment variables whose names say that they are secrets."""
    return frozenset(
        value
        for name, value in environment.items()
        if len(value) >= LEAST_SECRET and _SECRET_NAME.search(name.replace("_", " ")) is not None
    ) | frozenset(
        value
        for name, value in environment.items()
        if len(value) >= LEAST_SECRET and re.search(r"(?:^|_)KEY(?:_|$)|_PAT$", name, re.IGNORECASE)
    )


def _spelled(secret: str) -> bytes:
    """A secret as it stands in JSON text, in lower case."""
    return to_json(secret.encode("utf-8", "replace").decode())[1:-1].lower()
