"""`fishplate diff`: whether a new version may take the place of the old one."""

import json

import pytest

from fishplate.core.errors import JsonValue
from tests.cli.conftest import Program

INPUT: dict[str, JsonValue] = {"order_id": "string", "reason": "enum[damaged, late]"}
OLD: dict[str, JsonValue] = {
    "agent": "refund",
    "version": "1.2.0",
    "input_schema": INPUT,
    "output_schema": {"eligible": "boolean"},
}
SOURCE = """
from typing import Literal
from pydantic import BaseModel
from fishplate import agent, tool

class Request(BaseModel):
    order_id: str
    reason: Literal["damaged", "late"]

@tool(effect="readonly", scopes=["orders:read"])
async def look(order_id: str) -> bool: ...

@agent(version="1.2.0", tools=[look])
async def refund(request: Request) -> bool: ...
"""


def changed(**changes: JsonValue) -> str:
    """The old contract's text with some keys changed."""
    return json.dumps({**OLD, **changes})


def test_equal_contracts_are_equal(cli: Program) -> None:
    """The same contract twice exits with 0."""
    cli.write("old.json", json.dumps(OLD))
    ended = cli("diff", "old.json", "old.json")

    assert ended.code == 0
    assert ended.out == "equal: refund 1.2.0 and 1.2.0 promise the same\n"


def test_a_compatible_change_exits_with_0(cli: Program) -> None:
    """A further accepted reason asks for a minor version."""
    cli.write("old.json", json.dumps(OLD))
    wider: JsonValue = {**INPUT, "reason": "enum[damaged, late, wrong_item]"}
    cli.write("new.json", changed(input_schema=wider, version="1.3.0"))
    ended = cli("diff", "old.json", "new.json")

    assert ended.code == 0
    head, *changes = ended.out.splitlines()
    assert head == "compatible, minor: refund 1.2.0, now 1.3.0"
    assert changes[0].startswith("  minor  input")


def test_a_breaking_change_exits_with_1_and_a_counterexample(cli: Program) -> None:
    """A new required field breaks callers; the document holds an input that shows it."""
    cli.write("old.json", json.dumps(OLD))
    narrower: JsonValue = {**INPUT, "days": "integer"}
    cli.write("new.json", changed(input_schema=narrower))
    ended = cli("diff", "old.json", "new.json", "--json")

    assert ended.code == 1
    assert (ended.json["compatible"], ended.json["bump"]) == (False, "major")
    assert ended.json["next_version"] == "2.0.0"
    [change] = ended.json["changes"]
    assert (change["bump"], change["side"]) == ("major", "input")
    assert set(change["counterexample"]) == {"order_id", "reason"}


def test_a_table_for_a_pull_request(cli: Program) -> None:
    """`--markdown` prints a verdict and a table, in which no text ends a cell."""
    cli.write("old.json", json.dumps(OLD))
    cli.write("new.json", changed(output_schema={"eligible": "enum[a|b, `c`]"}))
    ended = cli("diff", "old.json", "new.json", "--markdown")

    lines = ended.out.splitlines()
    assert ended.code == 1
    assert lines[0].startswith("**incompatible, major: refund 1.2.0,")
    assert lines[2:4] == ["| bump | where | what changes | counterexample |", "|---|---|---|---|"]
    [row] = lines[4:]
    assert row.replace("\\|", "").count("|") == 5
    assert row.startswith("| major | output")


def test_a_target_is_compared_with_a_saved_contract(cli: Program) -> None:
    """What `fishplate contract` printed before a change is compared with the code after it."""
    path = cli.write("shop.py", SOURCE)
    cli.write("saved.json", cli("contract", "shop.py:refund").out)
    path.write_text(SOURCE.replace('"late"', '"late", "lost"'), encoding="utf-8")
    ended = cli("diff", "saved.json", "shop.py:refund")

    assert ended.code == 0
    assert ended.out.startswith("equal")


