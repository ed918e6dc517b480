"""Runs the console blocks of README and docs, in the story that their page tells.

A block of language `console` holds commands, each after `$ `, and below each what it prints.
`fishplate` and `python` run in the page's own temporary folder; what they print has to match, where
`...` stands for anything. A command without output below it has to succeed, and may print.

    <!-- file: refund.py -->   above any block: the folder holds the block under this name
    <!-- exit: 1 -->           above a console block: its last command ends with this exit code

Commands of the checkout itself, such as `git clone` or `python3 dev.py test`, are not run here:
CI runs the tasks of dev.py as they are. Any other program fails the page, so nothing is left unrun
by accident.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from sybil import Example

NOT_RUN = {"cd", "git", "pip", "python3", "uv"}
PROGRAMS = {
    "fishplate": str(Path(sys.executable).parent / "fishplate"),
    "python": sys.executable,
}
FOLDER = "page_folder"
TIMEOUT = 60

_FILE = re.compile(
    r"^<!-- file: (?P<name>\S+) -->\n```\w*\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_EXIT = re.compile(r"<!-- exit: (?P<code>\d+) -->\n\Z")


def open_page(namespace: dict[str, object]) -> None:
    """Give a page its folder, and its Python blocks the name of a script."""
    namespace[FOLDER] = TemporaryDirectory(prefix="page-")
    namespace["__name__"] = "__main__"


def close_page(namespace: dict[str, object]) -> None:
    """Remove the folder of a page."""
    folder = namespace[FOLDER]
    assert isinstance(folder, TemporaryDirectory)
    folder.cleanup()


def run_console(example: Example) -> str | None:
    """Run one console block; the answer is what is wrong with it, or None."""
    before = str(example.document.text)[: example.region.start]
    folder = Path(example.namespace[FOLDER].name)
    for file in _FILE.finditer(before):
        target = folder / file["name"]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(file["text"], encoding="utf-8")
    named_exit = _EXIT.search(before)
    exit_code = int(named_exit["code"]) if named_exit else 0
    commands = list(commands_of(str(example.parsed)))
    for position, command in enumerate(commands, start=1):
        is_last = position == len(commands)
        if problem := command.problem(folder, exit_code if is_last else 0):
            return problem
    return None if commands else "a console block without a line that starts with '$ '"


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """One command of a console block.

    Attributes:
        line: What stands after `$ `; lines continued with a backslash are joined.
        output: The lines below it, as one text without the last line end; empty if there are none.
    """

    line: str
    output: str

    def problem(self, folder: Path, exit_code: int) -> str | None:
        """What differs between the page and a run of the command in `folder`, if anything does."""
        settings, (program, *arguments) = split_settings(shlex.split(self.line))
        if program in NOT_RUN:
            return None
        if program not in PROGRAMS or {"|", ">", "<", "&&", ";", "2>&1"} & set(arguments):
            return f"{self.line!r}: pages run plain commands of {', '.join(sorted(PROGRAMS))} only"
        plain = {"NO_COLOR": "1", "COLUMNS": "100", "PYTHONUTF8": "1"}
        done = subprocess.run(
            [PROGRAMS[program], *arguments],
            cwd=folder,
            env=os.environ | plain | settings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=TIMEOUT,
            check=False,
        )
        printed = done.stdout.rstrip()
        if done.returncode != exit_code:
            return f"{self.line!r}: exit code {done.returncode} and not {exit_code}:\n{printed}"
        if self.output and not matches(self.output, printed):
            return f"{self.line!r} prints something else than the page says:\n{printed}"
        return None


def commands_of(block: str) -> Iterator[Command]:
    """The commands of a console block with their outputs, in order."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        line, _, output = part.replace("\\\n", " ").partition("\n")
        yield Command(line=line.strip(), output=output.rstrip())


def split_settings(words: list[str]) -> tuple[dict[str, str], list[str]]:
    """Part `NAME=value program argument ...` into the environment and the rest."""
    count = 0
    while count < len(words) and re.match(r"[A-Z_]+=", words[count]):
        count += 1
    pairs = (word.partition("=") for word in words[:count])
    return {name: value for name, _, value in pairs}, words[count:]


def matches(expected: str, printed: str) -> bool:
    """Whether the text is the expected one, where `...` stands for any text, line ends included."""
    pattern = ".*".join(re.escape(piece) for piece in expected.split("..."))
    return re.fullmatch(pattern, printed, re.DOTALL) is not None
