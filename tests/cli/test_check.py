"""`fishplate check`: every refusal is told with its counterexample, and nothing runs."""

import json

import pytest

from fishplate.core.errors import JsonValue
from tests.cli.conftest import FORMS, SHOP, Program

HEAD = """
from typing import Literal
from pydantic import BaseModel
from fishplate import agent, route, sleep, tool, workflow

class A(BaseModel):
    kind: Literal["a"] = "a"

class B(BaseModel):
    kind: Literal["b"] = "b"

@agent
async def intent(text: str) -> A | B: ...

@agent
async def take_a(a: A) -> str: ...

@agent
async def take_b(b: B) -> str: ...

@agent
async def take_number(number: int) -> str: ...
"""
FORGOTTEN = """
@workflow
async def forgetful(text: str) -> str:
    what = await intent(text)
    return await route(take_a, on=what)
"""
MISMATCHED = """
@workflow
async def mismatched(text: str) -> str:
    return await take_number(text)
"""
UNGRANTED = """
@agent
async def greedy(number: int) -> str:
    return await take_number(number)
"""
WAITING = """
@workflow
async def waiting(text: str) -> str:
    await sleep(5)
    what = await intent.assuming('the shop says so')(text)
    return await route(take_a, take_b, on=what)
"""
EFFECTLESS = """
@tool
def pay(amount: int) -> str: ...
"""


def test_what_fits_is_told_with_what_was_checked(cli: Program) -> None:
    """A workflow that fits exits with 0 and shows its steps, edges and cases."""
    ended = cli("check", f"{SHOP}:support")

    assert (ended.code, ended.err) == (0, "")
    verdict, *facts, summary = ended.out.splitlines()
    assert verdict.startswith("ok: workflow 'support' 1.0.0 (")
    assert facts == [
        "  steps: 3 call, 1 route",
        "  edges: 7",
        "  decisions: route (Status, Unclear)",
    ]
    assert summary == "1 ok"


def test_a_body_that_calls_others_is_marked(cli: Program) -> None:
    """What only a run can check is said to be checked then."""
    ended = cli("check", f"{SHOP}:order_status")

    assert "  dynamic: calls checked at run time\n  may call: find_order\n" in ended.out


def test_a_tool_is_told_with_its_effect(cli: Program) -> None:
    """Effect and scopes of a tool stand in its check."""
    ended = cli("check", f"{SHOP}:pay")

    assert "  effect: keyed\n  scopes: payments:write\n" in ended.out


@pytest.mark.parametrize(
    ("body", "code", "step", "has_counterexample"),
    [
        (FORGOTTEN, "forgotten_case", "route", True),
        (MISMATCHED, "mismatched_edge", "take_number", True),
        (UNGRANTED, "not_granted", None, False),
        (EFFECTLESS, "no_effect", None, False),
    ],
)
def test_what_does_not_fit_is_refused(
    cli: Program, body: str, code: str, step: str | None, has_counterexample: bool
) -> None:
    """A refusal exits with 1 and tells code, source line, step and counterexample."""
    cli.write("odd.py", HEAD + body)
    ended = cli("check", "odd.py", "--json")

    assert (ended.code, ended.json["ok"]) == (1, False)
    [target] = ended.json["targets"]
    assert target["verdict"] == "refused"
    assert target["incomplete"] is True
    [problem] = target["error"]["problems"]
    assert problem["code"] == code
    assert problem["where"].startswith("odd.py:")
    assert problem.get("step") == step
    assert ("counterexample" in problem) == has_counterexample


def test_a_refusal_is_readable(cli: Program) -> None:
    """A person reads verdict, place, step and counterexample, line by line."""
    cli.write("odd.py", HEAD + FORGOTTEN)
    ended = cli("check", "odd.py")

    lines = ended.out.splitlines()
    assert lines[0] == "refused: odd.py"
    assert lines[1] == "  error[forgotten_case]: workflow 'forgetful' is refused"
    assert lines[2].startswith("    odd.py:27: ")
    assert "      step: route" in lines
    assert '      counterexample: {"kind":"b"}' in lines
    assert (
        lines[-2].strip() == "what the file declares below it was not read: mend it and check again"
    )
    assert lines[-1] == "1 refused"


