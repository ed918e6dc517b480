"""`fishplate eval`: how often an agent is right; a failure is a wrong answer."""

import json

import pytest

from fishplate.core.errors import JsonValue
from tests.cli.conftest import SHOP, Program

WHERE: JsonValue = {"text": "where is my order?"}
HM: JsonValue = {"text": "hm"}
CASES: list[tuple[JsonValue, JsonValue]] = [
    (WHERE, "status"),
    (HM, "unclear"),
    (HM, "status"),
    ({"text": 5}, "status"),
]
COUNTING = """
import asyncio
from fishplate import agent

together = most = 0
eight = asyncio.Barrier(8)

@agent
async def busy(number: int) -> int:
    global together, most
    together += 1
    most = max(most, together)
    async with asyncio.timeout(20), eight:
        together -= 1
    return most
"""


def lines_of(cases: list[tuple[JsonValue, JsonValue]]) -> str:
    """Cases as JSONL."""
    return "".join(json.dumps({"input": asked, "expected": right}) + "\n" for asked, right in cases)


def test_right_and_wrong_answers_are_counted(cli: Program) -> None:
    """Accuracy with its interval, what was taken for what, and failures with their codes."""
    cli.write("cases.jsonl", lines_of(CASES))
    ended = cli("eval", f"{SHOP}:intent", "--data", "cases.jsonl", "--at", "/kind", "--json")

    assert ended.code == 0
    found = ended.json
    assert found["agent"] == "intent"
    assert found["release"].startswith("1.0.0+fp.")
    assert found["accuracy"]["successes"] == 2
    assert found["accuracy"]["total"] == 4
    assert 0 < found["accuracy"]["interval"]["lower"] < 0.5 < found["accuracy"]["interval"]["upper"]
    assert {"expected": "status", "actual": "unclear", "count": 1} in found["confusion"]
    [failure] = found["failures"]
    assert failure["case"] == "4"
    assert failure["reason"].startswith("invalid_input: ")


def test_a_person_reads_lines(cli: Program) -> None:
    """Without `--json` the same stands in a few lines."""
    cli.write("cases.jsonl", lines_of(CASES))
    ended = cli("eval", f"{SHOP}:intent", "--data", "cases.jsonl", "--at", "/kind")

    assert ended.out.startswith("intent 1.0.0+fp.")
    assert "95 % Wilson interval" in ended.out
    assert ended.err == ""


def test_a_declared_error_is_a_failure_with_its_code(cli: Program) -> None:
    """An agent that raises what its contract declares has not answered the case."""
    cases: list[tuple[JsonValue, JsonValue]] = [({"order_id": "W2"}, {"state": "shipped"})]
    cli.write("cases.jsonl", lines_of(cases))
    ended = cli("eval", f"{SHOP}:find_order", "--data", "cases.jsonl", "--json")

    [failure] = ended.json["failures"]
    assert failure["reason"].startswith("not_found: ")


def test_cases_run_side_by_side_within_a_bound(cli: Program) -> None:
    """Eight cases run at a time: each round waits until eight are there, and never finds more."""
    cli.write("busy.py", COUNTING)
    cli.write("cases.jsonl", lines_of([({"number": number}, 8) for number in range(32)]))
    ended = cli("eval", "busy.py", "--data", "cases.jsonl", "--json")

    assert ended.json["accuracy"]["successes"] == 32


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (None, [], "'cases.jsonl' cannot be read"),
        ("", [], "A data set without cases shows nothing"),
        ("{", [], "The case at cases.jsonl:1 is no JSON"),
        ('{"input": 1}\n', [], "The case at cases.jsonl:1 must be an object"),
        (lines_of(CASES), ["--at", "kind"], "'kind' is no JSON pointer"),
    ],
)
def test_a_data_set_that_is_none_is_bad_usage(
    cli: Program, data: str | None, options: list[str], message: str
) -> None:
    """What cannot be evaluated exits with 2, before any case is asked."""
    if data is not None:
        cli.write("cases.jsonl", data)
    ended = cli("eval", f"{SHOP}:count", "--data", "cases.jsonl", *options)

    assert ended.code == 2
    assert message in ended.err
    assert "counting" not in ended.err


@pytest.mark.parametrize(
    ("right", "rate", "code", "says"),
    [
        (60, "0.9", 0, ""),
        (60, "0.99", 1, "not shown to be at least 0.99: the lower end is 0.940. Ask more cases"),
        (3, "0.9", 1, "Ask more cases"),
        (1, "2", 2, "'2' is no rate: write 0.9 for 90 %"),
    ],
)
def test_a_wanted_accuracy_decides_the_exit_code(
    cli: Program, right: int, rate: str, code: int, says: str
) -> None:
    """The lower end of the interval has to reach the rate: few right answers show little."""
    cli.write("cases.jsonl", lines_of([(WHERE, "status")] * right))
    words = ("--data", "cases.jsonl", "--at", "/kind", "--at-least", rate)
    ended = cli("eval", f"{SHOP}:intent", *words)

    assert ended.code == code
    assert says in ended.err


def test_wrong_answers_fail_a_wanted_accuracy(cli: Program) -> None:
    """Where the share itself is too low, more cases are no remedy."""
    cli.write("cases.jsonl", lines_of(CASES))
    ended = cli(
        *("eval", f"{SHOP}:intent", "--data", "cases.jsonl", "--at", "/kind", "--at-least", "0.9")
    )

    assert ended.code == 1
    assert "Make it right more often" in ended.err


@pytest.mark.parametrize(
    ("lines", "at", "code"),
    [
        ("", "", "bad_dataset"),
        ("{", "", "bad_dataset"),
        ('{"input": 1}', "", "bad_dataset"),
        ('{"input": 1, "expected": 1}', "kind", "bad_pointer"),
    ],
)
def test_an_evaluation_that_cannot_start_has_a_code_of_its_own(
    cli: Program, lines: str, at: str, code: str
) -> None:
    """Scripts tell a wrong data set from a wrong pointer by the code."""
    cli.write("cases.jsonl", lines)
    ended = cli("eval", f"{SHOP}:intent", "--data", "cases.jsonl", "--at", at, "--json")

    assert (ended.code, ended.json["error"]["code"]) == (2, code)


@pytest.mark.parametrize(("expected", "is_hinted"), [({"kind": "status"}, True), ("status", False)])
def test_whole_objects_beside_a_pointer_are_told(
    cli: Program, expected: JsonValue, is_hinted: bool
) -> None:
    """A part never equals a whole, so that every answer would be wrong without a word."""
    cli.write("cases.jsonl", lines_of([(WHERE, expected)]))
    ended = cli("eval", f"{SHOP}:intent", "--data", "cases.jsonl", "--at", "/kind")

    assert ("each 'expected' has a part at /kind itself" in ended.err) is is_hinted
