"""Proves an installed wheel: every module imports, and the command answers.

Run by `.ci/run` with the Python of an empty environment, as `install_check.py <extra or nothing>`;
it is no test of pytest's, which is not installed there.
"""

import importlib
import pkgutil
import subprocess
import sys
import sysconfig
from importlib.metadata import distributions
from pathlib import Path

import fishplate
from fishplate.core.errors import MissingExtraError

MOST_DISTRIBUTIONS = 15  # what the core may bring with it, itself included


def main(extra: str) -> None:
    """Check this environment, which holds fishplate with the given extra."""
    site_packages = sysconfig.get_path("purelib")
    assert str(fishplate.__file__).startswith(site_packages), "this is not the wheel"
    modules = [
        module.name for module in pkgutil.walk_packages(fishplate.__path__, prefix="fishplate.")
    ]
    for module in modules:
        try:
            importlib.import_module(module)
        except MissingExtraError as missing:  # most ask for theirs when they are used only
            if missing.extra == extra:
                raise
    program = Path(sysconfig.get_path("scripts")) / "fishplate"
    subprocess.run([program, "--help"], check=True, stdout=subprocess.DEVNULL)
    count = len({found.name for found in distributions()} - {"pip", "setuptools"})
    if not extra:
        assert count < MOST_DISTRIBUTIONS, f"the core brings {count} distributions"
    print(f"{len(modules)} modules import, with {count} distributions, extra: {extra or 'none'}")


if __name__ == "__main__":
    main(*sys.argv[1:])
