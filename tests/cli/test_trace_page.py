"""`fishplate trace export --html`: one run as a page."""

import json
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typing_extensions import override

from tests.cli.conftest import SAMPLES, Program

TRACED = SAMPLES / "traced.py"
SEARCHING = SAMPLES / "searching.py"
HERE = ("--traces", "sqlite:///traces.db")
HOSTILE = "</pre></title><script>alert(1)</script><img src=x onerror=alert(2)>\"'\x1b\u202e"


class Page(HTMLParser):
    """Takes a page apart: its elements, their attributes, and its texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: Counter[str] = Counter()
        self.attributes: set[str] = set()
        self.opened: list[str] = []
        self.targets: set[str] = set()
        self.links: set[str] = set()
        self.words: list[str] = []
        self._inside = ""
        self.feed(text)

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        self.elements[tag] += 1
        found = dict(attrs)
        self.attributes |= found.keys()
        self.targets |= {value for name, value in attrs if name == "id" and value}
        self.links |= {value for name, value in attrs if name == "href" and value}
        if tag == "details" and "open" in found:
            self.opened.append(str(found["id"]))

    @override
    def handle_data(self, data: str) -> None:
        if self._inside != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        """All that is read on it."""
        return " ".join(" ".join(self.words).split())


def page_of(
    cli: Program, what: str, order_id: str, *options: str, file: Path = TRACED
) -> tuple[str, Page]:
    """Run something, and look at it."""
    given = json.dumps({"order_id": order_id})
    run_id = cli("run", f"{file}:{what}", "-i", given, *HERE, "--json").json["run_id"]
    ended = cli("trace", "export", run_id, *HERE, "--html", "run.html", *options)
    assert (ended.code, ended.out) == (0, "")
    assert "run.html" in ended.err
    text = (cli.folder / "run.html").read_text(encoding="utf-8")
    return text, Page(text)


def test_a_page_tells_what_ran_and_who_is_to_blame(cli: Program) -> None:
    """State, steps, times, tokens, cost and verdict; the step to blame is open and linked."""
    for order_id in ("W1", "W3", "W4"):
        page_of(cli, "support", order_id)
    _, page = page_of(cli, "support", "W2")

    assert page.elements["details"] == page.elements["rect"] == 4
    assert "Verdict: tool" in page.text
    assert "it was asked about order_id 'W2' and answered about 'WO9'" in page.text
    assert "321 in, 12 out" in page.text
    assert "0.00004785" in page.text
    assert len(page.opened) == 1
    assert page.links == {f"#{page.opened[0]}"} <= {f"#{one}" for one in page.targets}


def test_a_page_tells_what_is_in_doubt(cli: Program) -> None:
    """What proves nothing by itself stands below the verdict, and blames nobody."""
    _, page = page_of(cli, "support", "W2")

    assert "Verdict: none" in page.text
    assert "In doubt" in page.text
    assert page.opened == []


def test_contents_are_on_the_page_only_if_they_are_asked_for(cli: Program) -> None:
    """An input stays out of it without `--content`."""
    _, without = page_of(cli, "support", "W1")
    _, with_content = page_of(cli, "support", "W1", "--content")

    assert (without.elements["pre"], "W1" in without.text) == (0, False)
    assert with_content.elements["pre"] == 8
    assert '"order_id": "W1"' in with_content.text


def test_what_was_found_stands_in_a_table_and_its_texts_only_if_asked_for(cli: Program) -> None:
    """Scores and what was used are always shown; the text of a passage is content."""
    text, without = page_of(cli, "searching", "W1", file=SEARCHING)
    _, with_content = page_of(cli, "searching", "W1", "--content", file=SEARCHING)

    assert "<tr><td>gift cards</td><td>0.91</td><td>yes</td></tr>" in text
    assert "<tr><td>delivery</td><td>0.4</td><td>no</td></tr>" in text
    assert "14 days" not in without.text
    assert "Never refunded, <b>ever</b>." in with_content.text
    assert "14 days" in with_content.text


def test_a_page_does_not_say_that_a_passage_was_unused_when_nobody_told(cli: Program) -> None:
    """What was used is unknown until a body tells it: that is neither a yes nor a no."""
    text, _ = page_of(cli, "silent", "W1", file=SEARCHING)

    assert "<td>0.91</td><td>not told</td>" in text
    assert "<td>no</td>" not in text


def test_an_export_holds_texts_only_if_they_are_asked_for(cli: Program) -> None:
    """What a search was asked and what its passages say are content; ids and scores are not."""
    given = json.dumps({"order_id": "W1"})
    run_id = cli("run", f"{SEARCHING}:silent", "-i", given, *HERE, "--json").json["run_id"]
    without = cli("trace", "export", run_id, *HERE).out
    with_content = cli("trace", "export", run_id, *HERE, "--content").out

    assert "gift cards" in without
    assert ("Never refunded" in without, "refunded?" in without) == (False, False)
    assert ("Never refunded" in with_content, "refunded?" in with_content) == (True, True)


def test_nothing_that_was_told_becomes_a_part_of_the_page(cli: Program) -> None:
    """Hostile text in every place adds no element and no attribute, and is shown as it is."""
    _, plain = page_of(cli, "hostile", "W1", "--content")
    text, hostile = page_of(cli, "hostile", HOSTILE, "--content")

    assert hostile.elements == plain.elements
    assert hostile.attributes == plain.attributes
    assert hostile.elements["script"] == hostile.elements["img"] == 0
    assert "<script>alert(1)</script>" in hostile.text
    assert "\\x1b\\u202e" in hostile.text
    assert text.replace("\n", "").isprintable()


def test_a_page_asks_nobody_for_anything(cli: Program) -> None:
    """It forbids itself all but its own style, and links to its own steps alone."""
    text, page = page_of(cli, "failing", "W1")

    assert "default-src &#x27;none&#x27;; style-src &#x27;sha256-" in text
    assert page.attributes.isdisjoint({"src", "style", "onclick", "action"})
    assert all(link.startswith("#") for link in page.links)
    assert "://" not in text


def test_a_page_is_not_written_over_the_traces_that_it_is_of(cli: Program) -> None:
    """The store stays, whatever name of it is given."""
    given = json.dumps({"order_id": "W1"})
    run_id = cli("run", f"{TRACED}:support", "-i", given, *HERE, "--json").json["run_id"]
    ended = cli("trace", "export", run_id, *HERE, "--html", "./traces.db")

    assert ended.code == 2
    assert "is the trace store itself" in ended.err
    assert cli("trace", "show", run_id, *HERE).code == 0


@pytest.mark.parametrize("place", ["missing/run.html", "."])
def test_a_page_that_cannot_be_written_is_a_plain_error(cli: Program, place: str) -> None:
    """It is said which file, and why."""
    given = json.dumps({"order_id": "W1"})
    run_id = cli("run", f"{TRACED}:support", "-i", given, *HERE, "--json").json["run_id"]
    ended = cli("trace", "export", run_id, *HERE, "--html", place)

    assert ended.code == 2
    assert "unwritable_file" in ended.err
    assert place in ended.err
    assert sorted(Path(cli.folder).glob("*.html")) == []
