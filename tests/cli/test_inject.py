"""`run --inject`: faults from the command line, seen in the trace and told at the end."""

import json

import pytest

from tests.cli.conftest import SHOP, Program

QUESTION = json.dumps({"text": "where is my order?"})
ORDER = '{"order_id": "W1"}'


def test_an_injected_error_fails_the_run(cli: Program) -> None:
    """The exit code is that of a failed run; the error says that it was injected."""
    fault = "find_order=error:permanent"
    ended = cli("run", f"{SHOP}:support", "-i", QUESTION, "--inject", fault, "--json")

    assert ended.code == 1
    assert ended.json["error"]["code"] == "injected"
    assert ended.json["error"]["class"] == "permanent"
    assert ended.json["injected"] == {"find_order": {"error": 1}}


def test_an_injected_error_may_degrade_the_run(cli: Program) -> None:
    """Where a fallback answers, the run succeeds, and stderr tells both."""
    ended = cli(
        *("run", f"{SHOP}:shipping", "-i", ORDER),
        *("--mock", 'carrier="here"', "--inject", "carrier=error:overload"),
    )

    assert (ended.code, ended.out) == (0, '"W1 arrives tomorrow"\n')
    assert "degraded: estimated in step 'carrier|estimate'" in ended.err
    assert "injected: carrier error 1x" in ended.err


def test_the_trace_shows_what_was_injected(cli: Program) -> None:
    """On the span of the call that was hit, in the order in which the faults acted."""
    faults = ("--inject", "find_order=latency:0.001", "--inject", "find_order=error:refusal")
    ended = cli("run", f"{SHOP}:support", "-i", QUESTION, *faults, "--trace")

    [line] = [line for line in ended.err.splitlines() if "tool find_order" in line]
    assert 'injected=["latency:0.001", "error:refusal"]' in line


@pytest.mark.parametrize("fault", ["garbage", "partial"])
def test_a_spoiled_answer_is_refused_by_its_contract(cli: Program, fault: str) -> None:
    """The run fails as it would under a dependency that breaks its word."""
    ended = cli(
        "run", f"{SHOP}:support", "-i", QUESTION, "--inject", f"find_order={fault}", "--json"
    )

    assert ended.code == 1
    assert ended.json["error"]["code"] == "invalid_output"


def test_a_hang_is_ended_by_a_time_limit(cli: Program) -> None:
    """The limit of the call is what the run fails of."""
    cli.write(
        "slow.py",
        "from fishplate import Policy, agent\n"
        "@agent(policy=Policy(timeout=0.05))\n"
        "async def answer(number: int) -> int:\n"
        "    return number\n",
    )
    ended = cli("run", "slow.py", "-i", '{"number": 1}', "--inject", "answer=hang:lost", "--json")

    assert (ended.code, ended.json["error"]["code"]) == (1, "step_timeout")


def test_a_rate_is_drawn_from_the_seed(cli: Program) -> None:
    """The same seed gives the same end, and among some seeds both ends occur."""

    def codes() -> list[int]:
        words = ("run", f"{SHOP}:support", "-i", QUESTION, "--inject", "intent=error@0.5")
        return [cli(*words, "--inject-seed", str(seed)).code for seed in range(8)]

    first = codes()

    assert set(first) == {0, 1}
    assert codes() == first


def test_that_no_fault_acted_is_told(cli: Program) -> None:
    """A rehearsal that rehearsed nothing does not pass for one."""
    ended = cli("run", f"{SHOP}:support", "-i", QUESTION, "--inject", "clarify=error")

    assert ended.code == 0
    assert ended.err == "injected: no fault has acted\n"


def test_without_faults_nothing_is_told_of_them(cli: Program) -> None:
    """Neither for a person nor in JSON."""
    ended = cli("run", f"{SHOP}:support", "-i", QUESTION)

    assert ended.err == ""
    assert "injected" not in cli("run", f"{SHOP}:support", "-i", QUESTION, "--json").json


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("find_order", "there is no name or no kind"),
        ("=hang", "there is no name or no kind"),
        ("find_order=explode", "'explode' is no fault"),
        ("find_order=latency", "'latency' is no fault"),
        ("find_order=latency:soon", "'soon' is no number of seconds"),
        ("find_order=latency:-1", "Latency(seconds=-1.0)"),
        ("find_order=error:overlaod", "'overlaod' is no error class; they are transient, overload"),
        ("find_order=error:unknown_outcome", "add answer_lost=True"),
        ("find_order=garbage:lost", "'garbage:lost' is no fault"),
        ("find_order=hang@2", "Schedule(rate=2.0)"),
        ("find_order=hang@", "'' is no rate"),
    ],
)
def test_a_fault_of_another_form_is_refused(cli: Program, text: str, message: str) -> None:
    """The refusal says what is wrong with it and what it may look like."""
    ended = cli("run", f"{SHOP}:support", "-i", QUESTION, "--inject", text, "--json")

    assert ended.code == 2
    assert ended.json["error"]["code"] == "bad_fault"
    assert message in ended.json["error"]["message"]
    assert "NAME=error[:CLASS][:lost]" in ended.json["error"]["message"]


def test_a_name_that_the_target_does_not_reach_is_refused(cli: Program) -> None:
    """Also when the app of the module could reach it; a misspelled one gets a suggestion."""
    ended = cli("run", f"{SHOP}:support", "-i", QUESTION, "--inject", "find_ordr=hang", "--json")

    assert ended.code == 2
    assert ended.json["error"]["code"] == "unknown_agent"
    assert "Did you mean 'find_order'?" in ended.json["error"]["message"]


def test_a_seed_without_a_fault_is_refused(cli: Program) -> None:
    """It would draw nothing."""
    ended = cli("run", f"{SHOP}:support", "-i", QUESTION, "--inject-seed", "7", "--json")

    assert (ended.code, ended.json["error"]["code"]) == (2, "bad_fault")
