"""The rules by which console blocks of README and docs are run."""

import textwrap
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

from tests.pages import Command, close_page, matches, open_page, run_console


def failure_of(page: Path) -> str:
    """Run every example of a page; what went wrong, or nothing."""
    sybil = Sybil(
        parsers=[
            PythonCodeBlockParser(),
            CodeBlockParser(language="console", evaluator=run_console),
        ],
    )
    document = sybil.parse(page)
    open_page(document.namespace)
    try:
        for example in document.examples():
            example.evaluate()
    except AssertionError as failure:  # Sybil's failure is one
        return str(failure)
    finally:
        close_page(document.namespace)
    return ""


def written(folder: Path, text: str) -> Path:
    """Write a page whose fences are spelled with `~~~` in this file."""
    page = folder / "page.md"
    page.write_text(textwrap.dedent(text).replace("~~~", "```"), encoding="utf-8")
    return page


def test_a_page_tells_one_story(tmp_path: Path) -> None:
    """A named block is a file for the commands below it, and what they print is compared."""
    page = written(
        tmp_path,
        """\
        <!-- file: greet.py -->
        ~~~python
        import sys
        greeting = f"hello {sys.argv[1:]}"
        print(greeting)
        ~~~

        ~~~console
        $ python greet.py world
        hello ['world']
        $ python greet.py \\
            again
        ...['again']
        ~~~
        """,
    )

    assert failure_of(page) == ""


def test_a_page_that_shows_another_output_fails(tmp_path: Path) -> None:
    """The failure shows the command and what it really printed."""
    page = written(
        tmp_path,
        """\
        ~~~console
        $ python -c "print('new')"
        old
        ~~~
        """,
    )

    assert "prints something else than the page says:\nnew" in failure_of(page)


@pytest.mark.parametrize(("code", "is_right"), [(0, False), (1, False), (3, True)])
def test_the_exit_code_has_to_be_the_one_that_is_named(
    tmp_path: Path, code: int, is_right: bool
) -> None:
    """The comment above a block names the exit code of its last command; without one it is 0."""
    page = written(
        tmp_path,
        f"""\
        <!-- exit: {code} -->
        ~~~console
        $ python -c "raise SystemExit(3)"
        ~~~
        """,
    )

    assert (failure_of(page) == "") is is_right


@pytest.mark.parametrize("line", ["rm x", "python a.py | sort", "fishplate run a > b"])
def test_a_command_that_cannot_be_run_as_shown_fails_the_page(tmp_path: Path, line: str) -> None:
    """Nothing on a page is left unrun by accident: no strange programs and no shell."""
    problem = Command(line=line, output="").problem(tmp_path, 0)

    assert problem is not None
    assert "pages run plain commands" in problem


def test_settings_before_a_command_reach_it(tmp_path: Path) -> None:
    """`NAME=value program` sets the variable for that command."""
    command = Command(
        line="GREETING=hello python -c \"import os; print(os.environ['GREETING'])\"", output="hello"
    )

    assert command.problem(tmp_path, 0) is None


@pytest.mark.parametrize(
    ("expected", "printed", "is_match"),
    [
        ("a", "a", True),
        ("a", "ab", False),
        ("a...", "ab\nc", True),
        ("...\nend", "one\ntwo\nend", True),
        ("a.c", "abc", False),
    ],
)
def test_three_dots_stand_for_any_text(expected: str, printed: str, is_match: bool) -> None:
    """Only `...` is a wildcard, and it reaches over line ends."""
    assert matches(expected, printed) is is_match
