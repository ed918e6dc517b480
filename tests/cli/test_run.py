"""`fishplate run`: the output on stdout, everything else on stderr, the end in the exit code."""

import json
import re

import pytest

from tests.cli.conftest import SHOP, Program

QUESTION = json.dumps({"text": "where is my order?"})
RESOURCEFUL = """
from contextlib import contextmanager
from fishplate import App, agent, current

class Database: ...

@contextmanager
def opened():
    print("opened")
    yield Database()
    print("closed")

@agent
async def ask(number: int) -> str:
    return type(current().resource(Database)).__name__

app = App(ask, resources={Database: opened})
"""


def test_the_output_alone_stands_on_stdout(cli: Program) -> None:
    """In a pipe, stdout is the output as one line of JSON and nothing else."""
    ended = cli("run", f"{SHOP}:support", "--input", QUESTION)

    assert (ended.code, ended.out, ended.err) == (0, '"order W1 is shipped"\n', "")


@pytest.mark.parametrize(("value", "says"), [("2**60", "2^53"), ("'\\ud800'", "surrogate")])
def test_an_output_that_readers_of_json_disagree_on_is_no_output(
    cli: Program, value: str, says: str
) -> None:
    """The edge of the program holds the rule that its own reader of JSON holds."""
    returned = "int" if value.startswith("2") else "str"
    cli.write(
        "large.py",
        f"from fishplate import agent\n@agent\nasync def made() -> {returned}:\n"
        f"    return {value}\n",
    )
    ended = cli("run", "large.py:made")

    assert (ended.code, ended.out) == (1, "")
    assert "error[invalid_output]: the output of agent 'made' breaks its contract" in ended.err
    assert says in ended.err


def test_with_json_the_run_comes_with_its_output(cli: Program) -> None:
    """`--json` gives one document: how the run ended, its ids and its release."""
    ended = cli("run", f"{SHOP}:support", "--input", QUESTION, "--json")

    assert ended.code == 0
    assert ended.json.pop("run_id")
    found = ended.json
    assert found["state"] == "succeeded"
    assert found["output"] == "order W1 is shipped"
    assert found["degraded"] == []
    assert found["release"].startswith("1.0.0+fp.")
    assert len(found["trace_id"]) == 32


def test_an_input_comes_from_a_file(cli: Program) -> None:
    """`@` reads the input from a file."""
    cli.write("question.json", QUESTION)

    assert cli("run", f"{SHOP}:support", "-i", "@question.json").out == '"order W1 is shipped"\n'


def test_an_input_comes_from_stdin(cli: Program) -> None:
    """`-` reads the input from stdin."""
    ended = cli("run", f"{SHOP}:support", "--input", "-", stdin=QUESTION.encode())

    assert ended.out == '"order W1 is shipped"\n'


def test_an_agent_that_needs_nothing_runs_without_input(cli: Program) -> None:
    """Where every parameter has a default, no input is the empty object."""
    assert cli("run", f"{SHOP}:count").out == "3\n"


def test_an_agent_that_needs_an_input_does_not_run_without(cli: Program) -> None:
    """A missing input is bad usage, and is never made up."""
    ended = cli("run", f"{SHOP}:support")

    assert ended.code == 2
    assert "error[missing_input]: workflow 'support' needs --input." in ended.err
    assert f"'fishplate contract {SHOP}:support'" in ended.err


def test_what_user_code_prints_does_not_reach_stdout(cli: Program) -> None:
    """Prints of a body go to stderr, so that stdout stays the output alone."""
    ended = cli("run", f"{SHOP}:count", "--json")

    assert ended.json["output"] == 3
    assert ended.err == "counting\n"


def test_a_tool_runs_like_an_agent(cli: Program) -> None:
    """A tool is a target too; its object of parameters is the input."""
    ended = cli("run", f"{SHOP}:find_order", "--input", '{"order_id": "W1"}')

    assert ended.json == {"order_id": "W1", "state": "shipped"}


def test_a_degraded_run_succeeds_and_says_so(cli: Program) -> None:
    """A degraded answer exits with 0, and stderr says what happened, from where and how old."""
    ended = cli("run", f"{SHOP}:shipping", "--input", '{"order_id": "W1"}')

    assert (ended.code, ended.out) == (0, '"W1 arrives tomorrow"\n')
    assert ended.err.startswith("degraded: estimated in step ")
    assert ended.err.endswith(", answered by history, 90 s old\n")


