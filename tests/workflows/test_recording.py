"""Recording: what a plan can hold is recorded as it is written, and runs as it reads."""

from pathlib import Path
from typing import Any

import pytest

from fishplate import App, UsageError, Workflow
from fishplate.core.errors import JsonValue
from fishplate.workflows.plan import CallStep, Plan
from tests.workflows import accepted
from tests.workflows.bodies import HEAD, declared

ASKS: JsonValue = {"text": "x"}
SAYS_HELLO: JsonValue = {"text": "hello x"}

RUNS: list[tuple[Workflow[..., Any], JsonValue, JsonValue]] = [
    (accepted.chain, ASKS, {"text": "HELLO X"}),
    (accepted.handed_through, ASKS, {"text": "x", "channel": "chat", "urgent": False}),
    (accepted.field_of_input, ASKS, "x"),
    (accepted.constant_result, ASKS, "hello"),
    (accepted.nothing_back, ASKS, None),
    (accepted.routed, {"text": "refund"}, {"text": "refund 1"}),
    (accepted.routed, ASKS, {"text": "pardon: x"}),
    (accepted.routed_with_more, {"text": "refund"}, {"text": "1 chat"}),
    (accepted.routed_with_more, ASKS, {"text": "pardon: x"}),
    (accepted.nested_decision, {"text": "refund", "urgent": True}, {"text": "refund 1"}),
    (accepted.nested_decision, {"text": "refund"}, {"text": "hello refund"}),
    (accepted.route_on_none, {"text": "x"}, {"text": "X"}),
    (accepted.route_on_none, {"text": ""}, {"text": "none"}),
    (accepted.route_on_none_by_when, {"text": ""}, {"text": "nothing nothing"}),
    (accepted.by_boolean, {"text": "x", "urgent": True}, {"text": "quick"}),
    (accepted.by_literal, ASKS, {"text": "hi"}),
    (accepted.by_literal, {"text": "x", "channel": "email"}, {"text": "dear"}),
    (accepted.by_enum, {"text": "x"}, {"text": "broken"}),
    (accepted.by_enum_or_none, {"text": "x"}, {"text": "?"}),
    (accepted.by_enum_or_none, {"text": "late"}, {"text": "late"}),
    (accepted.side_by_side, ASKS, {"text": "HELLO X"}),
    (
        accepted.three_kinds,
        ASKS,
        [
            SAYS_HELLO,
            1,
            {
                "order_id": "x",
                "lines": [{"sku": "a", "count": 1}, {"sku": "b", "count": 2}],
                "reason": "damaged",
                "type": "",
                "path": "",
                "step": "",
                "name": "",
                "copy": "",
                "is_done": True,
            },
        ],
    ),
    (accepted.for_each, {"text": "x"}, [{"text": "1 a"}, {"text": "2 b"}]),
    (accepted.for_each_by_key, {"text": "x"}, {"text": "a; b b"}),
    (
        accepted.constants_in_branches,
        {"text": "x"},
        ["1.50 2026-01-02 late", "1.50 2026-01-02 late"],
    ),
    (accepted.more_awkward_names, {"text": "x"}, [{"text": "x"}]),
    (accepted.again_and_again, {"number": 0}, {"number": 3, "is_full": True}),
    (accepted.built, ASKS, {"text": "3 x"}),
    (accepted.awkward_names, {"text": "x"}, {"text": ""}),
    (accepted.constants, ASKS, "1.50 2026-01-02 damaged"),
    (accepted.called_by_name, {"text": "x"}, {"text": "x x"}),
    (accepted.called_by_name, {"text": "x", "times": 1}, {"text": "x"}),
    (accepted.keyword_only, {"text": "x"}, {"text": "xx"}),
    (accepted.same_agent_twice, ASKS, {"text": "HELLO X"}),
    (accepted.pinned, ASKS, SAYS_HELLO),
    (accepted.caught, {"order_id": "unknown"}, {"text": "no unknown"}),
    (accepted.caught, {"order_id": "x"}, {"text": "X"}),
    (accepted.let_through, {"order_id": "x"}, {"text": "x"}),
    (accepted.nested, {"text": "refund"}, {"text": "REFUND 1"}),
    (accepted.nested_and_caught, {"order_id": "unknown"}, {"text": "no unknown"}),
    (accepted.inlined, ASKS, {"text": "HELLO X"}),
    (accepted.with_a_tool, {"text": "abc"}, 3),
    (accepted.know_how_good, ASKS, {"value": SAYS_HELLO, "reasons": []}),
    (accepted.typed_dict, ASKS, "x"),
    (accepted.described, ASKS, {"kind": "unclear", "question": "x"}),
]


