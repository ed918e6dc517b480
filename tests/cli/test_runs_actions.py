"""What an operator does to kept runs: decided by name, written down, done once, or refused."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from fishplate.cli.program import main
from fishplate.journal.audit import audit_rows, first_broken
from tests.cli.conftest import Program
from tests.cli.test_runs import BANK, HERE, STORE, change, refund

ANN = ("--as", "ann", "--role", "operator")


def rows(cli: Program, query: str) -> list[tuple[Any, ...]]:
    """What stands in the store."""
    store = sqlite3.connect(cli.folder / "runs.db")
    found = store.execute(query).fetchall()
    store.close()
    return found


def unknown(cli: Program) -> tuple[str, str]:
    """A run whose payment got lost: its id, and the key of the effect."""
    run_id = refund(cli, is_lost=True)
    ((key,),) = rows(cli, f"SELECT key FROM effect WHERE run = '{run_id}'")
    return run_id, key


@pytest.mark.parametrize(
    ("decision", "state", "charges"),
    [
        (["confirm_done", "--result", '"paid by hand"'], "succeeded", 1),
        (["confirm_not_done"], "failed", 1),
        (["redo"], "succeeded", 2),
    ],
)
def test_a_decided_run_goes_on(cli: Program, decision: list[str], state: str, charges: int) -> None:
    """After the decision the run is open again, and the ledger answers the call that waited."""
    run_id, key = unknown(cli)
    decided = cli("runs", "decide", key, *decision, *HERE, *ANN, "--note", "asked the bank")
    assert (decided.code, decided.out.splitlines()[1]) == (0, f"run {run_id} is running")
    resumed = cli("runs", "resume", f"{BANK}:refund", *HERE, "--json")

    (row,) = resumed.json["runs"]
    assert (row["id"], row["state"]) == (run_id, state)
    assert len((cli.folder / "charges").read_text().split()) == charges
    assert (cli.folder / "lookups").read_text() == "#W1\n"
    outcome = cli("runs", "show", run_id, *HERE, "--json").json["outcome"]
    if decision[0] == "confirm_done":
        assert outcome["output"] == "paid by hand"
    elif decision[0] == "confirm_not_done":
        assert outcome["facts"]["code"] == "confirmed_not_done"


def test_an_effect_is_undone_at_the_next_resume(cli: Program) -> None:
    """The tool's own `compensate=` is called with arguments and result; the run stays as it is."""
    run_id = refund(cli)
    ((key,),) = rows(cli, "SELECT key FROM effect")
    decided = cli("runs", "decide", key, "compensate", *HERE, *ANN, "--note", "wrong order")
    resumed = cli("runs", "resume", f"{BANK}:refund", *HERE)
    shown = cli("runs", "show", run_id, *HERE, "--json").json

    assert resumed.out == f"effect {key} of 'pay' is compensated\n"
    assert decided.out.splitlines()[0] == f"effect {key} is compensating"
    assert (cli.folder / "returned").read_text() == "#W1: paid 5"
    assert (shown["state"], [one["state"] for one in shown["effects"]]) == (
        "succeeded",
        ["compensated", "succeeded"],
    )
    assert shown["effects"][1]["undoes"] == key
    assert rows(cli, "SELECT principal, action FROM audit") == [("ann", "compensate")]


def test_what_could_not_be_undone_is_listed(cli: Program) -> None:
    """It is on the list of what a person has to see to, with why, and is tried again on demand."""
    refund(cli)
    ((key,),) = rows(cli, "SELECT key FROM effect")
    cli.write("closed", "")
    cli("runs", "decide", key, "compensate", *HERE, *ANN)
    resumed = cli("runs", "resume", f"{BANK}:refund", *HERE)
    listed = cli("runs", "attention", *HERE)
    (cli.folder / "closed").unlink()
    cli("runs", "decide", key, "compensate", *HERE, *ANN)
    cli("runs", "resume", f"{BANK}:refund", *HERE)
    after = cli("runs", "attention", *HERE)

    assert (resumed.code, listed.code) == (3, 3)
    assert "could not be undone: " in listed.out
    assert f"fishplate runs decide {key} compensate" in listed.out
    assert after.code == 0
    assert (cli.folder / "returned").read_text() == "#W1: paid 5"


