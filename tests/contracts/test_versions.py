"""Semantic versions."""

import itertools

import pytest

from fishplate.contracts.versions import (
    Bump,
    Version,
    is_at_least,
    is_version,
    next_version,
    parse_version,
)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("0.0.0", Version(0, 0, 0)),
        ("1.20.300", Version(1, 20, 300)),
        ("1.0.0-rc.1", Version(1, 0, 0, "rc.1")),
        ("1.0.0-0A.is.legal", Version(1, 0, 0, "0A.is.legal")),
        ("1.5.0+fp.9c3e12ab34cd", Version(1, 5, 0, "", "fp.9c3e12ab34cd")),
        ("1.0.0-alpha+001", Version(1, 0, 0, "alpha", "001")),
    ],
)
def test_reads_semantic_versions(text: str, version: Version) -> None:
    """The parts of a version are told apart."""
    assert parse_version(text) == version


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "1.0",
        "1.0.0.0",
        "v1.0.0",
        "01.0.0",
        "1.0.0-",
        "1.0.0-01",
        "1.0.0+",
        "1.0.0-a..b",
        "1.0.0\n",
        " 1.0.0",
        "1.0.0-ä",
        "\N{ARABIC-INDIC DIGIT ONE}.0.0",
        "1." + "0" * 200 + ".0",
        "-1.0.0",
    ],
)
def test_refuses_other_texts(text: str) -> None:
    """Anything else is no semantic version."""
    assert not is_version(text)


@pytest.mark.parametrize(
    ("version", "bump", "following"),
    [
        ("1.4.2", "major", "2.0.0"),
        ("1.4.2", "minor", "1.5.0"),
        ("1.4.2", "patch", "1.4.3"),
        ("1.4.2", "none", "1.4.2"),
        ("0.4.2", "major", "0.5.0"),
        ("0.4.2", "minor", "0.5.0"),
        ("0.4.2", "patch", "0.4.3"),
        ("1.4.2+fp.1", "patch", "1.4.3"),
        ("2.0.0-rc.1", "major", "2.0.0"),
        ("2.0.0-rc.1", "patch", "2.0.0"),
        ("2.1.0-rc.1", "minor", "2.1.0"),
        ("2.1.0-rc.1", "major", "3.0.0"),
        ("2.1.1-rc.1", "minor", "2.2.0"),
    ],
)
def test_suggests_the_next_version(version: str, bump: Bump, following: str) -> None:
    """The suggestion is the lowest version that the change allows; below 1.0.0 major is minor."""
    assert next_version(version, bump) == following


def test_only_a_version_has_a_next_one() -> None:
    """Another text is refused."""
    with pytest.raises(ValueError, match=r"'1\.0' is no semantic version"):
        next_version("1.0", "major")


def test_versions_have_an_order() -> None:
    """Numbers count as numbers, a pre-release stands before its release, builds do not count."""
    ordered = [
        *("1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2"),
        *("1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.2.0", "1.10.0"),
    ]

    for lower, higher in itertools.pairwise(ordered):
        assert is_at_least(higher, lower)
        assert not is_at_least(lower, higher)
    assert is_at_least("1.0.0+a", "1.0.0+b")
