"""`fishplate policy`: each call's pipeline in the order in which it acts, and the findings."""

from typing import Any

import pytest

from fishplate.cli.stages import in_words
from fishplate.resilience.policy import Policy, RateLimit
from fishplate.resilience.resolve import pipeline_of, resolve
from tests.cli.conftest import SAMPLES, SHOP, Program

PROTECTED = SAMPLES / "protected.py"
RETRIED = """
from fishplate import *

@tool(effect="at_most_once", policy=Policy(retry=Retry(attempts=3)))
async def send_mail(address: str) -> str: ...
"""
MISFIT = """
from fishplate import *

@agent
async def ask(number: str) -> str: ...

@agent
async def count(number: str) -> int: ...

@workflow
async def flow(number: str) -> str:
    return await ask.or_else(count)(number)
"""
UNDOABLE = """
from fishplate import *

@tool(effect="readonly")
async def paid(order: str) -> str | NotDone: ...

@tool(effect="idempotent")
async def give_back(order: str, result: str) -> None: ...

@tool(effect="verifiable", lookup=paid, settle_time=5, compensate=give_back)
async def pay(order: str) -> str: ...

@workflow(tools=[pay], on_failure="compensate")
async def refund(order: str) -> str:
    return await pay(order)
"""
HASTY = """
from fishplate import *

@tool(effect="readonly", policy=Policy(timeout=9))
async def ask(number: str) -> str: ...

app = App(ask, working_time=5)
"""
IMPOSSIBLE = """
from fishplate import *

@agent(policy=Policy(retry=Retry(attempts=0)))
async def ask(number: str) -> str: ...
"""


def stages_of(call: dict[str, Any]) -> list[str]:
    """The names of a call's stages."""
    return [stage["stage"] for stage in call["pipeline"]]


def test_a_call_is_told_with_its_stages_in_order(cli: Program) -> None:
    """A person reads every number with its unit, and who set it."""
    ended = cli("policy", f"{PROTECTED}:support")

    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert lines[0] == "a run works for at most 60 s"
    assert lines[1].startswith("workflow 'support' 1.0.0 (")
    assert lines[2:] == [
        "  no policy of its own",
        "  lookup: agent 'lookup'",
        "    fallback        guess; input and output fit [declared]",
        "    lookup/find_order: tool 'find_order', readonly, pool 'tools', target 'shop'",
        "      cache           an answer about 'orders' holds for 30 s [declared]",
        "      timeout         9 s for the whole call, 1 s of them kept [declared]",
        (
            "      retry           2 attempts in all; delays from 0 to 0.2 s, doubling to 4 s; the "
            "target may ask for 120 s; rejections here are waited for 1 s [declared]"
        ),
        "      retry_budget    retries are 20% of the calls and 1 a second, over 10 s [declared]",
        (
            "      breaker         opens at 50% failures of 10 calls or more in 30 s, or 5 in a "
            "row, or 80% of them slower than 1.5 s; open for 15 s to 30 s, +-20%; 2 probes close "
            "it [declared]"
        ),
        "      rate_limit      60 requests a minute [declared]",
        "      bulkhead        3 calls at a time; 5 wait for 0.5 s [declared]",
        "      breaker_permit  one probe at a time, its permit ends 5 s after it [declared]",
        "      attempt_timeout 2 s for each attempt [declared]",
        "  lookup|guess: agent 'guess'",
        "    no policy of its own",
        "no errors, no warnings",
    ]


def test_a_program_reads_the_same(cli: Program) -> None:
    """With --json, calls and fallbacks are a tree, and settings are numbers."""
    document = cli("policy", f"{PROTECTED}:support", "--json").json

    [run] = document["runs"]
    [lookup] = run["calls"]
    [find_order] = lookup["calls"]
    assert (document["ok"], document["working_time"], document["findings"]) == (True, 60, [])
    assert (run["kind"], run["role"], run["pipeline"]) == ("workflow", "run", [])
    assert [fallback["path"] for fallback in lookup["fallbacks"]] == ["lookup|guess"]
    assert (find_order["effect"], find_order["target"]) == ("readonly", "shop")
    assert find_order["pipeline"][1] == {
        "stage": "timeout",
        "settings": {"seconds": 9, "reserve": 1},
        "source": "declared",
    }


def test_an_app_is_told_with_all_its_agents(cli: Program) -> None:
    """Its working time bounds the runs, and what shares a target shares what one of them says."""
    document = cli("policy", f"{PROTECTED}:app", "--json").json

    support, find_user = document["runs"]
    assert (document["working_time"], support["name"]) == (60, "support")
    sources = {stage["stage"]: stage["source"] for stage in find_user["pipeline"]}
    shared = "declared by tool 'find_order'"
    assert sources["timeout"] == sources["retry"] == "default"
    assert sources["breaker"] == sources["breaker_permit"] == sources["bulkhead"] == shared
    bulkhead = next(one for one in find_user["pipeline"] if one["stage"] == "bulkhead")
    assert bulkhead["settings"]["concurrent"] == 3