def test_a_decision_is_audited(cli: Program) -> None:
    """The audit holds who decided, with which role, what and why, in an unbroken chain."""
    _, key = unknown(cli)
    cli("runs", "decide", key, "redo", *HERE, *ANN, "--note", "asked the bank")

    store = sqlite3.connect(cli.folder / "runs.db")
    found = audit_rows(store)
    store.close()
    (row,) = found
    assert (row.principal, row.action, row.subject) == ("ann", "redo", key)
    assert row.details == {
        "from": "unknown",
        "to": "reserved",
        "note": "asked the bank",
        "roles": ["operator"],
    }
    assert first_broken(found) is None


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["decide", "ak1_none", "redo"], "unknown_effect"),
        (["decide", "KEY", "confirm_done", "--result", "5"], "contract_violation"),
        (["decide", "KEY", "confirm_done", "--result", "{"], "json_malformed"),
        (["decide", "KEY", "confirm_done"], "bad_usage"),
        (["decide", "KEY", "redo", "--result", "5"], "bad_usage"),
        (["decide", "KEY", "undo"], "bad_usage"),
        (["cancel", "none"], "unknown_run"),
        (["cancel", "DONE"], "not_allowed"),
        (["reopen", "none"], "unknown_run"),
        (["reopen", "DONE"], "not_allowed"),
        (["reopen", "RUN"], "not_allowed"),
    ],
)
def test_what_does_not_fit_changes_nothing(cli: Program, words: list[str], code: str) -> None:
    """A decision that cannot be is refused by its code, and the store stays as it was."""
    done = refund(cli)
    run_id, key = unknown(cli)
    names = {"KEY": key, "RUN": run_id, "DONE": done}
    before = _dump(cli)
    ended = cli("runs", *(names.get(word, word) for word in words), *HERE, *ANN, "--json")

    expected = {"contract_violation": "invalid_output"}.get(code, code)
    assert (ended.code, ended.json["error"]["code"]) == (2, expected)
    assert _dump(cli) == before


def test_a_decision_holds_once(cli: Program) -> None:
    """What was decided cannot be decided again."""
    _, key = unknown(cli)
    cli("runs", "decide", key, "confirm_not_done", *HERE, *ANN)
    again = cli("runs", "decide", key, "redo", *HERE, *ANN, "--json")

    assert (again.code, again.json["error"]["code"]) == (2, "not_allowed")
    assert len(rows(cli, "SELECT 1 FROM audit")) == 1


def test_who_decides_has_to_be_named(cli: Program) -> None:
    """Nobody decides without a name."""
    _, key = unknown(cli)
    ended = cli("runs", "decide", key, "redo", *HERE)

    assert ended.code == 2
    assert "--as" in ended.err


def test_an_open_run_is_cancelled(cli: Program) -> None:
    """A run that nobody drives is cancelled at once, and does not go on."""
    run_id = refund(cli)
    change(cli, "UPDATE run SET state = 'running', ended_ms = NULL, outcome = NULL")
    ended = cli("runs", "cancel", run_id, *HERE, *ANN)

    assert (ended.code, ended.out) == (0, f"run {run_id} is cancelled\n")
    assert cli("runs", "resume", f"{BANK}:refund", *HERE).out == ""


def test_a_cancelled_run_with_an_effect_on_its_way_waits_for_a_person(cli: Program) -> None:
    """What had gone out without an answer is unknown; once decided, the run ends as cancelled."""
    run_id = refund(cli)
    change(cli, "UPDATE run SET state = 'running', ended_ms = NULL, outcome = NULL")
    change(cli, "UPDATE effect SET state = 'dispatched', outcome = NULL, completed = NULL")
    ended = cli("runs", "cancel", run_id, *HERE, *ANN)
    assert ended.out == f"run {run_id} is needs_attention\n"
    ((key, state),) = rows(cli, "SELECT key, state FROM effect")
    assert state == "unknown"
    refused = cli("runs", "decide", key, "redo", *HERE, *ANN, "--json")
    assert refused.json["error"]["code"] == "not_allowed"
    decided = cli("runs", "decide", key, "confirm_done", "--result", '"paid 5"', *HERE, *ANN)

    assert decided.out.splitlines()[1] == f"run {run_id} is cancelled"
    assert len((cli.folder / "charges").read_text().split()) == 1


def test_a_run_that_could_not_go_on_is_reopened(cli: Program) -> None:
    """After what was in its way was removed, the run goes on, with its recoveries counted anew."""
    run_id = refund(cli)
    change(
        cli,
        "UPDATE run SET state = 'needs_attention', attention = 'recovery_limit', recoveries = 5",
    )
    reopened = cli("runs", "reopen", run_id, *HERE, *ANN)
    assert (reopened.code, reopened.out) == (0, f"run {run_id} is running\n")
    resumed = cli("runs", "resume", f"{BANK}:refund", *HERE, "--json")

    assert [row["state"] for row in resumed.json["runs"]] == ["succeeded"]


def test_old_runs_are_pruned(cli: Program) -> None:
    """Runs that ended go with their steps and documents; an unknown effect keeps its run."""
    refund(cli)
    kept, _ = unknown(cli)
    ended = cli("runs", "prune", "--older-than", "0", *HERE, "--json")

    assert ended.json == {"pruned": {"runs": 1, "steps": 2, "effects": 1, "documents": 0}}
    assert rows(cli, "SELECT id FROM run") == [(kept,)]
    change(cli, "UPDATE run SET state = 'failed'")
    change(cli, "UPDATE effect SET state = 'failed'")
    again = cli("runs", "prune", "--older-than", "0", *HERE, "--json")
    assert again.json == {"pruned": {"runs": 1, "steps": 1, "effects": 1, "documents": 2}}


