"""Each tool and agent of the example runs from the command line, on the database that is named."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from pydantic import JsonValue

from examples.order_support.app import AGENTS, SHOP_TOOLS, database_path
from fishplate.cli import main
from tests.examples.recorded_calls import TASKS, comparable, corrected
from tests.examples.stage import LIAM, LIAMS_PENDING, LIAMS_PROCESSED
from tests.project import ROOT

TOOLS = {tool.name: tool for tool in SHOP_TOOLS}


class Terminal:
    """Runs what the app's file names, from the folder of the checkout."""

    def __init__(self, capsys: pytest.CaptureFixture[str], store: Path) -> None:
        self._capsys = capsys
        self._store = f"sqlite:///{store}"

    def run(self, name: str, document: JsonValue) -> tuple[int, JsonValue]:
        """Give the exit code, and what was printed as JSON."""
        target = f"examples/order_support/app.py:{name}"
        asked = ["--input", json.dumps(document), "--store", self._store, "--json"]
        code = main(["run", target, *asked])
        printed: JsonValue = json.loads(self._capsys.readouterr().out)
        return code, printed

    def answer(self, name: str, document: JsonValue) -> JsonValue:
        """Give the output of a run that succeeds."""
        code, printed = self.run(name, document)
        assert code == 0, printed
        assert isinstance(printed, dict)
        assert printed["state"] == "succeeded"
        return printed["output"]


@pytest.fixture
def terminal(
    database: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Terminal:
    """A terminal whose environment names the database."""
    monkeypatch.setenv("ORDER_SUPPORT_DB", str(database))
    monkeypatch.chdir(ROOT)
    return Terminal(capsys, database.with_name("runs.db"))


def _recorded() -> Iterator[tuple[str, dict[str, JsonValue], JsonValue]]:
    """A recorded call of each tool that was answered before its task changed anything."""
    left = set(TOOLS)
    for task in TASKS:
        for step in corrected(task)["steps"]:
            if step["ok"] and step["name"] in left:
                left.remove(step["name"])
                yield step["name"], step["arguments"], comparable(step["result"])
            if not _is_readonly(step["name"]):
                break


def _is_readonly(name: str) -> bool:
    effect = TOOLS[name].about.effect
    return effect is not None and effect.is_readonly


RECORDED = list(_recorded())
# In no recorded call.
UNRECORDED = {"list_all_product_types", "modify_pending_order_payment"}


@pytest.mark.parametrize(
    ("name", "arguments", "result"), RECORDED, ids=[name for name, *_ in RECORDED]
)
def test_a_tool_runs_alone(
    terminal: Terminal, name: str, arguments: dict[str, JsonValue], result: JsonValue
) -> None:
    """The tool's target prints what was recorded."""
    assert comparable(terminal.answer(name, arguments)) == result


def test_no_tool_is_left_out() -> None:
    """Beside the two that nobody recorded, every tool ran above."""
    assert {name for name, *_ in RECORDED} == set(TOOLS) - UNRECORDED


def test_the_products_are_listed(terminal: Terminal) -> None:
    """A tool without arguments takes an empty object."""
    listed = terminal.answer("list_all_product_types", {})

    assert isinstance(listed, str)
    assert len(json.loads(listed)) == 50


def test_a_payment_method_is_changed(terminal: Terminal) -> None:
    """The new payment and the refund of the old one end the order's payment history."""
    order = terminal.answer(
        "modify_pending_order_payment",
        {"order_id": "#W7941031", "payment_method_id": "paypal_8049766"},
    )

    assert isinstance(order, dict)
    assert _kinds(order["payment_history"]) == [
        "payment credit_card_9753331",
        "payment paypal_8049766",
        "refund credit_card_9753331",
    ]


def test_what_a_tool_changes_another_command_sees(terminal: Terminal) -> None:
    """The database outlives the command."""
    terminal.answer(
        "cancel_pending_order", {"order_id": LIAMS_PENDING, "reason": "no longer needed"}
    )

    order = terminal.answer("get_order_details", {"order_id": LIAMS_PENDING})

    assert isinstance(order, dict)
    assert order["status"] == "cancelled"


def test_a_refusal_is_a_typed_error(terminal: Terminal) -> None:
    """The command fails and prints the shop's own words."""
    code, printed = terminal.run("get_order_details", {"order_id": "#W0000001"})

    assert code == 1
    assert isinstance(printed, dict)
    assert printed["state"] == "failed"
    assert "Order not found" in json.dumps(printed["error"])


def test_the_workflow_runs(terminal: Terminal) -> None:
    """The workflow answers a query."""
    reply = terminal.answer(
        "support",
        {
            "text": f"What is the status of my order {LIAMS_PROCESSED}?",
            "channel": "sms",
            "customer": {"email": LIAM.email},
        },
    )

    assert reply == {
        "channel": "sms",
        "text": f"Order {LIAMS_PROCESSED} is being sent. It holds 3 items for 920.26.",
    }


def test_an_agent_runs_alone(terminal: Terminal) -> None:
    """The refund agent answers in its published form."""
    decision = terminal.answer(
        "refund_eligibility",
        {"order_id": "#W6397299", "reason_code": "damaged", "days_since_delivery": 4},
    )

    assert decision == {
        "eligible": True,
        "refund_amount": 1800.96,
        "refund_method": "original_payment",
        "explanation": "Order #W6397299 was delivered 4 days ago, within the 60 days for damaged "
        "or wrong items: the full 1800.96 goes back to the original payment method.",
    }


def test_everything_of_the_example_passes_its_check(
    terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    """All composition checks of every agent, tool and workflow in the app's file succeed."""
    assert main(["check", "examples/order_support/app.py"]) == 0

    told = capsys.readouterr().out
    assert [unit.name for unit in (*AGENTS, *SHOP_TOOLS) if unit.name not in told] == []


@pytest.mark.parametrize(
    ("cache", "path"),
    [
        ("/somewhere", "/somewhere/fishplate/order_support.db"),
        ("", "/at-home/.cache/fishplate/order_support.db"),
    ],
)
def test_by_default_the_database_is_in_the_users_cache(
    monkeypatch: pytest.MonkeyPatch, cache: str, path: str
) -> None:
    """Without a name of its own it is where the user's caches are."""
    monkeypatch.delenv("ORDER_SUPPORT_DB", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", cache)
    monkeypatch.setattr(Path, "home", lambda: Path("/at-home"))

    assert database_path() == Path(path)


def _kinds(history: JsonValue) -> Sequence[str]:
    assert isinstance(history, list)
    return [
        f"{entry['transaction_type']} {entry['payment_method_id']}"
        for entry in history
        if isinstance(entry, dict)
    ]