def test_a_contract_that_nothing_satisfies_is_refused(cli: Program) -> None:
    """An agent that could never be given an input is refused, though it can be declared."""
    impossible: JsonValue = {"$schema": "https://json-schema.org/draft/2020-12/schema", "not": {}}
    contract: JsonValue = {"agent": "never", "input_schema": impossible, "output_schema": "integer"}
    cli.write("never.json", json.dumps(contract))
    cli.write(
        "never.py",
        "from fishplate import agent\n\n@agent(contract='never.json')\n"
        "async def never(n: int) -> int: ...\n",
    )
    person, program = cli("check", "never.py"), cli("check", "never.py", "--json")

    assert (person.code, program.code) == (1, 1)
    [problem] = program.json["targets"][0]["problems"]
    assert (problem["code"], problem["where"]) == ("unsatisfiable", "never.py:3")
    assert "no value satisfies the input of agent 'never'" in person.out


def test_every_form_is_counted(cli: Program) -> None:
    """The check tells how many steps of each kind and how many edges it has looked at."""
    facts = cli("check", f"{FORMS}:forms", "--json").json["targets"][0]["facts"]

    assert facts["steps"] == {
        "call": 21,
        "route": 3,
        "parallel": 1,
        "repeat": 1,
        "each": 1,
        "switch": 1,
        "wait": 1,
        "approval": 1,
        "sleep": 1,
    }
    assert facts["edges"] == 44
    assert facts["decisions"]["route~3"] == ["str", "NotFound"]
    assert facts["waits"] == ["wait_for", "approval", "sleep"]


def test_a_folder_means_all_agents_below_it(cli: Program) -> None:
    """Every file that speaks of fishplate is checked; an imported agent is told once."""
    cli.write("all/first.py", HEAD)
    cli.write("all/deep/second.py", HEAD.replace("async def ", "async def other_"))
    cli.write("all/deep/third.py", "import fishplate\n")
    cli.write("all/script.py", "raise SystemExit('not for import')\n")
    cli.write("all/.hidden/fourth.py", "import fishplate\n1 / 0\n")
    cli.write("all/again.py", "from first import intent  # an agent of fishplate\n")
    ended = cli("check", "all", "--json")

    assert ended.code == 0
    assert sorted(one["target"] for one in ended.json["targets"]) == [
        "all/again.py:intent",
        "all/deep/second.py:other_intent",
        "all/deep/second.py:other_take_a",
        "all/deep/second.py:other_take_b",
        "all/deep/second.py:other_take_number",
        "all/first.py:take_a",
        "all/first.py:take_b",
        "all/first.py:take_number",
    ]


def test_a_folder_means_agents_of_projects_with_words_of_their_own(cli: Program) -> None:
    """A file that imports the project's own decorator or agents is checked; a program is not run.

    What only uses what it has imported declares nothing, and to import it would be to start it.
    """
    agent = "@own\nasync def {name}(number: int) -> int:\n    return number\n"
    cli.write("all/ours/words.py", "from fishplate import agent as own, workflow\n")
    cli.write("all/ours/__init__.py", "from .words import own\n")
    cli.write("all/near.py", "from ours.words import own\n" + agent.format(name="near"))
    cli.write("all/far.py", "from ours import own\n\n" + agent.format(name="far"))
    cli.write(
        "all/ours/beside.py",
        "from . import words\n" + agent.format(name="beside").replace("@own", "@words.own"),
    )
    cli.write("all/every.py", "from ours.words import *\n" + agent.format(name="every"))
    flow = "@workflow\nasync def flow(number: int) -> int:\n    return await near(number)\n"
    cli.write("all/flows.py", "from near import near\nfrom fishplate import workflow\n" + flow)
    changed = "import flows as kept, near, far\nother = kept.flow.replace(near.near, far.far)\n"
    cli.write("all/other.py", changed)
    cli.write("all/script.py", "from near import near\nraise SystemExit(near)\n")
    cli.write("all/strange.py", "from unknown import own\n" + agent.format(name="strange"))
    cli.write("all/broken.py", "from ours import own\n@own\ndef (\n")
    ended = cli("check", "all", "--json")

    assert ended.code == 0
    assert {one["target"] for one in ended.json["targets"]} == {
        "all/every.py:every",
        "all/far.py:far",
        "all/flows.py:flow",
        "all/near.py:near",
        "all/other.py:other",
        "all/ours/beside.py:beside",
    }