def test_a_tool_alone_is_told(cli: Program) -> None:
    """A tool without a policy shows what its effect brings."""
    document = cli("policy", f"{SHOP}:find_order", "--json").json

    assert stages_of(document["runs"][0]) == ["retry", "retry_budget"]
    assert cli("policy", f"{PROTECTED}:send_mail").out.count("1 attempt [declared]") == 1


def test_an_error_fails_the_command(cli: Program) -> None:
    """The finding names step, reason, remedy and source."""
    ended = cli("policy", f"{PROTECTED}:hurried")

    assert ended.code == 1
    assert (
        "error[timeout_above_deadline]: lookup/find_order: tool 'find_order' has timeout=9, and "
        "what calls it is over after 2 s: the call is cut off before its own limit acts\n"
        "  help: set timeout= below 2, or give what calls it more time ("
    ) in ended.out
    assert ended.out.endswith("1 error, no warnings\n")


@pytest.mark.parametrize("target", ["hasty.py:ask", "hasty.py:app"])
def test_a_timeout_has_to_fit_into_the_app_of_the_module(cli: Program, target: str) -> None:
    """The working time of the app bounds its agents, also one that is named alone."""
    cli.write("hasty.py", HASTY)
    ended = cli("policy", target, "--json")

    assert (ended.code, ended.json["working_time"]) == (1, 5)
    assert [one["code"] for one in ended.json["findings"]] == ["timeout_above_deadline"]


def test_a_warning_fails_the_command_only_if_it_is_asked_to(cli: Program) -> None:
    """With --strict a build may keep its policies free of doubts."""
    plain = cli("policy", f"{PROTECTED}:eager")
    strict = cli("policy", f"{PROTECTED}:eager", "--strict", "--json")

    assert (plain.code, strict.code) == (0, 1)
    assert "warning[nested_retries]: lookup: agent 'lookup' makes 3 attempts" in plain.out
    assert plain.out.endswith("no errors, 1 warning\n")
    assert strict.json["ok"] is False
    assert [one["code"] for one in strict.json["findings"]] == ["nested_retries"]


def test_a_retry_of_what_may_not_be_repeated_is_told(cli: Program) -> None:
    """The stage says when it acts, and the finding why."""
    cli.write("mail.py", RETRIED)
    ended = cli("policy", "mail.py:send_mail")

    assert "3 attempts in all, only if the last one did nothing;" in ended.out
    assert "warning[retry_on_effect]: send_mail: " in ended.out


@pytest.mark.parametrize(
    ("source", "code", "says"),
    [
        (MISFIT, "mismatched_fallback", "the answer of 'count' is not an answer of 'ask'"),
        (IMPOSSIBLE, "import_failed", "attempts is a whole number, at least 1"),
    ],
)
def test_what_is_refused_at_declaration_is_told(
    cli: Program, source: str, code: str, says: str
) -> None:
    """A fallback whose output does not fit, and an impossible number, never come to be linted."""
    cli.write("odd.py", source)
    ended = cli("policy", "odd.py", "--json")

    assert ended.code != 0
    assert ended.json["error"]["code"] == code
    assert says in ended.json["error"]["message"]


def test_what_is_neither_agent_nor_app_is_bad_usage(cli: Program) -> None:
    """As everywhere else."""
    ended = cli("policy", f"{PROTECTED}:Policy")

    assert ended.code == 2
    assert Policy.__name__ in ended.err


def test_a_limit_of_tokens_and_a_reserve_alone_are_told() -> None:
    """What no call of the sample has."""
    both = RateLimit(requests_per_minute=60, tokens_per_minute=900)
    stages = pipeline_of(resolve(Policy(reserve=2, rate_limit=both), "model"))
    alone = pipeline_of(resolve(Policy(reserve=2), "agent"))

    words = {stage.name: in_words(stage) for stage in (*stages, *alone)}

    assert words["rate_limit"] == "60 requests and 900 tokens a minute"
    assert words["reserve"] == "2 s of the time around it are kept for its fallback"


def test_a_call_tells_who_looks_it_up_and_who_undoes_it(cli: Program) -> None:
    """Whoever reads how a call is protected sees what becomes of it when its answer is lost."""
    cli.write("shop.py", UNDOABLE)
    out = cli("policy", "shop.py:refund").out
    (call,) = cli("policy", "shop.py:refund", "--json").json["runs"][0]["calls"]

    assert "undoes what it did when it fails" in out
    assert "verifiable, looked up by 'paid', undone by 'give_back'" in out
    assert (call["lookup"], call["compensate"]) == ("paid", "give_back")
