"""Where a command writes: results to stdout, and what is said about them to stderr.

On a terminal rich colours and indents. In a pipe, stdout holds plain text or one line of JSON.
"""

import json
from collections.abc import Iterable
from typing import Final, TextIO

from fishplate.core.errors import JsonValue

# What JSON lets stand in a text and a terminal obeys: controls, breaks of lines, and what turns the
# direction of writing. Escaped, it is the same JSON.
_CONTROLS: Final = {
    code: f"\\u{code:04x}"
    for code in (
        *range(0x7F, 0xA0),
        *(0x061C, 0x200E, 0x200F),
        *range(0x2028, 0x202F),
        *range(0x2066, 0x206A),
    )
}


class Screen:
    """The two streams of a command.

    Attributes:
        as_json: The result is one JSON document, errors included.
        stderr: For what is no result; also for what user code prints.
    """

    def __init__(self, stdout: TextIO, stderr: TextIO, *, as_json: bool) -> None:
        self.as_json = as_json
        self.stderr = stderr
        self._stdout = stdout

    def document(self, value: JsonValue, *, indent: int | None = None) -> None:
        """Print one JSON document as the result.

        Args:
            value: The document.
            indent: Columns per level where no terminal shows it; one line by default.
        """
        if self._stdout.isatty():
            # Takes a third of the program's start, and a pipe needs none of it.
            from rich.console import Console  # noqa: PLC0415
            from rich.highlighter import JSONHighlighter  # noqa: PLC0415

            # Not by `print_json`, which reads the text and writes it anew, without the escapes.
            coloured = JSONHighlighter()(_dumped(value, indent=2))
            Console(file=self._stdout).print(coloured, soft_wrap=True)
            return
        text = _dumped(value, indent=indent)
        if not _can_write(self._stdout, text):
            text = _dumped(value, indent=indent, is_ascii=True)
        self._stdout.write(f"{text}\n")

    def lines(self, lines: Iterable[str], *, style: str = "") -> None:
        """Print lines of the result; `style` is rich's, for a terminal."""
        _write_lines(self._stdout, lines, style)

    def note(self, lines: Iterable[str], *, style: str = "") -> None:
        """Say something that is no result."""
        _write_lines(self.stderr, lines, style)

    def progress(self, text: str) -> None:
        """Replace the line of progress; shown on a terminal alone, and wiped by an empty text."""
        if self.stderr.isatty():
            self.stderr.write(f"\r\x1b[K{text}")
            self.stderr.flush()

    def flush(self) -> None:
        """Hand everything to the system, so that a closed pipe is noticed here."""
        self._stdout.flush()
        self.stderr.flush()


def _write_lines(stream: TextIO, lines: Iterable[str], style: str) -> None:
    if style and stream.isatty():
        # See `document`.
        from rich.console import Console  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        console = Console(file=stream)
        for line in map(_printable, lines):
            console.print(Text(line, style=style), soft_wrap=True)
        return
    for line in map(_printable, lines):
        text = line if _can_write(stream, line) else _escaped(line)
        stream.write(f"{text}\n")


def _dumped(value: JsonValue, *, indent: int | None, is_ascii: bool = False) -> str:
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(value, ensure_ascii=is_ascii, indent=indent, separators=separators)
    return text.translate(_CONTROLS)


def _printable(line: str) -> str:
    """A line that stays one line, and in which nothing is what a terminal would obey."""
    if line.isprintable():
        return line
    return "".join(sign if sign.isprintable() else _escaped_sign(sign) for sign in line)


def _escaped_sign(sign: str) -> str:
    return sign.encode("unicode_escape").decode("ascii")


def _can_write(stream: TextIO, text: str) -> bool:
    try:
        text.encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _escaped(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode("ascii")