def test_every_target_is_checked_also_after_a_refusal(cli: Program) -> None:
    """One refusal hides no other; a target that cannot be loaded makes it bad usage."""
    cli.write("odd.py", HEAD + FORGOTTEN)
    refused = cli("check", "odd.py", f"{SHOP}:pay")
    unreadable = cli("check", "nowhere.py", "odd.py", f"{SHOP}:pay")

    assert refused.code == 1
    assert refused.out.endswith("1 ok, 1 refused\n")
    assert unreadable.code == 2
    assert "unreadable: nowhere.py\n  error[no_such_file]: " in unreadable.out
    assert unreadable.out.endswith("1 ok, 1 refused, 1 unreadable\n")


def test_a_folder_without_agents_is_bad_usage(cli: Program) -> None:
    """A check that has checked nothing does not pass."""
    cli.write("all/notes.py", "")
    ended = cli("check", "all")

    assert ended.code == 2
    assert "error[unknown_target]: 'all' has no Python file that speaks of fishplate" in ended.out


def test_a_file_without_agents_is_bad_usage(cli: Program) -> None:
    """A file that somebody names has to hold an agent."""
    cli.write("empty.py", "import fishplate\n")

    assert cli("check", "empty.py").code == 2


def test_what_is_assumed_and_what_waits_is_told(cli: Program) -> None:
    """An edge that is let through unproven, and a step that needs a store, show in the check."""
    cli.write("waiting.py", HEAD + WAITING)
    ended = cli("check", "waiting.py:waiting")

    assert ended.code == 0
    assert "  waits: sleep\n" in ended.out
    assert "  assumed, checked at run time: the shop says so intent\n" in ended.out


ASKING = """
from fishplate import Prompt, model_agent, workflow

@model_agent("fast")
def lying(text: str) -> Prompt[str]:
    '''Promise a prompt.'''
    return text

@model_agent("fast")
def careful(text: str) -> Prompt[str]:
    '''Take numbers alone.'''
    return Prompt(user=str(int(text)))

@workflow
async def flow(text: str) -> str:
    return await lying(text)
"""


def test_a_prompt_function_that_gives_no_prompt_is_refused(cli: Program) -> None:
    """It is tried with an invented input, for its agent and for whatever reaches it."""
    cli.write("asking.py", ASKING)
    ended = cli("check", "asking.py", "--json")

    verdicts = {one["target"]: one["verdict"] for one in ended.json["targets"]}
    assert ended.code == 1
    assert verdicts == {
        "asking.py:lying": "refused",
        "asking.py:careful": "ok",
        "asking.py:flow": "refused",
    }
    [problem] = ended.json["targets"][0]["problems"]
    assert (problem["code"], problem["where"]) == ("bad_prompt", "asking.py:4")


def test_a_prompt_function_of_which_nothing_is_known_is_told(cli: Program) -> None:
    """That it fails on an invented input is no refusal, and no silence either."""
    cli.write("asking.py", ASKING)
    ended = cli("check", "asking.py:careful")

    assert ended.code == 0
    said = "prompts not tried: careful (it raises ValueError for an invented input)"
    assert said in ended.out


def test_warnings_fail_where_they_are_asked_to(cli: Program) -> None:
    """With --strict a build may keep its models told of everything."""
    cli.write("asking.py", ASKING)
    plain = cli("check", "asking.py:careful", "--json")
    strict = cli("check", "asking.py:careful", "--strict", "--json")
    person = cli("check", "asking.py:careful", "--strict")

    assert (plain.code, strict.code, person.code) == (0, 1, 1)
    assert (plain.json["ok"], strict.json["ok"]) == (True, False)
    assert plain.json["targets"] == strict.json["targets"]
    [target] = strict.json["targets"]
    assert target["verdict"] == "ok"
    assert list(target["warnings"]) == ["prompts not tried"]
    assert person.out.endswith("1 ok, 1 warning\n")


def test_what_is_told_to_people_is_no_warning(cli: Program) -> None:
    """What is assumed with a reason, or checked at run time only, passes the strict check."""
    cli.write("waiting.py", HEAD + WAITING)

    assert cli("check", "waiting.py:waiting", "--strict").code == 0
    assert cli("check", f"{SHOP}:order_status", "--strict").code == 0


def test_what_is_not_read_is_bad_usage_also_where_warnings_fail(cli: Program) -> None:
    """A warning beside it does not hide that a target could not be looked at."""
    cli.write("asking.py", ASKING)

    assert cli("check", "nowhere.py", "asking.py:careful", "--strict").code == 2
