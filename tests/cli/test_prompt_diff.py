"""`fishplate diff` shows how prompts differ: by what is sent, and without breaking a contract."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.conftest import Program

SOURCE = """
from typing import Literal
from pydantic import BaseModel
from fishplate import Prompt, model_agent, tool, workflow

GREETING = "Be kind."

class Query(BaseModel):
    text: str
    channel: Literal["email", "chat"] = "chat"

@tool(effect="readonly")
async def look(order_id: str) -> str:
    'Look an order up.'
    return order_id

@model_agent("fast", version="1.0.0", tools=[look])
def answer(query: Query) -> Prompt[str]:
    'Answer.'
    system = GREETING if query.channel == "chat" else "Be short."
    return Prompt(system=system, user=query.text)

@workflow(version="1.0.0")
async def flow(query: Query) -> str:
    return await answer(query)
"""


def compared(cli: Program, *changes: tuple[str, str], name: str = "answer") -> Any:
    """The document of a diff between the source and a changed one; the exit code is 0."""
    new = SOURCE
    for old_text, new_text in changes:
        assert old_text in new
        new = new.replace(old_text, new_text)
    cli.write("old/shop.py", SOURCE)
    cli.write("new/shop.py", new)
    ended = cli("diff", f"old/shop.py:{name}", f"new/shop.py:{name}", "--json")
    assert ended.code == 0, ended.out + ended.err
    return ended.json


def test_a_prompt_in_a_constant_is_shown_as_it_is_sent(cli: Program) -> None:
    """The headline, the diff and the input are in text, in JSON and in Markdown; the code is 0."""
    found = compared(cli, ("Be kind.", "Be rude."))
    text = cli("diff", "old/shop.py:answer", "new/shop.py:answer")
    table = cli("diff", "old/shop.py:answer", "new/shop.py:answer", "--markdown")

    [change] = found["prompts"]
    assert (found["compatible"], found["bump"], found["changes"]) == (True, "none", [])
    assert (change["agent"], change["difference"]) == ("answer", "sent")
    assert change["input"] == {"text": "<text>"}
    assert {"--- old", "+++ new", "-Be kind.", "+Be rude."} <= set(change["diff"])
    head = "contract equal, prompt changed: answer 1.0.0 and 1.0.0 promise the same"
    assert (text.code, table.code) == (0, 0)
    assert text.out.startswith(f"{head}\n  prompt of 'answer': what is sent differs, e.g. for")
    assert "\n-Be kind.\n+Be rude.\n" in text.out
    assert table.out.startswith(f"**{head}**\n\nprompt of `answer`: what is sent ")
    assert 'e.g. for `{"text":"<text>"}`\n\n' in table.out
    assert "```diff\n--- old\n" in table.out


def test_each_case_of_a_prompt_is_tried(cli: Program) -> None:
    """What differs for one value of an enum alone is shown for that value."""
    [change] = compared(cli, ("Be short.", "Be brief."))["prompts"]

    assert change["input"] == {"channel": "email", "text": "<text>"}
    assert "+Be brief." in change["diff"]


def test_what_a_tool_says_of_itself_is_sent(cli: Program) -> None:
    """The description of a tool is a part of the prompt."""
    [change] = compared(cli, ("Look an order up.", "Read an order."))["prompts"]

    assert change["difference"] == "sent"
    assert "+--- tool look: Read an order." in change["diff"]


def test_where_trying_fails_the_function_is_compared(cli: Program) -> None:
    """A function that raises for every invented input is shown as source."""
    picky = ("user=query.text", "user=query.text[99]")
    cli.write("old/shop.py", SOURCE.replace(*picky))
    cli.write("new/shop.py", SOURCE.replace(*picky).replace("Be short.", "Be brief."))
    ended = cli("diff", "old/shop.py:answer", "new/shop.py:answer")

    assert ended.code == 0
    assert ended.out.startswith("contract equal, prompt changed: ")
    assert "its function differs, and what is sent could not be compared" in ended.out
    assert "else 'Be brief.'" in ended.out


def test_where_trying_fails_the_tools_and_the_function_are_shown(cli: Program) -> None:
    """What is sent for every input is compared without one, and the function beside it."""
    picky = SOURCE.replace("user=query.text", "user=query.text[99]")
    changed = picky.replace("Look an order up.", "Read an order.").replace("Be short.", "Be brief.")
    cli.write("old/shop.py", picky)
    cli.write("new/shop.py", changed)
    [change] = cli("diff", "old/shop.py:answer", "new/shop.py:answer", "--json").json["prompts"]

    assert "input" not in change
    assert "+--- tool look: Read an order." in change["diff"]
    assert any("else 'Be brief.'" in line for line in change["diff"])


def test_a_change_that_no_prompt_shows_is_no_equality(cli: Program) -> None:
    """The code of a tool belongs to the behaviour, and nothing of it is sent."""
    compared(cli, ("return order_id", "return order_id.upper()"))
    ended = cli("diff", "old/shop.py:answer", "new/shop.py:answer")

    assert ended.out.startswith("contract equal, behaviour changed: ")
    assert "look at its settings, at the code of its tools" in ended.out


def test_what_is_not_asked_with_is_equal(cli: Program) -> None:
    """A docstring, a comment and a version change nothing that is sent."""
    docstring = compared(cli, ("'Answer.'", "'Give an answer.'"))
    version = compared(cli, ("'Answer.'", "'Answer.'  # kindly"), ("1.0.0", "1.0.1"))
    ended = cli("diff", "old/shop.py:answer", "new/shop.py:answer")

    assert docstring["prompts"] == version["prompts"] == []
    assert ended.out == "equal: answer 1.0.0 and 1.0.1 promise the same\n"


def test_an_input_is_found_that_both_versions_take(cli: Program) -> None:
    """With a new field that has to be given, the new contract's examples are tried on both."""
    changes = (("    text: str", "    text: str\n    name: str"), ("Be kind.", "Be rude."))
    cli.write("old/shop.py", SOURCE)
    cli.write("new/shop.py", SOURCE.replace(*changes[0]).replace(*changes[1]))
    ended = cli("diff", "old/shop.py:answer", "new/shop.py:answer", "--json")
    text = cli("diff", "old/shop.py:answer", "new/shop.py:answer")

    assert ended.code == 1
    [change] = ended.json["prompts"]
    assert change["input"] == {"name": "<name>", "text": "<text>"}
    assert "+Be rude." in change["diff"]
    assert text.out.startswith("incompatible, major, prompt changed: answer 1.0.0, ")


