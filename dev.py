"""Make the environment and run the project's tasks; needs Python 3.11 and nothing else.

    python3 dev.py demo                        the order-support example: no key, no network
    python3 dev.py test [--long] [pytest ...]  the tests; --long adds those of more than seconds
    python3 dev.py check                       format, lint, types, layers
    python3 dev.py bench                       our own benchmarks, beside peers
    python3 dev.py wire [pytest ...]           the tests against a small model: 200 MB
    python3 dev.py peers [pytest ...]          what real readers of traces make of ours: 1 GB

The first run installs what requirements-dev.txt pins into .venv; FISHPLATE_VENV names another
folder, for a second Python version. `wire` installs a model and its server into .venv-wire, `peers`
Arize Phoenix and MLflow into .venv-peers; both start them on this machine, and end them.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent


class Environment(NamedTuple):
    """A folder with a Python of its own, and the file that pins what is in it."""

    folder: Path
    lock: Path

    @property
    def programs(self) -> Path:
        """Where its programs are."""
        return self.folder / ("Scripts" if os.name == "nt" else "bin")

    @property
    def python(self) -> Path:
        """Its Python."""
        return self.programs / ("python.exe" if os.name == "nt" else "python")

    @property
    def stamp(self) -> Path:
        """Tells what was installed; is there when all of it was."""
        return self.folder / "installed.sha256"


OURS = Environment(
    ROOT / os.environ.get("FISHPLATE_VENV", ".venv"), lock=ROOT / "requirements-dev.txt"
)
WIRE = Environment(ROOT / ".venv-wire", lock=ROOT / "requirements-wire.txt")
PEERS = Environment(ROOT / ".venv-peers", lock=ROOT / "requirements-peers.txt")
PEERS_VARIABLE = "FISHPLATE_PEERS"  # tells the tests where the programs of the peers are

COMPARED = ROOT / "bench" / "peers.txt"
COMPARED_STAMP = OURS.folder / "compared.sha256"

CHECKS = {
    "format": ["ruff", "format", "--check", "."],
    "lint": ["ruff", "check", "."],
    "types, basedpyright": ["basedpyright", "--pythonpath", str(OURS.python)],
    "types, mypy": ["mypy"],
    "layers": ["lint-imports", "--no-logo"],
}


def main(task: str | None = None, *arguments: str) -> int:
    """Run one task and return its exit code; 2 for a task that does not exist."""
    tasks = {
        "demo": demo,
        "test": test,
        "check": check,
        "bench": bench,
        "wire": wire,
        "peers": peers,
    }
    if sys.version_info < (3, 11):  # noqa: UP036 -- this file is also started by older Pythons
        print(f"dev.py needs Python 3.11 or newer, and this is {platform.python_version()}.")
        print("Start it with a newer one, for example: python3.11 dev.py demo")
        return 2
    if task in {"help", "--help", "-h"}:
        print(__doc__)
        return 0
    if task not in tasks:
        print(f"There is no task {task!r}.\n" if task else "Which task?\n", __doc__, sep="\n")
        return 2
    prepare(OURS, [ROOT / "pyproject.toml"])
    return tasks[task](arguments)


def demo(arguments: tuple[str, ...]) -> int:
    """Run the order-support example."""
    return run(OURS.python, "-m", "examples.order_support.demo", *arguments)


def test(arguments: tuple[str, ...]) -> int:
    """Run the tests: all of them on every core, or those that the arguments choose."""
    chosen = [argument for argument in arguments if argument != "--long"]
    # One file stays on one core: the examples of a page build on each other. For a few chosen tests
    # the extra processes cost more than they bring.
    spread = [] if chosen else ["-n", "auto", "--dist", "loadfile"]
    lengths = ["-m", "not wire"] if "--long" in arguments else []
    return run(OURS.python, "-m", "pytest", *spread, *lengths, *chosen)


def check(arguments: tuple[str, ...]) -> int:
    """Run every check, also after one has failed; 1 if any has."""
    if arguments:
        print(f"check takes no arguments, and was given {' '.join(arguments)!r}.")
        return 2
    verdicts: list[str] = []
    for name, (program, *options) in CHECKS.items():
        print(f"== {name}", flush=True)
        started = time.perf_counter()
        verdict = "FAILED" if run(OURS.programs / program, *options) else "passed"
        verdicts.append(f"{verdict}  {name} ({time.perf_counter() - started:.1f} s)")
    print("\n".join(["", *verdicts]))
    return int(any(verdict.startswith("FAILED") for verdict in verdicts))


def bench(arguments: tuple[str, ...]) -> int:
    """Run the benchmarks, beside the peers that they can have."""
    wanted = hashlib.sha256(COMPARED.read_bytes()).hexdigest()
    if not COMPARED_STAMP.exists() or COMPARED_STAMP.read_text(encoding="ascii") != wanted:
        say(f"installing what {COMPARED.relative_to(ROOT)} pins, for the row `model` alone")
        if run(*installer(OURS), "--no-deps", "--require-hashes", "--requirement", COMPARED):
            say("that failed; the row goes without it")
        else:
            COMPARED_STAMP.write_text(wanted, encoding="ascii")
    return run(OURS.python, "-m", "bench", *arguments)


def wire(arguments: tuple[str, ...]) -> int:
    """Run the tests of the adapter of models against a small one on a real wire."""
    prepare(WIRE, [])
    return run(OURS.python, "-m", "pytest", "-n0", "-m", "wire", "tests/wire", *arguments)


def peers(arguments: tuple[str, ...]) -> int:
    """Run the tests that read our traces with the programs of others."""
    prepare(PEERS, [])
    os.environ[PEERS_VARIABLE] = str(PEERS.programs)
    # The first test waits until both have started.
    return run(OURS.python, "-m", "pytest", "-o", "timeout=240", "tests/peers", *arguments)


def prepare(environment: Environment, projects: list[Path]) -> None:
    """Bring an environment to what is pinned, unless it is there already.

    Args:
        environment: Which one.
        projects: The pyproject.toml of what is installed besides, from its folder.
    """
    folder, lock = environment
    maker = f"{platform.python_version()} {folder}".encode()
    facts = [maker, *(file.read_bytes() for file in [lock, *projects])]
    wanted = hashlib.sha256(b"\0".join(facts)).hexdigest()
    stamp = environment.stamp
    if stamp.exists() and stamp.read_text(encoding="ascii") == wanted:
        return
    stamp.unlink(missing_ok=True)  # what is interrupted now is not ready
    started = time.perf_counter()
    uv = shutil.which("uv")
    if Path(sys.prefix).resolve() != folder:  # an environment cannot make itself anew
        say(f"1/3 making {folder.name} with Python {platform.python_version()}")
        options = [
            *(["--clear"] if is_foreign(folder) else []),
            *(["--without-pip"] if uv else []),
        ]
        must(sys.executable, "-m", "venv", *options, folder)
    install = installer(environment)
    if not projects and not uv:
        install.append("--no-compile")  # most files of others are never imported
    say(f"2/3 installing the pinned packages with {'uv' if uv else 'pip; a minute the first time'}")
    # The lock is whole: nothing is to be resolved, which takes pip longer than to install.
    must(*install, "--no-deps", "--require-hashes", "--requirement", lock)
    for project in projects:
        say("3/3 installing fishplate from this folder")
        # A call of its own, because a local folder has no hash to require.
        must(*install, "--no-deps", "--no-build-isolation", "--editable", project.parent)
    stamp.write_text(wanted, encoding="ascii")
    say(f"ready after {time.perf_counter() - started:.0f} s")


def installer(environment: Environment) -> list[str | Path]:
    """What a command begins with that installs into an environment."""
    uv = shutil.which("uv")
    if uv:
        return [uv, "pip", "install", "-q", "--python", environment.python]
    # pip with one -q still prints a warning for each place that a user's pip.conf names in vain
    return [environment.python, "-m", "pip", "install", "-qq"]


def is_foreign(folder: Path) -> bool:
    """Whether an environment is there, but made by another Python version or in another folder."""
    settings = folder / "pyvenv.cfg"
    if not settings.exists():
        return False
    text = settings.read_text(encoding="utf-8")
    return f"\nversion = {platform.python_version()}\n" not in text or str(folder) not in text


def say(line: str) -> None:
    """Print one line of progress."""
    print(f"[dev.py] {line}", flush=True)


def must(*command: str | Path | None) -> None:
    """Run a command that the rest depends on; stop if it fails."""
    if code := run(*command):
        shown = " ".join(map(str, command))
        sys.exit(f"[dev.py] stopped: exit code {code} from: {shown}\nWhy is said above.")


def run(*command: str | Path | None) -> int:
    """Run a command in the project's folder and return its exit code."""
    try:
        return subprocess.run([str(part) for part in command], cwd=ROOT, check=False).returncode
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
