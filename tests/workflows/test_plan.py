"""The plan as it is stored: its format is pinned, since stored plans stay readable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest

from fishplate import Workflow
from fishplate.workflows.plan import CallStep, Const, Plan, Step, blocks_of, steps_of
from tests.workflows import accepted

STORED: dict[str, Any] = json.loads(
    Path(__file__).with_name("plans_format_1.json").read_text(encoding="utf-8")
)
WORKFLOWS: dict[str, Workflow[..., Any]] = {
    one.name: one
    for one in (
        accepted.again_and_again,
        accepted.by_enum_or_none,
        accepted.built,
        accepted.caught,
        accepted.constants,
        accepted.for_each_by_key,
        accepted.know_how_good,
        accepted.nested_decision,
        accepted.pause,
        accepted.pinned,
        accepted.sensitive,
        accepted.side_by_side,
        accepted.signalled,
    )
}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_the_stored_form_of_a_plan_stays(name: str) -> None:
    """A change of this form is a new format, beside which format 1 stays readable."""
    document = json.loads(json.dumps(WORKFLOWS[name].plan.behaviour()))

    assert document == STORED[name]


def test_every_kind_of_step_is_stored() -> None:
    """The stored plans hold each kind of step at least once."""
    kinds = {type(step) for one in WORKFLOWS.values() for _, step in one.plan.steps()}

    assert kinds == set(get_args(Step))


def test_places_and_policies_are_no_behaviour() -> None:
    """What a plan does is told apart from where it is written and how it is protected."""
    plan = accepted.pinned.plan
    step: Any = plan.to_json()["block"]
    known: Any = plan.behaviour()["block"]

    assert step["steps"][0].keys() - known["steps"][0].keys() == {
        "where",
        "policy",
        "fallback_policies",
        "fallback_classes",
    }
    assert plan.policies() == {"hello": accepted.QUICK.to_json()}


def test_data_that_looks_like_a_place_is_kept() -> None:
    """A constant with a key `where` is data, and a change of it is a change of behaviour."""
    constant = Const(value={"where": "here", "policy": 1})
    step = CallStep(name="say", where="file.py:1", agent="say", arguments=(constant,))
    block = accepted.chain.plan.block
    plan = Plan(
        name="it", parameters=(), block=type(block)(steps=(step,), result=Const(value=None))
    )

    document: Any = plan.behaviour()
    assert document["block"]["steps"][0]["arguments"] == [{"const": {"where": "here", "policy": 1}}]


def test_steps_are_walked_in_program_order_with_their_paths() -> None:
    """A path is the path of the block and the name; blocks come after their own step."""
    plan = accepted.nested_decision.plan
    paths = [path for path, _ in plan.steps()]

    assert paths == [
        "intent",
        "route",
        "route/order_status",
        "route/switch",
        "route/switch/refund",
        "route/switch/greet",
        "route/clarify",
    ]
    for path, step in plan.steps():
        for block in blocks_of(step):
            for below, _ in steps_of(block, f"{path}/"):
                assert below in paths
