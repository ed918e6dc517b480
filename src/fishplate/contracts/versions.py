"""Semantic versions: what they look like, and which one follows a change.

Source: Semantic Versioning 2.0.0, semver.org.
"""

import re
from typing import Final, Literal, NamedTuple, TypeAlias

Bump: TypeAlias = Literal["none", "patch", "minor", "major"]

_NUMBER: Final = r"(0|[1-9][0-9]*)"
_WORD: Final = r"(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
# Compiled when it is first used, and kept by `re`: not at every import of fishplate.
_VERSION: Final = (
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}"
    rf"(?:-({_WORD}(?:\.{_WORD})*))?"
    r"(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
)
_LONGEST: Final = 128


class Version(NamedTuple):
    """The parts of a semantic version; `prerelease` and `build` are empty where absent."""

    major: int
    minor: int
    patch: int
    prerelease: str = ""
    build: str = ""


def parse_version(text: str) -> Version | None:
    """The parts of a semantic version, or None if the text is none, or has over 128 characters."""
    found = re.fullmatch(_VERSION, text) if len(text) <= _LONGEST else None
    if found is None:
        return None
    major, minor, patch, prerelease, build = found.groups(default="")
    return Version(int(major), int(minor), int(patch), prerelease, build)


def is_version(text: str) -> bool:
    """Whether a text is a semantic version of at most 128 characters."""
    return parse_version(text) is not None


def is_at_least(version: str, least: str) -> bool:
    """Whether a version has at least the precedence of another; build metadata plays no part.

    Raises:
        ValueError: One of them is no semantic version.

    Source: Semantic Versioning 2.0.0, section 11.
    """
    return _precedence(version) >= _precedence(least)


def next_version(version: str, bump: Bump) -> str:
    """The lowest version that may follow one after a change; for a pre-release, its release.

    Below 1.0.0 a major change counts as a minor one, since nothing is promised yet.

    Raises:
        ValueError: `version` is no semantic version.
    """
    parts = _parts(version)
    if bump == "none":
        return version
    major, minor, patch = parts[:3]
    if bump == "major" and major == 0:
        bump = "minor"
    # A pre-release 2.0.0-rc.1 already announces the numbers before the dash.
    is_announced = bool(parts.prerelease)
    match bump:
        case "major":
            announced = is_announced and minor == patch == 0
            return f"{major if announced else major + 1}.0.0"
        case "minor":
            announced = is_announced and patch == 0
            return f"{major}.{minor if announced else minor + 1}.0"
        case "patch":
            return f"{major}.{minor}.{patch if is_announced else patch + 1}"


def _parts(version: str) -> Version:
    parts = parse_version(version)
    if parts is None:
        raise ValueError(f"{version!r} is no semantic version, such as '1.4.0'")
    return parts


def _precedence(version: str) -> tuple[tuple[int, int, int], bool, list[tuple[bool, int, str]]]:
    parts = _parts(version)
    words = parts.prerelease.split(".") if parts.prerelease else []
    # Numbers are compared as such and come before words; of two beginnings the longer is higher.
    ranks = [(False, int(word), "") if word.isdecimal() else (True, 0, word) for word in words]
    return parts[:3], not words, ranks
