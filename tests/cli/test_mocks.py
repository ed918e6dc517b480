"""`run --mock`: an agent or tool that always answers the same, under its own contract."""

import json

import pytest

from tests.cli.conftest import SHOP, Program

QUESTION = json.dumps({"text": "where is my order?"})


def test_a_step_of_a_workflow_is_exchanged(cli: Program) -> None:
    """The mock's JSON is what the step gives, and the workflow goes on with it."""
    mock = 'intent={"kind": "unclear"}'
    ended = cli("run", f"{SHOP}:support", "--input", QUESTION, "--mock", mock)

    assert (ended.code, ended.out) == (0, '"which order do you mean? (unclear)"\n')


def test_a_mock_is_read_from_a_file(cli: Program) -> None:
    """`@` reads the mock's output from a file."""
    cli.write("order.json", '{"order_id": "W7", "state": "delivered"}')
    ended = cli("run", f"{SHOP}:support", "-i", QUESTION, "--mock", "find_order=@order.json")

    assert ended.out == '"order W7 is delivered"\n'


def test_what_a_body_calls_is_exchanged(cli: Program) -> None:
    """A tool that an agent's body may call can be mocked when the agent itself is the target."""
    mock = 'find_order={"order_id": "W8", "state": "delivered"}'
    document = '{"kind": "status", "order_id": "W1"}'
    ended = cli("run", f"{SHOP}:order_status", "-i", document, "--mock", mock, "--trace")

    assert ended.out == '"order W8 is delivered"\n'
    assert "tool find_order" in ended.err


def test_several_agents_are_exchanged_at_once(cli: Program) -> None:
    """`--mock` may be repeated."""
    ended = cli(
        *("run", f"{SHOP}:support", "--input", '{"text": "hm"}'),
        *("--mock", 'intent={"kind": "status", "order_id": "W9"}'),
        *("--mock", 'order_status="as you like it"'),
    )

    assert ended.out == '"as you like it"\n'


@pytest.mark.parametrize("error", ['{"order_id": "W7"}', "@error.json"])
def test_a_mock_fails_with_a_declared_error(cli: Program, error: str) -> None:
    """The error's code and fields are what the step ends with, and its span says who it was."""
    cli.write("error.json", '{"order_id": "W7"}')
    mock = f"find_order=error:not_found{error}"
    ended = cli("run", f"{SHOP}:support", "-i", QUESTION, "--mock", mock, "--trace", "--json")

    assert ended.code == 1
    assert ended.json["error"]["code"] == "not_found"
    assert ended.json["error"]["declared"] == {"error": "not_found", "order_id": "W7"}
    spans = [ended.json["trace"][0]]
    for span in spans:
        spans.extend(span["children"])
    assert {span["name"] for span in spans if span["attributes"].get("mocked")} == {"find_order"}


@pytest.mark.parametrize(
    ("mock", "code", "says"),
    [
        (
            "find_order=error:lost",
            "undeclared_error",
            "declares no error 'lost'; it declares: not_",
        ),
        ("intent=error:lost", "undeclared_error", "agent 'intent' declares no error 'lost'"),
        ("find_order=error:not_found", "invalid_input", "the error 'not_found'"),
        ("find_order=error:", "undeclared_error", "declares no error ''"),
        ("find_order=error=x", "json_malformed", "text is not JSON"),
        ("nobody=error:not_found", "unknown_agent", "does not call 'nobody'"),
    ],
)
def test_an_error_that_nobody_declares_is_no_mock(
    cli: Program, mock: str, code: str, says: str
) -> None:
    """Only what the contract allows can be mocked, with all of its fields."""
    ended = cli("run", f"{SHOP}:support", "-i", QUESTION, "--mock", mock, "--json")

    assert ended.code == 2
    assert ended.json["error"]["code"] == code
    assert says in ended.json["error"]["message"]


def test_a_mock_has_to_keep_the_contract(cli: Program) -> None:
    """An output that the agent's contract does not promise is refused with its pointer."""
    mock = 'find_order={"order_id": "W8", "state": "lost"}'
    ended = cli("run", f"{SHOP}:support", "-i", QUESTION, "--mock", mock, "--json")

    assert ended.code == 2
    assert ended.json["error"]["code"] == "invalid_output"
    assert ended.json["error"]["pointer"] == "/state"
    assert ended.json["error"]["subject"] == "the stand-in's output for tool 'find_order'"


def test_the_real_agent_does_not_run(cli: Program) -> None:
    """Under a mock, the agent that would fail is never called."""
    ended = cli("run", f"{SHOP}:shipping", "-i", '{"order_id": "W1"}', "--mock", 'carrier="here"')

    assert (ended.out, ended.err) == ('"here"\n', "")


@pytest.mark.parametrize(
    ("mocks", "code", "message"),
    [
        (["nobody=1"], "unknown_agent", "does not call 'nobody'; it may call: clarify, find_order"),
        (["support=1"], "unknown_agent", "workflow 'support' does not call 'support'"),
        (["intent"], "bad_mock", "--mock 'intent' is not of the form NAME=JSON"),
        (["=1"], "bad_mock", "is not of the form"),
        (['clarify="a"', 'clarify="b"'], "bad_mock", "names 'clarify' twice"),
        (["intent={"], "json_malformed", "--mock intent: text is not JSON"),
        (["intent=@nowhere.json"], "unreadable_file", "--mock intent: 'nowhere.json' cannot"),
        (
            ['order_status="a"', 'find_order={"order_id": "a", "state": "shipped"}'],
            "unused_stand_in",
            "nobody calls 'find_order' once its callers have stand-ins",
        ),
    ],
)
def test_a_mock_that_has_no_effect_is_refused(
    cli: Program, mocks: list[str], code: str, message: str
) -> None:
    """A name that nobody calls, a form that nobody reads: nothing is ignored."""
    words = [word for mock in mocks for word in ("--mock", mock)]
    ended = cli("run", f"{SHOP}:support", "--input", QUESTION, *words, "--json")

    assert ended.code == 2
    assert ended.json["error"]["code"] == code
    assert message in ended.json["error"]["message"]


def test_a_mock_may_be_read_from_stdin(cli: Program) -> None:
    """What an option's advice names, it reads."""
    cli.write("one.py", ONE)
    words = ("--mock", "inner=-", "--input", '{"text": "a"}')
    ended = cli("run", "one.py:outer", *words, stdin=b'"from stdin"')

    assert (ended.code, ended.out) == (0, '"from stdin"\n')


def test_stdin_is_read_once(cli: Program) -> None:
    """The second of two readers would find nothing, and blame the text."""
    cli.write("one.py", ONE)
    words = ("--mock", "inner=-", "--input", "-", "--json")
    ended = cli("run", "one.py:outer", *words, stdin=b'"from stdin"')

    assert (ended.code, ended.json["error"]["code"]) == (2, "bad_usage")
    assert "--mock inner and --input read stdin" in ended.json["error"]["message"]


ONE = """
from fishplate import agent, workflow


@agent
async def inner(text: str) -> str:
    return text


@workflow
async def outer(text: str) -> str:
    return await inner(text)
"""
