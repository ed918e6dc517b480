"""Bad input of every kind: a typed error with code, pointer and remedy, and exit code 2."""

import sys

import pytest

from fishplate.cli import main
from tests.cli.conftest import SHOP, Program

BAD_JSON = [
    ("malformed", '{"text": }', "json_malformed", None),
    ("empty", "", "json_malformed", None),
    ("text without quotes", "hello", "json_malformed", None),
    ("two values", "{} {}", "json_malformed", None),
    ("duplicate key", '{"text": "a", "text": "b"}', "json_duplicate_key", ""),
    ("duplicate key below", '{"text": {"a": 1, "a": 2}}', "json_duplicate_key", "/text"),
    ("NaN", '{"text": NaN}', "json_not_finite", "/text"),
    ("Infinity", '{"text": -Infinity}', "json_not_finite", "/text"),
    ("a number beyond a double", '{"text": 1e999}', "json_number_range", "/text"),
    ("an integer beyond 2^53", '{"text": 90071992547409930}', "json_number_range", "/text"),
    ("too deep", "[" * 100 + "]" * 100, "json_too_deep", None),
    ("far too deep", "[" * 100_000 + "]" * 100_000, "json_too_deep", None),
    ("too large", f'"{"x" * 1_100_000}"', "json_too_large", None),
    ("a lone surrogate", '"\\ud800"', "json_malformed", None),
]
BROKEN_CONTRACT = [
    ("wrong type", '{"text": 5}', "/text"),
    ("wrong type at the top", "5", ""),
    ("missing", '{"order_id": "W1"}', ""),
    ("null", '{"text": null}', "/text"),
    ("wrong type in an optional field", '{"text": "a", "order_id": []}', "/order_id"),
]


@pytest.mark.parametrize(
    ("text", "code", "pointer"), [row[1:] for row in BAD_JSON], ids=[row[0] for row in BAD_JSON]
)
def test_what_is_no_acceptable_json_is_refused(
    cli: Program, text: str, code: str, pointer: str | None
) -> None:
    """Each defect of a JSON text has its code, and its pointer where it is within a value."""
    ended = cli("run", f"{SHOP}:support", "--input", text, "--json")

    assert ended.code == 2
    assert ended.json["error"]["code"] == code
    assert ended.json["error"]["message"].startswith("--input: ")
    assert ended.json["error"]["remedy"]
    if pointer is not None:
        assert ended.json["error"]["pointer"] == pointer


@pytest.mark.parametrize("way", ["@input.json", "-"])
def test_a_file_and_stdin_are_read_as_strictly(cli: Program, way: str) -> None:
    """Where a text comes from makes no difference, and the error says where that is."""
    text = '{"text": "a", "text": "b"}'
    cli.write("input.json", text)
    ended = cli("run", f"{SHOP}:support", "--input", way, "--json", stdin=text.encode())

    assert ended.code == 2
    assert ended.json["error"]["code"] == "json_duplicate_key"
    assert ended.json["error"]["message"].startswith(
        "--input (input.json): " if way != "-" else "--input (stdin): "
    )


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\xff\xfe{}", "json_encoding"),
        (b'"\xe4"', "json_malformed"),
        (b"", "json_malformed"),
        (b" " * 2_000_000, "json_too_large"),
    ],
)
def test_bytes_that_are_no_json_are_refused(cli: Program, data: bytes, code: str) -> None:
    """Another encoding, no text at all, and more than is read: each has its code."""
    ended = cli("run", f"{SHOP}:support", "--input", "-", "--json", stdin=data)

    assert (ended.code, ended.json["error"]["code"]) == (2, code)


@pytest.mark.parametrize(
    ("text", "pointer"),
    [row[1:] for row in BROKEN_CONTRACT],
    ids=[row[0] for row in BROKEN_CONTRACT],
)
def test_an_input_that_breaks_the_contract_is_located(
    cli: Program, text: str, pointer: str
) -> None:
    """An input of the wrong shape exits with 2 and names the JSON pointer."""
    ended = cli("run", f"{SHOP}:support", "--input", text, "--json")

    assert ended.code == 2
    assert ended.json["error"]["code"] == "invalid_input"
    assert ended.json["error"]["class"] == "contract_in"
    assert ended.json["error"]["pointer"] == pointer
    assert ended.json["error"]["remedy"]


def test_a_person_reads_the_same_in_lines(cli: Program) -> None:
    """Without `--json`: code, place and remedy on stderr, and nothing on stdout."""
    ended = cli("run", f"{SHOP}:support", "--input", '{"text": 5, "order_id": 6}')

    assert (ended.code, ended.out) == (2, "")
    assert ended.err.splitlines() == [
        "error[invalid_input]: the input of workflow 'support' breaks its contract",
        "  at /text: 5 is a number, not a string",
        "  at /order_id: 6 is a number, not a string",
        "  help: 'fishplate contract TARGET' prints what it takes",
    ]


def test_a_person_reads_where_json_is_refused(cli: Program) -> None:
    """The place of a duplicate key stands below the message."""
    ended = cli("run", f"{SHOP}:support", "--input", '{"text": {"a": 1, "a": 2}}')

    assert ended.err.splitlines() == [
        "error[json_duplicate_key]: --input: object holds the key 'a' twice",
        "  at /text",
        "  help: keep one of the two",
    ]


def test_many_violations_are_cut(cli: Program) -> None:
    """Of a hundred wrong items a person reads ten."""
    cli.write(
        "many.py",
        "from fishplate import agent\n\n@agent\nasync def add(numbers: list[int]) -> int:\n"
        "    return sum(numbers)\n",
    )
    ended = cli("run", "many.py:add", "--input", f'{{"numbers": [{", ".join(["null"] * 100)}]}}')

    lines = ended.err.splitlines()
    assert lines[1].startswith("  at /numbers/0: ")
    assert lines[11:] == ["  and more", "  help: 'fishplate contract TARGET' prints what it takes"]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("hello", """Text needs quotes: '"hello"'"""),
        ("input.json", "To read a file, write @input.json"),
        ("{'text': 'a'}", 'JSON has double quotes: \'{"text": "a"}\''),
    ],
)
def test_a_text_that_is_no_json_comes_with_advice(cli: Program, text: str, hint: str) -> None:
    """Bare words, a forgotten @ and Python's quotes are what people type."""
    ended = cli("run", f"{SHOP}:support", "--input", text)

    assert hint in ended.err


def test_a_file_that_cannot_be_read_is_named(cli: Program) -> None:
    """A missing file, and a folder, are bad usage."""
    missing = cli("run", f"{SHOP}:support", "--input", "@nowhere.json", "--json")
    folder = cli("run", f"{SHOP}:support", "--input", "@.", "--json")

    assert (missing.code, folder.code) == (2, 2)
    assert missing.json["error"]["code"] == folder.json["error"]["code"] == "unreadable_file"
    assert "'nowhere.json' cannot be read: No such file" in missing.json["error"]["message"]


def test_a_closed_stdin_is_no_empty_input(
    cli: Program, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that was started without a stdin says so."""
    monkeypatch.setattr(sys, "stdin", None)
    code = main(["run", f"{SHOP}:support", "--input", "-"])

    assert code == 2
    assert "error[unreadable_file]: --input: there is no stdin to read" in capsys.readouterr().err
