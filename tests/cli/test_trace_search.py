"""`fishplate trace --search`: runs by a text in their traces."""

import json
from itertools import count

import pytest

from fishplate.traces.queries import RunFilter
from fishplate.traces.search import search_traces
from fishplate.traces.store import open_trace_reader
from tests.cli.conftest import SAMPLES, Program

TRACED = SAMPLES / "traced.py"
STORE = "sqlite:///traces.db"
HERE = ("--traces", STORE)


def traced(cli: Program, what: str, order_id: str) -> str:
    """Run something whose trace is kept; its id."""
    given = json.dumps({"order_id": order_id})
    run_id: str = cli("run", f"{TRACED}:{what}", "-i", given, *HERE, "--json").json["run_id"]
    return run_id


def found(cli: Program, text: str, *options: str) -> list[tuple[str, str, str]]:
    """What a search finds: run, step and place."""
    runs = cli("trace", *HERE, "--search", text, *options, "--json").json["runs"]
    return [(run["id"], run["path"], run["place"]) for run in runs]


def test_a_text_is_found_wherever_it_stands(cli: Program) -> None:
    """In an input, an output, a name, a note, an error: the newest run first, whatever the case."""
    first, second = traced(cli, "support", "W\u00c4rm"), traced(cli, "support", "W2")
    failed, hostile = traced(cli, "failing", "W3"), traced(cli, "hostile", 'said "no"\\')

    assert found(cli, "w\u00e4RM") == [(first, "support", "input")]
    assert found(cli, "WO9") == [(second, "lookup/0.get_order", "output")]
    assert found(cli, "GET_ORDER")[0] == (second, "lookup/0.get_order", "name")
    assert found(cli, "no answer") == [(failed, "failing", "output")]
    assert [one[0] for one in found(cli, "down")] == [hostile, failed]
    assert found(cli, 'SAID "no"\\') == [(hostile, "hostile", "input")]
    assert found(cli, "nothing holds this") == []


def test_a_search_keeps_to_the_other_filters(cli: Program) -> None:
    """Runs of other agents and states are not looked at, and the limit is of what is found."""
    older, newer = traced(cli, "support", "W1"), traced(cli, "support", "W1")
    traced(cli, "failing", "W1")

    assert [one[0] for one in found(cli, "w1", "--agent", "support")] == [newer, older]
    assert [one[0] for one in found(cli, "w1", "--state", "succeeded", "--limit", "1")] == [newer]


def test_an_excerpt_is_short_and_harmless(cli: Program) -> None:
    """What stands around the text is cut, and cannot act on the terminal."""
    traced(cli, "hostile", "x" * 200 + "needle\x1b[31m\u202e" + "y" * 200)
    ended = cli("trace", *HERE, "--search", "needle")

    assert "..." + "x" * 10 in ended.out
    assert "needle\\u001b[31m\\u202e" in ended.out
    assert ended.out.replace("\n", "").isprintable()
    assert max(map(len, ended.out.splitlines())) < 250


def test_a_search_that_is_given_up_says_so(cli: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """When its time is over it gives what it has found in the newest runs."""
    traced(cli, "support", "W1")
    newest = traced(cli, "support", "W1")
    monkeypatch.chdir(cli.folder)
    connection = open_trace_reader(STORE)
    ticks = count()
    hits = search_traces(
        connection, RunFilter(), "w1", time_limit=2.0, seconds=lambda: float(next(ticks))
    )
    connection.close()

    assert ([hit.run.id for hit in hits.found], hits.looked_at, hits.is_whole) == (
        [newest],
        1,
        False,
    )


def test_nothing_cannot_be_searched(cli: Program) -> None:
    """An empty text stands everywhere, so it is refused."""
    traced(cli, "support", "W1")
    ended = cli("trace", *HERE, "--search", "")

    assert ended.code == 2
    assert "nothing_to_search" in ended.err
