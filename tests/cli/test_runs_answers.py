"""What runs wait for is answered from the command line: by whom, once, and in the right shape."""

import sqlite3

import pytest

from tests.cli.conftest import Ended, Program

SHOP = """
from pydantic import BaseModel

from fishplate import App, Rejected, agent, approval, route, sleep, tool, wait_for, workflow


class Parcel(BaseModel):
    number: str


@tool(effect="idempotent", scopes=["payments:write"])
async def pay(order: str) -> str:
    return f"paid {order}"


@agent
async def say_no(rejected: Rejected) -> str:
    return f"{rejected.reason} by {rejected.by}: {rejected.note}"


@agent
async def same(text: str) -> str:
    return text


@agent
async def take(parcel: Parcel) -> str:
    return f"took {parcel.number}"


@workflow(tools=[pay])
async def refund(order: str) -> str:
    paid = await approval(pay(order), roles=["lead"], within=3600)
    return await route(same, say_no, on=paid)


@workflow
async def arrival(order: str) -> str:
    parcel = await wait_for("parcel", Parcel)
    return await take(parcel)


app = App(refund, arrival, store="sqlite:///runs.db")
"""
BARE = """
from fishplate import agent


@agent
async def f() -> int:
    return 1
"""
HERE = ("--store", "sqlite:///runs.db")
LEAD = ("--as", "ann", "--role", "lead")
ORDER = ("--input", '{"order": "#W1"}')


@pytest.fixture(autouse=True)
def _shop(cli: Program) -> None:
    cli.write("shop.py", SHOP)


def started(cli: Program, workflow: str, *words: str) -> str:
    """A run that waits; its id."""
    ended = cli("run", f"shop.py:{workflow}", *ORDER, "--as", "bob", *words, "--json")
    assert (ended.code, ended.json["state"]) == (4, "waiting")
    run_id: str = ended.json["run_id"]
    return run_id


def resumed(cli: Program) -> Ended:
    """The store is opened by its app."""
    return cli("runs", "resume", "shop.py:app", "--json")


def output(cli: Program, run_id: str) -> str:
    """What a run gave."""
    found: str = cli("runs", "show", run_id, *HERE, "--json").json["outcome"]["output"]
    return found


def dump(cli: Program) -> list[str]:
    """All that the store holds."""
    store = sqlite3.connect(cli.folder / "runs.db")
    found = list(store.iterdump())
    store.close()
    return found


def test_an_approved_run_goes_on_when_its_store_is_opened(cli: Program) -> None:
    """Approved while nobody drives the store, the run is ready, and the next life pays."""
    run_id = started(cli, "refund")
    approved = cli("runs", "approve", run_id, *HERE, *LEAD)
    resumption = resumed(cli)

    assert (approved.code, approved.out) == (0, f"run {run_id} is queued\n")
    assert resumption.code == 0
    assert output(cli, run_id) == "paid #W1"


def test_a_run_shows_who_decided_what_about_it(cli: Program) -> None:
    """Name, action and note of whoever decided stand on the run, in words and as JSON."""
    run_id = started(cli, "refund")
    cli("runs", "approve", run_id, *HERE, *LEAD, "--note", "as agreed")
    shown = cli("runs", "show", run_id, *HERE)
    [row] = cli("runs", "show", run_id, *HERE, "--json").json["audit"]

    assert "by 'ann': approve" in shown.out
    assert "as agreed" in shown.out
    assert (row["principal"], row["action"], row["subject"]) == ("ann", "approve", run_id)


def test_a_rejected_run_hears_by_whom_and_why(cli: Program) -> None:
    """A rejection is a value of the workflow, with the name and the note."""
    run_id = started(cli, "refund")
    cli("runs", "reject", run_id, "approval", *HERE, *LEAD, "--note", "too much")
    resumed(cli)

    assert output(cli, run_id) == "rejected by ann: too much"


def test_a_signalled_run_gets_what_the_signal_carries(cli: Program) -> None:
    """The value is read from the command line, and given to the step that waited."""
    run_id = started(cli, "arrival")
    sent = cli("runs", "signal", run_id, "parcel", '{"number": "P1"}', *HERE, "--as", "dock")
    resumed(cli)

    assert (sent.code, sent.out) == (0, f"run {run_id} is queued\n")
    assert output(cli, run_id) == "took P1"


