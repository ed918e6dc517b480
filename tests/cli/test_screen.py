"""What a terminal shows and what a pipe gets."""

import io
import json
import re

import pytest
from typing_extensions import override

from fishplate.cli.screen import Screen
from fishplate.core.errors import JsonValue

VALUE: JsonValue = {"text": "Zürich → 12 €", "list": [1, 2.5, None, True]}


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    @override
    def isatty(self) -> bool:
        return True


def ascii_pipe() -> io.TextIOWrapper:
    """A pipe that can carry ASCII alone."""
    return io.TextIOWrapper(io.BytesIO(), encoding="ascii")


def written(stream: io.TextIOWrapper) -> str:
    """What has been written to a pipe."""
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode("ascii")


def test_a_pipe_gets_one_line_of_json() -> None:
    """In a pipe a document is one line, in the order in which it was made."""
    stdout = io.StringIO()
    Screen(stdout, io.StringIO(), as_json=False).document(VALUE)

    assert stdout.getvalue() == '{"text":"Zürich → 12 €","list":[1,2.5,null,true]}\n'


def test_a_terminal_shows_the_same_document_indented() -> None:
    """On a terminal a document is indented, and still the same JSON."""
    stdout = Terminal()
    Screen(stdout, io.StringIO(), as_json=False).document(VALUE)

    plain = stdout.getvalue()
    assert plain.count("\n") > 5
    assert "Zürich" in plain


def test_a_terminal_colours_lines_and_a_pipe_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Colour is for terminals alone."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal, pipe = Terminal(), io.StringIO()
    for stream in (terminal, pipe):
        Screen(stream, io.StringIO(), as_json=False).lines(["[red]no markup[/red]"], style="red")

    assert pipe.getvalue() == "[red]no markup[/red]\n"
    assert "\x1b[31m[red]no markup[/red]\x1b[0m" in terminal.getvalue()


def test_a_stream_that_knows_only_ascii_gets_escapes() -> None:
    """A console without Unicode shows escapes and no traceback; JSON stays JSON."""
    stdout, stderr = ascii_pipe(), ascii_pipe()
    screen = Screen(stdout, stderr, as_json=False)
    screen.document(VALUE)
    screen.note(["12 €"])

    assert json.loads(written(stdout)) == VALUE
    assert written(stderr) == "12 \\u20ac\n"


def test_progress_is_for_terminals_alone() -> None:
    """A log file holds no line that was meant to be replaced."""
    terminal, pipe = Terminal(), io.StringIO()
    for stream in (terminal, pipe):
        Screen(io.StringIO(), stream, as_json=False).progress("1 of 2")

    assert terminal.getvalue() == "\r\x1b[K1 of 2"
    assert pipe.getvalue() == ""


def test_text_from_outside_cannot_move_the_cursor() -> None:
    """What a terminal would obey is shown as an escape, and JSON stays the same JSON."""
    stdout, stderr = io.StringIO(), io.StringIO()
    screen = Screen(stdout, stderr, as_json=False)
    screen.document("a\x1b[2Jb\x9bc\nd")
    screen.note(["a\x1b[2Jb\x9bc\nd"])

    assert json.loads(stdout.getvalue()) == "a\x1b[2Jb\x9bc\nd"
    assert stdout.getvalue()[:-1].isprintable()
    assert stderr.getvalue() == "a\\x1b[2Jb\\x9bc\\nd\n"


@pytest.mark.parametrize("stdout", [io.StringIO(), Terminal()], ids=["pipe", "terminal"])
def test_a_document_cannot_turn_or_break_its_lines(stdout: io.StringIO) -> None:
    """Whatever stands in a text, wherever it is shown, JSON shows as an escape what it could do."""
    hostile = "\x1b]0;title\x07 \x9b2J \u202egnp.exe\u2066 \u2028 \u200f\u061c <script>[red]"
    Screen(stdout, io.StringIO(), as_json=False).document({"said": hostile})

    shown = re.sub(r"\x1b\[[0-9;]*m", "", stdout.getvalue())  # but for the colours
    assert json.loads(shown) == {"said": hostile}
    assert shown.replace("\n", "").isprintable()
