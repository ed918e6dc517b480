"""The way to a provider, its name, key and address, judged before anything is sent.

A client takes any text for key and address, and fails at the first request with an error of its
HTTP library. Neither is ever quoted: a key may stand where the address belongs, and an address may
hold one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias
from urllib.parse import urlsplit

from fishplate.core.errors import UsageError

Provider: TypeAlias = Literal["openai", "anthropic", "google"]
KEYS: Final[Mapping[Provider, str]] = {
    "openai": "OPENAI_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
    "google": "GOOGLE_API_KEY",
}
ADDRESSES: Final[Mapping[Provider, str]] = {
    "openai": "OPENAI_BASE_URL",
    "anthropic": "ANTHROPIC_BASE_URL",
    "google": "GOOGLE_GEMINI_BASE_URL",
}
_SCHEMES: Final = ("http", "https")
_OTHER_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,15}(?=://)")
_FLAWS: Final = (
    (re.compile(r"[\r\n]"), "a line break"),
    (re.compile(r"\s"), "white space"),
    (re.compile(r"[\x00-\x1f\x7f-\x9f]"), "a control character"),
)
_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]")


def provider_of(name: object) -> tuple[Provider, str]:
    """The provider and the model that a name says.

    Raises:
        UsageError: It says none that is known (code `unknown_provider`).
    """
    word, _, model = name.partition(":") if isinstance(name, str) else ("", "", "")
    for known in KEYS:
        if word == known and model:
            return known, model
    listed = ", ".join(f"{one}:MODEL" for one in KEYS)
    msg = f"{name!r} names no model of a known provider: write one of {listed}"
    raise UsageError(msg, code="unknown_provider")


def key_of(name: str, provider: Provider, key: str | None) -> str:
    """The key that was given, also if it is blank; only without one the variable says it.

    Raises:
        UsageError: There is none (code `missing_key`), or it cannot be one (code `bad_key`).
    """
    if key is not None:
        return check_key(name, key, source="key=")
    variable = KEYS[provider]
    if found := os.environ.get(variable):
        return check_key(name, found, source=variable)
    msg = f"the model {name!r} has no key: set {variable}, or give key="
    raise UsageError(msg, code="missing_key")


def address_of(name: str, provider: Provider, url: str | None) -> str | None:
    """As `key_of`; `None` for the provider's own address.

    Raises:
        UsageError: It is no address (code `bad_url`).
    """
    if url is not None:
        return check_url(name, url, source="url=")
    variable = ADDRESSES[provider]
    found = os.environ.get(variable)
    return check_url(name, found, source=variable) if found else None


def check_key(model: str, key: object, *, source: str) -> str:
    """The key, which can go out in a header as it is.

    Args:
        model: Name of the model, for the error.
        key: What was given.
        source: Where it was: `key=`, or the name of a variable.

    Raises:
        UsageError: It is empty, is no text, or has a character that no key has (code `bad_key`).
    """
    if not isinstance(key, str):
        flaw = f"is a {type(key).__name__!r} and no text"
    elif not key.strip():
        flaw = "is blank"
    elif (held := _flaw(key)) is not None:
        flaw = f"has {held} in it"
    elif _NOT_ASCII.search(key):
        flaw = "has a character outside of ASCII in it"
    else:
        return key
    msg = (
        f"the key of the model {model!r}, from {source}, {flaw}: give it as the provider shows it, "
        "and nothing else"
    )
    raise UsageError(msg, code="bad_key")


def check_url(model: str, url: object, *, source: str) -> str:
    """The address of a provider, below which its paths can be put.

    Args:
        model: Name of the model, for the error.
        url: What was given.
        source: Where it was: `url=`, or the name of a variable.

    Raises:
        UsageError: It is no address of that kind (code `bad_url`).
    """
    flaw = _url_flaw(url)
    if flaw is None:
        assert isinstance(url, str), "anything else is a flaw"
        return url
    msg = (
        f"the address of the model {model!r}, from {source}, {flaw}: write it as "
        "https://HOST/PATH or http://HOST:PORT/PATH"
    )
    raise UsageError(msg, code="bad_url")


def _url_flaw(url: object) -> str | None:
    if not isinstance(url, str):
        return f"is a {type(url).__name__!r} and no text"
    if not url.strip():
        return "is blank"
    held = _flaw(url)
    return _split_flaw(url) if held is None else f"has {held} in it"


def _split_flaw(url: str) -> str | None:
    try:
        found = urlsplit(url)
        host, port = found.hostname, found.port
    except ValueError:  # a port that is no number, or half of a bracket
        return "has a host or a port that cannot be read"
    if found.scheme not in _SCHEMES:
        other = _OTHER_SCHEME.match(url)
        return "has no scheme" if other is None else f"has the scheme {other[0]!r}"
    if not host or port == 0:
        return "has no host" if not host else "has the port 0"
    if found.query or found.fragment:
        return "has a query or a fragment, behind which no path can stand"
    return None


def _flaw(text: str) -> str | None:
    return next((what for pattern, what in _FLAWS if pattern.search(text)), None)
