"""`fishplate contract`: what an agent promises, as a document that other commands read."""

from fishplate.contracts.contract import Contract
from tests.cli.conftest import SHOP, Program


def test_the_contract_stands_in_its_file_form(cli: Program) -> None:
    """The contract can be saved, and loads as a contract file."""
    ended = cli("contract", f"{SHOP}:order_status")

    contract = Contract.parse(ended.json["contract"])
    assert ended.code == 0
    assert (contract.name, contract.version) == ("order_status", "1.1.0")
    assert contract.output.is_valid("text")
    assert list(contract.errors) == ["not_found"]


def test_a_tool_tells_effect_and_scopes(cli: Program) -> None:
    """The declared effect of a tool is a part of what it promises."""
    ended = cli("contract", f"{SHOP}:pay")

    assert ended.json["effect"]["effect"] == "keyed"
    assert ended.json["effect"]["key_ttl"] == 60
    assert ended.json["tools"] == {"pay": {"effect": "keyed", "scopes": ["payments:write"]}}


def test_an_agent_tells_all_tools_that_its_runs_may_call(cli: Program) -> None:
    """Tools count at any depth: those of a workflow's agents too."""
    ended = cli("contract", f"{SHOP}:support")

    assert ended.json["tools"] == {"find_order": {"effect": "readonly", "scopes": ["orders:read"]}}
    assert "effect" not in ended.json


def test_the_release_stands_in_its_parts(cli: Program) -> None:
    """Contract, behaviour and policy have a fingerprint each, so that a change has its place."""
    release = cli("contract", f"{SHOP}:support").json["release"]

    assert release["label"].startswith("1.0.0+fp.")
    assert all(len(release[part]) == 64 for part in ("contract", "behaviour", "policy"))


def test_the_document_is_indented_also_in_a_file(cli: Program) -> None:
    """A saved contract is read by people and compared line by line."""
    assert cli("contract", f"{SHOP}:pay").out.startswith('{\n  "contract": {\n')