def test_young_runs_are_not_pruned(cli: Program) -> None:
    """Only what ended longer ago than was said goes."""
    refund(cli)
    ended = cli("runs", "prune", "--older-than", "0.5", *HERE)

    assert (ended.code, ended.out) == (0, "took out 0 runs, 0 steps, 0 effects, 0 documents\n")
    assert len(rows(cli, "SELECT 1 FROM run")) == 1


def test_an_effect_whose_business_key_holds_is_not_pruned(cli: Program) -> None:
    """What keeps a second run from doing the same stays until its window is over."""
    refund(cli)
    change(cli, "UPDATE effect SET business_key = 'W1', release_business_ms = 1 << 50")
    cli("runs", "prune", "--older-than", "0", *HERE)
    assert len(rows(cli, "SELECT 1 FROM effect, run")) == 1
    change(cli, "UPDATE effect SET release_business_ms = 1")
    cli("runs", "prune", "--older-than", "0", *HERE)

    assert rows(cli, "SELECT 1 FROM effect, run") == []


def _no_store(path: Path) -> None:
    path.unlink(missing_ok=True)


def _text(path: Path) -> None:
    path.write_text("this is a text file, and not a short one either\n" * 100)


def _foreign(path: Path) -> None:
    store = sqlite3.connect(path)
    store.execute("CREATE TABLE other (x)")
    store.close()


def _future(path: Path) -> None:
    store = sqlite3.connect(path)
    store.execute("PRAGMA application_id = 1718643828")
    store.execute("PRAGMA user_version = 99")
    store.close()


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (_no_store, "store_unavailable"),
        (_text, "foreign_store"),
        (_foreign, "foreign_store"),
        (_future, "future_store"),
    ],
)
@pytest.mark.parametrize(
    "words",
    [
        ["runs"],
        ["runs", "show", "x"],
        ["runs", "attention"],
        ["runs", "export"],
        ["runs", "resume", f"{BANK}:refund"],
        ["runs", "decide", "x", "redo", *ANN],
        ["runs", "cancel", "x", *ANN],
        ["runs", "reopen", "x", *ANN],
        ["runs", "prune", "--older-than", "1"],
    ],
)
def test_a_file_that_is_no_store_is_refused(
    cli: Program, make: Any, code: str, words: list[str]
) -> None:
    """No command makes or changes a file that is not a store of this version."""
    path = cli.folder / "runs.db"
    make(path)
    before = path.read_bytes() if path.exists() else None
    ended = cli(*words, *HERE, "--json")

    assert (ended.code, ended.json["error"]["code"]) == (2, code)
    assert (path.read_bytes() if path.exists() else None) == before
    assert [found.name for found in cli.folder.iterdir()] == ([] if before is None else ["runs.db"])


@pytest.mark.parametrize("words", [["runs"], ["runs", "show", "x"], ["runs", "resume", str(BANK)]])
def test_a_store_has_to_be_named(cli: Program, words: list[str]) -> None:
    """Without a store there is nothing to look into, and the message says what to write."""
    target = [f"{word}:refund" if word == str(BANK) else word for word in words]
    ended = cli(*target, "--json")

    assert (ended.code, ended.json["error"]["code"]) == (2, "missing_store")
    assert "--store sqlite:///" in ended.json["error"]["message"]


def test_an_unknown_run_is_said(cli: Program) -> None:
    """An id that the store does not have is a wrong use."""
    refund(cli)
    ended = cli("runs", "show", "nobody", *HERE, "--json")

    assert (ended.code, ended.json["error"]["code"]) == (2, "unknown_run")


def test_a_command_below_runs_that_is_none_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong second word gets the command that was meant."""
    assert main(["runs", "shwo", "x"]) == 2
    assert "Did you mean 'runs show'?" in capsys.readouterr().err


def _dump(cli: Program) -> str:
    store = sqlite3.connect(cli.folder / "runs.db")
    found = json.dumps(list(store.iterdump()))
    store.close()
    return found


def test_the_help_of_attention_can_be_typed(cli: Program) -> None:
    """The command that the evidence comes with decides, once a name stands in it."""
    unknown(cli)
    (found,) = cli("runs", "attention", *HERE, "--json").json["attention"]
    words = found["remedies"][0].partition("fishplate ")[2]
    typed = words.replace("confirm_done|confirm_not_done|redo", "redo").replace("NAME", "ann")

    assert STORE in typed
    assert cli(*typed.split()).code == 0
