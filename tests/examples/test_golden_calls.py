"""The shop's tools answer as the recorded ones: results, refusals and changed rows."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import NotRequired, TypedDict

import pytest
from pydantic import BaseModel, JsonValue

from examples.order_support.shop import Shop
from examples.order_support.shop_rules import Refused

RECORDED = Path(__file__).parents[1] / "data" / "retail"


class Step(TypedDict):
    """One recorded call."""

    name: str
    arguments: dict[str, JsonValue]
    ok: bool
    result: JsonValue  # absent from a refused call
    error: str  # absent from an answered one


class Items(TypedDict):
    """What an order's lines should have been."""

    items: list[JsonValue]


class Corrections(TypedDict):
    """Where the recording is wrong, by number of step and by key of row."""

    steps: dict[str, Items]
    db_changed: dict[str, Items]


class Task(TypedDict):
    """One line of the recording."""

    task_id: str
    steps: list[Step]
    db_changed: dict[str, JsonValue]
    corrections: NotRequired[Corrections]


def _lines(name: str) -> Iterator[str]:
    return iter((RECORDED / name).read_text(encoding="utf-8").splitlines())


TASKS: list[Task] = [json.loads(line) for line in _lines("golden_calls.jsonl")]


@pytest.mark.parametrize("task", TASKS, ids=[f"task {task['task_id']}" for task in TASKS])
def test_a_task_replays_as_recorded(task: Task, shop: Shop, database: Path) -> None:
    """A fresh shop gives each recorded answer, and exactly the recorded rows have changed."""
    before = _documents(database)
    expected = _corrected(task)

    answers = [_answer(shop, step) for step in task["steps"]]

    assert answers == [_comparable(_recorded_answer(step)) for step in expected["steps"]]
    assert _changed_rows(shop, before, _documents(database)) == _comparable(expected["db_changed"])


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
        for task in map(json.loads, _lines("tasks.jsonl"))
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
    return _comparable(result if isinstance(result, str) else result.model_dump(mode="json"))


def _recorded_answer(step: Step) -> JsonValue:
    return step["result"] if step["ok"] else {"refused": step["error"]}


def _corrected(task: Task) -> Task:
    corrected: Task = json.loads(json.dumps(task))
    if "corrections" in task:
        for number, correction in task["corrections"]["steps"].items():
            result = corrected["steps"][int(number)]["result"]
            assert isinstance(result, dict)
            result["items"] = correction["items"]
        for row, correction in task["corrections"]["db_changed"].items():
            changed = corrected["db_changed"][row]
            assert isinstance(changed, dict)
            changed["items"] = correction["items"]
    return corrected


def _comparable(value: JsonValue) -> JsonValue:
    """Drop what is null and round amounts to the cent; lists keep their order."""
    match value:
        case dict():
            return {key: _comparable(entry) for key, entry in value.items() if entry is not None}
        case list():
            return [_comparable(entry) for entry in value]
        case float():
            return round(value, 2)
        case _:
            return value


def _documents(database: Path) -> dict[str, str]:
    """Read every row past the shop: `orders/<id>` to the stored text."""
    with closing(sqlite3.connect(database)) as connection:
        return dict(
            connection.execute(
                "SELECT 'orders/' || order_id, document FROM orders"
                " UNION ALL SELECT 'users/' || user_id, document FROM users"
                " UNION ALL SELECT 'products/' || product_id, document FROM products"
            )
        )


def _changed_rows(shop: Shop, before: Mapping[str, str], after: Mapping[str, str]) -> JsonValue:
    assert before.keys() == after.keys()
    changed: dict[str, JsonValue] = {}
    for row, document in after.items():
        if document == before[row] or json.loads(document) == json.loads(before[row]):
            continue
        table, _, key = row.partition("/")
        assert table != "products"
        read = shop.get_order_details if table == "orders" else shop.get_user_details
        changed[row] = _comparable(read(key).model_dump(mode="json"))
    return changed
