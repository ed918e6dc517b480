"""Data sets: labelled cases in JSONL, with an identity of their own.

A line is an object: `input` and `expected` are any JSON, `id` is optional (the line number
otherwise) and unique. Two runs may be compared only if the digests of their data sets are equal.
"""

import hashlib
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Final

from fishplate.contracts.json import canonical_json, parse_json
from fishplate.core.data import dataclass
from fishplate.core.errors import JsonError, JsonValue, UsageError

_MEMBERS: Final = frozenset(("id", "input", "expected"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One question with its right answer.

    Attributes:
        id: Unique in the data set.
        input: What the agent is given.
        expected: What its output, or the compared part of it, must equal.
    """

    id: str
    input: JsonValue
    expected: JsonValue


@dataclass(frozen=True)
class Dataset:
    """Cases with distinct ids, at least one."""

    cases: tuple[Case, ...]

    def __post_init__(self) -> None:
        if not self.cases:
            raise UsageError(
                "A data set without cases shows nothing. Give one line per case.",
                code="bad_dataset",
            )
        seen: set[str] = set()
        for case in self.cases:
            if case.id in seen:
                raise UsageError(
                    f"Two cases of the data set have the id {case.id!r}. Give each its own.",
                    code="bad_dataset",
                )
            seen.add(case.id)

    @classmethod
    def load(cls, path: Path) -> "Dataset":
        """Read a JSONL file.

        Raises:
            UsageError: The file cannot be read, or what `parse` refuses.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            message = f"The data set {str(path)!r} cannot be read: {reason}"
            raise UsageError(message, code="unreadable_file") from error
        # Not `splitlines`: a JSON text may hold U+2028 and its like, which end no line of JSONL.
        return cls.parse(text.split("\n"), source=str(path))

    @classmethod
    def parse(cls, lines: Iterable[str], *, source: str = "data set") -> "Dataset":
        """Read the lines of a JSONL text; blank lines are skipped.

        Raises:
            UsageError: A line is no case, two ids are equal, or there is no case at all; names
                the source and the line.
        """
        return cls(
            tuple(
                _case(line, number, f"{source}:{number}")
                for number, line in enumerate(lines, start=1)
                if line.strip()
            )
        )

    @cached_property
    def digest(self) -> str:
        """SHA-256 in hex over the cases as canonical JSON; their order plays no part."""
        cases: list[JsonValue] = [
            [case.id, case.input, case.expected]
            for case in sorted(self.cases, key=lambda case: case.id)
        ]
        return hashlib.sha256(canonical_json(cases)).hexdigest()


def _case(line: str, number: int, where: str) -> Case:
    try:
        value = parse_json(line)
    except JsonError as error:
        place = f" at {error.pointer}" if error.pointer else ""
        message = f"The case at {where} is no JSON{place}: {error.message}. Remedy: {error.remedy}"
        raise UsageError(message, code="bad_dataset") from error
    if not isinstance(value, dict) or not {"input", "expected"} <= value.keys() <= _MEMBERS:
        raise UsageError(
            f"The case at {where} must be an object with 'input', 'expected' and, if wanted, 'id'; "
            "nothing else.",
            code="bad_dataset",
        )
    name = value.get("id", str(number))
    if not isinstance(name, str) or not name:
        message = f"The id at {where} is {name!r}. Give a text that is not empty."
        raise UsageError(message, code="bad_dataset")
    return Case(id=name, input=value["input"], expected=value["expected"])
