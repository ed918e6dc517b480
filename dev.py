"""Make the environment and run the project's tasks; needs Python 3.11 and nothing else.

    python3 dev.py demo                        the order-support example: no key, no network
    python3 dev.py test [--long] [pytest ...]  the tests; --long adds those of more than seconds
    python3 dev.py check                       format, lint, types, layers
    python3 dev.py wire [pytest ...]           the tests against a small model, which it installs
    python3 dev.py bench                       our own benchmarks

The first run installs what requirements-dev.txt pins into .venv; FISHPLATE_VENV names another
folder, for a second Python version.
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

ROOT = Path(__file__).resolve().parent
ENVIRONMENT = ROOT / os.environ.get("FISHPLATE_VENV", ".venv")
PROGRAMS = ENVIRONMENT / ("Scripts" if os.name == "nt" else "bin")
PYTHON = PROGRAMS / ("python.exe" if os.name == "nt" else "python")
LOCK = ROOT / "requirements-dev.txt"
STAMP = ENVIRONMENT / "installed.sha256"
# A server and a small model: 200 MB that most work does not need, and nothing else is installed
# with them (a package of the model's asks for a compiler).
WIRE = ROOT / ".venv-wire"
WIRE_LOCK = ROOT / "requirements-wire.txt"

CHECKS = {
    "format": ["ruff", "format", "--check", "."],
    "lint": ["ruff", "check", "."],
    "types, basedpyright": ["basedpyright", "--pythonpath", str(PYTHON)],
    "types, mypy": ["mypy"],
    "layers": ["lint-imports", "--no-logo"],
}


def main(task: str | None = None, *arguments: str) -> int:
    """Run one task and return its exit code; 2 for a task that does not exist."""
    tasks = {"demo": demo, "test": test, "check": check, "wire": wire, "bench": bench}
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
    prepare()
    return tasks[task](arguments)


def demo(arguments: tuple[str, ...]) -> int:
    """Run the order-support example."""
    return run(PYTHON, "-m", "examples.order_support.demo", *arguments)


def test(arguments: tuple[str, ...]) -> int:
    """Run the tests: all of them on every core, or those that the arguments choose."""
    chosen = [argument for argument in arguments if argument != "--long"]
    # One file stays on one core: the examples of a page build on each other. For a few chosen tests
    # the extra processes cost more than they bring.
    spread = [] if chosen else ["-n", "auto", "--dist", "loadfile"]
    lengths = ["-m", "not wire"] if "--long" in arguments else []
    return run(PYTHON, "-m", "pytest", *spread, *lengths, *chosen)


def check(arguments: tuple[str, ...]) -> int:
    """Run every check, also after one has failed; 1 if any has."""
    if arguments:
        print(f"check takes no arguments, and was given {' '.join(arguments)!r}.")
        return 2
    verdicts: list[str] = []
    for name, (program, *options) in CHECKS.items():
        print(f"== {name}", flush=True)
        started = time.perf_counter()
        verdict = "FAILED" if run(PROGRAMS / program, *options) else "passed"
        verdicts.append(f"{verdict}  {name} ({time.perf_counter() - started:.1f} s)")
    print("\n".join(["", *verdicts]))
    return int(any(verdict.startswith("FAILED") for verdict in verdicts))


def wire(arguments: tuple[str, ...]) -> int:
    """Run the tests of the adapter of models against a small one on a real wire."""
    prepare_wire()
    return run(PYTHON, "-m", "pytest", "-n0", "-m", "wire", "tests/wire", *arguments)


def bench(arguments: tuple[str, ...]) -> int:
    """Run the benchmarks."""
    return run(PYTHON, "-m", "bench", *arguments)


def prepare() -> None:
    """Bring the environment to what the lock and pyproject.toml say, unless it is there already."""
    maker = f"{platform.python_version()} {ENVIRONMENT}".encode()
    facts = [maker, LOCK.read_bytes(), (ROOT / "pyproject.toml").read_bytes()]
    wanted = hashlib.sha256(b"\0".join(facts)).hexdigest()
    if STAMP.exists() and STAMP.read_text(encoding="ascii") == wanted:
        return
    STAMP.unlink(missing_ok=True)  # what is interrupted now is not ready
    started = time.perf_counter()
    uv = shutil.which("uv")
    if Path(sys.prefix).resolve() != ENVIRONMENT:  # an environment cannot make itself anew
        say(f"1/3 making {ENVIRONMENT.name} with Python {platform.python_version()}")
        options = [*(["--clear"] if is_foreign() else []), *(["--without-pip"] if uv else [])]
        must(sys.executable, "-m", "venv", *options, ENVIRONMENT)
    # pip with one -q still prints a warning for each place that a user's pip.conf names in vain
    by_uv = [uv, "pip", "install", "-q", "--python", PYTHON]
    install = by_uv if uv else [PYTHON, "-m", "pip", "install", "-qq"]
    say(f"2/3 installing the pinned packages with {'uv' if uv else 'pip; a minute the first time'}")
    must(*install, "--require-hashes", "--requirement", LOCK)
    say("3/3 installing fishplate from this folder")
    # A call of its own, because a local folder has no hash to require.
    local = ["--no-deps", "--no-build-isolation", "--editable", ROOT]
    must(*install, *local)
    STAMP.write_text(wanted, encoding="ascii")
    say(f"ready after {time.perf_counter() - started:.0f} s")


def prepare_wire() -> None:
    """Bring the environment of the small model to what its lock says, unless it is there."""
    stamp = WIRE / "installed.sha256"
    maker = f"{platform.python_version()} {WIRE}".encode()
    wanted = hashlib.sha256(b"\0".join([maker, WIRE_LOCK.read_bytes()])).hexdigest()
    if stamp.exists() and stamp.read_text(encoding="ascii") == wanted:
        return
    say("installing a small model and its server: 200 MB")
    must(sys.executable, "-m", "venv", "--clear", WIRE)
    python = WIRE / PYTHON.relative_to(ENVIRONMENT)
    options = ["--no-deps", "--require-hashes", "--requirement", WIRE_LOCK]
    must(python, "-m", "pip", "install", "-qq", *options)
    stamp.write_text(wanted, encoding="ascii")


def is_foreign() -> bool:
    """Whether the environment is there, but made by another Python version or in another folder."""
    settings = ENVIRONMENT / "pyvenv.cfg"
    if not settings.exists():
        return False
    text = settings.read_text(encoding="utf-8")
    return f"\nversion = {platform.python_version()}\n" not in text or str(ENVIRONMENT) not in text


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
