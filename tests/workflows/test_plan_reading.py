"""A plan comes back from its JSON as it was; what is no plan is refused with its place."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Iterable
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.order_support.workflow import support
from fishplate import Workflow
from fishplate.contracts.json import canonical_json
from fishplate.workflows.plan_reading import PlanError, plan_from_json
from fishplate.workflows.rebind import rebind
from tests.workflows import accepted

WORKFLOWS: dict[str, Workflow[..., Any]] = {
    one.name: one for one in (*vars(accepted).values(), support) if isinstance(one, Workflow)
}


def _document(name: str) -> Any:
    return json.loads(canonical_json(WORKFLOWS[name].plan.to_json()))


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_plan_comes_back_as_it_was(name: str) -> None:
    """Read and bound to the agents that it was recorded with, a plan is the same data."""
    unit = WORKFLOWS[name]
    found = plan_from_json(_document(name))
    bound = rebind(found, unit.signature.parameters, unit.signature.output, unit.units)

    assert canonical_json(found.to_json()) == canonical_json(unit.plan.to_json())
    assert canonical_json(bound.to_json()) == canonical_json(unit.plan.to_json())


@pytest.mark.parametrize(
    ("name", "path", "value", "says"),
    [
        ("chain", ["format"], 2, "has the format 2"),
        ("chain", ["format"], True, "has the format True"),
        ("chain", ["more"], 1, "'more' is not known"),
        ("chain", ["name"], "a/b", "/name: the name of an agent"),
        ("chain", ["block", "steps", 0, "step"], "guess", "'guess' is no kind of step"),
        ("chain", ["block", "steps", 0, "agent"], 7, "/block/steps/0/agent"),
        ("chain", ["block", "steps", 0, "graded"], 1, "true or false stands here"),
        ("chain", ["block", "steps", 0, "policy"], {"timeout": -1}, "timeout"),
        ("chain", ["block", "steps", 0, "fallbacks"], ["x"], "differ in number"),
        ("chain", ["block", "result"], {"from": "moon.x", "pointer": ""}, "stands here"),
        ("chain", ["block", "result"], {"from": "step.x", "pointer": "y"}, "a pointer"),
        ("pause", ["block", "steps", 0, "seconds"], 1e999, "finite number of seconds"),
        ("again_and_again", ["block", "steps", 0, "at_most"], 0, "above 0"),
        ("again_and_again", ["block", "steps", 0, "block", "steps"], [], "one call stands here"),
        ("by_boolean", ["block", "steps", 0, "branches", 0, "schema"], {"type": "null"}, "a case"),
        ("routed", ["block", "steps", 0, "branches"], [], "no branch"),
        ("signalled", ["block", "steps", 0, "schema"], {"type": 7}, "/schema"),
    ],
)
def test_what_is_no_plan_is_refused_with_its_place(
    name: str, path: list[str | int], value: object, says: str
) -> None:
    """Each part is judged: its kind, its bounds, and that nothing else stands beside it."""
    document: Any = _document(name)
    part = document
    for key in path[:-1]:
        part = part[key]
    if name == "routed":  # the first step of it is the one that the route is about
        part = next(one for one in document["block"]["steps"] if one["step"] == "route")
    part[path[-1]] = value

    with pytest.raises(PlanError) as refused:
        plan_from_json(document)
    assert says in refused.value.message
    assert refused.value.code == "bad_plan"


def test_a_plan_that_nests_without_end_is_refused() -> None:
    """Neither depth nor size of what was read may take Python's own stack or memory."""
    document: Any = _document("side_by_side")
    inner: Any = document["block"]
    for _ in range(60):
        step = {"step": "parallel", "name": "parallel", "where": "", "blocks": [inner]}
        result = {"from": "step.parallel", "pointer": ""}
        inner = {"steps": [step], "result": result}
    document["block"] = inner

    with pytest.raises(PlanError, match="blocks stand within each other"):
        plan_from_json(document)


def test_two_steps_of_one_path_are_refused() -> None:
    """A path names one step, since its record is found by it."""
    document: Any = _document("chain")
    steps = document["block"]["steps"]
    steps.append(copy.deepcopy(steps[0]))

    with pytest.raises(PlanError, match="one path"):
        plan_from_json(document)


def _places(part: Any, way: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    below: Iterable[tuple[str | int, Any]] = ()
    if isinstance(part, dict):
        below = cast("dict[str | int, Any]", part).items()
    elif isinstance(part, list):
        below = enumerate(cast("list[Any]", part))
    return [way, *(place for key, one in below for place in _places(one, (*way, key)))]


@given(data=st.data())
def test_damage_is_refused_or_is_another_plan(data: st.DataObject) -> None:
    """Whatever one part is replaced with, there is a plan or a `PlanError`, and nothing else."""
    name = data.draw(st.sampled_from(sorted(WORKFLOWS)))
    unit, document = WORKFLOWS[name], _document(name)
    *way, last = data.draw(st.sampled_from(_places(document)[1:]))
    value = data.draw(
        st.one_of(
            st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5),
            st.just([]), st.just({}), st.just([[]]),
            st.just({"from": "input.query", "pointer": ""}),
        )
    )  # fmt: skip
    part = document
    for key in way:
        part = part[key]
    part[last] = value
    try:
        found = plan_from_json(document)
    except PlanError:
        return
    with contextlib.suppress(PlanError):
        rebind(found, unit.signature.parameters, unit.signature.output, unit.units)
