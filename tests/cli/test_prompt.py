"""`fishplate prompt`, and what `check` says about prompts."""

import json

import pytest

from tests.cli.conftest import SAMPLES, SHOP, Program

ASKING = SAMPLES / "asking.py"
INPUT = '{"text": "Money back for #W1234567!"}'


def test_a_prompt_is_printed_as_it_would_be_sent(cli: Program) -> None:
    """Messages, schema, tools and a count of tokens; the model is the one that the app means."""
    ended = cli("prompt", f"{ASKING}:intent", "--input", INPUT)

    assert (ended.code, ended.err) == (0, "")
    assert "asks 'fast' (openai:gpt-5-mini)" in ended.out
    assert "--- system\nSay what the customer wants.\n" in ended.out
    assert "--- user\nMoney back for #W1234567!\n" in ended.out
    assert '"description": "Number of the order' in ended.out
    assert "--- tool get: (no description)" in ended.out


def test_with_json_a_program_gets_the_request(cli: Program) -> None:
    """The document holds what is sent, and an estimate above the length of the messages."""
    found = cli("prompt", f"{ASKING}:intent", "--input", INPUT, "--json").json

    assert [one["role"] for one in found["messages"]] == ["system", "user"]
    assert found["schema"]["required"] == ["kind", "order_id", "data"]
    assert found["mode"] == "native"
    assert found["estimated_tokens"] > 50


def test_who_asks_no_model_has_no_prompt(cli: Program) -> None:
    """Any other agent is refused by name, and so is an input that breaks the contract."""
    other = cli("prompt", f"{SHOP}:order_status", "--input", INPUT)
    wrong = cli("prompt", f"{ASKING}:intent", "--input", "{}", "--json")

    assert other.code == 2
    assert "@model_agent" in other.err
    assert wrong.code == 2
    assert json.loads(wrong.out)["error"]["code"] == "invalid_input"


def test_check_names_what_a_model_is_not_told(cli: Program) -> None:
    """Tools and fields without a description, and names that say nothing."""
    ended = cli("check", f"{ASKING}:intent")

    assert ended.code == 0
    assert "without a description: tool get, field get.order_id, field output.data" in ended.out
    assert "vague names: get, output.data" in ended.out


def lookalikes(cli: Program, *names: str) -> str:
    """What the check says of a model agent with tools of these names, each with a description."""
    lines = ["from fishplate import Prompt, model_agent, tool"]
    for name in names:
        lines += [f"@tool(effect='readonly', name='{name}')", f"async def {name}(of: str) -> str:"]
        lines += [f"    'Do {name}.'", "    return of"]
    lines += [f"@model_agent('fast', tools=[{', '.join(names)}])"]
    lines += ["def asks(text: str) -> Prompt[str]:", "    'Ask.'"]
    lines += ["    return Prompt(user=text)"]
    cli.write("tools.py", "\n".join(lines) + "\n")
    ended = cli("check", "tools.py:asks")
    assert ended.code == 0, ended.err
    told = [line for line in ended.out.splitlines() if "nearly the same" in line]
    return told[0].partition(": ")[2] if told else ""


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("get_order", "getOrder", "get_orders"), "get_order / getOrder / get_orders"),
        (("look_up", "lookup"), "look_up / lookup"),
        (("pay", "pay2", "refund", "refund_v2"), "pay / pay2, refund / refund_v2"),
        (("find_address", "find_addresses"), "find_address / find_addresses"),
        (("list_entry", "list_entries"), "list_entry / list_entries"),
        (("GetOrderID", "get_order_id"), "GetOrderID / get_order_id"),
    ],
)
def test_check_names_tools_that_a_model_cannot_tell_apart(
    cli: Program, names: tuple[str, ...], said: str
) -> None:
    """Spelling, a plural and a number at the end are no difference to go by."""
    assert lookalikes(cli, *names) == said


@pytest.mark.parametrize(
    "names",
    [
        ("get_order", "get_orders_of_customer", "set_order"),
        ("lock_account", "unlock_account"),
        ("is_open", "open"),
        ("status_of", "statue_of"),
    ],
)
def test_check_leaves_names_alone_that_say_something_else(
    cli: Program, names: tuple[str, ...]
) -> None:
    """One word more, or another one, is a difference."""
    assert lookalikes(cli, *names) == ""


def test_a_model_agent_with_a_stand_in_needs_no_model(cli: Program) -> None:
    """Without an app a run refuses to begin, unless nothing asks a model any more."""
    lines = ASKING.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not line.startswith("app = ")]
    flow = [
        "from fishplate import workflow",
        "@workflow",
        "async def flow(query: Query) -> Refund:",
        "    return await intent(query)",
    ]
    place = cli.write("alone.py", "\n".join([*kept, *flow]) + "\n")
    mock = 'intent={"kind": "refund", "order_id": "1", "data": "x"}'
    refused = cli("run", f"{place}:flow", "--input", INPUT)
    mocked = cli("run", f"{place}:flow", "--input", INPUT, "--mock", mock)

    assert "no model 'fast'" in refused.err
    assert mocked.code == 0, mocked.err
    assert mocked.json["order_id"] == "1"