def test_a_run_without_its_answer_waits_on(cli: Program) -> None:
    """Who resumes a store does not wait for persons: the exit code says that a run waits."""
    run_id = started(cli, "refund")
    resumption = resumed(cli)

    assert resumption.code == 4
    assert [row["state"] for row in resumption.json["runs"]] == ["waiting"]
    assert cli("runs", "approve", run_id, *HERE, *LEAD).code == 0


def test_what_a_run_waits_for_is_shown_with_the_command_that_answers(cli: Program) -> None:
    """Step, arguments and roles are shown, and a command line that only lacks the name."""
    run_id = started(cli, "refund")
    shown = cli("runs", "show", run_id, *HERE)
    (wait,) = cli("runs", "show", run_id, *HERE, "--json").json["waits"]

    assert """for a decision of lead about 'pay' with {"order":"#W1"}""" in shown.out
    assert (
        f"fishplate runs approve|reject {run_id} approval --store sqlite:///runs.db "
        "--as NAME --role lead" in shown.err
    )
    assert (wait["step"], wait["kind"], wait["roles"]) == ("approval", "approval", ["lead"])
    assert wait["arguments"] == {"order": "#W1"}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["approve", "none", *LEAD], "unknown_run"),
        (["signal", "none", "parcel", "{}", *LEAD], "unknown_run"),
        (["approve", "REFUND", "pay", *LEAD], "not_waiting"),
        (["approve", "ARRIVAL", *LEAD], "not_waiting"),
        (["approve", "REFUND", "--as", "eve", "--role", "clerk"], "decision_denied"),
        (["reject", "REFUND", "--as", "eve"], "decision_denied"),
        (["approve", "REFUND", "--as", "bob", "--role", "lead"], "decision_denied"),
        (["signal", "ARRIVAL", "parcel", '{"number": 1}', *LEAD], "invalid_input"),
        (["signal", "ARRIVAL", "parcel", "{", *LEAD], "json_malformed"),
        (["signal", "ARRIVAL", "letter", "{}", *LEAD], "unknown_signal"),
        (["approve", "REFUND"], "bad_usage"),
    ],
)
def test_a_wrong_answer_changes_nothing(cli: Program, words: list[str], code: str) -> None:
    """An unknown run, a wrong shape, somebody without the role or the one who asked: code 2."""
    names = {"REFUND": started(cli, "refund"), "ARRIVAL": started(cli, "arrival")}
    before = dump(cli)
    ended = cli("runs", *(names.get(word, word) for word in words), *HERE, "--json")

    assert (ended.code, ended.json["error"]["code"]) == (2, code)
    assert dump(cli) == before


def test_a_decision_is_used_once(cli: Program) -> None:
    """The second approval of the same step is refused."""
    run_id = started(cli, "refund")
    cli("runs", "approve", run_id, *HERE, *LEAD)
    again = cli("runs", "reject", run_id, *HERE, *LEAD, "--json")

    assert (again.code, again.json["error"]["code"]) == (2, "not_waiting")


def test_a_waiting_run_is_cancelled(cli: Program) -> None:
    """A run that was given up waits for nothing any more."""
    run_id = started(cli, "refund")
    cancelled = cli("runs", "cancel", run_id, *HERE, *LEAD)
    late = cli("runs", "approve", run_id, *HERE, *LEAD, "--json")

    assert (cancelled.code, cancelled.out) == (0, f"run {run_id} is cancelled\n")
    assert (late.code, late.json["error"]["code"]) == (2, "not_waiting")


def test_a_repeated_start_under_a_key_is_the_same_run(cli: Program) -> None:
    """Under a used key the run of then is told: waiting first, and with its output at the end."""
    run_id = started(cli, "refund", "--key", "r1")
    assert started(cli, "refund", "--key", "r1") == run_id
    cli("runs", "approve", run_id, *HERE, *LEAD)
    ended = cli("run", "shop.py:refund", *ORDER, "--as", "bob", "--key", "r1", "--json")
    other = ("--input", '{"order": "#W2"}', "--as", "bob", "--key", "r1", "--json")
    refused = cli("run", "shop.py:refund", *other)

    assert (ended.code, ended.json["run_id"], ended.json["output"]) == (0, run_id, "paid #W1")
    assert (refused.code, refused.json["error"]["code"]) == (2, "idempotency_conflict")


def test_a_key_needs_a_store(cli: Program) -> None:
    """Without a store nothing could be remembered under the key."""
    cli.write(
        "bare.py", "from fishplate import agent\n\n@agent\nasync def f() -> int:\n    return 1"
    )
    ended = cli("run", "bare.py:f", "--key", "k", "--json")

    assert (ended.code, ended.json["error"]["code"]) == (2, "missing_store")
