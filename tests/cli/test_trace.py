"""`fishplate trace` and what stands below it."""

import json
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import SAMPLES, Program

TRACED = SAMPLES / "traced.py"
HERE = ("--traces", "sqlite:///traces.db")
RUNS = ("--store", "sqlite:///runs.db")


def traced(cli: Program, what: str, order_id: str = "W1") -> str:
    """Run something whose trace is kept; its id."""
    given = json.dumps({"order_id": order_id})
    run_id: str = cli("run", f"{TRACED}:{what}", "-i", given, *HERE, "--json").json["run_id"]
    return run_id


def test_runs_are_listed_and_filtered(cli: Program) -> None:
    """The list tells state, time, tokens, cost and error, of the runs that are asked for."""
    good, bad = traced(cli, "support"), traced(cli, "failing")
    ended = cli("trace", *HERE)

    head, *rows = ended.out.splitlines()
    assert head.split() == ["ID", "AGENT", "STATE", "STARTED", "TOOK", "TOKENS", "COST", "NOTE"]
    assert [row.split()[:3] for row in rows] == [
        [bad, "failing", "failed"],
        [good, "support", "succeeded"],
    ]
    assert rows[0].split()[-3:] == ["-", "-", "down"]
    assert rows[1].split()[-3:] == ["333", "0.00004785", "USD"]

    def found(*options: str) -> list[str]:
        return [run["id"] for run in cli("trace", *HERE, *options, "--json").json["runs"]]

    assert found("--state", "failed") == [bad]
    assert found("--agent", "support", "--dearer", "0.00004785") == [good]
    assert found("--dearer", "0.00004786") == []
    assert found("--slower", "3600") == []
    assert (found("--error", "down"), found("--error", "up")) == ([bad], [])
    assert found("--limit", "1") == [bad]
    [listed] = cli("trace", *HERE, "--state", "succeeded", "--json").json["runs"]
    assert found("--id", listed["trace_id"]) == [good]
    assert "no such run" in cli("trace", *HERE, "--agent", "nobody").err


def test_a_run_is_shown_as_a_tree_with_its_contents(cli: Program) -> None:
    """Each span has its line below its caller's; what a tool says cannot act on the terminal."""
    run_id = traced(cli, "support")
    ended = cli("trace", "show", run_id, *HERE, "--content")

    lines = [line.partition("|")[0].rstrip() for line in ended.out.splitlines() if "|" in line]
    assert lines == [
        "  workflow support",
        "    agent lookup",
        "      tool get_order",
        "    agent priced",
    ]
    assert "321 + 12 tokens, cost 0.00004785 USD" in ended.out
    assert not {"\u202e", "\x1b"} & set(ended.out)
    found: Any = cli("trace", "show", run_id, *HERE, "--json").json
    assert [one["name"] for one in found["trace"]] == ["support", "lookup", "get_order", "priced"]
    assert (found["whole_costs"], found["trace"][1]["output"]) == ({"USD": 47_850}, "W1")


@pytest.mark.parametrize(
    "command",
    [
        ("trace", "show", *HERE, "--content"),
        ("trace", "show", *HERE, "--json"),
        ("trace", "explain", *HERE),
        ("trace", "explain", *HERE, "--json"),
        ("trace", "export", *HERE, "--content"),
        ("runs", "show", *RUNS),
        ("runs", "show", *RUNS, "--json"),
    ],
    ids=" ".join,
)
def test_what_is_said_from_outside_stays_text(cli: Program, command: tuple[str, ...]) -> None:
    """Markup is shown as it is, and what a terminal would obey as an escape."""
    given = json.dumps({"order_id": "<b>[red]\x1b]0;x\x07\u202e\u2028"})
    ended = cli("run", f"{TRACED}:hostile", "-i", given, *HERE, *RUNS, "--json")
    word, name, *options = command
    shown = cli(word, name, ended.json["run_id"], *options).out

    assert shown.replace("\n", "").isprintable()
    assert "<b>[red]" in shown