def test_two_files_of_the_same_name_are_compared(cli: Program) -> None:
    """Two checkouts hold modules of the same names, and each side sees its own."""
    cli.write("old/shop.py", SOURCE)
    cli.write("new/shop.py", SOURCE.replace('"late"', '"late", "lost"'))
    ended = cli("diff", "old/shop.py:refund", "new/shop.py:refund", "--json")

    assert ended.code == 0
    assert ended.json["bump"] == "minor"


def test_wider_effects_of_tools_break(cli: Program) -> None:
    """A new version may not reach more data than the old one."""
    cli.write("old/shop.py", SOURCE)
    cli.write("new/shop.py", SOURCE.replace('"orders:read"', '"orders:read", "users:read"'))
    ended = cli("diff", "old/shop.py:refund", "new/shop.py:refund")

    assert ended.code == 1
    assert "  major  safety /look: tool 'look' reaches the new scopes users:read" in ended.out


def test_a_file_without_tools_says_that_they_are_not_compared(cli: Program) -> None:
    """Where one side does not know its tools, none of them counts as new, and stderr says so."""
    cli.write("old.json", json.dumps(OLD))
    cli.write("shop.py", SOURCE.replace("-> bool: ...\n\n@agent", "-> bool: ...\n\n\n@agent"))
    ended = cli("diff", "old.json", "shop.py:refund", "--json")

    assert ended.err.startswith("tools are not compared: ")
    assert not [change for change in ended.json["changes"] if change["side"] == "safety"]


@pytest.mark.parametrize(
    ("old", "code"),
    [
        ("nowhere.json", "unreadable_contract"),
        ("broken.json", "json_malformed"),
        ("no_contract.json", "invalid_contract"),
        ("bad_tools.json", "invalid_contract"),
        ("no_tools.json", "invalid_contract"),
        ("aliases.yaml", "invalid_yaml"),
        ("nowhere.py:x", "no_such_file"),
        ("refused.py:x", "no_contract"),
    ],
)
def test_what_cannot_be_compared_exits_with_2(cli: Program, old: str, code: str) -> None:
    """CI can tell a broken caller (1) from a comparison that did not happen (2)."""
    described: JsonValue = {"contract": OLD, "tools": {"pay": {"effect": 5, "scopes": []}}}
    cli.write("new.json", json.dumps(OLD))
    cli.write("broken.json", "{")
    cli.write("no_contract.json", '{"agent": "x"}')
    cli.write("bad_tools.json", json.dumps(described))
    cli.write("no_tools.json", json.dumps({"contract": OLD}))
    cli.write("aliases.yaml", "agent: &a x\nversion: *a\n")
    cli.write("refused.py", "from fishplate import agent\n\n@agent\nasync def x(y): ...\n")
    ended = cli("diff", old, "new.json", "--json")

    assert ended.code == 2
    assert ended.json["error"]["code"] == code


def test_a_yaml_contract_is_read(cli: Program) -> None:
    """YAML is as good as JSON."""
    cli.write("old.json", json.dumps(OLD))
    cli.write(
        "new.yaml",
        "agent: refund\nversion: 1.2.0\n"
        "input_schema: {order_id: string, reason: 'enum[damaged, late]'}\n"
        "output_schema: {eligible: boolean}\n",
    )

    assert cli("diff", "old.json", "new.yaml").code == 0


@pytest.mark.parametrize(
    ("version", "is_enough"), [("1.2.5", False), ("1.3.0-rc.1", False), ("1.10.0", True)]
)
def test_a_version_that_is_too_low_is_told(cli: Program, version: str, is_enough: bool) -> None:
    """The version that a change asks for is worth a word only where the new one is below it."""
    cli.write("old.json", json.dumps(OLD))
    wider: JsonValue = {**INPUT, "reason": "enum[damaged, late, wrong_item]"}
    cli.write("new.json", changed(input_schema=wider, version=version))
    ended = cli("diff", "old.json", "new.json")

    asks = f"the change asks for version 1.3.0 or later, and it is {version}"
    assert (asks in ended.out) is not is_enough
