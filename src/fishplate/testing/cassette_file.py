"""The file of a `Cassette`: JSON lines, first the model, then each request with its answer.

A line for each, so that a review reads what a new recording changes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, TypeAlias

import pydantic
from pydantic import ValidationError

from fishplate.contracts.json import canonical_json
from fishplate.core.errors import JsonValue, UsageError
from fishplate.models.model import Features, Model, ModelAnswer, Recorded
from fishplate.traces.redaction import Redactor, secrets_of

VERSION: Final = 1
_BY_LOOKS: Final = Redactor()
"""Knows no values of its own, so that it hides the same wherever a test runs."""

Asked: TypeAlias = dict[str, JsonValue]


class Header(Recorded):
    """The first line: the format, and what the model is to an app.

    Attributes:
        cassette: Version of the format.
        name: Of the model.
        pinned: Its snapshot.
        has_schemas: See `Features`, as for the next three.
    """

    cassette: int = VERSION
    name: str
    pinned: str | None = None
    has_schemas: bool
    has_tools: bool
    has_both_at_once: bool
    gives: dict[str, pydantic.JsonValue] | bool | None = None

    @staticmethod
    def of(model: Model) -> Header:
        """What a recording of a model begins with."""
        found = model.features
        return Header(
            name=model.name,
            pinned=model.pinned,
            has_schemas=found.has_schemas,
            has_tools=found.has_tools,
            has_both_at_once=found.has_both_at_once,
            gives=found.gives,
        )

    def to_features(self) -> Features:
        """What the model can do."""
        return Features(
            has_schemas=self.has_schemas,
            has_tools=self.has_tools,
            has_both_at_once=self.has_both_at_once,
            gives=self.gives,
        )


class _Version(pydantic.BaseModel):
    """What every version of the format says first; all else may be another one's."""

    cassette: int


class Entry(Recorded):
    """Any other line.

    Attributes:
        asked: The request, as `Cassette` tells one from another.
        answer: What came.
        pieces: How many characters each piece of its text had; empty if it came whole.
    """

    asked: dict[str, pydantic.JsonValue]
    answer: ModelAnswer
    pieces: tuple[int, ...] = ()


def read_cassette(path: Path) -> tuple[Header, list[Entry]]:
    """Read a file.

    Raises:
        UsageError: There is none (code `no_cassette`), or it is damaged or of another version
            (`bad_cassette`).
    """
    try:
        first, *lines = path.read_bytes().removesuffix(b"\n").split(b"\n")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        msg = (
            f"the cassette {str(path)!r} cannot be read ({reason}): record it, "
            "Cassette(path, model=...)"
        )
        raise UsageError(msg, code="no_cassette") from error
    number = 1
    try:
        version = _Version.model_validate_json(first).cassette
        if version != VERSION:
            raise _bad(path, f"has version {version}, and this fishplate reads version {VERSION}")
        header = Header.model_validate_json(first)
        entries: list[Entry] = []
        for number, line in enumerate(lines, start=2):  # noqa: B007 -- the error names it
            entries.append(Entry.model_validate_json(line))
    except ValidationError:  # whose text would quote the line
        raise _bad(path, f"is damaged in line {number}") from None
    return header, entries


def write_cassette(path: Path, header: Header, entries: Iterable[Entry]) -> None:
    """Replace a file as a whole; who reads it meanwhile has the old one."""
    lines = [one.model_dump(mode="json", exclude_defaults=True) for one in entries]
    data = b"".join(
        canonical_json(line) + b"\n" for line in (header.model_dump(mode="json"), *lines)
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        unfinished.write_bytes(data)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def without_secrets(entry: Entry, path: Path, environment: Mapping[str, str]) -> Entry:
    """An entry as it may be written: what looks like a secret is hidden.

    Raises:
        UsageError: It holds the value of a secret environment variable (code
            `secret_in_cassette`). To hide that would make a file that is right in one environment.
    """
    found = entry.model_dump(mode="json")
    if hidden(found, Redactor(secrets_of(environment))) != hidden(found):
        msg = (
            "a request to the recorded model or its answer holds the value of a secret environment "
            f"variable and is not written to {str(path)!r}: take it out of the prompt"
        )
        raise UsageError(msg, code="secret_in_cassette")
    written = Entry.model_validate(hidden(found))
    is_same_text = written.answer.text == entry.answer.text
    return written if is_same_text else written.model_copy(update={"pieces": ()})


def hidden(value: JsonValue, redactor: Redactor = _BY_LOOKS) -> JsonValue:
    """JSON whose texts hold nothing that looks like a secret."""
    if isinstance(value, str):
        return redactor.text(value)
    if isinstance(value, list):
        return [hidden(one, redactor) for one in value]
    if isinstance(value, dict):
        return {name: hidden(one, redactor) for name, one in value.items()}
    return value


def _bad(path: Path, why: str) -> UsageError:
    return UsageError(f"the cassette {str(path)!r} {why}: record it anew", code="bad_cassette")