def test_costs_are_summed_up(cli: Program) -> None:
    """A line for each group and one for all; JSON has whole costs where all are known."""
    traced(cli, "support")
    traced(cli, "paying")
    ended = cli("trace", "costs", *HERE)

    head, *rows = (line.split("  ") for line in ended.out.splitlines())
    cells = [[cell.strip() for cell in row if cell.strip()] for row in (head, *rows)]
    assert cells[0] == ["AGENT", "CALLS", "TOKENS", "COST", "UNKNOWN", "ERRORS", "P50", "P95"]
    assert [row[:6] for row in cells[1:]] == [
        ["pay", "2", "0", ">= 1.5 EUR", "1", "0"],
        ["priced", "1", "333", "0.00004785 USD", "0", "0"],
        ["all", "3", "333", ">= 1.5 EUR + 0.00004785 USD", "1", "0"],
    ]
    found = cli("trace", "costs", *HERE, "--by", "step", "--hours", "0.5", "--json").json
    assert [one["group"] for one in found["groups"]] == ["paying/pay", "priced"]
    assert [one["whole_costs"] for one in found["groups"]] == [None, {"USD": 47_850}]
    assert (found["whole"]["costs"], found["whole"]["unpriced"]) == (
        {"EUR": 1_500_000_000, "USD": 47_850},
        1,
    )
    assert found["until_ms"] - found["since_ms"] == 1_800_000


def test_nothing_spent_is_said(cli: Program) -> None:
    """A store without costs has no groups, and no error."""
    traced(cli, "lookup")
    ended = cli("trace", "costs", *HERE)

    assert (ended.code, ended.out) == (0, "")
    assert "nothing was spent since" in ended.err


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (("--limit", "0"), "no whole number from 1"),
        (("--limit", "-3"), "no whole number from 1"),
        (("--limit", "9" * 30), "no whole number from 1"),
        (("--id", "zz"), "32 hex digits"),
        (("--slower", "-1"), "no number from 0"),
        (("--slower", "1e300"), "no number from 0"),
        (("--dearer", "x"), "no number from 0"),
        (("costs", "--by", "week"), "agent"),
        (("costs", "--hours", "nan"), "no number from 0"),
    ],
    ids=" ".join,
)
def test_a_value_that_selects_nothing_is_refused(
    cli: Program, words: tuple[str, ...], remedy: str
) -> None:
    """What an option cannot take ends with 2 and says what it takes."""
    ended = cli("trace", *words, *HERE)

    assert (ended.code, ended.out) == (2, "")
    assert remedy in ended.err.replace("\n", " ")


def test_a_run_is_explained(cli: Program) -> None:
    """Verdict, step and evidence; nothing is blamed where nothing went wrong."""
    right = [traced(cli, "support", order_id) for order_id in ("W1", "W3", "W4")]
    ended = cli("trace", "explain", traced(cli, "support", "W2"), *HERE)
    odd = "it was asked about order_id 'W2' and answered about 'WO9', as in none of 3 other calls"

    assert ended.out.splitlines() == [
        "verdict: tool",
        "step: lookup/0.get_order",
        f"because tool 'get_order': {odd}",
    ]
    assert cli("trace", "explain", right[0], *HERE, "--json").json["verdict"] == "none"


def test_what_is_in_doubt_is_told_and_blames_nobody(cli: Program) -> None:
    """Where nothing proves a fault the verdict is none, and what is odd stands below it."""
    run_id = traced(cli, "support", "W2")
    odd = "tool 'get_order': it was asked about order_id 'W2' and answered about 'WO9'"
    ended = cli("trace", "explain", run_id, *HERE)

    assert ended.out.splitlines() == [
        "verdict: none",
        f"in doubt lookup/0.get_order: {odd} (tool)",
    ]
    assert cli("trace", "explain", run_id, *HERE, "--json").json["doubts"] == [
        {"verdict": "tool", "step": "lookup/0.get_order", "text": odd}
    ]


def test_a_text_that_is_wrong_is_traced_to_its_step(cli: Program) -> None:
    """Who knows what is wrong in the answer is told where it comes from."""
    run_id = traced(cli, "support")
    ended = cli("trace", "explain", run_id, *HERE, "--wrong", "[31m")

    assert ended.out.splitlines() == [
        "verdict: tool",
        "step: lookup/0.get_order",
        "because tool 'get_order': its answer is the first that holds '[31m'",
    ]


