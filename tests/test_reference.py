"""The reference pages say what the code says."""

import re
from pathlib import Path

import pytest

from fishplate import FishplateError
from fishplate.cli.command import ExitCode
from fishplate.cli.program import main
from fishplate.core import errors
from fishplate.core.errors import ErrorClass
from tests.project import ROOT

ERRORS = (ROOT / "docs/reference/errors.md").read_text(encoding="utf-8")
COMMAND_LINE = (ROOT / "docs/reference/cli.md").read_text(encoding="utf-8")


def rows_of(page: str, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, its head left out."""
    section = page.partition(f"\n## {heading}\n")[2]
    lines = re.search(r"(?:^\|.*\n)+", section, flags=re.MULTILINE)
    assert lines is not None, f"no table below {heading!r}"
    rows = [line.strip("| ").split(" | ") for line in lines[0].splitlines()]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def help_of(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What `--help` prints."""
    with pytest.raises(SystemExit):
        main([*words, "--help"])
    return capsys.readouterr().out


def commands(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The names of all commands."""
    listed = help_of(capsys).partition("\ncommands:\n")[2].partition("\n\n")[0]
    return [re.split(r" {2,}", line.strip())[0] for line in listed.splitlines()]


def test_the_table_of_error_classes_is_the_closed_set() -> None:
    """Each class stands there once, in order, and with how it is treated."""
    words = {True: "yes", False: "no"}

    assert [row[:4] for row in rows_of(ERRORS, "Classes")] == [
        [
            f"`{found.word}`",
            words[found.is_retried],
            words[found.is_counted],
            words[found.allows_fallback],
        ]
        for found in ErrorClass
    ]


def test_every_exception_has_its_row() -> None:
    """The table of exceptions names what the file of errors declares, and `DeclaredError`."""
    declared = {
        name
        for name, found in vars(errors).items()
        if isinstance(found, type) and issubclass(found, FishplateError)
    }

    assert {row[0].strip("`") for row in rows_of(ERRORS, "Exceptions")} == {
        *declared,
        "DeclaredError",
    }


def test_the_codes_of_models_are_those_of_the_code() -> None:
    """Each code in the table is raised somewhere in what asks models, or by contracts."""
    sources = [
        path.read_text(encoding="utf-8")
        for folder in ("agents", "models", "testing", "core")
        for path in sorted((ROOT / "src/fishplate" / folder).glob("*.py"))
    ]

    for code, error_class, _ in rows_of(ERRORS, "Codes of models"):
        assert any(f'"{code.strip("`")}"' in source for source in sources), code
        assert error_class.strip("`") in {found.word for found in ErrorClass}


def test_the_codes_of_policies_are_those_of_the_code() -> None:
    """Each code in the table is raised somewhere in the policies or around a step."""
    sources = [
        path.read_text(encoding="utf-8")
        for folder in ("resilience", "orchestrator")
        for path in sorted((ROOT / "src/fishplate" / folder).glob("*.py"))
    ]

    for code, error_class, _ in rows_of(ERRORS, "Codes of policies"):
        assert any(f'"{code.strip("`")}"' in source for source in sources), code
        assert error_class.strip("`") in {found.word for found in ErrorClass}


def test_every_command_has_its_row(capsys: pytest.CaptureFixture[str]) -> None:
    """The page of the command line names each command, and no other."""
    named = re.findall(r"^\| `fishplate (\w+(?: [a-z]+)?)", COMMAND_LINE, flags=re.MULTILINE)

    assert sorted(named) == sorted(commands(capsys))


def test_every_option_has_its_row(capsys: pytest.CaptureFixture[str]) -> None:
    """The page names each option of each command, and no other."""
    offered: set[str] = set()
    for command in commands(capsys):
        offered |= set(
            re.findall(r"^ .*?(--[a-z]+)", help_of(capsys, *command.split()), flags=re.MULTILINE)
        )

    named = set(re.findall(r"^\| `(--[a-z]+)", COMMAND_LINE, flags=re.MULTILINE))

    assert named == offered - {"--help"}


def test_the_exit_codes_are_those_of_the_program() -> None:
    """The page names each exit code."""
    assert [int(row[0]) for row in rows_of(COMMAND_LINE, "Exit codes")] == [*ExitCode]


def linked_from(page: Path) -> set[Path]:
    """The pages that a page links, and those that an index among them links."""
    found: set[Path] = set()
    for link in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
        target = (page.parent / link).resolve()
        found.add(target)
        if target.name == "index.md":
            found |= linked_from(target)
    return found


def test_every_page_is_linked_from_the_index() -> None:
    """Nobody finds a page that neither the index names nor the index of its folder."""
    index = ROOT / "docs/index.md"

    pages = {page.resolve() for page in (ROOT / "docs").rglob("*.md")} - {index.resolve()}

    assert sorted(str(page) for page in pages - linked_from(index)) == []


def test_every_page_is_executed() -> None:
    """The patterns of conftest.py reach the folders below docs, and no folder below those."""
    assert list(ROOT.glob("docs/*/*/**/*.md")) == []
