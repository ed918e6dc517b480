"""`fishplate run --store`: the run is kept, its id is said, its end is in the exit code."""

import sqlite3
from typing import Any

import pytest

from tests.cli.conftest import SAMPLES, Program

BANK = SAMPLES / "bank.py"
STORE = "sqlite:///runs.db"
ORDER = '{"order_id": "#W1"}'


def _runs(cli: Program) -> list[tuple[Any, ...]]:
    store = sqlite3.connect(cli.folder / "runs.db")
    found = store.execute("SELECT id, state, attention FROM run ORDER BY id").fetchall()
    store.close()
    return found


def test_a_run_is_kept(cli: Program) -> None:
    """With a store the run stands there as it ended; its output alone is on stdout."""
    ended = cli("run", f"{BANK}:refund", "-i", ORDER, "--store", STORE)

    ((run_id, state, _),) = _runs(cli)
    assert (ended.code, ended.out, state) == (0, '"paid 5"\n', "succeeded")
    assert ended.err == f"run {run_id} succeeded, kept in {STORE}\n"


def test_with_json_a_kept_run_tells_its_id_and_its_state(cli: Program) -> None:
    """`--json` gives the id under which the store knows the run."""
    ended = cli("run", f"{BANK}:refund", "-i", ORDER, "--store", STORE, "--json")

    assert _runs(cli) == [(ended.json["run_id"], ended.json["state"], None)]


def test_a_failed_run_is_kept(cli: Program) -> None:
    """A failure is kept too, and ends with 1."""
    ended = cli("run", f"{BANK}:failing", "--store", STORE, "--durability", "normal")

    assert ended.code == 1
    assert [row[1] for row in _runs(cli)] == ["failed"]


def test_a_run_that_needs_attention_says_what_to_do_next(cli: Program) -> None:
    """A run that nobody can end by himself ends with 3, and names the command that helps."""
    cli.write("lost", "")
    ended = cli("run", f"{BANK}:refund", "-i", ORDER, "--store", STORE)

    assert (ended.code, ended.out) == (3, "")
    assert "error[unknown_outcome]" in ended.err
    assert f"fishplate runs attention --store {STORE}" in ended.err
    assert [row[1:] for row in _runs(cli)] == [("needs_attention", "unknown_outcome")]
    (cli.folder / "runs.db").unlink()
    found = cli("run", f"{BANK}:refund", "-i", ORDER, "--store", STORE, "--json").json
    assert (found["state"], found["store"]) == ("needs_attention", STORE)
    assert "fishplate runs attention" in found["remedy"]


def test_the_store_of_the_app_is_used(cli: Program) -> None:
    """An app that keeps its runs keeps those of the command line too."""
    cli.write(
        "kept.py",
        "from fishplate import App, agent\n@agent\nasync def one() -> int:\n    return 1\n"
        f"app = App(one, store='{STORE}')\n",
    )
    ended = cli("run", "kept.py:one")

    assert (ended.code, ended.out) == (0, "1\n")
    assert [row[1] for row in _runs(cli)] == ["succeeded"]


def test_open_runs_are_left_as_they_are(cli: Program) -> None:
    """One run is started, and no other one is taken up beside it."""
    cli("run", f"{BANK}:refund", "-i", ORDER, "--store", STORE)
    store = sqlite3.connect(cli.folder / "runs.db")
    store.execute("UPDATE run SET state = 'running'")
    store.commit()
    store.close()
    ended = cli("run", f"{BANK}:failing", "--store", STORE)

    assert ended.code == 1
    assert [row[1] for row in _runs(cli)] == ["running", "failed"]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--store", "runs.db"], "bad_store"),
        (["--store", STORE, "--mock", 'lookup={"order_id": "a", "total": 1}'], "mocked_store"),
        (["--durability", "full"], "missing_store"),
    ],
)
def test_what_cannot_be_kept_is_refused(cli: Program, options: list[str], code: str) -> None:
    """A store that is none, stand-ins in a kept run, a durability of nothing: no run begins."""
    ended = cli("run", f"{BANK}:refund", "-i", ORDER, *options, "--json")

    assert (ended.code, ended.json["error"]["code"]) == (2, code)
    assert not list(cli.folder.iterdir())
