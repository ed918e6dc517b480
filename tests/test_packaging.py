"""What pyproject.toml says of the package is so."""

import re

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.project import PYPROJECT, ROOT, requirements_of_users


def test_the_licence_is_the_one_that_is_declared() -> None:
    """The full text of the declared licence stands in LICENSE."""
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")

    assert PYPROJECT["project"]["license"] == "Apache-2.0"
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_users_type_checkers_read_our_types() -> None:
    """The package is marked as typed (PEP 561)."""
    assert (ROOT / "src" / "fishplate" / "py.typed").exists()


OURS = [
    *requirements_of_users(),
    *map(Requirement, PYPROJECT["dependency-groups"]["dev"]),
    *map(Requirement, PYPROJECT["build-system"]["requires"]),
]
PEERS = [Requirement(one) for one in PYPROJECT["dependency-groups"]["peers"]]


@pytest.mark.parametrize(
    ("file", "asked"), [("requirements-dev.txt", OURS), ("requirements-peers.txt", PEERS)]
)
def test_the_lock_holds_what_the_project_asks_for(file: str, asked: list[Requirement]) -> None:
    """Each requirement is pinned, with hashes, to a version that it allows; no index is named."""
    lock = (ROOT / file).read_text(encoding="utf-8")

    assert "index-url" not in lock
    for wanted in asked:
        name = re.escape(canonicalize_name(wanted.name))
        # numpy, for one, is pinned once for each range of Python versions
        pins = re.findall(rf"^{name}==([^\s;]+)[^\n]*\\\n    --hash=", lock, flags=re.MULTILINE)
        assert pins, f"{wanted} is not locked, or without a hash"
        for pin in pins:
            assert wanted.specifier.contains(Version(pin)), f"{wanted} is locked at {pin}"


def test_the_claimed_python_versions_are_those_that_ci_runs() -> None:
    """A classifier claims a Python version that `.ci/run` tests, and no other."""
    prefix = "Programming Language :: Python :: "
    claimed = {
        entry.removeprefix(prefix)
        for entry in PYPROJECT["project"]["classifiers"]
        if entry.startswith(prefix)
    }
    oldest = PYPROJECT["project"]["requires-python"].removeprefix(">=")
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    others = re.search(r"^for version in ([\d. ]+); do$", script, flags=re.MULTILINE)

    assert others is not None
    assert claimed == {oldest, *others[1].split()}
