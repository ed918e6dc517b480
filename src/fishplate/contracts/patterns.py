"""Strings that match a regular expression, proposed without a promise.

A recursive descent over the common part of the syntax: literals, classes, groups, alternatives
and quantifiers. What it does not know is taken literally, so a proposal may fail to match; whoever
asks has to check.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Final

from fishplate.core.data import dataclass

_MOST_SAMPLES: Final = 12
_MOST_REPEATS: Final = 64
_LONGEST_PATTERN: Final = 512
_LONGEST_SAMPLE: Final = 4096
_CLASS_SAMPLES: Final = {
    "d": "05",
    "D": "aZ",
    "w": "aZ0_",
    "W": "- ",
    "s": " ",
    "S": "a0-",
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "f": "\f",
    "v": "\v",
}
_ANCHORS: Final = frozenset("AzZbBG")
_ANY: Final = "a0-"
_ALPHABET: Final = "a0Z_ -.@/éb1z9"


def matching(pattern: str) -> tuple[str, ...]:
    """Up to twelve strings that may match a pattern, short ones first."""
    if len(pattern) > _LONGEST_PATTERN:
        return ()
    return tuple(_Reader(text=pattern).alternatives())


@dataclass(eq=False, kw_only=True, repr=False, slots=True)
class _Reader:
    """Reads a pattern from left to right; each method returns samples of what it has read."""

    text: str
    at: int = 0

    def alternatives(self) -> list[str]:
        found = self._sequence()
        while self._takes("|"):
            found = [*found, *self._sequence()]
        return _spread(found)

    def _sequence(self) -> list[str]:
        samples = [""]
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            parts = self._repeated(self._atom())
            if not parts:
                return []
            # Vary one part at a time: the product of all would be far too many.
            first = [sample + parts[0] for sample in samples]
            samples = _spread([*first, *(samples[0] + part for part in parts[1:])])
        return samples

    def _atom(self) -> list[str]:
        sign = self.text[self.at]
        self.at += 1
        match sign:
            case "^" | "$":
                return [""]
            case ".":
                return list(_ANY)
            case "(":
                return self._group()
            case "[":
                return self._class()
            case "\\":
                return self._escape()
            case _:
                return [sign]

    def _group(self) -> list[str]:
        if self._takes("?"):
            # What stands between `(?` and `:` or `>` is the kind or the name of the group.
            while self.at < len(self.text) and self.text[self.at] not in ":>)":
                self.at += 1
            self.at += 1
        found = self.alternatives()
        self._takes(")")
        return found

    def _escape(self) -> list[str]:
        if self.at >= len(self.text):
            return ["\\"]
        sign = self.text[self.at]
        self.at += 1
        if sign in _ANCHORS:
            return [""]
        if sign in "pP" and self._takes("{"):
            name = self._until("}")
            return ["1"] if name.startswith("N") else ["A"] if name == "Lu" else ["a"]
        if sign in "xu":
            digits = self._until("}") if self._takes("{") else self._next(2 if sign == "x" else 4)
            try:
                return [chr(int(digits, 16))]
            except (ValueError, OverflowError):
                return [sign + digits]
        return list(_CLASS_SAMPLES.get(sign, sign))

    def _class(self) -> list[str]:
        negated = self._takes("^")
        members: list[str] = []
        bounds: list[tuple[str, str]] = []
        first = True
        while self.at < len(self.text) and (first or self.text[self.at] != "]"):
            first = False
            sign = self.text[self.at]
            self.at += 1
            low = self._escape() if sign == "\\" else [sign]
            if self.text[self.at : self.at + 1] == "-" and self.text[
                self.at + 1 : self.at + 2
            ] not in {"", "]"}:
                self.at += 1
                high = self._next(1)
                bounds.append((low[0], high))
                members.extend((low[0], high))
            else:
                members.extend(low)
        self._takes("]")
        if not negated:
            return _spread(members)
        return [
            sign
            for sign in _ALPHABET
            if sign not in members and not any(low <= sign <= high for low, high in bounds)
        ][:_MOST_SAMPLES]

    def _repeated(self, atom: Sequence[str]) -> list[str]:
        least, most = self._bounds()
        if (least, most) == (1, 1):
            return list(atom)
        counts = dict.fromkeys((least, min(least + 1, most), min(most, least + _MOST_REPEATS)))
        if not atom:
            return [""] if least == 0 else []
        return _spread(chain.from_iterable(_times(atom, count) for count in counts))

    def _bounds(self) -> tuple[int, int]:
        least, most = 1, 1
        if self._takes("*"):
            least, most = 0, 3
        elif self._takes("+"):
            least, most = 1, 4
        elif self._takes("?"):
            least, most = 0, 1
        elif self.text[self.at : self.at + 1] == "{":
            self.at += 1
            low, comma, high = self._until("}").partition(",")
            least = int(low[:6]) if low.isdecimal() else 0
            most = (int(high[:6]) if high.isdecimal() else least + 3) if comma else least
        else:
            return least, most
        if not self._takes("?"):
            self._takes("+")
        return least, most

    def _takes(self, sign: str) -> bool:
        if self.text[self.at : self.at + 1] != sign:
            return False
        self.at += 1
        return True

    def _until(self, sign: str) -> str:
        end = self.text.find(sign, self.at)
        found = self.text[self.at :] if end < 0 else self.text[self.at : end]
        self.at += len(found) + 1
        return found

    def _next(self, count: int) -> str:
        found = self.text[self.at : self.at + count]
        self.at += count
        return found


def _times(atom: Sequence[str], count: int) -> list[str]:
    return [sample * count for sample in atom if len(sample) * count <= _LONGEST_SAMPLE]


def _spread(samples: Sequence[str] | chain[str]) -> list[str]:
    """Drop repetitions, and what is too much."""
    return list(dict.fromkeys(samples))[:_MOST_SAMPLES]
