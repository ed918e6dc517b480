"""The public names as the type checkers see them: what is right passes, what is wrong does not."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from tests.project import ROOT

HERE: Final = Path(__file__).parent
MARK: Final = re.compile(r"# E: ([a-z-]+), (report[A-Za-z]+)$")
SILENCING: Final = ("# mypy:", "# pyright:")
MYPY_ERROR: Final = re.compile(r"(?P<file>[^:]+):(?P<line>\d+): error: .*\[(?P<code>[a-z-]+)\]")

Found = Mapping[tuple[str, int], set[str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both files as a user might have written them, without the lines that silence checkers."""
    folder = tmp_path_factory.mktemp("typing")
    for name in ("api.py", "wrong.py"):
        lines = (HERE / name).read_text(encoding="utf-8").splitlines()
        # Emptied and not taken out, so that every line keeps its number.
        kept = ["" if line.startswith(SILENCING) else line for line in lines]
        (folder / name).write_text("\n".join(kept) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def found_by_mypy(folder: Path) -> Found:
    """Codes by file and line."""
    command = [sys.executable, "-m", "mypy", "--no-error-summary", "--hide-error-context"]
    output = _run([*command, *map(str, sorted(folder.glob("*.py")))])
    found: dict[tuple[str, int], set[str]] = {}
    for error in map(MYPY_ERROR.match, output.splitlines()):
        if error is not None:
            place = (Path(error["file"]).name, int(error["line"]))
            found.setdefault(place, set()).add(error["code"])
    return found


@pytest.fixture(scope="module")
def found_by_pyright(folder: Path) -> Found:
    """Rules by file and line."""
    command = [sys.executable, "-m", "basedpyright", "--outputjson", "--level", "error"]
    report: Any = json.loads(_run([*command, *map(str, sorted(folder.glob("*.py")))]))
    assert report["summary"]["filesAnalyzed"] == 2
    found: dict[tuple[str, int], set[str]] = {}
    for error in report["generalDiagnostics"]:
        place = (Path(error["file"]).name, error["range"]["start"]["line"] + 1)
        found.setdefault(place, set()).add(error.get("rule", "syntax"))
    return found


def test_right_uses_pass_mypy(found_by_mypy: Found) -> None:
    """Every type in `api.py` is the one that mypy infers."""
    assert _in(found_by_mypy, "api.py") == {}


def test_right_uses_pass_pyright(found_by_pyright: Found) -> None:
    """Every type in `api.py` is the one that pyright infers."""
    assert _in(found_by_pyright, "api.py") == {}


def test_wrong_uses_do_not_pass_mypy(found_by_mypy: Found) -> None:
    """Exactly the marked lines of `wrong.py` are refused, each with its code."""
    _compare(_in(found_by_mypy, "wrong.py"), {line: code for line, code, _ in _marked()})


def test_wrong_uses_do_not_pass_pyright(found_by_pyright: Found) -> None:
    """Exactly the marked lines of `wrong.py` are refused, each with its rule."""
    _compare(_in(found_by_pyright, "wrong.py"), {line: rule for line, _, rule in _marked()})


def _compare(found: Mapping[int, set[str]], wanted: Mapping[int, str]) -> None:
    assert found.keys() == wanted.keys()
    assert {line: code for line, code in wanted.items() if code not in found[line]} == {}


def _in(found: Found, file: str) -> dict[int, set[str]]:
    return {line: codes for (name, line), codes in found.items() if name == file}


def _marked() -> Iterator[tuple[int, str, str]]:
    """Line, code of mypy and rule of pyright of each line that is wrong."""
    lines = (HERE / "wrong.py").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        if mark := MARK.search(line):
            yield number, mark[1], mark[2]


def _run(command: list[str]) -> str:
    """What a checker tells, with the project's own configuration."""
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, encoding="utf-8")
    assert done.returncode in {0, 1}, done.stderr
    return done.stdout
