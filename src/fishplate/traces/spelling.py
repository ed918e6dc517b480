"""Whether two ids are one id in two spellings, and which ids a text holds."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_RUN: Final = re.compile(r"[^\W\d_]+|\d+")
_BARE: Final = re.compile(r"(?<![\w.,:/-])\d{3,}(?![\w:/-]|[.,]\d)")
_NOBODY: Final = frozenset(
    {"", "unknown", "none", "null", "nil", "na", "notfound", "missing", "unbekannt", "keine"}
)
_PUBLIC: Final = frozenset(
    {
        *("rfc", "bcp", "std", "iso", "iec", "ieee", "din", "en", "ansi", "nist", "fips", "ecma"),
        *("sha", "md", "aes", "rsa", "utf", "ucs", "base", "ipv", "tls", "ssl", "http", "https"),
        *("cve", "cwe", "icd", "usb", "pci", "hdmi"),
    }
)
_ID: Final = re.compile(r"#?\b[^\W\d_]+[-_#]?\d\w*(?:-\w*\d\w*)*")


def is_same_id(one: str | int, other: str | int) -> bool:
    """Whether two ids name the same thing, as far as their spelling tells.

    Capitals, dashes, spaces and other marks, and zeros before a number do not count: `tic-17` is
    `TIC-000017`. Neither does what stands before the only number, if the other id has nothing but
    that number: `INV0017` is 17, and `people/17` is.
    """
    first, second = _runs(one), _runs(other)
    if not first or not second:
        return one == other
    return "".join(first) == "".join(second) or _is_bare(first, second) or _is_bare(second, first)


def is_nobody(value: str | int) -> bool:
    """Whether an id is that of nothing: none at all, `n/a`, `NOT_FOUND`, zero or less."""
    if isinstance(value, int):
        return value <= 0
    runs = _runs(value)
    numbers = [run for run in runs if run.isdigit()]
    return "".join(runs) in _NOBODY or (bool(numbers) and set(numbers) == {"0"})


def bare_numbers_in(text: str) -> list[str]:
    """Numbers of three digits and more in a text that may be ids, as in `order 9999`."""
    return _BARE.findall(_ID.sub(" ", text))


def ids_in(text: str) -> list[str]:
    """Ids of letters and digits in a text, in their order: `W1`, `#W1`, `TIC-17`."""
    return _ID.findall(text)


def kind_of_id(text: str) -> str:
    """The letters that an id begins with, in small ones: those of one kind have them in common."""
    runs = _runs(text)
    return runs[0] if runs and runs[0].isalpha() else ""


def is_public(text: str) -> bool:
    """Whether an id is of a kind that the whole world numbers, such as `RFC-7231` and `SHA-256`."""
    return kind_of_id(text) in _PUBLIC


def _runs(value: str | int) -> list[str]:
    text = unicodedata.normalize("NFKC", str(value)).casefold()
    # A mark may stand between digits, where it parts nothing: `DE89 3704` is `DE893704`.
    plain = "".join(one for one in text if one.isalnum())
    return [run.lstrip("0") or "0" if run.isdigit() else run for run in _RUN.findall(plain)]


def _is_bare(short: list[str], long: list[str]) -> bool:
    numbers = [run for run in long if run.isdigit()]
    return len(short) == 1 and numbers == short
