"""The shop's tools answer as the recorded ones: results, refusals and changed rows."""

import json
from pathlib import Path

import pytest
from pydantic import BaseModel, JsonValue

from examples.order_support.shop import Shop
from examples.order_support.shop_rules import Refused
from tests.examples.recorded_calls import (
    TASK_NAMES,
    TASKS,
    Step,
    Task,
    changed_rows,
    comparable,
    corrected,
    documents,
    lines,
    recorded_answer,
)


@pytest.mark.parametrize("task", TASKS, ids=TASK_NAMES)
def test_a_task_replays_as_recorded(task: Task, shop: Shop, database: Path) -> None:
    """A fresh shop gives each recorded answer, and exactly the recorded rows have changed."""
    before = documents(database)
    expected = corrected(task)

    answers = [_answer(shop, step) for step in task["steps"]]

    assert answers == [recorded_answer(step) for step in expected["steps"]]
    read = {"orders": shop.get_order_details, "users": shop.get_user_details}
    assert changed_rows(before, documents(database), read) == comparable(expected["db_changed"])


def test_the_recording_is_whole() -> None:
    """The 74 tasks have 365 calls, 13 of them refused; 104 orders and 13 users change."""
    steps = [step for task in TASKS for step in task["steps"]]
    changed = [row.split("/")[0] for task in TASKS for row in task["db_changed"]]

    assert len(TASKS) == 74
    assert len(steps) == 365
    assert sum(not step["ok"] for step in steps) == 13
    assert (changed.count("orders"), changed.count("users")) == (104, 13)


def test_the_recorded_calls_are_the_tasks_expected_ones() -> None:
    """Each task's recording runs the calls that the task expects, in its order."""
    expected = {
        task["id"]: [(each["name"], each["arguments"]) for each in actions]
        for task in map(json.loads, lines("tasks.jsonl"))
        for actions in [task["evaluation_criteria"]["actions"]]
    }

    recorded = {
        task["task_id"]: [(step["name"], step["arguments"]) for step in task["steps"]]
        for task in TASKS
    }

    assert recorded == expected


def _answer(shop: Shop, step: Step) -> JsonValue:
    tool = getattr(shop, step["name"])
    try:
        result: BaseModel | str = tool(**step["arguments"])
    except Refused as refusal:
        return {"refused": refusal.message}
    return comparable(result if isinstance(result, str) else result.model_dump(mode="json"))