def test_a_run_is_exported_as_otlp(cli: Program) -> None:
    """The document has the spans with their parents; contents go out only where that is asked."""
    run_id = traced(cli, "support")
    [resource] = cli("trace", "export", run_id, *HERE).json["resourceSpans"]

    [scope] = resource["scopeSpans"]
    root, agent, tool, _ = scope["spans"]
    assert [root["name"], agent["name"], tool["name"]] == [
        "invoke_workflow support",
        "invoke_agent lookup",
        "execute_tool get_order",
    ]
    assert (agent["parentSpanId"], tool["parentSpanId"]) == (root["spanId"], agent["spanId"])
    assert root["status"] == {"code": 1}
    assert "parentSpanId" not in root
    assert "W1" not in json.dumps(resource)
    assert "input.value" in cli("trace", "export", run_id, *HERE, "--content").out


def test_a_run_is_replayed_from_its_store(cli: Program) -> None:
    """The same code goes the same way; other code ends with 1, and tells what differs first."""
    flow = """
        from fishplate import agent, tool, workflow

        @tool(effect="idempotent", scopes=["orders:write"])
        def mark(order_id: str) -> str:
            with open("marked.txt", "a") as file:
                file.write(order_id)
            return order_id

        @agent(version="{version}", tools=[mark])
        async def lookup(order_id: str) -> str:
            return (await mark(order_id)).{method}()

        @workflow
        async def support(order_id: str) -> str:
            return await lookup(order_id)
    """
    old = cli.write("shop.py", textwrap.dedent(flow.format(version="1.0.0", method="lower")))
    kept = ("--store", "sqlite:///runs.db")
    given = ("-i", '{"order_id": "W1"}')
    run_id = cli("run", old, *given, *kept, *HERE, "--json").json["run_id"]
    same = cli("trace", "replay", run_id, *kept)

    assert (same.code, same.out) == (0, "same: 2 calls compared, 1 answered from the record\n")
    assert "replaying on workflow 'support'" in same.err
    new = cli.write("v2/shop_v2.py", textwrap.dedent(flow.format(version="1.1.0", method="title")))
    ended = cli("trace", "replay", run_id, *kept, "--with", f"{new}:support")
    assert ended.code == 1
    assert ended.out.splitlines()[1:] == [
        "first difference: step 'lookup', output",
        "  the outcome is another",
        '  before: "w1"',
        '  now:    "W1"',
    ]
    found = cli("trace", "replay", run_id, *kept, *HERE, "--with", f"{new}:support", "--json").json
    assert (found["verdict"], found["difference"]["before"]) == ("different", "w1")
    assert (cli.folder / "marked.txt").read_text(encoding="utf-8") == "W1"
    answered = ("--with", f"{new}:support", "--recorded", "lookup")
    assert cli("trace", "replay", run_id, *kept, *answered).code == 0

    def code(*words: str | Path) -> tuple[int, str]:
        refused = cli("trace", "replay", run_id, *words, "--json")
        return refused.code, refused.json["error"]["code"]

    assert code() == (2, "missing_store")
    assert code(*kept) == (2, "unknown_target")
    assert code(*kept, "--with", old, "--recorded", "nobody") == (2, "unknown_agent")
    redacted = cli("run", f"{TRACED}:support", "-i", '{"order_id": "password=hunter22"}', *HERE)
    assert redacted.code == 0
    [listed] = cli("trace", *HERE, "--limit", "1", "--json").json["runs"]
    run_id = listed["id"]
    assert code(*HERE, "--with", f"{TRACED}:support") == (2, "not_replayable")


def test_a_replay_finds_an_agent_that_the_project_declares_in_its_own_words(cli: Program) -> None:
    """A file need not speak of fishplate itself if what it declares by comes from one that does."""
    cli.write("words.py", "from fishplate import agent as ours\n")
    body = "from words import ours\n\n@ours\nasync def lower(text: str) -> str:\n    return text\n"
    target = cli.write("lower.py", body)
    kept = ("--store", "sqlite:///runs.db")
    run_id = cli("run", target, "-i", '{"text": "W1"}', *kept, "--json").json["run_id"]
    same = cli("trace", "replay", run_id, *kept)

    assert same.code == 0
    assert "replaying on agent 'lower'" in same.err


