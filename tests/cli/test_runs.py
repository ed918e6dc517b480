"""`fishplate runs` and what stands below it: what a store keeps, for people and for programs."""

import json
import sqlite3

import pytest

from tests.cli.conftest import SAMPLES, SECONDS, Program

BANK = SAMPLES / "bank.py"
STORE = "sqlite:///runs.db"
HERE = ("--store", STORE)


def refund(cli: Program, order: str = "#W1", *, is_lost: bool = False) -> str:
    """Refund an order in the store; the id of the run."""
    if is_lost:
        cli.write("lost", "")
    ended = cli("run", f"{BANK}:refund", "-i", json.dumps({"order_id": order}), *HERE, "--json")
    (cli.folder / "lost").unlink(missing_ok=True)
    run_id: str = ended.json["run_id"]
    return run_id


def change(cli: Program, statement: str) -> None:
    """Change the store as a crash might have left it."""
    store = sqlite3.connect(cli.folder / "runs.db")
    store.execute(statement)
    store.commit()
    store.close()


def test_runs_are_listed_newest_first(cli: Program) -> None:
    """The list tells of each run what it is, where it stands and how long it took."""
    first, second = refund(cli), refund(cli, is_lost=True)
    ended = cli("runs", *HERE)

    head, *rows = ended.out.splitlines()
    assert (ended.code, head.split()) == (
        0,
        ["ID", "AGENT", "STATE", "STARTED", "TOOK", "ATTENTION"],
    )
    assert [row.split()[:3] for row in rows] == [
        [second, "refund", "needs_attention"],
        [first, "refund", "succeeded"],
    ]
    assert rows[0].endswith("unknown_outcome")


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ([], 3),
        (["--state", "failed"], 1),
        (["--state", "failed", "--state", "succeeded"], 3),
        (["--agent", "refund"], 2),
        (["--agent", "refund", "--limit", "1"], 1),
        (["--state", "cancelled"], 0),
    ],
)
def test_the_list_is_filtered(cli: Program, options: list[str], count: int) -> None:
    """States, agent and number restrict the list together."""
    refund(cli)
    refund(cli)
    cli("run", f"{BANK}:failing", *HERE)
    ended = cli("runs", *HERE, *options, "--json")

    assert (ended.code, len(ended.json["runs"])) == (0, count)


def test_a_run_is_shown_whole(cli: Program) -> None:
    """A run is shown with its input, its steps in order, its effects and its outcome."""
    run_id = refund(cli)
    found = cli("runs", "show", run_id, *HERE, "--json").json

    assert (found["state"], found["input"]) == ("succeeded", {"order_id": "#W1"})
    assert found["outcome"] == {"output": "paid 5", "reasons": []}
    assert [(step["n"], step["key"], step["kind"]) for step in found["steps"]] == [
        (1, "lookup", "value"),
        (2, "pay", "value"),
    ]
    (effect,) = found["effects"]
    assert (effect["tool"], effect["state"], effect["attempts"]) == ("pay", "succeeded", 1)
    assert effect["arguments"] == {"order_id": "#W1", "total": 5}
    text = cli("runs", "show", run_id, *HERE).out
    for part in (run_id, '{"order_id":"#W1"}', "step 1 lookup", "is succeeded", '"paid 5"'):
        assert part in text


def test_what_needs_a_person_comes_with_the_evidence(cli: Program) -> None:
    """An unknown outcome is listed with tool, arguments, times, attempts and what decides it."""
    refund(cli)
    run_id = refund(cli, is_lost=True)
    ended = cli("runs", "attention", *HERE, "--json")

    (found,) = ended.json["attention"]
    (effect,) = found["unknown"]
    assert (ended.code, found["id"], found["attention"]) == (3, run_id, "unknown_outcome")
    assert (effect["tool"], effect["attempts"]) == ("pay", 1)
    assert effect["arguments"] == {"order_id": "#W1", "total": 5}
    assert effect["last_dispatch_ms"] >= effect["first_dispatch_ms"] > 0
    assert f"fishplate runs decide {effect['key']}" in found["remedies"][0]
    assert effect["key"] in cli("runs", "attention", *HERE).out


def test_nothing_that_needs_a_person_is_code_0(cli: Program) -> None:
    """A script can ask by the exit code whether somebody has to decide."""
    refund(cli)

    ended = cli("runs", "attention", *HERE)
    assert (ended.code, ended.out, ended.err) == (0, "", "no run needs attention\n")


@pytest.mark.parametrize(
    "reason",
    [
        "diverged",
        "recovery_limit",
        "plan_changed",
        "release_changed",
        "unknown_agent",
        "input_refused",
    ],
)
def test_every_reason_comes_with_what_can_be_done(cli: Program, reason: str) -> None:
    """A run that could not go on says why, and how it may go on or be given up."""
    run_id = refund(cli)
    change(cli, f"UPDATE run SET state = 'needs_attention', attention = '{reason}'")
    out = cli("runs", "attention", *HERE).out

    assert f"  {reason}: " in out
    assert f"fishplate runs reopen {run_id}" in out
    assert f"fishplate runs cancel {run_id}" in out


def test_open_runs_go_on(cli: Program) -> None:
    """An open run goes on with the target's app; what was recorded does not run again."""
    run_id = refund(cli)
    change(cli, "UPDATE run SET state = 'running', ended_ms = NULL, outcome = NULL")
    ended = cli("runs", "resume", f"{BANK}:refund", *HERE, "--json")

    (row,) = ended.json["runs"]
    assert (ended.code, row["id"], row["state"]) == (0, run_id, "succeeded")
    assert (cli.folder / "lookups").read_text() == "#W1\n"
    assert len((cli.folder / "charges").read_text().split()) == 1


