"""JSON that the command line names: as text, as a file, or on stdin."""

import sys
from pathlib import Path
from typing import BinaryIO, Final

from fishplate.contracts.json import JsonLimits, parse_json
from fishplate.core.errors import JsonError, JsonValue, UsageError

CONTRACT_FILES: Final = (".json", ".yaml", ".yml")
# One byte more than is read at most, so that the reader of JSON sees that there is more.
_MOST_BYTES: Final = JsonLimits().size_bytes + 1


def read_json(text: str, *, option: str) -> JsonValue:
    """Read what an option was given.

    Args:
        text: JSON, `@` and the path of a file, or `-` for stdin.
        option: How errors call it, e.g. `--input`.

    Raises:
        JsonError: It is not acceptable JSON.
        UsageError: The file cannot be read (code `unreadable_file`).
    """
    if text == "-":
        return _parsed(_read_stdin(option), f"{option} (stdin)")
    if text.startswith("@"):
        path = Path(text[1:])
        return _parsed(_read_file(path, option), f"{option} ({path})")
    try:
        return _parsed(text, option)
    except JsonError as error:
        if error.code == "json_malformed":
            raise JsonError(f"{error.message}. {_hint(text)}", code=error.code) from error
        raise


def _hint(text: str) -> str:
    if text.endswith(".json"):
        return f"To read a file, write @{text}"
    if "'" in text and '"' not in text:
        return f"JSON has double quotes: '{text.replace(chr(39), chr(34))}'"
    if text.isalnum():
        return f"""Text needs quotes: '"{text}"'"""
    return "Give JSON, @file.json, or - for stdin"


def _parsed(data: bytes | str, source: str) -> JsonValue:
    try:
        return parse_json(data)
    except JsonError as error:
        message = f"{source}: {error.message}"
        raise JsonError(message, code=error.code, pointer=error.pointer) from error


def _read_file(path: Path, option: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES)
    except OSError as error:
        message = f"{option}: {str(path)!r} cannot be read: {error.strerror or error}"
        raise UsageError(message, code="unreadable_file") from error


def _read_stdin(option: str) -> bytes:
    # Python sets None where the program was started without a stdin; the type stubs do not say so.
    stdin: BinaryIO | None = getattr(sys.stdin, "buffer", None)
    if stdin is None:
        message = f"{option}: there is no stdin to read. Give JSON or @file.json"
        raise UsageError(message, code="unreadable_file")
    return stdin.read(_MOST_BYTES)
