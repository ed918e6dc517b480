"""`fishplate trace` and below on runs whose trace is not whole."""

from typing import Any

import pytest

from tests.cli.conftest import SAMPLES, Program

PARTIAL = SAMPLES / "partial.py"
SLEEPING = SAMPLES / "sleeping.py"
TRACED = SAMPLES / "traced.py"
HERE = ("--traces", "sqlite:///traces.db")
RUNS = ("--store", "sqlite:///runs.db")
GIVEN = '{"order_id": "W1"}'


def listed(cli: Program, *options: str) -> list[Any]:
    """The runs that the list has, as JSON."""
    found: list[Any] = cli("trace", *HERE, *options, "--json").json["runs"]
    return found


@pytest.fixture
def waits(cli: Program) -> str:
    """The id of a run that waits."""
    assert cli("run", f"{SLEEPING}:later", "-i", GIVEN, *RUNS, *HERE, "--json").code == 4
    [run] = listed(cli)
    return str(run["id"])


@pytest.fixture
def partial(cli: Program) -> str:
    """The id of a run of which spans were dropped."""
    cli("run", f"{PARTIAL}:many", "-i", '{"count": 2000}')
    [run] = listed(cli)
    return str(run["id"])


def test_a_run_that_waits_is_listed_as_such(cli: Program, waits: str) -> None:
    """Its state can be asked for, and the list says since when it waits."""
    assert [run["id"] for run in listed(cli, "--state", "waiting")] == [waits]
    assert listed(cli, "--state", "running") == []
    [wait] = listed(cli)[0]["waits"]
    assert (wait["step"], wait["kind"], wait["roles"]) == ("sleep", "sleep", [])
    _, row = cli("trace", *HERE).out.splitlines()
    assert "waits since 2" in row
    assert row.split()[2] == "waiting"


def test_where_a_run_stands_is_told_everywhere(cli: Program, waits: str) -> None:
    """`show`, `explain` and the page say that it has not ended, and what it waits for."""
    said = "the run has not ended: in step sleep it waits since 2"
    explained = cli("trace", "explain", waits, *HERE)
    cli("trace", "export", waits, *HERE, "--html", "run.html")

    assert said in cli("trace", "show", waits, *HERE).out
    assert said in explained.out
    assert explained.out.startswith("verdict: none")
    assert said in (cli.folder / "run.html").read_text(encoding="utf-8")
    for command in ("show", "explain"):
        [note] = cli("trace", command, waits, *HERE, "--json").json["notes"]
        assert said in note


def test_what_is_missing_of_a_run_is_told_everywhere(cli: Program, partial: str) -> None:
    """List, `show`, `explain` and the page say how many spans, and its end is known."""
    [run] = listed(cli)
    missing = f"{run['missing_spans']:,} spans"
    explained = cli("trace", "explain", partial, *HERE)
    cli("trace", "export", partial, *HERE, "--html", "run.html")

    assert (run["state"], run["error"], run["missing_spans"] > 0) == ("failed", "bug", True)
    assert f"{run['missing_spans'] + run['missing_contents']:,} missing" in cli("trace", *HERE).out
    assert missing in cli("trace", "show", partial, *HERE).out
    assert missing in explained.out
    assert missing in (cli.folder / "run.html").read_text(encoding="utf-8")


def test_a_run_with_missing_spans_is_not_judged_by_what_is_left(cli: Program, partial: str) -> None:
    """Whether the agent or something below it has failed first is not known any more."""
    found = cli("trace", "explain", partial, *HERE)

    assert found.out.splitlines()[0] == "verdict: none"
    assert "in doubt many: agent 'many': it failed with 'bug'" in found.out
    assert "drawn from what is left" in found.out


def test_a_wrong_text_that_is_nowhere_is_said_to_be_nowhere(cli: Program) -> None:
    """The verdict alone would say that the text is all right."""
    run_id = cli("run", f"{TRACED}:support", "-i", GIVEN, *HERE, "--json").json["run_id"]
    ended = cli("trace", "explain", run_id, *HERE, "--wrong", "pendign")

    assert ended.out.splitlines()[0] == "verdict: none"
    assert "note: 'pendign' occurs in no input or output of this run that was recorded" in ended.out


@pytest.fixture
def two(cli: Program) -> list[str]:
    """Ids of two runs that are kept and traced."""
    words = ("run", f"{TRACED}:support", "-i", GIVEN, *HERE, *RUNS, "--json")
    return [cli(*words).json["run_id"] for _ in range(2)]


@pytest.mark.parametrize(
    "words",
    [
        ("trace", "show", *HERE),
        ("trace", "explain", *HERE),
        ("trace", "export", *HERE),
        ("trace", "replay", *RUNS, "--with", f"{TRACED}:support"),
        ("trace", "replay", *HERE, "--with", f"{TRACED}:support"),
        ("runs", "show", *RUNS),
    ],
)
def test_a_run_is_named_by_its_first_characters(
    cli: Program, two: list[str], words: tuple[str, ...]
) -> None:
    """As many as tell it from others, in any case; of several runs all are named."""
    first, second = two
    command, options = words[:2], words[2:]
    different = next(at for at in range(26) if first[at] != second[at])
    whole = cli(*command, first, *options, "--json")
    short = cli(*command, first[: different + 1].upper(), *options, "--json")
    several = cli(*command, first[:6], *options)

    assert (short.code, short.out) == (whole.code, whole.out)
    assert several.code == 2
    assert "ambiguous_run" in several.err
    assert all(run_id in several.err.replace("\n", "") for run_id in two)


def test_too_few_characters_name_no_run(cli: Program, two: list[str]) -> None:
    """Nor does what no run begins with, or is no id at all."""
    for written in (two[0][:5], "zzzzzz", "%%%%%%", "", "../../x"):
        for words in (("trace", "show", written, *HERE), ("runs", "show", written, *RUNS)):
            ended = cli(*words)
            assert (ended.code, "unknown_run" in ended.err) == (2, True)


def test_an_action_names_its_run_in_full(cli: Program, waits: str) -> None:
    """What cannot be taken back is never done to a run that merely begins so."""
    ended = cli("runs", "cancel", waits[:12], *RUNS, "--as", "ann")

    assert ended.code != 0
    assert "unknown_run" in ended.err