def test_a_degraded_run_says_so_in_its_document(cli: Program) -> None:
    """With `--json` the reasons stand in the document."""
    ended = cli("run", f"{SHOP}:shipping", "--input", '{"order_id": "W1"}', "--json")

    assert (ended.code, ended.json["state"]) == (0, "degraded")
    [reason] = ended.json["degraded"]
    assert (reason["reason"], reason["source"], reason["age"]) == ("estimated", "history", 90)


def test_a_failure_tells_code_and_step(cli: Program) -> None:
    """A failed run exits with 1 and names the code and the step; stdout stays empty."""
    ended = cli("run", f"{SHOP}:carrier", "--input", '{"order_id": "W1"}')

    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("error[busy]: no time for W1\n  in step 'carrier' (")


def test_a_failure_is_a_typed_object(cli: Program) -> None:
    """With `--json` the error stands on stdout, with its class, beside the ids of the run."""
    ended = cli("run", f"{SHOP}:carrier", "--input", '{"order_id": "W1"}', "--json")

    assert (ended.code, ended.json["state"]) == (1, "failed")
    assert ended.json["error"]["code"] == "busy"
    assert ended.json["error"]["class"] == "overload"
    assert ended.json["run_id"]


def test_a_declared_error_carries_its_data(cli: Program) -> None:
    """An error of the contract is told with the fields that the contract declares."""
    document = json.dumps({"text": "where is my order?", "order_id": "W2"})
    ended = cli("run", f"{SHOP}:support", "--input", document, "--json")

    assert (ended.code, ended.json["state"]) == (1, "failed")
    assert ended.json["error"]["code"] == "not_found"
    assert ended.json["error"]["declared"] == {"error": "not_found", "order_id": "W2"}


def test_a_declared_error_is_readable(cli: Program) -> None:
    """A person reads the code and the fields of an error that the contract declares."""
    ended = cli("run", f"{SHOP}:find_order", "--input", '{"order_id": "W2"}')

    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("error[not_found]: not_found, order_id='W2'\n")


def test_a_failed_step_tells_its_facts(cli: Program) -> None:
    """What belongs to a code, such as the limit that was reached, is told line by line."""
    cli.write(
        "slow.py",
        "import asyncio\nfrom fishplate import Policy, agent\n\n"
        "@agent(policy=Policy(timeout=0.01))\nasync def slow() -> int:\n"
        "    await asyncio.sleep(20)\n    return 1\n",
    )
    ended = cli("run", "slow.py:slow")

    assert ended.code == 1
    assert ended.err.startswith("error[step_timeout]: ")
    assert "\n  step: slow (slow.py:4)\n  timeout: 0.01\n" in ended.err


def test_a_bug_is_told_without_a_traceback(cli: Program) -> None:
    """A body's own exception becomes an error with step and place; `--debug` adds the traceback."""
    document = '{"order_id": "W1"}'
    quiet = cli("run", f"{SHOP}:broken", "--input", document)
    loud = cli("run", f"{SHOP}:broken", "--input", document, "--debug")

    assert (quiet.code, loud.code) == (1, 1)
    assert "error[bug]: step 'broken' failed: agent 'broken' raised IndexError" in quiet.err
    assert "--debug shows the traceback" in quiet.err
    assert "IndexError: string index out of range" in loud.err


def test_a_body_cannot_end_the_program(cli: Program) -> None:
    """`sys.exit()` in a body is a failure of the run and no exit code of ours."""
    ended = cli("run", f"{SHOP}:leaving")

    assert ended.code == 1
    assert ended.err.startswith("error[unexpected]: the code that ran called sys.exit(7)")


def test_a_body_that_raises_more_than_an_error_is_no_traceback(cli: Program) -> None:
    """What no error handling catches ends in one line too."""
    cli.write(
        "odd.py",
        "from fishplate import agent\n\nclass Odd(BaseException): ...\n\n"
        "@agent\nasync def odd() -> int:\n    raise Odd('very')\n",
    )
    ended = cli("run", "odd.py:odd")

    assert ended.code == 1
    assert ended.err.startswith("error[unexpected]: Odd: very\n  help: --debug shows")


def test_a_trace_tells_what_happened(cli: Program) -> None:
    """`--trace` prints ids, release and every span with its decisions to stderr."""
    ended = cli("run", f"{SHOP}:support", "--input", QUESTION, "--trace")

    head, *lines = ended.err.splitlines()
    assert [word for word in head.split() if word.isalpha()] == ["run", "trace", "release"]
    assert [" ".join(line.split()[:2]) for line in lines] == [
        "workflow support",
        "agent intent",
        "decision route",
        "agent order_status",
        "tool find_order",
    ]
    assert ended.out == '"order W1 is shipped"\n'


