"""Make the environment and run the project's tasks; needs Python 3.11 and nothing else.

    python3 dev.py demo                        the order-support example: no key, no network
    python3 dev.py test [--long] [pytest ...]  the tests; --long adds those of more than seconds
    python3 dev.py check                       format, lint, types, layers
    python3 dev.py bench                       our own benchmarks, beside peers

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
PEERS = ROOT / "bench" / "peers.txt"
STAMP_OF_PEERS = ENVIRONMENT / "peers.sha256"

CHECKS = {
    "format": ["ruff", "format", "--check", "."],
    "lint": ["ruff", "check", "."],
    "types, basedpyright": ["basedpyright", "--pythonpath", str(PYTHON)],
    "types, mypy": ["mypy"],
    "layers": ["lint-imports", "--no-logo"],
}


def main(task: str | None = None, *arguments: str) -> int:
    """Run one task and return its exit code; 2 for a task that does not exist."""
    tasks = {"demo": demo, "test": test, "check": check, "bench": bench}
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
    lengths = ["-m", "long or not long"] if "--long" in arguments else []
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


def bench(arguments: tuple[str, ...]) -> int:
    """Run the benchmarks, beside the peers that they can have."""
    wanted = hashlib.sha256(PEERS.read_bytes()).hexdigest()
    if not STAMP_OF_PEERS.exists() or STAMP_OF_PEERS.read_text(encoding="ascii") != wanted:
        say(f"installing what {PEERS.relative_to(ROOT)} pins, for the row `model` alone")
        if run(*installer(), "--no-deps", "--require-hashes", "--requirement", PEERS):
            say("that failed; the row goes without it")
        else:
            STAMP_OF_PEERS.write_text(wanted, encoding="ascii")
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
    uv, install = shutil.which("uv"), installer()
    if Path(sys.prefix).resolve() != ENVIRONMENT:  # an environment cannot make itself anew
        say(f"1/3 making {ENVIRONMENT.name} with Python {platform.python_version()}")
        options = [*(["--clear"] if is_foreign() else []), *(["--without-pip"] if uv else [])]
        must(sys.executable, "-m", "venv", *options, ENVIRONMENT)
    say(f"2/3 installing the pinned packages with {'uv' if uv else 'pip; a minute the first time'}")
    must(*install, "--require-hashes", "--requirement", LOCK)
    say("3/3 installing fishplate from this folder")
    # A call of its own, because a local folder has no hash to require.
    local = ["--no-deps", "--no-build-isolation", "--editable", ROOT]
    must(*install, *local)
    STAMP.write_text(wanted, encoding="ascii")
    say(f"ready after {time.perf_counter() - started:.0f} s")


def installer() -> list[str | Path]:
    """What a command begins with that installs into the environment."""
    uv = shutil.which("uv")
    if uv:
        return [uv, "pip", "install", "-q", "--python", PYTHON]
    # pip with one -q still prints a warning for each place that a user's pip.conf names in vain
    return [PYTHON, "-m", "pip", "install", "-qq"]


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