@pytest.mark.parametrize(
    ("workflow", "asked", "answered"), RUNS, ids=[one.name for one, *_ in RUNS]
)
async def test_a_recorded_body_runs_as_it_reads(
    workflow: Workflow[..., Any], asked: JsonValue, answered: JsonValue
) -> None:
    """What the plan gives is what the body would give if its steps were plain calls."""
    async with App(workflow) as app:
        run = app.start_json(workflow, asked)
        found: object = await run.result()

    assert workflow.signature.output.encode(found) == answered


@pytest.mark.parametrize(
    ("workflow", "waiting"),
    [
        (accepted.sensitive, ("approval",)),
        (accepted.signalled, ("wait_for", "wait_for~2", "wait_for~3", "wait_for~4")),
        (accepted.pause, ("sleep",)),
        (accepted.waits_below, ("pause/sleep",)),
    ],
)
async def test_a_workflow_says_where_it_waits(
    workflow: Workflow[..., Any], waiting: tuple[str, ...]
) -> None:
    """What waits for somebody or for time is known before it runs, in nested workflows too."""
    assert workflow.waiting == waiting

    app = App(workflow)
    with pytest.raises(UsageError, match=f"waits in step '{waiting[0]}'"):
        async with app:
            pass


def test_steps_are_named_after_their_agents() -> None:
    """A step has the name of its agent, `~2` for the second of a block, or the pinned one."""
    assert _paths(accepted.same_agent_twice.plan) == ["greet", "polish", "polish~2"]
    assert _paths(accepted.pinned.plan) == ["hello"]
    assert _paths(accepted.routed.plan) == [
        "intent",
        "route",
        "route/order_status",
        "route/refund",
        "route/clarify",
    ]
    assert _paths(accepted.inlined.plan) == [
        "greet",
        "say",
        "polish",
        "greet~2",
        "say~2",
        "polish~2",
    ]


def test_a_step_says_how_it_is_configured() -> None:
    """Fallbacks, caught errors, grading and the policy of a use stand in its step."""
    (hello,) = _calls(accepted.pinned.plan)
    found = _calls(accepted.caught.plan)[0]
    (greet,) = _calls(accepted.know_how_good.plan)

    assert (hello.fallbacks, hello.policy) == (("greet_slowly",), accepted.QUICK)
    assert found.catching == ("not_found",)
    assert greet.graded


def test_a_step_knows_its_line(tmp_path: Path) -> None:
    """The line of a step is where its call is written, also inside a composition."""
    source = f"""{HEAD}
@workflow
async def flow(query: Query) -> Reply:
    first, second = await parallel(
        greet(query),
        polish(
            await greet(query)),
    )
    later = say(
        query.text)
    await later
    return first
"""

    flow: Workflow[..., Any] = declared(source, tmp_path).flow

    first = len(HEAD.splitlines())
    lines = [(path, int(step.where.rpartition(":")[2]) - first) for path, step in flow.plan.steps()]
    assert lines == [
        ("greet", 7),
        ("parallel", 4),
        ("parallel/greet", 5),
        ("parallel/polish", 6),
        ("say", 9),
    ]


def test_a_workflow_has_what_its_decorator_says() -> None:
    """Name, version, policy and description come from the decorator and the docstring."""
    described = accepted.described

    assert (described.name, described.about.version) == ("renamed", "2.1.0")
    assert described.policy == accepted.QUICK
    assert described.about.text == "All that a workflow may be given."
    assert described.contract.version == "2.1.0"


def test_a_plan_is_data() -> None:
    """A plan is JSON: sources by name, ways into a value by pointer, constants by value."""
    document = accepted.called_by_name.plan.to_json()

    assert document["format"] == 1
    assert document["parameters"] == ["text", "times"]
    steps: Any = document["block"]
    assert steps["steps"][0]["arguments"] == [
        {"from": "input.text", "pointer": ""},
        {"from": "input.times", "pointer": ""},
    ]
    assert steps["result"] == {"from": "step.say", "pointer": ""}


def test_a_way_into_a_value_uses_the_names_in_json() -> None:
    """A pointer of the plan holds aliases, since it points into JSON."""
    calls = {step.name: step for step in _calls(accepted.awkward_names.plan)}
    document: Any = accepted.awkward_names.plan.to_json()

    assert calls["say~4"].arguments[0] != calls["say"].arguments[0]
    assert {"from": "step.order_of", "pointer": "/copy"} in [
        argument for step in document["block"]["steps"] for argument in step["arguments"]
    ]


def _paths(plan: Plan) -> list[str]:
    return [path for path, _ in plan.steps()]


def _calls(plan: Plan) -> list[CallStep]:
    return [step for _, step in plan.steps() if isinstance(step, CallStep)]