def test_a_trace_tells_why_an_answer_is_degraded(cli: Program) -> None:
    """The trace shows the failed call, the decision for the fallback, and its reason."""
    ended = cli("run", f"{SHOP}:shipping", "--input", '{"order_id": "W1"}', "--trace")

    assert "error busy" in ended.err
    assert "decision fallback → estimate" in ended.err
    assert "estimated (from history, 90.0 s old)" in ended.err


def test_a_trace_in_a_document_is_a_tree(cli: Program) -> None:
    """With `--json` the spans stand in the document, children below their parents."""
    ended = cli("run", f"{SHOP}:support", "--input", QUESTION, "--trace", "--json")

    [root] = ended.json["trace"]
    assert (root["kind"], root["name"], root["status"]) == ("workflow", "support", "ok")
    assert [child["name"] for child in root["children"]] == [
        "intent",
        "route → Status",
        "order_status",
    ]
    assert root["children"][1]["attributes"]["reason"] == "the value is Status"
    assert root["children"][2]["children"][0]["kind"] == "tool"


def test_a_failed_run_has_a_trace_too(cli: Program) -> None:
    """What happened before a failure is what one wants to see."""
    ended = cli("run", f"{SHOP}:carrier", "--input", '{"order_id": "W1"}', "--trace")

    assert "agent carrier" in ended.err
    assert ended.code == 1


def test_the_app_of_the_module_brings_its_resources(cli: Program) -> None:
    """The one `App` in the module is the one that runs; its resources are opened and closed."""
    cli.write("resourceful.py", RESOURCEFUL)
    ended = cli("run", "resourceful.py:ask", "--input", '{"number": 1}')

    assert (ended.code, ended.out) == (0, '"Database"\n')
    assert ended.err == "opened\nclosed\n"


def test_a_wrong_input_opens_no_resource(cli: Program) -> None:
    """The input is judged before anything is opened for it."""
    cli.write("resourceful.py", RESOURCEFUL)
    ended = cli("run", "resourceful.py:ask", "--input", '{"number": "one"}')

    assert ended.code == 2
    assert "opened" not in ended.err


def test_two_apps_are_one_too_many(cli: Program) -> None:
    """Which of two apps is meant is nobody's guess."""
    cli.write("two.py", f"{RESOURCEFUL}\nother = App()\n")
    ended = cli("run", "two.py:ask", "--input", '{"number": 1}')

    assert ended.code == 2
    assert "error[several_apps]: 'two' has 2 apps" in ended.err


def test_a_resource_that_cannot_be_opened_is_no_traceback(cli: Program) -> None:
    """A resource that cannot be opened is a failure of the run, told in one line."""
    cli.write("resourceful.py", RESOURCEFUL.replace('print("opened")', "1 / 0"))
    ended = cli("run", "resourceful.py:ask", "--input", '{"number": 1}')

    assert ended.code == 1
    assert ended.err.splitlines() == [
        "error[resource_failed]: the resource 'Database' could not be opened: ZeroDivisionError",
        "  help: --debug shows the traceback",
    ]


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_an_interrupt_before_the_run_is_a_cancellation(cli: Program, form: list[str]) -> None:
    """Ctrl-C while the module is being imported exits with 130."""
    cli.write("slow.py", "raise KeyboardInterrupt")
    ended = cli("run", "slow.py:ask", *form)

    assert ended.code == 130
    assert (ended.json if form else ended.err) == (
        {"state": "cancelled"} if form else "cancelled\n"
    )


WAITING = """
from fishplate import App, agent, sleep, workflow

@agent(inline=True)
def same(text: str) -> str:
    return text

@workflow
async def later(text: str) -> str:
    await sleep(3600)
    return await same(text)

app = App(later, store="sqlite:///runs.db")
"""


def test_a_run_that_waits_ends_the_program_and_not_the_run(cli: Program) -> None:
    """The exit code is 4, there is no output, and the run's id is told to find it again."""
    cli.write("waiting.py", WAITING)

    ended = cli("run", "waiting.py:later", "--input", '{"text": "x"}')
    as_json = cli("run", "waiting.py:later", "--input", '{"text": "x"}', "--json")

    assert (ended.code, ended.out) == (4, "")
    assert re.fullmatch(
        r"run (\w+) waiting, kept in sqlite:///runs.db\n"
        r"  help: 'fishplate runs show \1 --store sqlite:///runs.db' says what it waits for\n",
        ended.err,
    )
    assert (as_json.code, as_json.json["state"]) == (4, "waiting")
    assert "output" not in as_json.json