def test_the_prompts_below_a_workflow_are_compared(cli: Program) -> None:
    """Each model agent that its runs may reach; one that is new or gone is named."""
    [changed] = compared(cli, ("Be kind.", "Be rude."), name="flow")["prompts"]
    found = compared(
        cli,
        ("def answer(", "def reply("),
        ("await answer(", "await reply("),
        name="flow",
    )

    assert changed["agent"] == "answer"
    differences = [(one["agent"], one["difference"]) for one in found["prompts"]]
    assert differences == [("answer", "removed"), ("reply", "added")]


def test_an_agent_with_another_name_is_the_same_prompt(cli: Program) -> None:
    """Two targets are named, so these two are compared."""
    cli.write("old/shop.py", SOURCE)
    cli.write("new/shop.py", SOURCE.replace("answer", "reply").replace("Be kind.", "Be rude."))
    ended = cli("diff", "old/shop.py:answer", "new/shop.py:reply", "--json")

    [change] = ended.json["prompts"]
    assert change["difference"] == "sent"


def test_a_printed_contract_tells_what_was_sent(cli: Program) -> None:
    """What `fishplate contract` printed before a change is compared with the code after it."""
    cli.write("before.py", SOURCE)
    cli.write("after.py", SOURCE.replace("Be kind.", "Be rude."))
    cli.write("old.json", cli("contract", "before.py:flow").out)
    cli.write("new.json", cli("contract", "after.py:flow").out)
    with_code = cli("diff", "old.json", "after.py:flow", "--json").json
    with_file = cli("diff", "old.json", "new.json", "--json").json

    assert "+Be rude." in with_code["prompts"][0]["diff"]
    assert with_code["prompts"] == with_file["prompts"]
    assert cli("diff", "old.json", "before.py:flow").out.startswith("equal: ")


def test_a_plain_contract_file_says_that_prompts_are_not_compared(cli: Program) -> None:
    """Where one side does not tell what is sent, nothing is called equal in silence."""
    cli.write("shop.py", SOURCE)
    printed = json.loads(cli("contract", "shop.py:answer").out)
    cli.write("plain.json", json.dumps(printed["contract"]))
    ended = cli("diff", "plain.json", "shop.py:answer", "--json")

    assert ended.json["prompts"] is None
    assert "prompts are not compared: a contract file does not say what is sent" in ended.err


@pytest.mark.parametrize(
    ("broken", "pointer"),
    [
        ([], "/prompts"),
        ({"answer": "def answer(): ..."}, "/prompts/answer"),
        (
            {"a": {"source": None, "behaviour": "", "frame": [1], "sent": []}},
            "/prompts/a",
        ),
        (
            {"a": {"source": None, "behaviour": "", "frame": [], "sent": [{"input": 1}]}},
            "/prompts/a",
        ),
    ],
)
def test_a_damaged_document_is_refused_by_place(cli: Program, broken: Any, pointer: str) -> None:
    """Nothing of it is guessed."""
    cli.write("shop.py", SOURCE)
    printed = json.loads(cli("contract", "shop.py:answer").out)
    cli.write("old.json", json.dumps({**printed, "prompts": broken}))
    ended = cli("diff", "old.json", "shop.py:answer", "--json")

    assert ended.code == 2
    [problem] = ended.json["error"]["problems"]
    assert (problem["code"], problem["pointer"]) == ("invalid_contract", pointer)


def test_a_prompt_ends_no_block_of_markdown(cli: Program) -> None:
    """The fence is longer than any within a prompt."""
    fenced = '"```` is a fence. " + query.text'
    compared(cli, ("user=query.text", f"user={fenced}"))
    table = cli("diff", "old/shop.py:answer", "new/shop.py:answer", "--markdown")

    assert "\n`````diff\n" in table.out
    assert table.out.endswith("\n`````\n")