def test_the_gravest_end_is_the_exit_code(cli: Program) -> None:
    """Where one resumed run succeeds and one needs somebody, the command ends with 3."""
    refund(cli)
    refund(cli, "#W2")
    change(cli, "UPDATE run SET state = 'running', ended_ms = NULL, outcome = NULL")
    change(
        cli,
        "UPDATE effect SET state = 'dispatched' WHERE run = (SELECT max(id) FROM run)",
    )
    change(cli, "DELETE FROM step WHERE run = (SELECT max(id) FROM run) AND key = 'pay'")
    ended = cli("runs", "resume", f"{BANK}:refund", *HERE)

    assert ended.code == 3
    assert [line.split()[2] for line in ended.out.splitlines()] == [
        "STATE",
        "needs_attention",
        "succeeded",
    ]


@pytest.mark.parametrize(
    ("options", "state"), [([], "succeeded"), (["--exact"], "needs_attention")]
)
def test_a_person_is_told_which_agent_is_another_one(
    cli: Program, options: list[str], state: str
) -> None:
    """With `--exact` a compatible release stops the run, and `runs attention` names the agent."""
    run_id = refund(cli)
    change(cli, "UPDATE run SET state = 'running', ended_ms = NULL, outcome = NULL")
    change(cli, 'UPDATE document SET data = replace(data, \'"label":"0.0.0\', \'"label":"0.0.9\')')
    cli("runs", "resume", f"{BANK}:refund", *HERE, *options)

    (row,) = cli("runs", *HERE, "--json").json["runs"]
    assert (row["id"], row["state"]) == (run_id, state)
    out = cli("runs", "attention", *HERE).out
    assert ("0.0.9+fp." in out and "resume='exact'" in out) == bool(options)


def test_nothing_to_resume_is_said(cli: Program) -> None:
    """A store without open runs is no failure."""
    refund(cli)

    ended = cli("runs", "resume", f"{BANK}:refund", *HERE)
    assert (ended.code, ended.out, ended.err) == (0, "", f"no run is open in {STORE}\n")


def test_a_run_of_an_agent_that_the_app_does_not_name_is_left_alone(cli: Program) -> None:
    """The wrong target changes nothing: it is refused before any run is taken up."""
    run_id = refund(cli)
    change(cli, "UPDATE run SET state = 'running'")
    ended = cli("runs", "resume", f"{BANK}:failing", *HERE, "--json")

    assert (ended.code, ended.json["error"]["code"]) == (2, "unknown_agent")
    assert run_id in ended.json["error"]["message"]
    assert cli("runs", *HERE, "--state", "running", "--json").json["runs"]


def test_runs_are_exported_as_lines(cli: Program) -> None:
    """Each run is one line of JSON with its steps and effects, the oldest first."""
    ids = [refund(cli), refund(cli)]
    ended = cli("runs", "export", *HERE)

    found = [json.loads(line) for line in ended.out.splitlines()]
    assert [run["id"] for run in found] == ids
    assert [len(run["steps"]) for run in found] == [2, 2]
    assert cli("runs", "export", *HERE, "--json").json == {"runs": found}


def test_a_store_is_read_beside_the_process_that_drives_it(cli: Program) -> None:
    """Looking takes no lock, and what a killed process has kept is still there to be seen."""
    run_id = refund(cli)
    cli.write(
        "driving.py",
        "import asyncio, sys\n"
        "from fishplate import App, agent\n\n"
        "@agent\n"
        "async def waits() -> None:\n"
        "    print('driving', file=sys.stderr, flush=True)\n"
        "    await asyncio.sleep(600)\n",
    )
    process = cli.process("run", "driving.py:waits", *HERE)
    try:
        assert process.stderr is not None
        while process.stderr.readline() != "driving\n":
            assert process.poll() is None
        beside = cli("runs", *HERE, "--agent", "refund", "--json")
        refused = cli("run", f"{BANK}:failing", *HERE, "--json")
        process.kill()
    finally:
        process.communicate(timeout=SECONDS)
    after = cli("runs", *HERE, "--agent", "refund", "--json")

    assert refused.json["error"]["code"] == "store_locked"
    for ended in (beside, after):
        assert [row["id"] for row in ended.json["runs"]] == [run_id]


@pytest.mark.parametrize("words", [["runs"], ["runs", "export"], ["runs", "attention"]])
def test_a_damaged_store_is_said(cli: Program, words: list[str]) -> None:
    """Where the file is damaged no half answer is given."""
    refund(cli)
    change(cli, "PRAGMA journal_mode = DELETE")
    path = cli.folder / "runs.db"
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))
    ended = cli(*words, *HERE, "--json")

    assert (ended.code, ended.json["error"]["code"]) == (2, "corrupt_store")


def test_a_store_that_nobody_made_is_called_that(cli: Program) -> None:
    """A missing file and an empty one are told apart from one that cannot be read."""
    missing = cli("runs", "--store", "sqlite:///nowhere.db")
    cli.write("empty.db", "")
    empty = cli("runs", "--store", "sqlite:///empty.db")

    assert (missing.code, "there is no store at 'nowhere.db'" in missing.err) == (2, True)
    assert (empty.code, "is an empty file" in empty.err) == (2, True)


def test_long_values_are_shown_short_and_printed_whole_as_json(cli: Program) -> None:
    """A run of large values still fits a screen; nothing is cut for programs."""
    run_id = refund(cli, "#" + "W" * 10_000)
    shown = cli("runs", "show", run_id, *HERE)
    whole = cli("runs", "show", run_id, *HERE, "--json").json

    assert max(map(len, shown.out.splitlines()[:4])) < 600
    assert "--json prints them all" in shown.out
    assert whole["input"] == {"order_id": "#" + "W" * 10_000}