def test_a_replay_runs_nothing_of_the_module_that_it_imports(cli: Program) -> None:
    """A program that enters its app when it is imported is refused before a tool does anything."""
    program = """
        import asyncio
        from fishplate import App, agent, tool, workflow

        @tool(effect="idempotent", scopes=["orders:write"])
        def mark(order_id: str) -> str:
            with open("marked.txt", "a") as file:
                file.write(order_id)
            return order_id

        @workflow(tools=[mark])
        async def support(order_id: str) -> str:
            return await mark(order_id)

        async def main() -> None:
            async with App(support):
                await support("W1")

        {main}
    """
    kept = ("--store", "sqlite:///runs.db")
    quiet = cli.write("shop.py", textwrap.dedent(program.format(main="")))
    run_id = cli("run", quiet, "-i", '{"order_id": "W1"}', *kept, "--json").json["run_id"]
    loud = cli.write("loud/shop_2.py", textwrap.dedent(program.format(main="asyncio.run(main())")))
    refused = cli("trace", "replay", run_id, *kept, "--with", f"{loud}:support")

    assert refused.code == 2
    assert "put that below if __name__ == '__main__'" in refused.err
    assert (cli.folder / "marked.txt").read_text(encoding="utf-8") == "W1"


def test_a_run_that_failed_of_an_exception_is_replayed_from_its_trace(cli: Program) -> None:
    """A trace has only the type of a body's own exception, and says so instead of comparing it."""
    flow = """
        from fishplate import agent, workflow

        @agent
        async def fail(order_id: str) -> str:
            raise ValueError(order_id)

        @workflow
        async def support(order_id: str) -> str:
            return await fail(order_id)
    """
    shop = cli.write("shop.py", textwrap.dedent(flow))
    cli("run", shop, "-i", '{"order_id": "W1"}', *HERE)
    [listed] = cli("trace", *HERE, "--json").json["runs"]
    ended = cli("trace", "replay", listed["id"], *HERE)

    assert ended.code == 0
    assert "not compared, since it is not recorded whole: fail" in ended.err


def test_a_replay_that_can_compare_nothing_says_so(cli: Program) -> None:
    """It ends neither as the same nor as different; else it says which parts were compared."""
    program = """
        from fishplate import agent

        @agent
        async def leak(text: str) -> str:
            return f"password={text}-hunter2"
    """
    target = f"{cli.write('leak.py', textwrap.dedent(program))}:leak"
    kept = ("--store", "sqlite:///runs.db")
    given = ("-i", '{"text": "17"}')
    run_id = cli("run", target, *given, *kept, *HERE, "--json").json["run_id"]

    nothing = cli("trace", "replay", run_id, *HERE, "--with", target)
    assert nothing.code == 3
    assert nothing.out.startswith("nothing to compare")
    document = cli("trace", "replay", run_id, *HERE, "--with", target, "--json")
    assert (document.code, document.json["verdict"]) == (3, "nothing_compared")
    same = cli("trace", "replay", run_id, *kept, "--with", target)
    assert same.code == 0
    assert "compared: 0 inputs, 1 outputs, no decisions" in same.err


def test_what_is_missing_is_said(cli: Program) -> None:
    """No store, no such run and a store of something else each have their code."""
    traced(cli, "support")
    cli("run", f"{TRACED}:priced", "-i", '{"order_id": "1"}', "--store", "sqlite:///runs.db")

    def code(*words: str) -> tuple[int, str]:
        ended = cli("trace", *words, "--json")
        return ended.code, ended.json["error"]["code"]

    assert code() == (2, "missing_store")
    assert code("show", "nobody", *HERE) == (2, "unknown_run")
    assert code("--traces", "sqlite:///runs.db") == (2, "foreign_store")
    assert code("--traces", "sqlite:///nowhere.db") == (2, "store_unavailable")
    assert code(*HERE, "--slower", "-1") == (2, "bad_usage")
