"""Whether two ids are one id in two spellings, and which ids a text holds."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

_RUN: Final = re.compile(r"[^\W\d_]+|\d+")
_BARE: Final = re.compile(r"(?<![\w.,:/-])\d+(?![\w:/-]|[.,]\d)")
_NOBODY: Final = frozenset(
    {"", "unknown", "none", "null", "nil", "na", "notfound", "missing", "unbekannt", "keine"}
)
_PUBLIC: Final = frozenset(
    {
        *("rfc", "bcp", "std", "iso", "iec", "ieee", "din", "en", "ansi", "nist", "fips", "ecma"),
        *("sha", "md", "aes", "rsa", "utf", "ucs", "base", "ipv", "tls", "ssl", "http", "https"),
        *("cve", "cwe", "icd", "usb", "pci", "hdmi", "ddr", "mp", "mpeg", "ps", "ip", "pm", "lte"),
        *("kw", "cw", "fy", "co", "ch", "nh", "so", "covid", "vitamin", "level", "python", "php"),
        *("html", "css", "java", "windows", "win", "ios", "android", "iphone", "ipad", "rtx"),
    }
)
# Paper, roads, trains, vitamins, levels, quarters, steps, chips, versions: all but a few letters.
_SHORT_AND_PUBLIC: Final = re.compile(r"[a-ik-np-vxz]\d{1,3}", re.IGNORECASE)
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


class Ids:
    """Some ids, of which it is looked up whether one of them is the same as another one.

    Args:
        ids: Each as it is spelled somewhere.
    """

    def __init__(self, ids: Iterable[str]) -> None:
        known = [runs for one in ids if (runs := _runs(one))]
        self._joined = {"".join(runs) for runs in known}
        self._alone = {runs[0] for runs in known if len(runs) == 1}
        self._numbers = {number for runs in known if (number := _only_number(runs)) is not None}

    def hold(self, found: str) -> bool:
        """Whether `is_same_id` says so of one of them."""
        runs = _runs(found)
        return bool(runs) and (
            "".join(runs) in self._joined
            or (len(runs) == 1 and runs[0] in self._numbers)
            or _only_number(runs) in self._alone
        )


def is_nobody(value: str | int) -> bool:
    """Whether an id is that of nothing: none at all, `n/a`, `NOT_FOUND`, zero or less."""
    if isinstance(value, int):
        return value <= 0
    runs = _runs(value)
    numbers = [run for run in runs if run.isdigit()]
    return "".join(runs) in _NOBODY or (bool(numbers) and set(numbers) == {"0"})


def bare_numbers_in(text: str, *, least: int = 3) -> list[str]:
    """Numbers in a text that may be ids, as in `order 9999`.

    Args:
        text: Ids with letters in it are left out.
        least: How many digits they have.
    """
    return [one for one in _BARE.findall(_ID.sub(" ", text)) if len(one) >= least]


def ids_in(text: str) -> list[str]:
    """Ids of letters and digits in a text, in their order: `W1`, `#W1`, `TIC-17`."""
    return _ID.findall(text)


def kind_of_id(text: str) -> str:
    """The letters that an id begins with, in small ones: those of one kind have them in common."""
    runs = _runs(text)
    return runs[0] if runs and runs[0].isalpha() else ""


def is_public(text: str) -> bool:
    """Whether an id is of a kind that the whole world numbers, such as `RFC-7231` and `A4`."""
    return kind_of_id(text) in _PUBLIC or _SHORT_AND_PUBLIC.fullmatch(text) is not None


def _runs(value: str | int) -> list[str]:
    text = unicodedata.normalize("NFKC", str(value)).casefold()
    # A mark may stand between digits, where it parts nothing: `DE89 3704` is `DE893704`.
    plain = "".join(one for one in text if one.isalnum())
    return [run.lstrip("0") or "0" if run.isdigit() else run for run in _RUN.findall(plain)]


def _is_bare(short: list[str], long: list[str]) -> bool:
    return len(short) == 1 and _only_number(long) == short[0]


def _only_number(runs: list[str]) -> str | None:
    numbers = [run for run in runs if run.isdigit()]
    return numbers[0] if len(numbers) == 1 else None
